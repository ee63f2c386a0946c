//! The AWS API as its clients speak it: HTTP requests signed with Signature Version 4, in any of the protocols
//! that the service models name (query, EC2 query, JSON, REST-JSON, REST-XML, RPC v2 CBOR).
//!
//! Reading order: a door reads a [`request`]'s head.

pub mod request;
