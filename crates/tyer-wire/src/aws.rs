//! The AWS API as its clients speak it: HTTP requests signed with Signature Version 4, in any of the protocols
//! that the service models name (query, EC2 query, JSON, REST-JSON, REST-XML, RPC v2 CBOR).
//!
//! Reading order: a door reads a [`request`]'s head; [`sigv4`] verifies who signed it and signs it anew; [`chunked`]
//! takes bodies apart that come in signed chunks; [`decode`] says which operation of the [`table`] is asked for, in which
//! [`protocol`] and with which parameters, and [`resources`] what that is about and [`tags`] how it is tagged; [`understand`] says
//! what it would do; [`refuse`] words a refusal. A [`line`] is a request as people write it, and what is [`written`] otherwise too; an
//! [`asked::Asked`] is what a door has decided about and sends, and [`outcome`] says what came of it. [`facts`] are asked of
//! AWS, as whoever [`identity`] says that Tyer is there, or a role that it [`assume`]s for the session.

pub mod asked;
pub mod assume;
pub mod chunked;
pub mod decode;
pub mod facts;
pub mod identity;
pub mod line;
pub mod outcome;
mod own;
mod owner;
pub mod protocol;
pub mod refuse;
pub mod request;
pub mod resources;
pub mod sigv4;
pub mod table;
pub mod tags;
pub mod understand;
pub mod written;
