//! The request as AWS gets it: signed anew with the credentials of the account, without anything of the client's.

use std::fmt;

use ring::hmac;
use tyer_core::intent::{Digest, Timestamp};

use super::canonical::{self, Canonical, push_hex};
use super::{ALGORITHM, Payload, SigningKey, moment, presigned};
use crate::aws::request::Head;

/// Credentials of an account.
#[derive(Clone, Copy)]
pub struct Signer<'a> {
    /// The access key's id.
    pub access_key: &'a str,
    /// The session token that belongs to it, if it has one.
    pub token: Option<&'a str>,
    /// The key derived from its secret for the day, region and service.
    pub key: &'a SigningKey,
}

/// Never with the token.
impl fmt::Debug for Signer<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Signer").field("key", self.key).finish_non_exhaustive()
    }
}

/// How the body goes out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outgoing {
    /// As it is, with this SHA-256.
    Hash(Digest),
    /// As it is, not signed; over TLS only.
    Unsigned,
    /// As `aws-chunked` with unsigned trailers; over TLS only.
    Trailers {
        /// How many bytes that takes; see [`crate::aws::chunked::Encoder`].
        bytes: u64,
    },
}

/// Why a request cannot be signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SignError {
    /// The signing key is of another day.
    #[error("the signing key is not of today")]
    Day,
    /// The query has parameters that stand for headers; see [`super::Claim::plain`].
    #[error("a parameter of the query stands for a header")]
    Parameter,
    /// The host, the access key or the token cannot be a header.
    #[error("the host or a credential cannot be written in a header")]
    Header,
}

/// Headers that end here: the client's signature, what is set anew, and what belongs to one connection. The caller
/// frames the body.
const DROPPED: [&str; 18] = [
    "authorization",
    "connection",
    "date",
    "expect",
    "host",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "x-amz-content-sha256",
    "x-amz-date",
    "x-amz-s3session-token",
    "x-amz-security-token",
    "x-amzn-trace-id",
];

/// Headers that are signed besides those of AWS's own.
const SIGNED: [&str; 3] = ["content-md5", "content-type", "host"];

/// The same request for `host`, signed with `signer`. Its headers are those to be sent; if the length of the body
/// was known and the body changes its form, so is `content-length`.
///
/// # Errors
///
/// Why it cannot be signed. Nothing in them is secret.
pub fn sign(
    head: &Head,
    host: &str,
    body: Outgoing,
    signer: &Signer<'_>,
    now: Timestamp,
) -> Result<Head, SignError> {
    let scope = &signer.key.scope;
    let moment = moment::text(now).filter(|moment| moment.starts_with(&scope.date));
    let moment = moment.ok_or(SignError::Day)?;
    if presigned::has_amz(&head.query) {
        return Err(SignError::Parameter);
    }
    if ![host, signer.access_key, signer.token.unwrap_or_default()].into_iter().all(is_plain) {
        return Err(SignError::Header);
    }
    let payload = match body {
        Outgoing::Hash(digest) => digest.to_string(),
        Outgoing::Unsigned => Payload::Unsigned.word().unwrap_or_default().to_owned(),
        Outgoing::Trailers { .. } => {
            Payload::StreamingUnsignedTrailer.word().unwrap_or_default().to_owned()
        }
    };
    let mut headers = passed_on(head, body);
    let mut set = |name: &str, value: &str| headers.push((name.to_owned(), value.to_owned()));
    set("host", host);
    set("x-amz-date", &moment);
    let was_said = head.headers("x-amz-content-sha256").next().is_some();
    if was_said || canonical::is_s3(&scope.service) || !matches!(body, Outgoing::Hash(_)) {
        set("x-amz-content-sha256", &payload);
    }
    if let Some(token) = signer.token {
        set("x-amz-security-token", token);
    }
    let mut signed = Head {
        method: head.method.clone(),
        path: head.path.clone(),
        query: head.query.clone(),
        headers,
    };
    let authorization = authorization(&signed, &payload, signer, &moment);
    signed.headers.push(("authorization".into(), authorization));
    Ok(signed)
}

fn authorization(head: &Head, payload: &str, signer: &Signer<'_>, moment: &str) -> String {
    let scope = &signer.key.scope;
    let names = head.headers.iter().map(|(name, _)| name.as_str());
    let mut names: Vec<&str> =
        names.filter(|name| name.starts_with("x-amz-") || SIGNED.contains(name)).collect();
    names.sort_unstable();
    names.dedup();
    let names = names.join(";");
    let text = Canonical { head, scope, signed: &names, payload }.string_to_sign(moment);
    let mut out = String::with_capacity(300 + names.len());
    for part in [ALGORITHM, " Credential=", signer.access_key, "/"] {
        out.push_str(part);
    }
    scope.push(&mut out);
    for part in [", SignedHeaders=", &names, ", Signature="] {
        out.push_str(part);
    }
    push_hex(&mut out, hmac::sign(&signer.key.key, text.as_bytes()).as_ref());
    out
}

/// The headers of the client that go on to AWS, for a body of that form.
fn passed_on(head: &Head, body: Outgoing) -> Vec<(String, String)> {
    let stays_chunked = matches!(body, Outgoing::Trailers { .. });
    let was_chunked = head.headers("x-amz-content-sha256").any(|text| text.starts_with("STREAMING-"));
    let length = match body {
        Outgoing::Trailers { bytes } => Some(bytes.to_string()),
        Outgoing::Hash(_) | Outgoing::Unsigned if was_chunked => {
            head.header("x-amz-decoded-content-length").map(str::to_owned)
        }
        Outgoing::Hash(_) | Outgoing::Unsigned => None,
    };
    let mut headers = Vec::with_capacity(head.headers.len() + 6);
    for (name, value) in &head.headers {
        match name.as_str() {
            name if DROPPED.contains(&name) => {}
            "content-length" if length.is_some() => {}
            "x-amz-decoded-content-length" | "x-amz-trailer" if was_chunked && !stays_chunked => {}
            "content-encoding" if was_chunked && !stays_chunked => {
                headers.extend(without_chunks(value).map(|value| (name.clone(), value)));
            }
            _ => headers.push((name.clone(), value.clone())),
        }
    }
    headers.extend(length.map(|length| ("content-length".to_owned(), length)));
    headers
}

/// The codings of a body whose chunks were taken off; `None` if there is no other.
fn without_chunks(codings: &str) -> Option<String> {
    let codings = codings.split(',').map(str::trim);
    let kept: Vec<&str> = codings
        .filter(|coding| !coding.is_empty() && !coding.eq_ignore_ascii_case("aws-chunked"))
        .collect();
    Some(kept.join(",")).filter(|kept| !kept.is_empty())
}

/// Whether a text stands in a header as it is.
fn is_plain(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_graphic())
}
