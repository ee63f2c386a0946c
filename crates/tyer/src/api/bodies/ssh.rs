//! What SSH keys sign, and what shows that a new one is its owner's.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use tyer_core::intent::HoldId;
use tyer_core::statement::Statement;

use super::CardBody;
use crate::gateway::proofs::{Attestation, KeyProof};

/// An answer to a hold that an SSH key is to sign, or to several that are approved together.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SshWishBody {
    hold: Option<String>,
    holds: Option<Vec<String>>,
    pub(crate) decision: AnswerBody,
    /// The key's fingerprint, as OpenSSH writes it.
    pub(crate) key: String,
}

impl SshWishBody {
    /// The holds that it names in one of the two ways, if they can be answered so.
    pub(crate) fn named(&self) -> Option<Vec<HoldId>> {
        match (&self.hold, &self.holds) {
            (Some(hold), None) => Some(vec![HoldId::new(hold.as_str())]),
            (None, Some(holds)) => answerable(holds, self.decision),
            _ => None,
        }
    }
}

/// Several are approved; each is rejected by itself.
fn answerable(holds: &[String], decision: AnswerBody) -> Option<Vec<HoldId>> {
    let is_one = holds.len() == 1;
    let can = is_one || !holds.is_empty() && decision == AnswerBody::Approve;
    can.then(|| holds.iter().map(|hold| HoldId::new(hold.as_str())).collect())
}

/// How to answer: `approve` or `reject`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum AnswerBody {
    Approve,
    Reject,
}

/// A statement for an SSH key to sign as a file under the namespace `tyer`.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct SshStatementBody {
    pub(crate) statement: Value,
    /// The file's content: the statement's canonical JSON.
    pub(crate) message: String,
}

impl SshStatementBody {
    pub(crate) fn of(statement: &Statement) -> Self {
        Self {
            statement: serde_json::to_value(statement).unwrap_or_default(),
            message: message(statement),
        }
    }
}

/// A statement as the file that is signed.
pub(super) fn message(statement: &Statement) -> String {
    String::from_utf8_lossy(&statement.canonical()).into_owned()
}

/// A statement that an SSH key signed, named by its nonce.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SshDecisionBody {
    pub(crate) nonce: String,
    /// What `ssh-keygen -Y sign` made.
    pub(crate) signature: String,
    #[serde(default)]
    pub(crate) comment: String,
}

/// The holds whose cards somebody wants to look at from afar.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct LookBody {
    pub(crate) holds: Vec<String>,
}

/// A look that an SSH key signed, named by its nonce, and how the holds are then to be answered.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct LookedBody {
    pub(crate) nonce: String,
    /// What `ssh-keygen -Y sign` made.
    pub(crate) signature: String,
    pub(crate) decision: AnswerBody,
}

/// What somebody who looked sees, and the statement that answers it.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct CardsBody {
    /// Whose key it is.
    pub(crate) person: String,
    pub(crate) cards: Vec<CardBody>,
    #[serde(flatten)]
    pub(crate) answer: SshStatementBody,
}

/// Shows that an SSH key which is added is its owner's.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct KeyProofBody {
    /// What `ssh-keygen -Y sign -n tyer` made of the same statement's message by that key.
    signature: String,
    /// For a key in a security key that is to count as hardware.
    attestation: Option<AttestationBody>,
}

/// What a maker says of a security key.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct AttestationBody {
    /// Of the statement over which the key was made.
    nonce: String,
    /// What `ssh-keygen -O write-attestation` wrote, base64url.
    file: String,
}

impl KeyProofBody {
    pub(crate) fn proof(self) -> KeyProof {
        let said = |it: AttestationBody| Attestation { nonce: it.nonce, file: it.file };
        KeyProof { signature: self.signature, attestation: self.attestation.map(said) }
    }
}
