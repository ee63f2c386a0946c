//! What a person signs: one statement over exactly one decision.
//!
//! A passkey's challenge is the SHA-256 of the statement's canonical JSON; an SSH key signs that JSON as a file
//! (see [`crate::sshsig`]). So a signature says which request, which card, which policies and which ledger
//! its signer had before them, and is good for nothing else.

use serde::{Deserialize, Serialize};

use crate::intent::{Digest, FreezeId, PersonId, Timestamp};
use crate::limits::TOGETHER_MAX;

/// What is decided.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "decision", rename_all = "snake_case")]
pub enum Decision {
    /// Let a held request run.
    Approve(Subject),
    /// Let several held requests of one shape run, all of which were shown.
    ApproveAll {
        /// Each once, in the order of [`Subject::place`], and asked for by one policy set.
        subjects: Vec<Subject>,
    },
    /// Do not let a held request run.
    Reject(Subject),
    /// Let a held request run on one's own word, without the people that its card asks for.
    BreakGlass {
        /// The request.
        subject: Subject,
        /// Why, for those who review it.
        reason: String,
    },
    /// Sign off what was let run on one person's word.
    Review {
        /// The hold.
        hold: crate::intent::HoldId,
        /// The challenge of the statement by which its glass was broken.
        broken: Digest,
        /// What the reviewer found.
        finding: String,
    },
    /// Ask somebody to become a person of this Tyer.
    Invite {
        /// Who.
        person: PersonId,
    },
    /// Vouch for somebody whom another person invited.
    Confirm {
        /// Who.
        person: PersonId,
        /// The digest of the credential that they enrolled.
        credential: Digest,
    },
    /// Say that two names are one human, who then counts once.
    Link {
        /// One name.
        person: PersonId,
        /// The other.
        other: PersonId,
    },
    /// End a freeze early.
    EndFreeze {
        /// Which.
        freeze: FreezeId,
        /// The digest of all that it says.
        digest: Digest,
    },
    /// End a freeze, as it was signed when there was one at a time.
    Thaw {
        /// When that freeze began.
        frozen: Timestamp,
    },
    /// Accept a change of the security part of the configuration.
    Configure {
        /// The part, such as `upstream orders`.
        part: String,
        /// The digest of what it says now.
        digest: Digest,
    },
    /// Become a person: made with the new passkey itself.
    Enrol {
        /// Who.
        person: PersonId,
    },
    /// Sign in to the console.
    SignIn,
    /// Look at the cards of these holds once, from where nobody is signed in.
    Look {
        /// Which.
        holds: Vec<crate::intent::HoldId>,
    },
    /// Make an SSH key in a security key, whose maker attests to it over this statement.
    MakeKey,
    /// Add an SSH key of one's own: signed with a passkey, and by the key itself.
    AddKey {
        /// The key, as OpenSSH writes it, without a comment.
        key: String,
    },
    /// Vouch for an SSH key that another person added.
    ConfirmKey {
        /// Whose.
        person: PersonId,
        /// Its digest.
        key: Digest,
    },
    /// Enrol a further passkey of one's own.
    AddPasskey,
    /// Let somebody who lost theirs enrol a new passkey.
    Recover {
        /// Who.
        person: PersonId,
    },
    /// Vouch for a passkey that somebody enrolled beside or in place of others.
    ConfirmPasskey {
        /// Whose.
        person: PersonId,
        /// Its digest.
        key: Digest,
        /// The digests of all their other passkeys, which count no more from then on, if those were lost.
        replaces: Vec<Digest>,
    },
    /// Make a passkey, one's own or another person's, count no more.
    RemovePasskey {
        /// Whose.
        person: PersonId,
        /// Its digest.
        key: Digest,
    },
    /// Kill sessions, all of an agent, all at an upstream, or everything.
    Kill {
        /// `session s-1`, `agent kiro`, `upstream orders` or `everything`.
        what: String,
    },
    /// Make an SSH key, one's own or another person's, count no more.
    RemoveKey {
        /// Whose.
        person: PersonId,
        /// Its digest.
        key: Digest,
    },
}

/// The held request that a decision is about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Subject {
    /// The hold.
    pub hold: crate::intent::HoldId,
    /// The identity of the request.
    pub request: Digest,
    /// The identity of the card that was shown.
    pub card: Digest,
    /// The policy set that asked.
    pub policy_set: Digest,
}

impl Subject {
    /// Where it stands in a list: by its id, `H-9` before `H-10`.
    #[must_use]
    pub fn place(&self) -> (usize, &str) {
        (self.hold.as_str().len(), self.hold.as_str())
    }
}

impl Decision {
    /// Whether it lets exactly that request run. A list that is not as it has to be lets none.
    #[must_use]
    pub fn approves(&self, subject: &Subject) -> bool {
        match self {
            Self::Approve(only) => only == subject,
            Self::ApproveAll { subjects } => is_list(subjects) && subjects.contains(subject),
            _ => false,
        }
    }
}

/// Whether requests are listed as they have to be: some, not too many, in order, each once, asked for by one policy set.
fn is_list(subjects: &[Subject]) -> bool {
    (2..=TOGETHER_MAX).contains(&subjects.len())
        && subjects
            .is_sorted_by(|one, next| one.place() < next.place() && one.policy_set == next.policy_set)
}

/// One decision by one person, ready to be signed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Statement {
    /// The console's origin, such as `https://tyer.example.com`.
    pub origin: String,
    /// What is decided.
    pub what: Decision,
    /// Who decides; empty only when signing in, or looking, without a name.
    pub person: String,
    /// The root of the ledger when the statement was made.
    pub root: Digest,
    /// How many leaves the ledger had then.
    pub size: u64,
    /// Thirty-two random bytes, base64url.
    pub nonce: String,
    /// When the statement can no longer be signed.
    pub expires: Timestamp,
}

impl Statement {
    /// The canonical bytes: JSON with sorted keys and a version.
    #[must_use]
    pub fn canonical(&self) -> Vec<u8> {
        crate::record::canonical(&serde_json::json!({ "tyer": "statement/v1", "statement": self }))
    }

    /// The WebAuthn challenge: the SHA-256 of the canonical bytes.
    #[must_use]
    pub fn challenge(&self) -> Digest {
        Digest::of(&self.canonical())
    }
}

/// A statement with the signature over it: a WebAuthn assertion, or an SSH signature, of which authenticator
/// data and client data are absent. Byte strings are base64url without padding.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Signed {
    /// What was signed.
    pub statement: Statement,
    /// Which of the person's keys signed it: a credential id, or an SSH key's fingerprint.
    pub credential: String,
    /// The authenticator data.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub authenticator_data: String,
    /// The client data, as the browser serialised it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub client_data: String,
    /// The signature over authenticator data and the client data's digest; or the SSH signature (SSHSIG).
    pub signature: String,
}
