//! Requests that carry their signature in the query ("Authenticating Requests: Using Query Parameters" of S3).
//!
//! Clients that presign also move other `x-amz-` headers into the query, and S3 takes them from there. They are
//! moved back, so that nothing that decides what a request does stands in a place where only some look.

use tyer_core::limits::PRESIGNED_S_MAX;

use super::claim::Unsigned;
use super::percent;
use crate::aws::request::Head;

/// A parameter that belongs to the signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Parameter {
    Algorithm,
    Credential,
    Date,
    Expires,
    SignedHeaders,
    Signature,
    Token,
    /// What the request says of its body.
    Payload,
}

/// Their names, in lower case; how they are written makes no difference. S3 Express has a token of its own.
const NAMES: [(&str, Parameter); 9] = [
    ("x-amz-algorithm", Parameter::Algorithm),
    ("x-amz-credential", Parameter::Credential),
    ("x-amz-date", Parameter::Date),
    ("x-amz-expires", Parameter::Expires),
    ("x-amz-signedheaders", Parameter::SignedHeaders),
    ("x-amz-signature", Parameter::Signature),
    ("x-amz-security-token", Parameter::Token),
    ("x-amz-s3session-token", Parameter::Token),
    ("x-amz-content-sha256", Parameter::Payload),
];

/// What the names of parameters begin with that stand for headers.
const AMZ: &str = "x-amz-";

/// Every parameter of a signature in the query, decoded; each at most once. Empty if none of them makes a claim.
pub(super) fn parameters(query: &str) -> Result<Vec<(Parameter, String)>, Unsigned> {
    let mut found: Vec<(Parameter, String)> = Vec::new();
    for (name, value) in amz(query) {
        let Some((_, which)) = NAMES.iter().find(|(is, _)| *is == name) else { continue };
        if found.iter().any(|(other, _)| other == which) {
            return Err(Unsigned::Several);
        }
        let value =
            percent::decoded(value).ok_or(Unsigned::Malformed("a parameter that is no text"))?;
        found.push((*which, value));
    }
    Ok(found)
}

/// Whether a parameter stands for an `x-amz-` header.
pub(super) fn has_amz(query: &str) -> bool {
    amz(query).next().is_some()
}

/// Whether the query has a signature of version 2: S3's, or that of a query API.
pub(super) fn is_version_two(query: &str) -> bool {
    let has = |wanted: &str| names(query).any(|(name, _)| name == wanted);
    has("awsaccesskeyid") || has("signatureversion")
}

/// How long a presigned request is good for.
pub(super) fn seconds(text: &str) -> Result<u32, Unsigned> {
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let seconds = text.parse().ok().filter(|seconds| (1..=PRESIGNED_S_MAX).contains(seconds));
    seconds
        .filter(|_| is_number)
        .ok_or(Unsigned::Malformed("the X-Amz-Expires is not a number of seconds up to seven days"))
}

/// The request with its `x-amz-` parameters as headers, and without those of the signature.
pub(super) fn plain(head: &Head) -> Result<Head, Unsigned> {
    let mut plain = Head { query: without_amz(&head.query), ..head.clone() };
    for (name, value) in amz(&head.query) {
        if NAMES.iter().any(|(is, _)| *is == name) {
            continue;
        }
        let value = percent::decoded(value).filter(|value| !value.chars().any(char::is_control));
        let value = value.ok_or(Unsigned::Malformed("a parameter that cannot be a header"))?;
        if plain.headers(&name).next().is_some() {
            return Err(Unsigned::Malformed("a parameter that is a header too"));
        }
        plain.headers.push((name, value));
    }
    Ok(plain)
}

/// The query without what stands for `x-amz-` headers.
fn without_amz(query: &str) -> String {
    let kept = query.split('&').filter(|parameter| {
        let name = parameter.split_once('=').map_or(*parameter, |(name, _)| name);
        !percent::canonical(name).to_ascii_lowercase().starts_with(AMZ)
    });
    kept.collect::<Vec<_>>().join("&")
}

fn amz(query: &str) -> impl Iterator<Item = (String, &str)> {
    names(query).filter(|(name, _)| name.starts_with(AMZ))
}

/// Each parameter's name, in lower case and canonical form, and its value as it stands.
fn names(query: &str) -> impl Iterator<Item = (String, &str)> {
    query.split('&').filter(|parameter| !parameter.is_empty()).map(|parameter| {
        let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
        (percent::canonical(name).to_ascii_lowercase(), value)
    })
}
