//! Verifying a copy of the ledger without a server: reads leaves and the latest checkpoint, and lets the
//! core's audit judge them.

use std::path::{Path, PathBuf};

use tyer_core::assertion::attestation::Roots;
use tyer_core::ledger::checkpoint::CheckpointError;
use tyer_core::ledger::verify::{Audit, Report};

use crate::founding::VERIFIER_KEY;
use crate::serve::STORE;
use crate::store::sqlite::Sqlite;
use crate::store::{Head, StoreError};

/// Leaves that are read at once.
const LEAVES_AT_ONCE: u64 = 4_096;

/// A copy of the ledger: the store, and the key that came with it, if any.
#[derive(Debug)]
pub(crate) struct LedgerCopy {
    store: Sqlite,
    key: Option<String>,
}

/// Why there is nothing to judge.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AuditError {
    #[error("there is no ledger at {path}", path = .0.display())]
    Missing(PathBuf),
    #[error("the copy has no {VERIFIER_KEY} beside it, and no other key was named")]
    NoKey,
    #[error("the key to verify with is no key: {0}")]
    Key(#[from] CheckpointError),
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl LedgerCopy {
    /// Opens a copy of a data directory, or of the store's file alone.
    pub(crate) fn open(path: &Path) -> Result<Self, AuditError> {
        let file = if path.is_dir() { path.join(STORE) } else { path.to_owned() };
        if !file.is_file() {
            return Err(AuditError::Missing(file));
        }
        let key = std::fs::read_to_string(file.with_file_name(VERIFIER_KEY)).ok();
        Ok(Self { store: Sqlite::open_read_only(&file)?, key })
    }

    /// The key that came with the copy. It proves nothing about who wrote the ledger.
    pub(crate) fn own_key(&self) -> Option<&str> {
        self.key.as_deref().map(str::trim)
    }

    /// The latest head with its checkpoint; none while there are no leaves.
    pub(crate) fn head(&self) -> Result<Option<Head>, AuditError> {
        Ok(self.store.head()?)
    }

    /// Judges every leaf against the latest checkpoint, and the whole against older checkpoints that were
    /// kept elsewhere.
    pub(crate) fn audit(
        &self,
        key: Option<&str>,
        older: &[String],
        roots: Option<Roots>,
    ) -> Result<Report, AuditError> {
        let key = key.or(self.own_key()).ok_or(AuditError::NoKey)?;
        let mut audit = Audit::new(key)?;
        if let Some(roots) = roots {
            audit = audit.trusting(roots);
        }
        let mut next = 0;
        loop {
            let leaves = self.store.leaves(next, LEAVES_AT_ONCE)?;
            let Some((last, _)) = leaves.last() else { break };
            next = last.0.saturating_add(1);
            for (index, leaf) in &leaves {
                audit = audit.leaf(index.0, leaf);
            }
        }
        let latest = self.store.head()?.map(|head| head.checkpoint).unwrap_or_default();
        let older: Vec<&str> = older.iter().map(String::as_str).collect();
        Ok(audit.finish(&latest, &older))
    }
}
