//! How a refusal sounds to an SDK: an error in the form of the protocol that was spoken, with codes that the SDKs
//! know, so that they raise it with its whole message.
//!
//! Follows the error sections of the Smithy protocol definitions, "Error Responses" of S3 and "Common Errors" of
//! the other APIs. SDKs retry by status (500, 502, 503, 504, 429) and by code (those for throttling and time-outs):
//! everything here that would fail the same way again has neither, and only [`Kind::Unavailable`] is tried once more.
//! What an agent or a person wrote is one line, and can't break out of the form.

use serde::Serialize;

use crate::aws::chunked::ChunkError;
use crate::aws::protocol::Protocol;
use crate::aws::sigv4::{Mismatch, Unsigned};
use crate::line::one_line;

/// Why a request is refused, as far as SDKs tell reasons apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// It is not allowed, or has to wait for people.
    Denied,
    /// Nobody signed it.
    NotSigned,
    /// Its signature cannot be read.
    Malformed,
    /// Its signature is wrong.
    Signature,
    /// Its access key is not known.
    UnknownKey,
    /// Its session is over, or its token is not that of the access key.
    Ended,
    /// It was presigned, and its time is over.
    Expired,
    /// It was signed by another time; SDKs correct their clock by the `Date` of the answer.
    Skewed,
    /// Its body is not what was declared.
    Body,
    /// The length of its content is missing.
    NoLength,
    /// It is too large.
    TooLarge,
    /// It cannot be passed on, now or later.
    NotImplemented,
    /// It was sent, and nobody knows what came of it; to be looked at before it is sent again.
    Lost,
    /// Something needed for it is missing just now; SDKs try again.
    Unavailable,
}

impl From<Unsigned> for Kind {
    fn from(reason: Unsigned) -> Self {
        match reason {
            Unsigned::NotSigned => Self::NotSigned,
            Unsigned::VersionFourA => Self::NotImplemented,
            Unsigned::VersionTwo | Unsigned::Algorithm | Unsigned::Several | Unsigned::Malformed(_) => {
                Self::Malformed
            }
        }
    }
}

impl From<&Mismatch> for Kind {
    fn from(reason: &Mismatch) -> Self {
        match reason {
            Mismatch::NotCovered(_) | Mismatch::Absent(_) | Mismatch::Signature => Self::Signature,
            Mismatch::BodyNotKnown => Self::TooLarge,
            Mismatch::Skewed { .. } => Self::Skewed,
            Mismatch::Expired => Self::Expired,
            Mismatch::Body => Self::Body,
        }
    }
}

impl From<ChunkError> for Kind {
    fn from(reason: ChunkError) -> Self {
        match reason {
            ChunkError::Signature => Self::Signature,
            ChunkError::NoLength => Self::NoLength,
            ChunkError::TooLong => Self::TooLarge,
            ChunkError::NotChunked
            | ChunkError::NoTrailers
            | ChunkError::Malformed
            | ChunkError::Line
            | ChunkError::Trailers
            | ChunkError::Length
            | ChunkError::Cut => Self::Body,
        }
    }
}

/// What goes back instead of an answer of AWS. The door adds `content-length` and `date`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// Names in lower case, and values.
    pub headers: Vec<(&'static str, String)>,
    /// Empty for `HEAD`.
    pub body: Vec<u8>,
}

impl Answer {
    /// The answer in that protocol.
    #[must_use]
    pub fn new(protocol: Protocol, kind: Kind, message: &str, request_id: &str) -> Self {
        let (status, code) = code(protocol, kind);
        let error = Error { status, code, message: &one_line(message), request_id: &plain(request_id) };
        let mut headers = vec![("content-type", content_type(protocol).to_owned())];
        headers.push((request_id_name(protocol), error.request_id.to_owned()));
        match protocol {
            Protocol::Json10 | Protocol::Json11 | Protocol::RestJson => {
                headers.push(("x-amzn-errortype", code.to_owned()));
            }
            Protocol::Cbor => headers.push(("smithy-protocol", "rpc-v2-cbor".to_owned())),
            Protocol::Query | Protocol::Ec2 | Protocol::RestXml | Protocol::S3 => {}
        }
        Self { status, headers, body: error.body(protocol) }
    }

    /// The answer to `HEAD`, which has no body: SDKs raise the bare status then, and code and message stand in headers
    /// for people who look.
    #[must_use]
    pub fn to_head(protocol: Protocol, kind: Kind, message: &str, request_id: &str) -> Self {
        let mut answer = Self::new(protocol, kind, message, request_id);
        let message = plain(&one_line(message)).chars().take(HEADER_CHARS_MAX).collect();
        answer.headers.push(("x-amz-error-code", code(protocol, kind).1.to_owned()));
        answer.headers.push(("x-amz-error-message", message));
        Self { body: Vec::new(), ..answer }
    }
}

/// Characters of a message in a header.
const HEADER_CHARS_MAX: usize = 1024;

/// Status and code of a reason in that protocol.
fn code(protocol: Protocol, kind: Kind) -> (u16, &'static str) {
    let code = match protocol {
        Protocol::S3 => s3_code(kind),
        Protocol::Query | Protocol::RestXml => query_code(kind),
        Protocol::Ec2 => ec2_code(kind),
        Protocol::Json10 | Protocol::Json11 | Protocol::RestJson | Protocol::Cbor => json_code(kind),
    };
    (status(kind), code)
}

/// Statuses of client errors, which are not sent again, but for one.
fn status(kind: Kind) -> u16 {
    match kind {
        Kind::Denied
        | Kind::NotSigned
        | Kind::Signature
        | Kind::UnknownKey
        | Kind::Ended
        | Kind::Expired
        | Kind::Skewed => 403,
        Kind::Malformed | Kind::Body | Kind::Lost => 400,
        Kind::NoLength => 411,
        Kind::TooLarge => 413,
        Kind::NotImplemented => 501,
        Kind::Unavailable => 503,
    }
}

/// "Error Responses" of S3.
fn s3_code(kind: Kind) -> &'static str {
    match kind {
        Kind::Denied | Kind::NotSigned | Kind::Expired => "AccessDenied",
        Kind::Malformed => "AuthorizationHeaderMalformed",
        Kind::Signature => "SignatureDoesNotMatch",
        Kind::UnknownKey => "InvalidAccessKeyId",
        Kind::Ended => "ExpiredToken",
        Kind::Skewed => "RequestTimeTooSkewed",
        Kind::Body => "XAmzContentSHA256Mismatch",
        Kind::NoLength => "MissingContentLength",
        Kind::TooLarge => "EntityTooLarge",
        Kind::NotImplemented => "NotImplemented",
        Kind::Lost => "OutcomeUnknown",
        Kind::Unavailable => "ServiceUnavailable",
    }
}

/// "Common Errors" of the query APIs.
fn query_code(kind: Kind) -> &'static str {
    match kind {
        Kind::Denied => "AccessDenied",
        Kind::NotSigned => "MissingAuthenticationToken",
        Kind::Malformed => "IncompleteSignature",
        Kind::Signature => "SignatureDoesNotMatch",
        Kind::UnknownKey => "InvalidClientTokenId",
        Kind::Ended => "ExpiredToken",
        Kind::Expired => "RequestExpired",
        Kind::Skewed => "RequestTimeTooSkewed",
        Kind::Body => "InvalidParameterValue",
        Kind::NoLength => "MissingContentLength",
        Kind::TooLarge => "RequestEntityTooLarge",
        Kind::NotImplemented => "NotImplemented",
        Kind::Lost => "OutcomeUnknown",
        Kind::Unavailable => "ServiceUnavailable",
    }
}

/// "Error codes for the Amazon EC2 API".
fn ec2_code(kind: Kind) -> &'static str {
    match kind {
        Kind::Denied => "UnauthorizedOperation",
        Kind::NotSigned | Kind::Signature | Kind::UnknownKey => "AuthFailure",
        Kind::Malformed => "IncompleteSignature",
        Kind::Ended => "ExpiredToken",
        Kind::Expired => "RequestExpired",
        Kind::Skewed => "RequestTimeTooSkewed",
        Kind::Body => "InvalidParameterValue",
        Kind::NoLength => "MissingContentLength",
        Kind::TooLarge => "RequestEntityTooLarge",
        Kind::NotImplemented => "Unsupported",
        Kind::Lost => "OutcomeUnknown",
        Kind::Unavailable => "ServiceUnavailable",
    }
}

/// The same as exceptions of JSON and CBOR APIs.
fn json_code(kind: Kind) -> &'static str {
    match kind {
        Kind::Denied => "AccessDeniedException",
        Kind::NotSigned => "MissingAuthenticationTokenException",
        Kind::Malformed => "IncompleteSignatureException",
        Kind::Signature => "InvalidSignatureException",
        Kind::UnknownKey => "UnrecognizedClientException",
        Kind::Ended => "ExpiredTokenException",
        Kind::Expired => "RequestExpiredException",
        Kind::Skewed => "RequestTimeTooSkewed",
        Kind::Body => "ValidationException",
        Kind::NoLength => "MissingContentLengthException",
        Kind::TooLarge => "RequestEntityTooLargeException",
        Kind::NotImplemented => "NotImplementedException",
        Kind::Lost => "OutcomeUnknown",
        Kind::Unavailable => "ServiceUnavailableException",
    }
}

fn content_type(protocol: Protocol) -> &'static str {
    match protocol {
        Protocol::Query | Protocol::RestXml => "text/xml",
        Protocol::Ec2 => "text/xml;charset=UTF-8",
        Protocol::S3 => "application/xml",
        Protocol::Json10 => "application/x-amz-json-1.0",
        Protocol::Json11 => "application/x-amz-json-1.1",
        Protocol::RestJson => "application/json",
        Protocol::Cbor => "application/cbor",
    }
}

fn request_id_name(protocol: Protocol) -> &'static str {
    match protocol {
        Protocol::S3 => "x-amz-request-id",
        Protocol::Query
        | Protocol::Ec2
        | Protocol::RestXml
        | Protocol::Json10
        | Protocol::Json11
        | Protocol::RestJson
        | Protocol::Cbor => "x-amzn-requestid",
    }
}

struct Error<'a> {
    status: u16,
    code: &'static str,
    /// One line.
    message: &'a str,
    request_id: &'a str,
}

/// The document of JSON and CBOR.
#[derive(Serialize)]
struct Document<'a> {
    #[serde(rename = "__type")]
    kind: &'a str,
    message: &'a str,
}

impl Error<'_> {
    fn body(&self, protocol: Protocol) -> Vec<u8> {
        let document = Document { kind: self.code, message: self.message };
        match protocol {
            Protocol::Query | Protocol::RestXml => self.wrapped(),
            Protocol::Ec2 => self.listed(),
            Protocol::S3 => self.bare(),
            Protocol::Json10 | Protocol::Json11 | Protocol::RestJson => {
                serde_json::to_vec(&document).unwrap_or_default()
            }
            Protocol::Cbor => {
                let mut out = Vec::new();
                // Two texts into memory: there is nothing that could fail.
                ciborium::into_writer(&document, &mut out).map_or_else(|_| Vec::new(), |()| out)
            }
        }
    }

    fn wrapped(&self) -> Vec<u8> {
        let who = if self.status < 500 { "Sender" } else { "Receiver" };
        let (code, message, id) = (self.code, escaped(self.message), escaped(self.request_id));
        xml(&format!(
            "<ErrorResponse><Error><Type>{who}</Type><Code>{code}</Code><Message>{message}</Message></Error>\
             <RequestId>{id}</RequestId></ErrorResponse>"
        ))
    }

    fn listed(&self) -> Vec<u8> {
        let (code, message, id) = (self.code, escaped(self.message), escaped(self.request_id));
        xml(&format!(
            "<Response><Errors><Error><Code>{code}</Code><Message>{message}</Message></Error></Errors>\
             <RequestID>{id}</RequestID></Response>"
        ))
    }

    fn bare(&self) -> Vec<u8> {
        let (code, message, id) = (self.code, escaped(self.message), escaped(self.request_id));
        xml(&format!(
            "<Error><Code>{code}</Code><Message>{message}</Message><RequestId>{id}</RequestId></Error>"
        ))
    }
}

fn xml(element: &str) -> Vec<u8> {
    format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n{element}").into_bytes()
}

fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&apos;"),
            // XML cannot write these two at all.
            '\u{fffe}' | '\u{ffff}' => out.push(char::REPLACEMENT_CHARACTER),
            c => out.push(c),
        }
    }
    out
}

/// As a header can carry it.
fn plain(text: &str) -> String {
    text.chars().map(|c| if c.is_ascii_graphic() || c == ' ' { c } else { '?' }).collect()
}

#[cfg(test)]
mod tests;
