//! What the content type of a request says.

use super::Unclear;
use crate::aws::request::Head;

/// What the content type says the body is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Content {
    /// It says nothing, or nothing that a protocol goes by.
    Open,
    Form,
    Json10,
    Json11,
    Cbor,
}

impl Content {
    pub(super) fn of(head: &Head) -> Result<Self, Unclear> {
        let mut types = head.headers("content-type");
        let Some(first) = types.next() else { return Ok(Self::Open) };
        if types.next().is_some() {
            return Err(Unclear::ContentType);
        }
        let name = first.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        Ok(match name.as_str() {
            "application/x-www-form-urlencoded" => Self::Form,
            "application/x-amz-json-1.0" => Self::Json10,
            "application/x-amz-json-1.1" => Self::Json11,
            "application/cbor" => Self::Cbor,
            _ => Self::Open,
        })
    }
}
