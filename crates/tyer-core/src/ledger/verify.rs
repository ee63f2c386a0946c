//! The audit of a copy of the ledger, offline and leaf by leaf: that it is what was signed, that
//! nothing was changed, dropped or reordered, and that what it says obeys the rules it claims.
//!
//! The audit trusts the verifier key and nothing else. Sixty-four bytes a leaf stay in memory, so that
//! older checkpoints and the roots inside signed statements can be compared with the copy.

mod allowances;
mod freezes;
mod glass;
mod holds;
mod meaning;
mod observed;
mod people;
mod roles;
mod roster;
mod sessions;
mod together;

#[cfg(test)]
mod story;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fmt;

use super::checkpoint::{Checkpoint, CheckpointError, VerifierKey};
use super::{Hash, append, root};
use crate::assertion::attestation::Roots;
use crate::intent::{Digest, HoldId};
use crate::record::{Record, What};
use meaning::{Meaning, Place};
use sessions::Sessions;

/// Findings that are kept word by word; more are counted.
const FINDINGS_MAX: usize = 1000;

/// An audit under way. Feed it all leaves in order, then [`Audit::finish`] it.
#[derive(Debug)]
pub struct Audit {
    key: VerifierKey,
    tree: Tree,
    meaning: Meaning,
    sessions: Sessions,
    findings: Vec<Finding>,
    more: u64,
    kinds: BTreeMap<&'static str, u64>,
}

/// What an audit found.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub struct Report {
    /// The ledger's name.
    pub origin: String,
    /// How many leaves the copy has.
    pub size: u64,
    /// The root over them.
    pub root: Digest,
    /// What is wrong, in the order of the leaves; nothing if all is well.
    pub findings: Vec<Finding>,
    /// Findings beyond those that are listed.
    pub more: u64,
    /// What the copy proves if there are no findings.
    pub proves: Proves,
    /// How many leaves of each kind.
    pub kinds: BTreeMap<&'static str, u64>,
    /// How many signatures of people were verified.
    pub signatures: u64,
    /// Leaves that say who made a key's hardware and were not checked down to a trusted root, since none was named.
    pub unchecked: Vec<u64>,
    /// Leaves that added an SSH key before it was asked that the key itself signs that.
    pub unproven: Vec<u64>,
    /// Cleared requests whose outcome is not recorded: still running, or their record is missing.
    pub unsettled: Vec<u64>,
    /// Holds that were let through on one person's word, whose review two others have not signed off.
    pub unreviewed: Vec<HoldId>,
}

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The leaf; nothing when it is about the ledger as a whole.
    pub leaf: Option<u64>,
    /// What, in words.
    pub what: String,
}

/// How much a ledger without findings proves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Proves {
    /// That it agrees with itself and its latest checkpoint. Whoever holds the ledger's key could have
    /// written another one.
    SelfConsistencyOnly,
    /// That it also begins with everything that an older checkpoint, kept elsewhere, stood for.
    ExtendsOlder {
        /// The size of the largest such checkpoint.
        size: u64,
    },
}

impl Audit {
    /// Begins an audit.
    ///
    /// # Errors
    /// When the verifier key cannot be read.
    pub fn new(vkey: &str) -> Result<Self, CheckpointError> {
        Ok(Self {
            key: VerifierKey::parse(vkey)?,
            tree: Tree::default(),
            meaning: Meaning::default(),
            sessions: Sessions::default(),
            findings: Vec::new(),
            more: 0,
            kinds: BTreeMap::new(),
        })
    }

    /// Has attestations of keys checked down to these roots.
    #[must_use]
    pub fn trusting(mut self, roots: Roots) -> Self {
        self.meaning.trust(roots);
        self
    }

    /// Takes the next leaf. `index` is where the copy says that it stands.
    #[must_use]
    pub fn leaf(mut self, index: u64, leaf: &[u8]) -> Self {
        let expected = self.tree.size;
        if index != expected {
            self.note(Some(expected), format!("the copy has leaf {index} where this one belongs"));
        }
        match Record::decode(leaf) {
            Ok(record) => self.record(expected, &record),
            Err(why) => self.note(Some(expected), why.to_string()),
        }
        if let Err(why) = self.tree.push(leaf) {
            self.note(Some(expected), why);
        }
        self
    }

    /// Ends the audit against the latest checkpoint and any older ones that were kept elsewhere, all as
    /// signed notes.
    pub fn finish(mut self, latest: &str, older: &[&str]) -> Report {
        if self.tree.size == 0 {
            self.note(None, "the ledger has no leaves".to_owned());
        }
        self.latest(latest);
        let mut proves = Proves::SelfConsistencyOnly;
        let mut largest = 0;
        for note in older {
            if let Some(size) = self.older(note).filter(|size| *size > largest) {
                largest = size;
                proves = Proves::ExtendsOlder { size };
            }
        }
        Report {
            origin: self.key.origin().to_owned(),
            size: self.tree.size,
            root: self.tree.root(self.tree.size).unwrap_or(Digest([0; 32])),
            findings: self.findings,
            more: self.more,
            proves,
            kinds: self.kinds,
            signatures: self.meaning.signatures(),
            unchecked: self.meaning.unchecked().to_vec(),
            unproven: self.meaning.unproven().to_vec(),
            unsettled: self.meaning.unsettled(),
            unreviewed: self.meaning.unreviewed(),
        }
    }

    fn record(&mut self, index: u64, record: &Record) {
        let count = self.kinds.entry(record.what.kind()).or_default();
        *count = count.saturating_add(1);
        match &record.what {
            What::Founded { origin } if index == 0 && origin != self.key.origin() => {
                self.note(Some(0), format!("this is the ledger of {origin}, not of the key"));
            }
            What::Founded { .. } if index > 0 => {
                self.note(Some(index), "a ledger is founded once, by its first leaf".to_owned());
            }
            What::Founded { .. } => {}
            _ if index == 0 => {
                self.note(Some(0), "the first leaf does not found the ledger".to_owned());
            }
            _ => {}
        }
        if let Err(what) = self.sessions.take(&record.what) {
            self.note(Some(index), what);
        }
        let place = Place { index, at: record.at, tree: &self.tree };
        for what in self.meaning.take(&place, &record.what) {
            self.note(Some(index), what);
        }
    }

    fn latest(&mut self, note: &str) {
        let checkpoint = match Checkpoint::verify(note, &self.key) {
            Ok(checkpoint) => checkpoint,
            Err(why) => return self.note(None, format!("latest checkpoint: {why}")),
        };
        let (signed, there) = (checkpoint.size, self.tree.size);
        if there < signed {
            let what = format!("the checkpoint is over {signed} leaves, but the copy has {there}");
            return self.note(None, what);
        }
        if self.tree.root(signed) != Some(checkpoint.root) {
            let what = "the leaves are not those that the checkpoint was signed over: \
                        at least one was changed, dropped, added or moved";
            return self.note(None, what.to_owned());
        }
        if there > signed {
            self.note(Some(signed), "no checkpoint covers this leaf and those after it".to_owned());
        }
    }

    /// The size of an older checkpoint if the copy extends it.
    fn older(&mut self, note: &str) -> Option<u64> {
        let checkpoint = match Checkpoint::verify(note, &self.key) {
            Ok(checkpoint) => checkpoint,
            Err(why) => {
                self.note(None, format!("older checkpoint: {why}"));
                return None;
            }
        };
        if self.tree.root(checkpoint.size) == Some(checkpoint.root) {
            return Some(checkpoint.size);
        }
        self.note(
            None,
            format!(
                "the ledger does not extend the older checkpoint over {} leaves: \
                 its past was rewritten after that checkpoint was made",
                checkpoint.size
            ),
        );
        None
    }

    fn note(&mut self, leaf: Option<u64>, what: String) {
        if self.findings.len() < FINDINGS_MAX {
            self.findings.push(Finding { leaf, what });
        } else {
            self.more = self.more.saturating_add(1);
        }
    }
}

impl Report {
    /// Whether nothing is wrong.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.findings.is_empty()
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.leaf {
            Some(leaf) => write!(f, "leaf {leaf}: {}", self.what),
            None => f.write_str(&self.what),
        }
    }
}

impl fmt::Display for Proves {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::SelfConsistencyOnly => f.write_str(
                "without an older checkpoint or a witness this proves self-consistency only",
            ),
            Self::ExtendsOlder { size } => {
                write!(f, "the ledger extends the older checkpoint over {size} leaves")
            }
        }
    }
}

/// The tree over the leaves seen so far.
#[derive(Debug, Default)]
struct Tree {
    size: u64,
    hashes: Vec<Hash>,
}

impl Tree {
    fn push(&mut self, leaf: &[u8]) -> Result<(), String> {
        let hashes = append(self.size, leaf, |at| self.read(at)).map_err(|why| why.to_string())?;
        self.hashes.extend(hashes);
        self.size = self.size.saturating_add(1);
        Ok(())
    }

    /// The root of the first `size` leaves; nothing if there are not as many.
    fn root(&self, size: u64) -> Option<Digest> {
        if size > self.size { None } else { root(size, |at| self.read(at)).ok() }
    }

    fn read(&self, indexes: &[u64]) -> Result<Vec<Hash>, &'static str> {
        let hash = |at: &u64| usize::try_from(*at).ok().and_then(|at| self.hashes.get(at)).copied();
        indexes.iter().map(hash).collect::<Option<_>>().ok_or("beyond the end of the copy")
    }
}
