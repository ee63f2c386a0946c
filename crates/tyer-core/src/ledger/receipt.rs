//! Receipts: one leaf with the proof that it is in the ledger, for somebody without the ledger.
//!
//! The text is canonical JSON: the leaf and the proof's hashes in base64, and the checkpoint as a signed
//! note. Nothing but the verifier key is needed to check it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

use super::checkpoint::{Checkpoint, CheckpointError, VerifierKey};
use super::{LedgerError, Proof, check_inclusion, leaf_hash};
use crate::intent::Digest;

/// One leaf with everything that proves it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// The leaf's bytes.
    pub leaf: Vec<u8>,
    /// Where it stands in the ledger.
    pub index: u64,
    /// The signed note over a tree that contains it.
    pub checkpoint: String,
    /// The proof that it does.
    pub proof: Proof,
}

/// Why a receipt proves nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReceiptError {
    /// Not a receipt in its one form.
    #[error("the receipt is malformed")]
    Malformed,
    /// The checkpoint is not the ledger's.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// The leaf is not in the tree of the checkpoint.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
}

/// The form of the text.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Text {
    tyer: String,
    leaf: String,
    index: u64,
    checkpoint: String,
    proof: Vec<String>,
}

/// What the text says it is.
const VERSION: &str = "receipt/v1";

impl Receipt {
    /// The text: one line of JSON.
    #[must_use]
    pub fn to_text(&self) -> String {
        let value = serde_json::json!({
            "tyer": VERSION,
            "leaf": STANDARD.encode(&self.leaf),
            "index": self.index,
            "checkpoint": self.checkpoint,
            "proof": self.proof.0.iter().map(|hash| STANDARD.encode(hash.0)).collect::<Vec<_>>(),
        });
        let mut text = String::from_utf8_lossy(&crate::record::canonical(&value)).into_owned();
        text.push('\n');
        text
    }

    /// Reads the text back, refusing any other form of it.
    ///
    /// # Errors
    /// When it is not what [`Receipt::to_text`] writes.
    pub fn from_text(text: &str) -> Result<Self, ReceiptError> {
        let malformed = ReceiptError::Malformed;
        let read: Text = serde_json::from_str(text).map_err(|_| malformed.clone())?;
        let leaf = STANDARD.decode(&read.leaf).map_err(|_| malformed.clone())?;
        let proof: Option<Vec<Digest>> = read.proof.iter().map(|hash| digest(hash)).collect();
        let receipt = Self {
            leaf,
            index: read.index,
            checkpoint: read.checkpoint,
            proof: Proof(proof.ok_or_else(|| malformed.clone())?),
        };
        let same = read.tyer == VERSION && receipt.to_text() == text;
        if same { Ok(receipt) } else { Err(malformed) }
    }

    /// Checks that the leaf is in the ledger of that key; returns the checkpoint that says so.
    ///
    /// # Errors
    /// When the checkpoint is not the ledger's, or the leaf is not in its tree.
    pub fn verify(&self, key: &VerifierKey) -> Result<Checkpoint, ReceiptError> {
        let checkpoint = Checkpoint::verify(&self.checkpoint, key)?;
        check_inclusion(&self.proof, self.index, leaf_hash(&self.leaf), checkpoint.head())?;
        Ok(checkpoint)
    }
}

fn digest(text: &str) -> Option<Digest> {
    STANDARD.decode(text).ok()?.try_into().ok().map(Digest)
}
