//! What Tyer keeps: documents, leaves and the ledger's hashes, changed together or not at all.
//!
//! The store knows no rules. A [`Change`] is a batch of leaves and documents that become durable in one
//! transaction, so that a hold's new state and the leaf that says so can never be told apart.

pub(crate) mod sqlite;

use tyer_core::intent::{Digest, Timestamp};

/// The kinds of documents; each is JSON under a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Table {
    /// People, by name.
    Person,
    /// Sessions, by id.
    Session,
    /// Holds that have not ended, by id.
    Hold,
    /// Holds that have ended, by id.
    Ended,
    /// Requests that are refused because people rejected them, by the id of the hold.
    Rejected,
    /// What became of holds and not all of their controllers have seen, by the id of the hold.
    Answered,
    /// Single values, by name: the freeze, counters, confirmed parts of the configuration.
    Setting,
    /// Salts and full texts behind commitments, by the leaf that carries the commitment.
    Private,
    /// What was cleared and may complete a pattern with later requests, by leaf.
    Sequence,
    /// Leaves that cleared something whose outcome has not been seen, by leaf.
    Unsettled,
}

impl Table {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Person => "person",
            Self::Session => "session",
            Self::Hold => "hold",
            Self::Ended => "ended",
            Self::Rejected => "rejected",
            Self::Answered => "answered",
            Self::Setting => "setting",
            Self::Private => "private",
            Self::Sequence => "sequence",
            Self::Unsettled => "unsettled",
        }
    }
}

/// Under which key a document stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Key {
    /// A name.
    Name(String),
    /// The index that the change's leaf at this position gets.
    Leaf(usize),
}

/// A document to write, or to remove when it has no body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Put {
    pub(crate) table: Table,
    pub(crate) key: Key,
    pub(crate) body: Option<String>,
}

/// Leaves and documents that become durable together.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Change {
    pub(crate) leaves: Vec<Vec<u8>>,
    pub(crate) puts: Vec<Put>,
}

impl Change {
    /// Writes a document. A document that cannot become JSON does not exist in this program; should one
    /// appear, it is written as `null`, which refuses to load.
    pub(crate) fn put(mut self, table: Table, key: &str, document: &impl serde::Serialize) -> Self {
        let body = serde_json::to_string(document).unwrap_or_else(|_| "null".to_owned());
        self.puts.push(Put { table, key: Key::Name(key.to_owned()), body: Some(body) });
        self
    }

    /// Writes a document under the index of the last leaf of this change.
    pub(crate) fn put_at_leaf(mut self, table: Table, document: &impl serde::Serialize) -> Self {
        let body = serde_json::to_string(document).unwrap_or_else(|_| "null".to_owned());
        let position = self.leaves.len().saturating_sub(1);
        self.puts.push(Put { table, key: Key::Leaf(position), body: Some(body) });
        self
    }

    /// Removes a document.
    pub(crate) fn remove(mut self, table: Table, key: &str) -> Self {
        self.puts.push(Put { table, key: Key::Name(key.to_owned()), body: None });
        self
    }

    /// Whether it changes nothing.
    pub(crate) fn is_empty(&self) -> bool {
        self.leaves.is_empty() && self.puts.is_empty()
    }

    /// Both together.
    pub(crate) fn and(mut self, other: Self) -> Self {
        self.leaves.extend(other.leaves);
        self.puts.extend(other.puts);
        self
    }

    /// Appends a leaf.
    pub(crate) fn leaf(mut self, record: &tyer_core::record::Record) -> Self {
        self.leaves.push(record.encode());
        self
    }
}

/// Where the ledger stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Head {
    pub(crate) size: u64,
    pub(crate) root: Digest,
    /// The signed checkpoint over size and root; empty before the first leaf.
    pub(crate) checkpoint: String,
    pub(crate) at: Timestamp,
}

/// Why the store could not do what was asked.
#[derive(Clone, Debug, thiserror::Error)]
pub(crate) enum StoreError {
    /// Nothing was changed.
    #[error("the store refused the change: {0}")]
    Refused(String),
    /// What is stored makes no sense.
    #[error("the store holds what it should not: {0}")]
    Corrupt(String),
    /// It was closed.
    #[error("the store is closed")]
    Closed,
}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Refused(error.to_string())
    }
}
