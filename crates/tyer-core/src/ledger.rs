//! The ledger as a Merkle tree over opaque leaves, without I/O.
//!
//! Hashes and proofs are those of RFC 6962; what is stored is the list of 32-byte hashes in the order
//! of the "stored hash index" of C2SP tlog-tiles: after the hash of each leaf come the hashes of the
//! subtrees that it completes. The caller keeps that list and passes a closure that reads from it.

pub mod checkpoint;
pub mod receipt;
pub mod tile;
pub mod verify;

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::intent::Digest;
use crate::limits::{LEAF_BYTES_MAX, LEAVES_MAX};

/// One hash as it is stored.
pub type Hash = [u8; 32];

/// The hashes of the longest proof in a tree of 2^64 leaves, and one more.
const PROOF_HASHES_MAX: usize = 65;

/// A tree in short: how many leaves, and the hash over all of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    /// How many leaves.
    pub size: u64,
    /// The root hash of RFC 6962.
    pub root: Digest,
}

/// The hashes that show that a leaf, or an older tree, is part of a tree; lowest first.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Proof(pub Vec<Digest>);

/// Why the tree cannot be read, extended or believed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LedgerError {
    /// Longer than an entry bundle can hold.
    #[error("a leaf of {0} bytes is too long for the ledger")]
    LeafTooLong(usize),
    /// Larger than a ledger can be.
    #[error("a tree of {0} leaves is larger than a ledger can be")]
    TooLarge(u64),
    /// No such leaf.
    #[error("there is no leaf {index} in a tree of {size}")]
    NotInTree {
        /// The leaf that was asked for.
        index: u64,
        /// The leaves that there are.
        size: u64,
    },
    /// The "older" tree is the larger one.
    #[error("a tree of {old} leaves cannot be older than one of {new}")]
    NotOlder {
        /// The size of the tree called older.
        old: u64,
        /// The size of the tree called newer.
        new: u64,
    },
    /// The caller's list of hashes failed or is too short.
    #[error("the stored hashes cannot be read: {0}")]
    Unreadable(String),
    /// The hashes do not lead from what is claimed to the root.
    #[error("the proof does not hold")]
    Disproved,
}

/// The hash of a leaf.
#[must_use]
pub fn leaf_hash(leaf: &[u8]) -> Hash {
    tlog_tiles::record_hash(leaf).0
}

/// How many hashes are stored for a tree of `size` leaves; also the position at which the hashes of the
/// next [`append`] begin. Sizes beyond [`LEAVES_MAX`] count as that.
#[must_use]
pub fn stored_hash_count(size: u64) -> u64 {
    tlog_tiles::stored_hash_count(size.min(LEAVES_MAX))
}

/// The hashes to store for one more leaf in a tree of `size`, consecutively from position
/// [`stored_hash_count`]`(size)`.
///
/// # Errors
/// When the leaf is too long, the ledger full, or the stored hashes cannot be read.
pub fn append<E: fmt::Display>(
    size: u64,
    leaf: &[u8],
    read: impl Fn(&[u64]) -> Result<Vec<Hash>, E>,
) -> Result<Vec<Hash>, LedgerError> {
    if leaf.len() > LEAF_BYTES_MAX {
        return Err(LedgerError::LeafTooLong(leaf.len()));
    }
    within(size.saturating_add(1))?;
    let hashes = tlog_tiles::stored_hashes(size, leaf, &Reader(read)).map_err(unreadable)?;
    Ok(hashes.into_iter().map(|hash| hash.0).collect())
}

/// The root of the first `size` leaves.
///
/// # Errors
/// When the stored hashes cannot be read.
pub fn root<E: fmt::Display>(
    size: u64,
    read: impl Fn(&[u64]) -> Result<Vec<Hash>, E>,
) -> Result<Digest, LedgerError> {
    within(size)?;
    let hash = tlog_tiles::tree_hash(size, &Reader(read)).map_err(unreadable)?;
    Ok(Digest(hash.0))
}

/// The proof that leaf `index` is in the tree of the first `size` leaves.
///
/// # Errors
/// When there is no such leaf or the stored hashes cannot be read.
pub fn inclusion<E: fmt::Display>(
    index: u64,
    size: u64,
    read: impl Fn(&[u64]) -> Result<Vec<Hash>, E>,
) -> Result<Proof, LedgerError> {
    within(size)?;
    if index >= size {
        return Err(LedgerError::NotInTree { index, size });
    }
    let hashes = tlog_tiles::prove_record(size, index, &Reader(read)).map_err(unreadable)?;
    Ok(Proof::of(hashes))
}

/// The proof that the tree of the first `new` leaves extends the tree of the first `old`.
///
/// # Errors
/// When `old` is larger than `new` or the stored hashes cannot be read.
pub fn consistency<E: fmt::Display>(
    old: u64,
    new: u64,
    read: impl Fn(&[u64]) -> Result<Vec<Hash>, E>,
) -> Result<Proof, LedgerError> {
    within(new)?;
    match old {
        _ if old > new => Err(LedgerError::NotOlder { old, new }),
        // Everything extends the empty tree.
        0 => Ok(Proof::default()),
        _ => {
            let hashes = tlog_tiles::prove_tree(new, old, &Reader(read)).map_err(unreadable)?;
            Ok(Proof::of(hashes))
        }
    }
}

/// Checks that the leaf with that hash stands at `index` in the tree of `head`.
///
/// # Errors
/// When it does not, as far as the proof shows.
pub fn check_inclusion(proof: &Proof, index: u64, leaf: Hash, head: Head) -> Result<(), LedgerError> {
    within(head.size)?;
    if index >= head.size {
        return Err(LedgerError::NotInTree { index, size: head.size });
    }
    let (leaf, root) = (tlog_tiles::Hash(leaf), tlog_tiles::Hash(head.root.0));
    tlog_tiles::check_record(&proof.hashes()?, head.size, root, index, leaf)
        .map_err(|_| LedgerError::Disproved)
}

/// Checks that the tree of `new` begins with all leaves of the tree of `old`, in their order.
///
/// # Errors
/// When it does not, as far as the proof shows.
pub fn check_consistency(proof: &Proof, old: Head, new: Head) -> Result<(), LedgerError> {
    within(new.size)?;
    if old.size > new.size {
        return Err(LedgerError::NotOlder { old: old.size, new: new.size });
    }
    if old.size == 0 {
        let empty = proof.0.is_empty() && old.root.0 == tlog_tiles::EMPTY_HASH.0;
        return if empty { Ok(()) } else { Err(LedgerError::Disproved) };
    }
    let (old_root, new_root) = (tlog_tiles::Hash(old.root.0), tlog_tiles::Hash(new.root.0));
    tlog_tiles::check_tree(&proof.hashes()?, new.size, new_root, old.size, old_root)
        .map_err(|_| LedgerError::Disproved)
}

impl Proof {
    fn of(hashes: Vec<tlog_tiles::Hash>) -> Self {
        Self(hashes.into_iter().map(|hash| Digest(hash.0)).collect())
    }

    fn hashes(&self) -> Result<Vec<tlog_tiles::Hash>, LedgerError> {
        if self.0.len() > PROOF_HASHES_MAX {
            return Err(LedgerError::Disproved);
        }
        Ok(self.0.iter().map(|hash| tlog_tiles::Hash(hash.0)).collect())
    }
}

/// The caller's closure as the tree library wants it. The library panics when it gets fewer hashes than
/// it asked for, so the count is checked here.
struct Reader<F>(F);

impl<F, E> tlog_tiles::HashReader for Reader<F>
where
    F: Fn(&[u64]) -> Result<Vec<Hash>, E>,
    E: fmt::Display,
{
    fn read_hashes(&self, indexes: &[u64]) -> Result<Vec<tlog_tiles::Hash>, tlog_tiles::Error> {
        if indexes.is_empty() {
            return Ok(Vec::new());
        }
        let failed = tlog_tiles::Error::InvalidInput;
        let hashes = (self.0)(indexes).map_err(|error| failed(error.to_string()))?;
        if hashes.len() != indexes.len() {
            return Err(failed(format!("{} of {} hashes", hashes.len(), indexes.len())));
        }
        Ok(hashes.into_iter().map(tlog_tiles::Hash).collect())
    }
}

fn within(size: u64) -> Result<(), LedgerError> {
    if size > LEAVES_MAX { Err(LedgerError::TooLarge(size)) } else { Ok(()) }
}

fn unreadable(error: tlog_tiles::Error) -> LedgerError {
    // Ranges are checked before, so only the reader's own error can come back.
    match error {
        tlog_tiles::Error::InvalidInput(why) => LedgerError::Unreadable(why),
        other => LedgerError::Unreadable(other.to_string()),
    }
}

#[cfg(test)]
mod tests;
