//! Which locks on tables a text takes, how long for, and what comes to be locked with them.
//!
//! "Explicit Locking" in the PostgreSQL documentation, `AlterTableGetLockLevel` and the sources of each command say
//! which. For each relation the strongest is named. What SELECT, INSERT, UPDATE, DELETE and MERGE take keeps nobody
//! from reading or writing, and is left out. The text does not say what partitions, foreign keys or views there are: it
//! says in which direction to look, and the facts that are taken on the database look. What a rewrite depends on and the
//! text does not say is one.

mod drops;
mod mode;
mod statements;
mod table;

use std::collections::HashSet;
use std::mem::replace;

use pg_query::{NodeEnum, protobuf as pb};
use tyer_core::locks::Work;

pub use self::mode::Mode;
use self::statements::of;
use super::names;
use super::walk::Walk;

/// How many different locks one text may name.
const LOCKS_MAX: usize = 100;

/// One lock as the text names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lock {
    /// What is locked.
    pub on: On,
    /// How.
    pub mode: Mode,
    /// What is done meanwhile.
    pub work: Work,
    /// What of its parts is locked in the same way.
    pub parts: Parts,
    /// What is locked because of it.
    pub along: Vec<Along>,
}

/// What of the parts of a table is locked with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Parts {
    /// None.
    Alone,
    /// Its partitions, and theirs.
    Partitions,
    /// Its partitions and what inherits from it.
    All,
}

/// What a lock is on. Names are as written, dotted where qualified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum On {
    /// A table, view, sequence or whatever else has that name.
    Relation(String),
    /// The table of an index. What has that name and is no index is locked as strongly as anything can be.
    Index(String),
    /// Everything in a schema.
    Schema(String),
    /// Every table with a column of that type.
    Type(String),
    /// The table of extended statistics.
    Statistics(String),
    /// The tables of a publication.
    Publication(String),
    /// Everything that a role owns.
    Owned(String),
    /// Every table of the database, one after another.
    Database,
    /// What the text does not say: why not.
    Untold(String),
}

/// A further lock, in a direction from the relation that the text names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Along {
    /// Where to look.
    pub to: To,
    /// How that is locked.
    pub mode: Mode,
    /// What is done with it meanwhile.
    pub work: Work,
}

/// Where to look for what is locked too.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum To {
    /// The partitioned table that it is a part of, and the default partition there.
    Above,
    /// Its default partition.
    Default,
    /// What its foreign keys refer to: all, or those with that column or name.
    Referred(Option<String>),
    /// What has foreign keys to it: all, or those to that column or constraint.
    Referring(Option<String>),
    /// The same, and what refers to those, and so on.
    Emptied,
    /// Views over it, and over those: all, or those that read that column or rest on that constraint.
    Readers(Option<String>),
    /// Tables whose defaults take from the sequence.
    Defaults,
    /// What the view reads.
    Under,
}

impl Lock {
    fn new(on: On, mode: Mode, work: Work) -> Self {
        Self { on, mode, work, parts: Parts::Alone, along: Vec::new() }
    }

    /// On a relation, and on all its parts unless ONLY was written.
    fn of(var: Option<&pb::RangeVar>, mode: Mode, work: Work) -> Self {
        let lock = Self::new(On::Relation(names::relation_or_empty(var)), mode, work);
        lock.and(Parts::All, var)
    }

    /// The same lock on these of its parts, unless ONLY was written.
    fn and(self, parts: Parts, var: Option<&pb::RangeVar>) -> Self {
        let parts = if var.is_none_or(|var| var.inh) { parts } else { Parts::Alone };
        Self { parts, ..self }
    }

    /// On something that is locked as long as nothing that grows with it is done.
    fn moment(var: Option<&pb::RangeVar>, mode: Mode) -> Self {
        Self::of(var, mode, Work::Instant)
    }

    /// What cannot be told may be anything.
    fn untold(why: impl Into<String>) -> Self {
        Self::new(On::Untold(why.into()), Mode::AccessExclusive, Work::Untold)
    }

    fn with(mut self, to: To, mode: Mode, work: Work) -> Self {
        self.also(to, mode, work);
        self
    }

    fn also(&mut self, to: To, mode: Mode, work: Work) {
        let along = Along { to, mode, work };
        if !self.along.contains(&along) {
            self.along.push(along);
        }
    }

    /// Both on the same thing are the stronger one, for the longer work.
    fn join(&mut self, other: Self) {
        self.mode = self.mode.max(other.mode);
        self.work = self.work.max(other.work);
        self.parts = self.parts.max(other.parts);
        other.along.into_iter().for_each(|Along { to, mode, work }| self.also(to, mode, work));
    }

    /// What the text says is locked, in words with the mode of each: itself, then what comes with it.
    pub fn in_words(&self) -> impl Iterator<Item = (String, Mode, Work)> {
        let parts = match self.parts {
            Parts::Alone => "",
            Parts::Partitions | Parts::All => " and its parts, if it has any",
        };
        let itself = (format!("{}{parts}", self.on.in_words()), self.mode, self.work);
        let name = match &self.on {
            On::Relation(name) => name.clone(),
            on => on.in_words(),
        };
        let along =
            self.along.iter().map(move |along| (along.to.in_words(&name), along.mode, along.work));
        std::iter::once(itself).chain(along)
    }

    /// Bytes that remembering it takes.
    pub(in crate::postgres) fn bytes(&self) -> usize {
        let along = self.along.iter().map(|along| size_of_val(along) + along.to.bytes());
        size_of_val(self) + self.on.bytes() + along.sum::<usize>()
    }
}

impl On {
    fn in_words(&self) -> String {
        match self {
            Self::Relation(name) => name.clone(),
            Self::Index(name) => format!("the table of the index {name}"),
            Self::Schema(name) => format!("everything in the schema {name}"),
            Self::Type(name) => format!("every table with a column of the type {name}"),
            Self::Statistics(name) => format!("the table of the statistics {name}"),
            Self::Publication(name) => format!("the tables of the publication {name}"),
            Self::Owned(role) => format!("everything that {role} owns"),
            Self::Database => "every table of the database, one after another".to_owned(),
            Self::Untold(why) => format!("not known: {why}"),
        }
    }

    fn bytes(&self) -> usize {
        match self {
            Self::Relation(name)
            | Self::Index(name)
            | Self::Schema(name)
            | Self::Type(name)
            | Self::Statistics(name)
            | Self::Publication(name)
            | Self::Owned(name)
            | Self::Untold(name) => name.len(),
            Self::Database => 0,
        }
    }
}

impl To {
    fn in_words(&self, name: &str) -> String {
        match self {
            Self::Above => format!("what {name} is a partition of, with the default partition there"),
            Self::Default => format!("the default partition of {name}"),
            Self::Referred(_) => format!("what foreign keys of {name} refer to"),
            Self::Referring(_) => format!("what refers to {name}"),
            Self::Emptied => format!("what refers to {name}, what refers to that, and so on"),
            Self::Readers(_) => format!("views over {name}"),
            Self::Defaults => format!("tables whose defaults take from {name}"),
            Self::Under => format!("what {name} reads, if it is a view"),
        }
    }

    fn bytes(&self) -> usize {
        match self {
            Self::Referred(by) | Self::Referring(by) | Self::Readers(by) => {
                by.as_ref().map_or(0, String::len)
            }
            Self::Above | Self::Default | Self::Emptied | Self::Defaults | Self::Under => 0,
        }
    }
}

/// The locks found so far.
#[derive(Default)]
pub(super) struct Locking {
    locks: Vec<Lock>,
    /// Tables that this text made, and that nobody else sees yet.
    made: HashSet<String>,
    /// Whether a body that is walked over runs right now.
    pub(super) does: bool,
}

impl Locking {
    pub(super) fn into_vec(self) -> Vec<Lock> {
        self.locks
    }

    pub(super) fn add(&mut self, lock: Lock) {
        if let Some(known) = self.locks.iter_mut().find(|known| known.on == lock.on) {
            return known.join(lock);
        }
        match self.locks.len() {
            LOCKS_MAX => self.locks.push(Lock::untold("it locks more than is listed")),
            listed if listed < LOCKS_MAX => self.locks.push(lock),
            _ => {}
        }
    }

    /// Keeps in mind what the statement makes, as long as nothing may give its name to something else.
    fn makes(&mut self, node: &NodeEnum) {
        match node {
            NodeEnum::CreateStmt(create) if !create.if_not_exists => {
                self.made.insert(names::relation_or_empty(create.relation.as_ref()));
            }
            NodeEnum::CreateStmt(_)
            | NodeEnum::IndexStmt(_)
            | NodeEnum::AlterTableStmt(_)
            | NodeEnum::CreateSeqStmt(_)
            | NodeEnum::CommentStmt(_)
            | NodeEnum::CreateTrigStmt(_) => {}
            _ => self.made.clear(),
        }
    }
}

impl Walk {
    /// Notes what a statement locks, before it is walked over and names may change.
    pub(super) fn locks_of(&mut self, node: &NodeEnum) {
        for lock in of(node) {
            if !self.is_own(&lock.on) {
                self.locking.add(lock);
            }
        }
        self.locking.makes(node);
    }

    /// Walks over code that the statement runs.
    pub(super) fn now(&mut self, inner: impl FnOnce(&mut Self)) {
        self.running(true, inner);
    }

    /// Walks over code that is kept and runs another time.
    pub(super) fn later(&mut self, inner: impl FnOnce(&mut Self)) {
        self.running(false, inner);
    }

    fn running(&mut self, does: bool, inner: impl FnOnce(&mut Self)) {
        let before = replace(&mut self.locking.does, does);
        inner(self);
        self.locking.does = before;
    }

    /// Whether nobody else can want to use it.
    fn is_own(&self, on: &On) -> bool {
        let On::Relation(name) = on else { return false };
        let in_temp = name.strip_prefix("pg_temp.").is_some_and(|rest| !rest.contains('.'));
        let is_temp = |temp: &String| names::dotted([temp.as_str()]) == *name;
        in_temp || self.locking.made.contains(name) || self.temps.iter().any(is_temp)
    }
}

#[cfg(test)]
mod tests;
