//! The AWS API as its clients speak it: HTTP requests signed with Signature Version 4, in any of the protocols
//! that the service models name (query, EC2 query, JSON, REST-JSON, REST-XML, RPC v2 CBOR).
//!
//! Reading order: a door reads a [`request`]'s head; [`sigv4`] verifies who signed it and signs it anew; [`chunked`]
//! takes bodies apart that come in signed chunks; [`protocol`] names the forms that requests have, and [`refuse`] words
//! a refusal in each.

pub mod chunked;
pub mod protocol;
pub mod refuse;
pub mod request;
pub mod sigv4;
