//! Checkpoints: the size and root of the ledger at a moment, signed.
//!
//! The text is a C2SP tlog-checkpoint with one extension line, `time` and the milliseconds since the
//! Unix epoch; the envelope is a C2SP signed note with an Ed25519 key that is named as the ledger's
//! origin. Signatures by other keys, such as witnesses', are allowed and ignored.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::signature::{Ed25519KeyPair, KeyPair as _};
use signed_note::{Note, Signature, StandardVerifier, VerifierList};

use super::Head;
use crate::intent::{Digest, Timestamp};
use crate::limits::LEAVES_MAX;

/// What the ledger was at a moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// The ledger's name, as in its `Founded` leaf and its keys.
    pub origin: String,
    /// How many leaves.
    pub size: u64,
    /// The root over them.
    pub root: Digest,
    /// When it was signed, by the gateway's clock.
    pub at: Timestamp,
}

/// The key that signs checkpoints.
pub struct SigningKey {
    origin: String,
    pair: Ed25519KeyPair,
}

/// The key that outsiders verify checkpoints with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifierKey {
    text: String,
    origin: String,
}

/// Why a checkpoint or a key is not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CheckpointError {
    /// Not a name for keys.
    #[error("a ledger's origin is one word without spaces, control characters and plus signs")]
    Origin,
    /// Not `name+id+key`, or of an unknown kind.
    #[error("the verifier key is malformed")]
    Key,
    /// Not a signed note with a checkpoint and its time.
    #[error("the checkpoint is malformed")]
    Malformed,
    /// Altered, or signed by somebody else.
    #[error("the checkpoint is not signed by the ledger's key")]
    Unsigned,
    /// About another ledger than the key is for.
    #[error("the checkpoint is of another ledger than the key")]
    OtherOrigin,
}

/// The algorithm byte of Ed25519 in signed notes.
const ED25519: u8 = 1;

impl SigningKey {
    /// The key of the ledger `origin` from 32 secret random bytes.
    ///
    /// # Errors
    /// When the origin cannot name a key.
    pub fn from_seed(origin: &str, seed: &[u8; 32]) -> Result<Self, CheckpointError> {
        if !signed_note::is_key_name_valid(origin) || origin.chars().any(char::is_control) {
            return Err(CheckpointError::Origin);
        }
        // Thirty-two bytes are always a seed.
        let pair = Ed25519KeyPair::from_seed_unchecked(seed).map_err(|_| CheckpointError::Key)?;
        Ok(Self { origin: origin.to_owned(), pair })
    }

    /// The ledger's name.
    #[must_use]
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// What to give to outsiders.
    #[must_use]
    pub fn verifier(&self) -> VerifierKey {
        let encoded = self.public();
        let id = signed_note::key_id(&self.origin, &encoded);
        let text = format!("{}+{id:08x}+{}", self.origin, STANDARD.encode(&encoded));
        VerifierKey { text, origin: self.origin.clone() }
    }

    /// Signs a checkpoint: a note, ready to be published.
    ///
    /// # Errors
    /// When the head cannot be written as a checkpoint.
    pub fn sign(&self, head: Head, at: Timestamp) -> Result<String, CheckpointError> {
        let hash = tlog_tiles::Hash(head.root.0);
        let time = format!("time {}\n", at.0);
        let text = tlog_tiles::Checkpoint::new(&self.origin, head.size, hash, &time)
            .map_err(|_| CheckpointError::Malformed)?
            .to_bytes();
        let id = signed_note::key_id(&self.origin, &self.public());
        let signature = self.pair.sign(&text).as_ref().to_vec();
        let signature = Signature::new(self.origin.clone(), id, signature);
        let signature = signature.map_err(|_| CheckpointError::Origin)?;
        let note = Note::new(&text, &[signature]).map_err(|_| CheckpointError::Malformed)?;
        String::from_utf8(note.to_bytes()).map_err(|_| CheckpointError::Malformed)
    }

    fn public(&self) -> Vec<u8> {
        let mut encoded = vec![ED25519];
        encoded.extend_from_slice(self.pair.public_key().as_ref());
        encoded
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningKey({})", self.origin)
    }
}

impl VerifierKey {
    /// Reads a key in the form of signed notes: `origin+id+key`.
    ///
    /// # Errors
    /// When it is not one, or not Ed25519.
    pub fn parse(text: &str) -> Result<Self, CheckpointError> {
        let text = text.trim();
        StandardVerifier::new(text).map_err(|_| CheckpointError::Key)?;
        let (origin, _) = text.split_once('+').ok_or(CheckpointError::Key)?;
        Ok(Self { text: text.to_owned(), origin: origin.to_owned() })
    }

    /// The ledger's name.
    #[must_use]
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// The key in the form of signed notes.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

impl fmt::Display for VerifierKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Checkpoint {
    /// Verifies a note and reads its checkpoint.
    ///
    /// # Errors
    /// When it is malformed, not signed by this key, or of another ledger.
    pub fn verify(note: &str, key: &VerifierKey) -> Result<Self, CheckpointError> {
        let note = Note::from_bytes(note.as_bytes()).map_err(|_| CheckpointError::Malformed)?;
        let verifier = StandardVerifier::new(&key.text).map_err(|_| CheckpointError::Key)?;
        note.verify(&VerifierList::new(vec![Box::new(verifier)]))
            .map_err(|_| CheckpointError::Unsigned)?;
        let checkpoint = Self::parse(note.text())?;
        if checkpoint.origin == key.origin { Ok(checkpoint) } else { Err(CheckpointError::OtherOrigin) }
    }

    /// The size and root.
    #[must_use]
    pub fn head(&self) -> Head {
        Head { size: self.size, root: self.root }
    }

    fn parse(text: &[u8]) -> Result<Self, CheckpointError> {
        let malformed = CheckpointError::Malformed;
        let body = tlog_tiles::Checkpoint::from_bytes(text).map_err(|_| malformed)?;
        let time = body.extension().strip_prefix("time ").and_then(|rest| rest.strip_suffix('\n'));
        let time = time.ok_or(malformed)?;
        let at: i64 = time.parse().map_err(|_| malformed)?;
        if at.to_string() != time || body.size() > LEAVES_MAX {
            return Err(malformed);
        }
        Ok(Self {
            origin: body.origin().to_owned(),
            size: body.size(),
            root: Digest(body.hash().0),
            at: Timestamp(at),
        })
    }
}
