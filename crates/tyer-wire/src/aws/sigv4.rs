//! Signature Version 4: what a client signed is verified, and what goes to AWS is signed anew.
//!
//! Follows "AWS Signature Version 4 for API requests" and "Authenticating Requests (AWS Signature Version 4)" of
//! S3 in the AWS documentation. One canonical request serves both ways. The clock and every secret are arguments;
//! a key that signs is good for one day, region and service, so that a caller derives it once.
//!
//! Reading order: [`Claim::read`], [`Claim::verify`], [`sign`].

mod canonical;
mod claim;
mod moment;
mod percent;
mod presigned;
mod sign;
#[cfg(test)]
mod tests;
mod verify;

use std::fmt;

use ring::hmac::{self, HMAC_SHA256};
use tyer_core::intent::{Digest, Timestamp};
use zeroize::Zeroizing;

pub use claim::{Claim, Unsigned};
pub use sign::{Outgoing, SignError, Signer, sign};
pub(super) use verify::Link;
pub use verify::{Mismatch, Seed, Verified};

/// The one algorithm that is verified and signed with.
const ALGORITHM: &str = "AWS4-HMAC-SHA256";
/// What ends every scope.
const TERMINATOR: &str = "aws4_request";

/// What a signing key is good for.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Scope {
    /// The day in UTC, such as `20150830`.
    pub date: String,
    /// Such as `eu-west-1`.
    pub region: String,
    /// The name under which the API is signed, such as `s3`.
    pub service: String,
}

impl Scope {
    /// The scope of that day; `None` beyond the years that can be written.
    #[must_use]
    pub fn on(at: Timestamp, region: &str, service: &str) -> Option<Self> {
        let date = moment::text(at)?.get(..8)?.to_owned();
        Some(Self { date, region: region.to_owned(), service: service.to_owned() })
    }

    fn push(&self, out: &mut String) {
        for part in [&self.date, &self.region, &self.service] {
            out.push_str(part);
            out.push('/');
        }
        out.push_str(TERMINATOR);
    }
}

/// A key that signs within its scope. It is derived from a secret once, and may be kept for its day.
#[derive(Clone)]
pub struct SigningKey {
    scope: Scope,
    key: hmac::Key,
}

impl SigningKey {
    /// The key of a secret access key for that scope.
    #[must_use]
    pub fn derive(secret: &str, scope: &Scope) -> Self {
        let mut start = Zeroizing::new(Vec::with_capacity(4 + secret.len()));
        start.extend_from_slice(b"AWS4");
        start.extend_from_slice(secret.as_bytes());
        let mut key = hmac::Key::new(HMAC_SHA256, &start);
        for part in [scope.date.as_str(), &scope.region, &scope.service, TERMINATOR] {
            key = hmac::Key::new(HMAC_SHA256, hmac::sign(&key, part.as_bytes()).as_ref());
        }
        Self { scope: scope.clone(), key }
    }

    /// What it is good for.
    #[must_use]
    pub fn scope(&self) -> &Scope {
        &self.scope
    }
}

/// Never with the key.
impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SigningKey").field("scope", &self.scope).finish_non_exhaustive()
    }
}

/// What a request says of its body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Payload {
    /// It has this SHA-256.
    Hash(Digest),
    /// Nothing: the signature is over the body itself, whose SHA-256 must be known to verify it.
    OfBody,
    /// The signature is not over the body.
    Unsigned,
    /// `aws-chunked`, each chunk signed.
    StreamingSigned,
    /// `aws-chunked`, each chunk and the trailers signed.
    StreamingSignedTrailer,
    /// `aws-chunked`, nothing of it signed, with trailers.
    StreamingUnsignedTrailer,
}

impl Payload {
    /// What stands for it in a canonical request and in `x-amz-content-sha256`; a digest is written otherwise.
    const WORDS: [(&'static str, Self); 4] = [
        ("UNSIGNED-PAYLOAD", Self::Unsigned),
        ("STREAMING-AWS4-HMAC-SHA256-PAYLOAD", Self::StreamingSigned),
        ("STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER", Self::StreamingSignedTrailer),
        ("STREAMING-UNSIGNED-PAYLOAD-TRAILER", Self::StreamingUnsignedTrailer),
    ];

    /// Whether the body comes as `aws-chunked`.
    #[must_use]
    pub fn is_chunked(self) -> bool {
        match self {
            Self::Hash(_) | Self::OfBody | Self::Unsigned => false,
            Self::StreamingSigned | Self::StreamingSignedTrailer | Self::StreamingUnsignedTrailer => {
                true
            }
        }
    }

    fn read(text: &str) -> Option<Self> {
        let word = Self::WORDS.iter().find(|(word, _)| *word == text);
        word.map(|(_, payload)| *payload).or_else(|| read_digest(text).map(Self::Hash))
    }

    fn word(self) -> Option<&'static str> {
        Self::WORDS.iter().find(|(_, payload)| *payload == self).map(|(word, _)| *word)
    }
}

/// A digest of 64 lower-case hexadecimal digits.
pub(super) fn read_digest(text: &str) -> Option<Digest> {
    let nibble = |digit: u8| match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    };
    let mut digest = [0; 32];
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    if pairs.len() != digest.len() || !rest.is_empty() {
        return None;
    }
    for (byte, [high, low]) in digest.iter_mut().zip(pairs) {
        *byte = nibble(*high)? << 4 | nibble(*low)?;
    }
    Some(Digest(digest))
}
