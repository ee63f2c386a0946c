//! Percent-encoding (RFC 3986) and the pairs of a query or a form.

use super::Unclear;

/// How a `+` is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::aws) enum Plus {
    /// As a space, as in forms.
    Space,
    /// As a plus by some and as a space by others.
    Unclear,
    /// As itself, as in paths.
    Itself,
}

/// A name and its value, if it has one.
pub(super) type Pair = (String, Option<String>);

/// The pairs of a query or a form, in their order.
pub(super) fn pairs(text: &str, plus: Plus) -> Result<Vec<Pair>, Unclear> {
    // Some once took it for `&`.
    if text.contains(';') {
        return Err(Unclear::Malformed);
    }
    let parts = text.split('&').filter(|part| !part.is_empty());
    parts
        .map(|part| match part.split_once('=') {
            Some((name, value)) => Ok((decoded(name, plus)?, Some(decoded(value, plus)?))),
            None => Ok((decoded(part, plus)?, None)),
        })
        .collect()
}

/// The text that is meant.
pub(in crate::aws) fn decoded(text: &str, plus: Plus) -> Result<String, Unclear> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        match (byte, plus) {
            (b'%', _) => {
                let digit = |byte: Option<u8>| char::from(byte?).to_digit(16);
                let (high, low) = (digit(rest.next()), digit(rest.next()));
                let value = high.zip(low).and_then(|(high, low)| u8::try_from(high * 16 + low).ok());
                bytes.push(value.ok_or(Unclear::Percent)?);
            }
            (b'+', Plus::Space) => bytes.push(b' '),
            (b'+', Plus::Unclear) => return Err(Unclear::Percent),
            // A space, a control character or anything beyond ASCII does not stand in a URL as it is.
            (0x21..=0x7e, _) => bytes.push(byte),
            _ => return Err(Unclear::Percent),
        }
    }
    String::from_utf8(bytes).map_err(|_| Unclear::NotUtf8)
}

/// Whether a pair of the query belongs to the signature and not to the operation.
pub(super) fn is_signature(name: &str) -> bool {
    const NAMES: [&str; 8] = [
        "X-Amz-Algorithm",
        "X-Amz-Credential",
        "X-Amz-Date",
        "X-Amz-Expires",
        "X-Amz-Security-Token",
        "X-Amz-Signature",
        "X-Amz-SignedHeaders",
        "X-Amz-Content-Sha256",
    ];
    NAMES.contains(&name)
}

/// A query without the pairs of a signature.
pub(super) fn unsigned(query: &str) -> String {
    let is_kept = |part: &&str| !is_signature(part.split('=').next().unwrap_or_default());
    query.split('&').filter(is_kept).collect::<Vec<_>>().join("&")
}
