//! What the upstream still owes answers for.

use std::collections::VecDeque;
use std::sync::Arc;

use tyer_core::verdict::{LeafIndex, Outcome};

use super::enforced::MISREAD;
use super::names::Name;
use super::question::{Portal, Prepared};
use crate::postgres::decode::Target;
use crate::postgres::refuse::Answer;
use crate::postgres::understand::{Control, Naming, Understanding};

/// One message that was sent, or is held back, and the place of its answer.
#[derive(Debug)]
pub(super) struct Expect {
    /// Its number among the messages of the connection.
    pub(super) at: u64,
    pub(super) what: Awaits,
    /// The leaf that waits for its outcome.
    pub(super) leaf: Option<LeafIndex>,
}

/// What was sent.
#[derive(Debug)]
pub(super) enum Awaits {
    Query(Progress),
    Parse {
        name: Name,
        prepared: Arc<Prepared>,
    },
    Bind {
        name: Name,
        portal: Portal,
    },
    Describe,
    Close {
        target: Target,
        name: Name,
    },
    /// A `Close` of Tyer's own, before a statement of that name is parsed anew.
    Clear,
    /// A `Parse` of Tyer's own, so that a name means again what it did.
    Restore {
        name: Name,
        prepared: Arc<Prepared>,
    },
    Execute(Running),
    /// A message made to fail, in place of one that is refused.
    Refused(Box<Answer>),
    Sync,
    /// A `Sync` of Tyer's own within a pipeline.
    Parting,
    /// The first `CopyData` after something else. Has no answer.
    Copying,
    /// `CopyDone` or `CopyFail`. Has no answer.
    CopyEnd,
}

impl Awaits {
    /// Whether it may end the transaction, or a part of it, that was open before it.
    pub(super) fn ends_transaction(&self) -> bool {
        let Some(Course { controls, .. }) = self.course() else { return false };
        let stays = |control: &Control| {
            matches!(control, Control::Begin | Control::Savepoint(_) | Control::Release(_))
        };
        !controls.iter().all(stays)
    }

    /// The text that runs, or is bound by itself, where the server was made to refuse what it would write.
    pub(super) fn enforced(&self) -> Option<&Arc<str>> {
        match self {
            Self::Bind { portal, .. } => Some(&portal.prepared.text.sql),
            other => other.course()?.enforced.as_ref(),
        }
    }

    /// What its failing with that code is.
    pub(super) fn failed(&self, code: &str) -> Outcome {
        let code = code.to_owned();
        match self.enforced() {
            Some(_) if code == MISREAD => Outcome::Misread { code },
            _ => Outcome::Failed { code },
        }
    }

    /// What runs, if anything does.
    pub(super) fn course(&self) -> Option<&Course> {
        match self {
            Self::Query(progress) => Some(&progress.course),
            Self::Execute(running) => Some(&running.course),
            _ => None,
        }
    }
}

/// What a text says that matters while it runs.
#[derive(Clone, Debug, Default)]
pub(super) struct Course {
    /// What it does to the names of statements, in order.
    pub(super) namings: Vec<Naming>,
    /// Whether it may do more to them than can be seen.
    pub(super) hides: bool,
    /// Transaction control that is still to come, in order.
    pub(super) controls: VecDeque<Control>,
    /// Whether it may commit what was done before it.
    pub(super) may_commit: bool,
    /// Whether there is nothing in it that a rollback would take back.
    pub(super) only_reads: bool,
    /// The text, where the server was made to refuse what it would write.
    pub(super) enforced: Option<Arc<str>>,
}

impl Course {
    pub(super) fn of(understanding: &Understanding) -> Self {
        Self {
            namings: understanding.namings.clone(),
            hides: understanding.hides(),
            controls: understanding.controls.iter().cloned().collect(),
            may_commit: understanding.may_commit(),
            only_reads: understanding.only_reads(),
            enforced: None,
        }
    }
}

/// What stands in the place of a `Query`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Form {
    /// The text itself.
    #[default]
    Text,
    /// A function call.
    Call,
    /// The server parses it first, in place of running it; an error of that is its own.
    Parsed,
}

/// How far a `Query` has come.
#[derive(Debug, Default)]
pub(super) struct Progress {
    pub(super) course: Course,
    pub(super) form: Form,
    /// Part of it stands apart from the rest: it ended a transaction, or marked a point to go back to.
    pub(super) is_mixed: bool,
    /// What replaces the server's error, if it was made to fail.
    pub(super) refused: Option<Box<Answer>>,
    pub(super) done: Option<(String, Option<u64>)>,
    pub(super) failed: Option<String>,
    /// For how many `COPY` the server takes data that the agent has not ended; below zero where it has ended one
    /// that has not begun yet.
    pub(super) copying: i32,
}

impl Progress {
    /// One of its statements is done.
    pub(super) fn complete(&mut self, tag: String) {
        let earlier = self.done.take().and_then(|(_, rows)| rows);
        let rows = match (earlier, rows_of(&tag)) {
            (None, None) => None,
            (one, other) => Some(one.unwrap_or(0).saturating_add(other.unwrap_or(0))),
        };
        self.done = Some((tag, rows));
    }

    pub(super) fn outcome(self) -> Option<Outcome> {
        match (self.failed, self.done) {
            (Some(_), _) if self.is_mixed => {
                let why = "part of it may have been committed before it failed".to_owned();
                Some(Outcome::Unknown { why })
            }
            (Some(code), _) if code == MISREAD && self.course.enforced.is_some() => {
                Some(Outcome::Misread { code })
            }
            (Some(code), _) => Some(Outcome::Failed { code }),
            (None, Some((tag, rows))) => Some(Outcome::done(tag, rows)),
            (None, None) => None,
        }
    }
}

/// How far an `Execute` has come.
#[derive(Debug)]
pub(super) struct Running {
    pub(super) portal: Name,
    pub(super) course: Course,
    pub(super) rows_max: u32,
    /// The leaf of the execution that it continues.
    pub(super) continues: Option<LeafIndex>,
    /// Whether it may turn out to be a `COPY` that takes data.
    pub(super) may_copy: bool,
    /// The server takes `COPY` data.
    pub(super) copying: bool,
    /// The agent has ended the data.
    pub(super) ended: bool,
}

impl Running {
    pub(super) fn new(portal: Name, course: Course, rows_max: u32) -> Self {
        Self {
            portal,
            course,
            rows_max,
            continues: None,
            may_copy: false,
            copying: false,
            ended: false,
        }
    }
}

/// What is known of a leaf before its transaction is known to have ended well.
#[derive(Debug)]
pub(super) struct Known {
    /// The number of the message that it was.
    pub(super) at: u64,
    pub(super) leaf: LeafIndex,
    pub(super) outcome: Outcome,
    /// Whether nothing later can take it back.
    pub(super) is_final: bool,
    /// Whether there is nothing in it to take back.
    pub(super) only_reads: bool,
}

impl Known {
    /// What did not come to be, or no longer is.
    pub(super) fn failed(at: u64, leaf: LeafIndex, code: &str) -> Self {
        let outcome = Outcome::Failed { code: code.to_owned() };
        Self { at, leaf, outcome, is_final: true, only_reads: true }
    }
}

/// The rows that a command's tag counts: its last word, if that is a number.
pub(super) fn rows_of(tag: &str) -> Option<u64> {
    tag.rsplit(' ').next().and_then(|word| word.parse().ok())
}

/// What becomes of `COPY` data: decided once for all pieces of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum CopyData {
    Passed,
    Dropped,
}
