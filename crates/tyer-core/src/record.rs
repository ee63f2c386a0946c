//! What happened, as leaves of the ledger: versioned canonical JSON.
//!
//! A leaf is what the gateway observed, never what an agent said of itself. Leaves live for ever, so
//! their form is pinned by golden tests: a new meaning is a new kind or a new version, never a change.
//! The canonical form is JSON without whitespace, keys sorted by code point at every level, no floating
//! point numbers (RFC 8785 restricted to what leaves contain).

mod canonical;
mod key;
mod parts;

pub use canonical::canonical;
pub use parts::{ApprovalRecord, CardRecord, PublicKey, RequestRecord, commit};

use serde::{Deserialize, Serialize};

use crate::assertion::Registration;
use crate::freeze::Freeze;
use crate::intent::{
    Digest, FreezeId, HoldId, Narrowing, PersonId, Principal, SessionId, Timestamp, Upstream,
};
use crate::statement::{Signed, Statement};
use crate::verdict::{LeafIndex, Outcome, Reason};

/// The version of the form that this program writes and reads.
const VERSION: u32 = 1;

/// One leaf before it is encoded.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// The version of the form.
    pub v: u32,
    /// When it happened, by the gateway's clock.
    pub at: Timestamp,
    /// What happened.
    #[serde(flatten)]
    pub what: What,
}

/// Everything that is recorded.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum What {
    /// The first leaf of a ledger.
    Founded {
        /// The ledger's origin, as in its checkpoints.
        origin: String,
    },
    /// Somebody enrolled a passkey.
    Enrolled {
        /// Who.
        person: PersonId,
        /// Their passkey.
        key: PublicKey,
        /// Who invited them, or asked for this passkey; nobody for the founders.
        invited_by: Option<PersonId>,
        /// Made with the new passkey itself.
        signed: Option<Signed>,
        /// Whether they count from now on.
        counts: bool,
    },
    /// A maker whom the operator trusts attests to the passkey that the next leaf enrols.
    Attested {
        /// Whose.
        person: PersonId,
        /// The passkey's digest.
        key: Digest,
        /// The root certificate that the attestation leads to (SHA-256).
        root: Digest,
        /// What the registration was made over.
        statement: Statement,
        /// The registration itself, as the browser returned it.
        registration: Registration,
    },
    /// Somebody was invited.
    Invited {
        /// Who.
        person: PersonId,
        /// By whom.
        by: PersonId,
        /// Their signature.
        signed: Signed,
    },
    /// An invited person was confirmed and counts from now on.
    Confirmed {
        /// Who.
        person: PersonId,
        /// By whom, other than the inviter.
        by: PersonId,
        /// Their signature.
        signed: Signed,
    },
    /// Somebody said that two names are one human.
    Linked {
        /// One name.
        person: PersonId,
        /// The other.
        other: PersonId,
        /// Who said so.
        by: PersonId,
        /// Their signature.
        signed: Signed,
    },
    /// A maker whom the operator trusts attests to the SSH key that the next leaf adds.
    KeyAttested {
        /// Whose.
        person: PersonId,
        /// The key, as it is without that.
        key: PublicKey,
        /// The root certificate that the attestation leads to (SHA-256).
        root: Digest,
        /// What the key was made over.
        statement: Statement,
        /// What `ssh-keygen -O write-attestation` wrote, base64url.
        attestation: String,
    },
    /// A person added an SSH key, which does not count yet.
    KeyAdded {
        /// Who.
        person: PersonId,
        /// The key.
        key: PublicKey,
        /// Made with their passkey.
        signed: Signed,
        /// The SSH signature over the same statement by the key itself, base64url; leaves had none at first.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        proof: Option<String>,
    },
    /// Somebody's SSH key was confirmed and counts from now on.
    KeyConfirmed {
        /// Whose.
        person: PersonId,
        /// By whom, other than the owner.
        by: PersonId,
        /// Their signature, which names the key's digest.
        signed: Signed,
    },
    /// Somebody's SSH key counts no more, and never will again.
    KeyRemoved {
        /// Whose.
        person: PersonId,
        /// By whom: the owner or another.
        by: PersonId,
        /// Their signature, which names the key's digest.
        signed: Signed,
    },
    /// Somebody may enrol one more passkey: beside those they have, or in place of lost ones.
    PasskeyAsked {
        /// Who.
        person: PersonId,
        /// By whom: themself for a further one, another for lost ones.
        by: PersonId,
        /// Their signature.
        signed: Signed,
    },
    /// A passkey that was asked for was confirmed and counts from now on.
    PasskeyConfirmed {
        /// Whose.
        person: PersonId,
        /// By whom, other than the owner and whoever asked for it.
        by: PersonId,
        /// Their signature, which names the passkey's digest and those of the passkeys that it replaces.
        signed: Signed,
    },
    /// Somebody's passkey counts no more, and never will again.
    PasskeyRemoved {
        /// Whose.
        person: PersonId,
        /// By whom: the owner or another.
        by: PersonId,
        /// Their signature, which names the passkey's digest.
        signed: Signed,
    },
    /// A session was made.
    SessionOpened {
        /// Who acts for whom.
        principal: Principal,
        /// Where.
        upstream: Upstream,
        /// How it was narrowed.
        narrowing: Narrowing,
        /// When it ends by itself.
        until: Timestamp,
        /// Why it was made.
        purpose: String,
        /// Who made it: a person, or `operator` for the local command line.
        by: String,
    },
    /// A session ended.
    SessionEnded {
        /// Which.
        session: SessionId,
        /// How: `ended`, `killed` or `expired`.
        how: String,
        /// By whom.
        by: String,
        /// Connections that were open then.
        open: u32,
        /// Of those, how many were observed to close.
        closed: u32,
    },
    /// Sessions were killed together; each has a leaf of its own too.
    Killed {
        /// `session s-1`, `agent kiro`, `upstream orders` or `everything`.
        what: String,
        /// By whom.
        by: String,
        /// How many sessions ran.
        sessions: u32,
        /// Connections that were open then.
        open: u32,
        /// Of those, how many were observed to close.
        closed: u32,
        /// Held requests that were taken back.
        holds: u32,
        /// Requests that were under way and whose outcome was observed.
        seen: u32,
        /// Those whose outcome was not; bounded.
        unseen: Vec<LeafIndex>,
        /// How many more of those there are than are named.
        #[serde(default, skip_serializing_if = "is_zero")]
        more: u32,
        /// Made with a passkey, where a person killed by one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        signed: Option<Box<Signed>>,
    },
    /// Reads of one shape may run until the lease ends.
    ReadLease {
        /// The request.
        request: RequestRecord,
        /// How many reads the lease carries at most.
        uses: u64,
        /// Until when.
        until: Timestamp,
    },
    /// A read lease ended.
    LeaseClosed {
        /// The leaf that opened it.
        leaf: LeafIndex,
        /// How many reads it carried.
        uses: u64,
        /// How many of them failed at the upstream.
        failed: u64,
    },
    /// What a read lease carried was refused as a write by the upstream, which wrote nothing: a finding.
    Misread {
        /// The leaf that opened the lease.
        leaf: LeafIndex,
        /// The protocol's code.
        code: String,
    },
    /// A request was parked.
    Held {
        /// What approvers see and sign, with the request's literals redacted.
        card: Box<CardRecord>,
        /// When the hold expires.
        expires: Timestamp,
    },
    /// A person approved.
    Approved {
        /// Which hold.
        hold: HoldId,
        /// Who, and how they signed.
        approval: ApprovalRecord,
    },
    /// An operator let a held request through on their own word.
    GlassBroken {
        /// Which hold.
        hold: HoldId,
        /// Who, and how they signed, with their reason.
        approval: ApprovalRecord,
    },
    /// Somebody else signed that off.
    Reviewed {
        /// Which hold.
        hold: HoldId,
        /// Who.
        by: PersonId,
        /// Their signature, which says what they found.
        signed: Signed,
        /// The key it verifies with.
        key: PublicKey,
    },
    /// A person rejected.
    Rejected {
        /// Which hold.
        hold: HoldId,
        /// Who.
        person: PersonId,
        /// Why.
        reason: String,
        /// How they signed.
        signed: Signed,
        /// The key it verifies with.
        key: PublicKey,
    },
    /// Somebody left words beside a hold.
    Noted {
        /// Which hold.
        hold: HoldId,
        /// A person, or `operator` for the local command line.
        by: String,
        /// The words.
        text: String,
        /// To whom it was handed over; it changes nothing about who counts.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        to: Vec<PersonId>,
    },
    /// Somebody looks at a hold again later, or, without a time, at once; the hold lives as long as before.
    PutOff {
        /// Which hold.
        hold: HoldId,
        /// A person, or `operator` for the local command line.
        by: String,
        /// When.
        until: Option<Timestamp>,
    },
    /// A hold ended without running.
    HoldEnded {
        /// Which.
        hold: HoldId,
        /// `expired` or `abandoned`.
        how: String,
    },
    /// A request is about to run.
    Cleared {
        /// The request.
        request: RequestRecord,
        /// Who agreed, each with the key that verifies the signature.
        approvals: Vec<ApprovalRecord>,
    },
    /// What came of a request that was cleared.
    Settled {
        /// The leaf that cleared it.
        leaf: LeafIndex,
        /// What was observed.
        outcome: Outcome,
        /// All of it was rolled back and the grant came back to its hold.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        returned: bool,
    },
    /// A session that keeps asking people is slowed down from now on.
    Slowed {
        /// Who asks for whom.
        principal: Principal,
        /// How often, in the last ten minutes.
        asked: u32,
        /// How many of that were rejected.
        rejected: u32,
    },
    /// A request was refused.
    Refused {
        /// The request.
        request: RequestRecord,
        /// The class of the reason.
        reason: Reason,
    },
    /// A freeze has begun: nothing that it covers is changed while it holds.
    FreezeStarted {
        /// What it says.
        freeze: Freeze,
    },
    /// A freeze was ended early.
    FreezeEnded {
        /// Which.
        freeze: FreezeId,
        /// The people who ended it.
        signed: Vec<Signed>,
    },
    /// Everything was frozen, as it was recorded when there was one freeze at a time.
    Frozen {
        /// By whom.
        by: String,
        /// Why.
        reason: String,
    },
    /// That freeze ended.
    Thawed {
        /// By whom.
        by: PersonId,
        /// Their signature.
        signed: Signed,
    },
    /// A security part of the configuration was seen for the first time or confirmed.
    Configured {
        /// Which part.
        part: String,
        /// The digest of what it says.
        digest: Digest,
        /// The two people who confirmed it; none while there were not two.
        signed: Vec<Signed>,
    },
}

fn is_zero(number: &u32) -> bool {
    *number == 0
}

impl What {
    /// The word of the kind, as in the leaf.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Founded { .. } => "founded",
            Self::Enrolled { .. } => "enrolled",
            Self::Attested { .. } => "attested",
            Self::Invited { .. } => "invited",
            Self::Confirmed { .. } => "confirmed",
            Self::Linked { .. } => "linked",
            Self::KeyAttested { .. } => "key_attested",
            Self::KeyAdded { .. } => "key_added",
            Self::KeyConfirmed { .. } => "key_confirmed",
            Self::KeyRemoved { .. } => "key_removed",
            Self::PasskeyAsked { .. } => "passkey_asked",
            Self::PasskeyConfirmed { .. } => "passkey_confirmed",
            Self::PasskeyRemoved { .. } => "passkey_removed",
            Self::SessionOpened { .. } => "session_opened",
            Self::SessionEnded { .. } => "session_ended",
            Self::Killed { .. } => "killed",
            Self::ReadLease { .. } => "read_lease",
            Self::LeaseClosed { .. } => "lease_closed",
            Self::Misread { .. } => "misread",
            Self::Held { .. } => "held",
            Self::Approved { .. } => "approved",
            Self::GlassBroken { .. } => "glass_broken",
            Self::Reviewed { .. } => "reviewed",
            Self::Rejected { .. } => "rejected",
            Self::Noted { .. } => "noted",
            Self::PutOff { .. } => "put_off",
            Self::HoldEnded { .. } => "hold_ended",
            Self::Cleared { .. } => "cleared",
            Self::Settled { .. } => "settled",
            Self::Slowed { .. } => "slowed",
            Self::Refused { .. } => "refused",
            Self::FreezeStarted { .. } => "freeze_started",
            Self::FreezeEnded { .. } => "freeze_ended",
            Self::Frozen { .. } => "frozen",
            Self::Thawed { .. } => "thawed",
            Self::Configured { .. } => "configured",
        }
    }
}

impl Record {
    /// A record of the current version.
    #[must_use]
    pub fn new(at: Timestamp, what: What) -> Self {
        Self { v: VERSION, at, what }
    }

    /// The leaf: the canonical bytes.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        match serde_json::to_value(self) {
            Ok(value) => canonical(&value),
            // Nothing in a record can fail to become JSON; an empty leaf would be refused on reading.
            Err(_) => Vec::new(),
        }
    }

    /// Reads a leaf back, refusing any that is not in canonical form.
    ///
    /// # Errors
    /// When it is not JSON, not a record, or not canonical.
    pub fn decode(leaf: &[u8]) -> Result<Self, NotARecord> {
        let record: Self = serde_json::from_slice(leaf).map_err(|_| NotARecord::Malformed)?;
        if record.v != VERSION {
            return Err(NotARecord::Malformed);
        }
        if record.encode() == leaf { Ok(record) } else { Err(NotARecord::NotCanonical) }
    }
}

/// Why a leaf is not a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotARecord {
    /// Not JSON of a known kind.
    #[error("the leaf is not a record of a known kind")]
    Malformed,
    /// Known, but not in its one canonical form.
    #[error("the leaf is not in canonical form")]
    NotCanonical,
}

#[cfg(test)]
mod tests;
