//! What the end of a transaction makes of the work that was done in it.
//!
//! What a statement did in an open transaction is settled when that has ended: by `COMMIT` it stands, by
//! `ROLLBACK` it is as if it had failed, and a grant may come back. The server's own words count, its
//! command tags and the status in `ReadyForQuery`; the text is only asked which of the statements tagged
//! `ROLLBACK` it was, and for names of savepoints ("Message Formats" and "Transactions" in the PostgreSQL
//! documentation). INVARIANT: what may have been committed is never settled as rolled back; where the two
//! cannot be told apart, the work counts as done.

use tyer_core::verdict::{LeafIndex, Outcome};

use super::expect::{Awaits, Course, Known};
use super::{Session, Status};
use crate::postgres::understand::Control;

/// The code of work that a rollback took back (transaction_rollback).
const ROLLED_BACK: &str = "40000";
/// Leaves of one connection that may wait for the end of its transaction; the oldest of more count as done.
const PENDING_MAX: usize = 65_536;

/// What is known of the open transaction.
#[derive(Debug, Default)]
pub(super) struct Savepoints {
    /// Names of savepoints and the number of the message that made each, innermost last.
    made: Vec<(String, u64)>,
    /// Whether the transaction may have ended, and others begun, unseen since the server said last where it is.
    is_lost: bool,
}

impl Savepoints {
    fn find(&self, name: &str) -> Option<usize> {
        self.made.iter().rposition(|(known, _)| known == name)
    }
}

/// The control that a command with this tag was, as the text said.
pub(super) fn next_control(course: &mut Course, tag: &str) -> Option<Control> {
    let is_control = matches!(
        tag,
        "BEGIN"
            | "START TRANSACTION"
            | "COMMIT"
            | "ROLLBACK"
            | "SAVEPOINT"
            | "RELEASE"
            | "PREPARE TRANSACTION"
    );
    if is_control { course.controls.pop_front() } else { None }
}

/// Whether what was before such a command and what comes after it may end differently.
pub(super) fn divides(tag: &str) -> bool {
    matches!(tag, "COMMIT" | "ROLLBACK" | "SAVEPOINT" | "RELEASE" | "PREPARE TRANSACTION")
}

impl Session {
    /// What a command's tag says of the transaction, with what the text said the command was.
    pub(super) fn transacted(&mut self, at: u64, tag: &str, control: Option<Control>) {
        match (tag, control) {
            ("BEGIN" | "START TRANSACTION", _) => self.implicit = false,
            ("COMMIT", control) => {
                self.stands();
                self.begin_anew(matches!(control, Some(Control::Commit { chain: true })));
            }
            ("PREPARE TRANSACTION", _) => {
                self.stands();
                self.begin_anew(false);
            }
            ("ROLLBACK", Some(Control::Commit { chain } | Control::Rollback { chain })) => {
                self.take_back_from(0, ROLLED_BACK);
                self.begin_anew(chain);
            }
            ("ROLLBACK", Some(Control::RollbackTo(name))) => match self.savepoints.find(&name) {
                Some(place) => {
                    self.savepoints.made.truncate(place + 1);
                    let after = self.savepoints.made.last().map_or(0, |(_, made)| made + 1);
                    self.take_back_from(after, ROLLED_BACK);
                }
                None => self.lose_track(),
            },
            ("SAVEPOINT", Some(Control::Savepoint(name))) => self.savepoints.made.push((name, at)),
            ("RELEASE", Some(Control::Release(name))) => match self.savepoints.find(&name) {
                Some(place) => self.savepoints.made.truncate(place),
                None => self.lose_track(),
            },
            ("ROLLBACK" | "SAVEPOINT" | "RELEASE", _) => self.lose_track(),
            _ => {}
        }
    }

    /// The leaves that can be settled at this `ReadyForQuery`, whose status was just taken.
    pub(super) fn settled_now(&mut self) -> Vec<(LeafIndex, Outcome)> {
        if self.status == Status::Idle {
            // A block that is gone without a word failed at its end.
            if !self.implicit && !self.savepoints.is_lost {
                self.take_back_from(0, ROLLED_BACK);
            }
            self.savepoints = Savepoints::default();
            return self.known.drain(..).map(|known| (known.leaf, known.outcome)).collect();
        }
        self.savepoints.is_lost = false;
        let excess = self.known.len().saturating_sub(PENDING_MAX);
        let mut nth = 0;
        let ready = self.known.extract_if(.., |known| {
            nth += 1;
            nth <= excess || known.is_final || known.only_reads
        });
        ready.map(|known| (known.leaf, known.outcome)).collect()
    }

    /// The connection is gone: every leaf whose outcome was not seen, with what is known of it.
    #[must_use]
    pub fn lost(mut self, why: &str) -> Vec<(LeafIndex, Outcome)> {
        let unknown = || Outcome::Unknown { why: why.to_owned() };
        let is_undone = self.is_undone();
        let open_leaf = || match is_undone {
            // Nobody told the server to make it last.
            true => Outcome::Failed { code: ROLLED_BACK.to_owned() },
            false => unknown(),
        };
        let may_commit = self.expects.iter().any(|expect| match &expect.what {
            Awaits::Query(progress) => progress.course.may_commit,
            Awaits::Execute(running) => running.course.may_commit,
            _ => false,
        });
        if !self.implicit && !self.savepoints.is_lost && !may_commit {
            // Nobody told the server to commit, so it rolls back.
            self.take_back_from(0, ROLLED_BACK);
        }
        let seen = self.known.into_iter().map(|known| {
            let is_open = !known.is_final && matches!(known.outcome, Outcome::Done { .. });
            (known.leaf, if is_open { unknown() } else { known.outcome })
        });
        let open = self.expects.into_iter().filter_map(|expect| expect.leaf);
        seen.chain(open.map(|leaf| (leaf, open_leaf()))).collect()
    }

    /// An error takes back what the pipeline has done so far, unless a transaction was begun for it.
    pub(super) fn take_back(&mut self, code: &str) {
        if self.implicit {
            self.take_back_from(0, code);
        }
    }

    fn take_back_from(&mut self, at: u64, code: &str) {
        let stays = |known: &Known| known.only_reads && code == ROLLED_BACK;
        let taken = |known: &&mut Known| !known.is_final && known.at >= at && !stays(known);
        for known in self.known.iter_mut().filter(taken) {
            known.outcome = Outcome::Failed { code: code.to_owned() };
            known.is_final = true;
        }
    }

    /// Something failed that may have committed what was done before it.
    pub(super) fn doubt_all(&mut self) {
        if !self.implicit {
            return;
        }
        for known in self.known.iter_mut().filter(|known| !known.is_final) {
            let why = "what failed after it may have committed it".to_owned();
            known.outcome = Outcome::Unknown { why };
            known.is_final = true;
        }
    }

    /// What was done so far cannot be taken back any more, or it is not known whether it can.
    pub(super) fn stands(&mut self) {
        self.known.iter_mut().for_each(|known| known.is_final = true);
    }

    fn begin_anew(&mut self, chain: bool) {
        self.savepoints.made.clear();
        self.implicit = !chain;
        self.portals.forget();
    }

    /// It is not known any more what a later rollback would take back.
    fn lose_track(&mut self) {
        self.stands();
        self.savepoints = Savepoints { made: Vec::new(), is_lost: true };
    }
}
