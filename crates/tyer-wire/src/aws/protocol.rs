//! The protocols in which a request to AWS can be written; one API may be spoken in several.
//!
//! Follows the protocol definitions of the Smithy specification ("AWS Protocols") and the service models.

/// How a request names its operation and carries its parameters, and how its errors look.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Protocol {
    /// `Action=` and parameters in a form; answers in XML.
    Query,
    /// The same, with lists and errors written as EC2 does.
    Ec2,
    /// `X-Amz-Target` and a JSON document, version 1.0.
    Json10,
    /// The same, version 1.1.
    Json11,
    /// Method and path, with JSON documents.
    RestJson,
    /// Method and path, with XML documents.
    RestXml,
    /// The same as S3 speaks it, whose errors stand in no envelope.
    S3,
    /// Smithy RPC v2: method, path and a CBOR document.
    Cbor,
}
