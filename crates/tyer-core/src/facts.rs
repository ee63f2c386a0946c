//! The frozen facts that an approver sees and signs: the card.
//!
//! Age, countdown and votes stand beside the card, never in it, so that its digest stays the same while
//! people look at it. What is not known is said; nothing is guessed.

use serde::{Deserialize, Serialize};

use crate::intent::{Digest, HoldId, Intent, Timestamp};
use crate::verdict::Needs;

/// What is known about the consequences of an intent, taken where it would run.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Facts {
    /// Relations that would lose or change rows.
    pub relations: Vec<RelationFacts>,
    /// What could not be found out, in words.
    pub unknown: Vec<String>,
}

/// What is known about one relation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RelationFacts {
    /// Its qualified name.
    pub name: String,
    /// Rows it holds, as the upstream estimates.
    pub rows: Option<u64>,
    /// Rows the request would touch, as the upstream's planner estimates.
    pub touched: Option<u64>,
    /// Size in bytes with indexes.
    pub bytes: Option<u64>,
    /// Relations whose foreign keys would cascade or block, such as `orders (cascade)`.
    pub dependents: Vec<String>,
}

/// Everything an approver signs for: who, what, where, consequences, and what the policies ask.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Card {
    /// The hold it belongs to.
    pub hold: HoldId,
    /// The intent: principal, upstream, acts, the complete request.
    pub intent: Intent,
    /// Why the session exists, in the words of whoever made it.
    pub purpose: String,
    /// The consequences.
    pub facts: Facts,
    /// Who must agree.
    pub needs: Needs,
    /// The policies that ask for them, by id.
    pub policies: Vec<String>,
    /// The policy set that was asked.
    pub policy_set: Digest,
    /// When the facts were taken.
    pub taken: Timestamp,
}

impl Card {
    /// The card's identity: the digest of its canonical form, which is its JSON with sorted keys.
    #[must_use]
    pub fn digest(&self) -> Digest {
        Digest::of(&self.canonical())
    }

    /// The canonical bytes of the card.
    #[must_use]
    pub fn canonical(&self) -> Vec<u8> {
        crate::record::canonical(&serde_json::json!({ "card": self, "v": 1 }))
    }
}
