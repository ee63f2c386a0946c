//! What leaves are made of: keys, approvals, requests and cards as outsiders get to see them.

use serde::{Deserialize, Serialize};

use crate::allowance::Terms;
use crate::facts::{Card, Facts};
use crate::intent::{Act, Digest, Environment, HoldId, PersonId, Principal, Timestamp, Upstream};
use crate::roster::Roster;
use crate::statement::Signed;
use crate::verdict::{Basis, Needs};

/// A person's public key as outsiders need it to verify signatures: a passkey's, or an SSH key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PublicKey {
    /// The WebAuthn credential id, base64url; or the SSH key's fingerprint, as OpenSSH writes it.
    pub credential: String,
    /// The COSE key, base64url; absent if it is an SSH key.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub cose: String,
    /// The SSH key, as OpenSSH writes it, without a comment; absent if it is a passkey.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub ssh: String,
    /// The root certificate (SHA-256) of the maker who attests to the key's hardware; absent if nobody trusted does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attested: Option<Digest>,
}

/// An approval inside an execution leaf: who, with the signature and the key that verifies it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApprovalRecord {
    /// Who.
    pub person: PersonId,
    /// `controller`, `peer` or `owner`.
    pub standing: crate::hold::Standing,
    /// When.
    pub at: Timestamp,
    /// What they wrote.
    pub comment: String,
    /// The signed statement.
    pub signed: Signed,
    /// The key it verifies with.
    pub key: PublicKey,
}

/// A request as leaves keep it: literals redacted, with a salted commitment to the full text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RequestRecord {
    /// Who acts for whom.
    pub principal: Principal,
    /// Where.
    pub upstream: Upstream,
    /// Where that stands.
    pub environment: Environment,
    /// The identity of the exact request.
    pub digest: Digest,
    /// The text with literals replaced.
    pub redacted: String,
    /// The commitment to salt and full text; see [`commit`].
    pub commitment: Digest,
    /// What it would do.
    pub acts: Vec<Act>,
    /// The consequences as known.
    pub facts: Facts,
    /// What the verdict rests on.
    pub basis: Basis,
}

/// A card as leaves keep it: its digest, and all of it but the literals.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CardRecord {
    /// The hold.
    pub hold: HoldId,
    /// The digest that approvers sign.
    pub card: Digest,
    /// The request.
    pub request: RequestRecord,
    /// Why the session exists.
    pub purpose: String,
    /// Who must agree.
    pub needs: Needs,
    /// When the facts were taken.
    pub taken: Timestamp,
    /// Who is what, as far as the needs ask for it.
    #[serde(default, skip_serializing_if = "Roster::is_empty")]
    pub roster: Roster,
    /// What it covers beyond this one request, if it is an allowance for more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allowance: Option<Terms>,
    /// The shape of the request: its text without literals, and all that it does to which names. Earlier versions kept
    /// none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shape: Option<Digest>,
}

impl CardRecord {
    /// What a leaf keeps of a card.
    #[must_use]
    pub fn of(card: &Card, request: RequestRecord) -> Self {
        Self {
            hold: card.hold.clone(),
            card: card.digest(),
            request,
            purpose: card.purpose.clone(),
            needs: card.needs.clone(),
            taken: card.taken,
            allowance: card.allowance.clone(),
            roster: card.roster.clone(),
            shape: Some(card.intent.shape),
        }
    }
}

/// The commitment that a leaf carries in place of literals; whoever has salt and text can open it.
#[must_use]
pub fn commit(salt: &[u8; 32], text: &str) -> Digest {
    Digest::of_parts(&[b"tyer/commitment/v1", salt, text.as_bytes()])
}
