//! Outcomes that a hold waits for and that could not be recorded, such as on a full disk: kept and tried again,
//! since the hold changes with them. What else was seen and not recorded the sequencer keeps.
//!
//! A store that refuses records no new clearances either, so what is owed stays as small as what was
//! under way when it began to refuse. What is still owed when the process ends becomes `Unknown` at the
//! next start.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use tyer_core::verdict::{LeafIndex, Outcome};

use super::Gateway;

/// Outcomes that are kept at most; of others the next start says that nobody knows.
const OWED_MAX: usize = 10_000;

/// The outcomes that are owed to the ledger, by the leaf that cleared their request.
#[derive(Debug, Default)]
pub(super) struct Owed {
    outcomes: Mutex<BTreeMap<LeafIndex, Outcome>>,
}

impl Owed {
    /// Keeps an outcome for later.
    pub(super) fn keep(&self, leaf: LeafIndex, outcome: Outcome) {
        let mut outcomes = self.outcomes.lock().unwrap_or_else(PoisonError::into_inner);
        if outcomes.len() < OWED_MAX {
            outcomes.insert(leaf, outcome);
        }
    }

    fn next(&self) -> Option<(LeafIndex, Outcome)> {
        self.outcomes.lock().unwrap_or_else(PoisonError::into_inner).pop_first()
    }
}

impl Gateway {
    /// Records what is owed, until something cannot be recorded again; called now and then.
    pub(crate) async fn settle_owed(&self) {
        // What the sequencer has kept. It has said what went wrong.
        self.sequencer.flush().await.ok();
        while let Some((leaf, outcome)) = self.owed.next() {
            match self.settle(leaf, outcome).await {
                Ok(()) => tracing::info!(leaf = leaf.0, "an outcome was recorded late"),
                // It is owed again.
                Err(_) => return,
            }
        }
    }
}
