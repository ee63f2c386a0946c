//! Whether a claim is true: the request was signed with that secret, is as it was signed, and is of now.

use std::fmt;

use ring::digest::{SHA256, digest};
use ring::hmac;
use tyer_core::intent::{Digest, Timestamp};
use tyer_core::limits::SIGNED_SKEW_MS_MAX;

use super::canonical::{Canonical, push_hex, push_lines};
use super::claim::Claim;
use super::{Payload, SigningKey};
use crate::aws::request::Head;

/// Why a claim does not hold. The texts are for whoever sent the request.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Mismatch {
    /// A header that decides what the request does is not signed.
    #[error("the header {0} is not signed; the signature must be over it")]
    NotCovered(String),
    /// A header that was signed is not there.
    #[error("the header {0} was signed and is not there")]
    Absent(String),
    /// The SHA-256 of the body must be known, and was not given.
    #[error("the signature is over the body, which is not known")]
    BodyNotKnown,
    /// Not signed with this secret, or not this request.
    #[error(
        "the signature does not match: the secret key is not that of this access key, or the request was changed \
         after it was signed"
    )]
    Signature,
    /// Signed too long ago, or too far ahead.
    #[error("the request was signed at {signed}, which is more than five minutes from the time here")]
    Skewed {
        /// When it was signed by the client's clock, such as `20150830T123600Z`.
        signed: String,
    },
    /// A presigned request whose time is over.
    #[error("the presigned request has expired")]
    Expired,
    /// The body is not the one that was signed.
    #[error("the body does not have the SHA-256 that was signed")]
    Body,
}

/// A request that was signed with the secret of its access key.
#[derive(Clone, Debug)]
pub struct Verified {
    payload: Payload,
    seed: Option<Seed>,
}

impl Verified {
    /// What its body must be: whoever reads a body with [`Payload::Hash`] that was not given to
    /// [`Claim::verify`] has to compare the two.
    #[must_use]
    pub fn payload(&self) -> Payload {
        self.payload
    }

    /// What the signatures of its chunks begin with; only for a body of signed chunks.
    #[must_use]
    pub fn seed(&self) -> Option<&Seed> {
        self.seed.as_ref()
    }
}

impl Claim {
    /// Verifies the claim of `head` with the key that belongs to its access key and scope. `body` is the
    /// SHA-256 of the body as far as it was read: needed for [`Payload::OfBody`], compared for
    /// [`Payload::Hash`].
    ///
    /// # Errors
    ///
    /// Why it does not hold.
    pub fn verify(
        &self,
        head: &Head,
        body: Option<&Digest>,
        key: &SigningKey,
        now: Timestamp,
    ) -> Result<Verified, Mismatch> {
        self.check_covered(head)?;
        let payload = match (self.payload, self.payload.word(), body) {
            (_, Some(word), _) => word.to_owned(),
            (Payload::Hash(digest), _, _) => digest.to_string(),
            (_, None, Some(digest)) => digest.to_string(),
            (_, None, None) => return Err(Mismatch::BodyNotKnown),
        };
        let canonical = Canonical { head, scope: &self.scope, signed: &self.signed, payload: &payload };
        let text = canonical.string_to_sign(&self.moment);
        // In a time that does not tell where the two differ.
        let is_signed = hmac::verify(&key.key, text.as_bytes(), &self.signature).is_ok();
        if !is_signed || key.scope != self.scope {
            return Err(Mismatch::Signature);
        }
        self.check_time(now)?;
        match (self.payload, body) {
            (Payload::Hash(declared), Some(body)) if declared != *body => return Err(Mismatch::Body),
            _ => {}
        }
        Ok(Verified { payload: self.payload, seed: self.seed(key) })
    }

    /// The host, the date and everything of AWS's own must be signed, and what is signed must be there.
    fn check_covered(&self, head: &Head) -> Result<(), Mismatch> {
        let is_signed = |wanted: &str| self.signed.split(';').any(|name| name == wanted);
        if !is_signed("host") {
            return Err(Mismatch::NotCovered("host".into()));
        }
        for (name, _) in &head.headers {
            let is_date = name == "date" && !self.is_presigned() && head.header("x-amz-date").is_none();
            if (name.starts_with("x-amz-") || is_date) && !is_signed(name) {
                return Err(Mismatch::NotCovered(name.clone()));
            }
        }
        let absent = self.signed.split(';').find(|name| head.headers(name).next().is_none());
        absent.map_or(Ok(()), |name| Err(Mismatch::Absent(name.to_owned())))
    }

    fn check_time(&self, now: Timestamp) -> Result<(), Mismatch> {
        let skewed = || Err(Mismatch::Skewed { signed: self.moment.clone() });
        if self.at > now.plus(SIGNED_SKEW_MS_MAX) {
            return skewed();
        }
        match self.presigned_s {
            Some(seconds) if now > self.at.plus(i64::from(seconds) * 1000) => Err(Mismatch::Expired),
            None if self.at.plus(SIGNED_SKEW_MS_MAX) < now => skewed(),
            _ => Ok(()),
        }
    }

    fn seed(&self, key: &SigningKey) -> Option<Seed> {
        match self.payload {
            Payload::StreamingSigned | Payload::StreamingSignedTrailer => {
                Some(Seed { key: key.clone(), moment: self.moment.clone(), signature: self.signature })
            }
            Payload::Hash(_)
            | Payload::OfBody
            | Payload::Unsigned
            | Payload::StreamingUnsignedTrailer => None,
        }
    }
}

/// The head of a chain of signatures, in which each is over the one before it.
#[derive(Clone)]
pub struct Seed {
    key: SigningKey,
    moment: String,
    signature: [u8; 32],
}

/// What in a chunked body is signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Link {
    Chunk,
    Trailers,
}

impl Seed {
    /// Takes the next signature of the chain, if it is over what has this SHA-256.
    pub(crate) fn follow(&mut self, link: Link, content: &Digest, signature: [u8; 32]) -> bool {
        let mut text = String::with_capacity(400);
        push_lines(&mut text, &[link.algorithm(), &self.moment]);
        self.key.scope.push(&mut text);
        text.push('\n');
        push_hex(&mut text, &self.signature);
        text.push('\n');
        if link == Link::Chunk {
            // For headers that a chunk never has.
            push_hex(&mut text, digest(&SHA256, b"").as_ref());
            text.push('\n');
        }
        push_hex(&mut text, &content.0);
        self.signature = signature;
        hmac::verify(&self.key.key, text.as_bytes(), &signature).is_ok()
    }
}

impl Link {
    fn algorithm(self) -> &'static str {
        match self {
            Self::Chunk => "AWS4-HMAC-SHA256-PAYLOAD",
            Self::Trailers => "AWS4-HMAC-SHA256-TRAILER",
        }
    }
}

/// Never with the key or a signature.
impl fmt::Debug for Seed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Seed").field("moment", &self.moment).finish_non_exhaustive()
    }
}
