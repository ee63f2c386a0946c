//! Reads run where the server itself refuses to write.
//!
//! What is understood as a read runs in a transaction that is read-only to the server, wherever nothing else was
//! cleared in it: were the understanding wrong, the server says so ([`MISREAD`]) and nothing was written. Outside of
//! a transaction of the agent's the session's default is switched, once for any number of reads; in one of the
//! agent's a savepoint is opened in front of its first reads, and released in front of anything else ("SET
//! TRANSACTION" and "Client Connection Defaults" in the PostgreSQL documentation). The ground is prepared before a
//! text is asked about, by an exchange of Tyer's own while nothing else is in flight, so that nothing rests on an
//! answer that is still to come. Of all this an agent is told nothing.
//!
//! Not enforced: behind something else in one pipeline without `Sync`; where the agent has made its own default
//! read-only, which then holds as it is; and before servers that do not report that default.
//!
//! INVARIANT: nothing but reads runs where Tyer has put the server to reading only, and a default that an agent has
//! asked for is not changed.

use std::sync::Arc;

use tyer_core::intent::Effect;

use super::exchange::{Answered, Exchange, Own, own};
use super::expect::{Awaits, Course, Expect};
use super::question::Text;
use super::{Chore, Fatal, Ran, Relay, Session, Skipping, Status, Step};
use crate::postgres::decode::{Complaint, Frame, Piece, parameter_status};
use crate::postgres::encode;
use crate::postgres::refuse::Answer;
use crate::postgres::understand::{Control, Understanding};

/// The code by which a server refuses to write where it only reads (read_only_sql_transaction).
pub(super) const MISREAD: &str = "25006";
/// The setting that decides it for transactions to come.
const DEFAULT: &str = "default_transaction_read_only";
/// How often in a row an exchange may fail, as by a cancellation that comes late, before the connection ends.
const TRIES_MAX: u8 = 8;

/// Where the next text would run.
#[derive(Debug, Default)]
pub(super) struct Ground {
    is_used: bool,
    theirs: Theirs,
    footing: Footing,
    /// Whether anything but reads was cleared in the transaction that is open.
    is_granted: bool,
    /// Whether anything but reads was cleared in the pipeline, and is no part of a transaction that is over.
    is_behind: bool,
    /// An exchange of Tyer's own that is under way.
    aside: Option<Aside>,
    failures: u8,
}

/// The agent's own default.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Theirs {
    #[default]
    Unknown,
    /// It may write, as the session began.
    Writes,
    /// It may write, and has seen to that itself.
    SetToWrite,
    Reads,
}

/// By what of Tyer's the server refuses to write.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Footing {
    #[default]
    Nothing,
    /// The session's default.
    Default,
    /// A savepoint in the agent's transaction.
    Savepoint,
}

#[derive(Debug)]
struct Aside {
    exchange: Exchange,
    to: Footing,
}

impl Ground {
    /// Whether the server would refuse a write now, because of Tyer.
    pub(super) fn is_enforced(&self) -> bool {
        self.footing != Footing::Nothing
    }

    /// Whether Tyer's own words are still to be answered.
    pub(super) fn is_moving(&self) -> bool {
        self.aside.is_some()
    }

    /// The server has reported that setting, and not because of Tyer.
    pub(super) fn reported(&mut self, name: &str, value: &str) {
        if name != DEFAULT {
            return;
        }
        self.theirs = match (value, self.theirs) {
            ("on", _) => Theirs::Reads,
            (_, Theirs::Reads | Theirs::SetToWrite) => Theirs::SetToWrite,
            (_, Theirs::Unknown | Theirs::Writes) => Theirs::Writes,
        };
        if self.footing == Footing::Default {
            self.footing = Footing::Nothing;
        }
    }

    /// This is cleared, and leaves.
    pub(super) fn cleared(&mut self, understanding: &Understanding) {
        let ends = |control: &Control| {
            matches!(control, Control::Commit { .. } | Control::Rollback { .. } | Control::Prepare)
        };
        // What it has of both may be in any order.
        let ends_it = understanding.controls.iter().any(ends);
        // What was let in before it in its pipeline becomes part of it.
        let begins_it = understanding.controls.contains(&Control::Begin) && !self.is_behind;
        self.is_granted &= !ends_it && !begins_it;
        self.is_granted |= understanding.acts.worst().is_write();
        self.is_behind |= !understanding.is_enforceable();
        self.is_behind &= !ends_it;
        // Our savepoint does not outlive whatever this does to the transaction.
        if self.footing == Footing::Savepoint && !understanding.controls.is_empty() {
            self.footing = Footing::Nothing;
        }
    }

    /// The server is idle, and nothing is in flight.
    pub(super) fn idle(&mut self) {
        self.is_granted = false;
        if self.footing == Footing::Savepoint {
            self.footing = Footing::Nothing;
        }
    }

    /// What brings the server there.
    fn moves(&self, is_idle: bool, to_enforced: bool) -> (Footing, &'static [&'static str]) {
        match (is_idle, to_enforced) {
            (true, true) => (Footing::Default, &["SET default_transaction_read_only = on"]),
            (true, false) if self.theirs == Theirs::SetToWrite => {
                (Footing::Nothing, &["SET default_transaction_read_only = off"])
            }
            // What an operator has changed for everybody meanwhile holds here as well.
            (true, false) => (Footing::Nothing, &["RESET default_transaction_read_only"]),
            (false, true) => {
                (Footing::Savepoint, &["SAVEPOINT tyer_read", "SET LOCAL transaction_read_only = on"])
            }
            (false, false) => (Footing::Nothing, &["RELEASE SAVEPOINT tyer_read"]),
        }
    }
}

impl Session {
    /// The same session before a server whose sessions are its clients' own: reads run where it refuses to write.
    #[must_use]
    pub fn enforcing(mut self) -> Self {
        self.ground.is_used = !self.observes();
        self
    }

    /// What has to come first so that a text runs where it should: a step that does not take its message.
    pub(super) fn ground_for(&mut self, understanding: &Understanding) -> Option<Step> {
        let to_enforced = self.is_to_be_enforced(understanding)?;
        if to_enforced == self.ground.is_enforced() || to_enforced && self.is_too_late() {
            return None;
        }
        if self.unsynced {
            return Some(self.part());
        }
        if !self.expects.is_empty() {
            return Some(Step::Later);
        }
        let is_idle = match self.status {
            Status::Idle => true,
            Status::Open => false,
            // The server refuses everything by itself.
            Status::Failed => return None,
        };
        let (to, texts) = self.ground.moves(is_idle, to_enforced);
        let statements: Vec<Own> = texts.iter().copied().map(Own::plain).collect();
        self.ground.aside = Some(Aside { exchange: Exchange::of(&statements), to });
        Some(Step::First(Chore(own(statements))))
    }

    /// Whether the server is to hold it to reading, or is not to; nothing where that is not Tyer's to decide.
    fn is_to_be_enforced(&self, understanding: &Understanding) -> Option<bool> {
        if !self.ground.is_used || matches!(self.ground.theirs, Theirs::Unknown | Theirs::Reads) {
            return None;
        }
        if understanding.statements == 0 && understanding.acts.worst() == Effect::Read {
            // There is nothing in it.
            return None;
        }
        match understanding.controls.as_slice() {
            // With the transaction our savepoint ends.
            [Control::Commit { chain: false } | Control::Rollback { chain: false }]
                if understanding.statements == 1 && self.ground.footing == Footing::Savepoint =>
            {
                None
            }
            _ => Some(understanding.is_enforceable()),
        }
    }

    /// Whether something else was let into its transaction already, or stands before it in its pipeline.
    fn is_too_late(&self) -> bool {
        let is_control =
            |expect: &Expect| expect.what.course().is_some_and(|course| !course.controls.is_empty());
        // What is in flight may end the transaction that is known of, or open one.
        let is_settled = !self.expects.iter().any(is_control);
        let is_inside = self.unsynced || !self.implicit && is_settled;
        self.ground.is_granted && is_inside || self.ground.is_behind && self.implicit && is_settled
    }

    /// Parts a pipeline by a `Sync` of Tyer's own. What comes behind it waits for the answers to what stood before
    /// it, which are reads at most or within the agent's transaction, and is skipped if one is an error.
    fn part(&mut self) -> Step {
        self.ends_pipeline();
        let expect = self.expect(Awaits::Parting);
        self.expects.push_back(expect);
        Step::First(Chore(encode::sync()))
    }

    /// What follows is no part of what was sent before: a transaction that was not opened by a command is over.
    pub(super) fn ends_pipeline(&mut self) {
        (self.unsynced, self.ran) = (false, Ran::Nothing);
        self.ground.is_behind = false;
    }

    /// The server has failed in front of a `Sync` of Tyer's own: it goes on behind it, and the agent's rest is
    /// skipped here.
    pub(super) fn skip_rest(&mut self, code: &str) {
        self.skipping = Some(Skipping::Errored(code.to_owned()));
        self.held.clear();
        self.held_bytes = 0;
    }

    /// What is remembered of a text while it runs.
    pub(super) fn course(&self, text: &Text, understanding: &Understanding) -> Course {
        let is_enforced = self.ground.is_enforced() && understanding.is_enforceable();
        let enforced = is_enforced.then(|| Arc::clone(&text.sql));
        Course { enforced, ..Course::of(understanding) }
    }

    /// Whether the server has just refused as a write what was understood as a read: the first that it still has to
    /// answer. From now on nobody vouches for its text on this connection.
    pub(super) fn is_misread(&mut self, code: &str) -> bool {
        if code != MISREAD {
            return false;
        }
        let until = |expect: &&Expect| !matches!(expect.what, Awaits::Sync | Awaits::Parting);
        let mut courses = self.expects.iter().take_while(until).filter_map(|it| it.what.course());
        let Some(text) = courses.next().and_then(|course| course.enforced.as_ref()) else {
            return false;
        };
        self.understood.distrust(text);
        true
    }

    /// A message of the upstream, if an exchange of Tyer's own is under way.
    pub(super) fn aside(&mut self, frame: &Frame<'_>) -> Result<Option<Relay>, Fatal> {
        let Some(aside) = &mut self.ground.aside else { return Ok(None) };
        let is_ours = match frame.tag() {
            _ if frame.piece() == Piece::Later => false,
            b'S' if parameter_status(frame.body())?.0 == DEFAULT => return Ok(Some(Relay::nothing())),
            b'E' => !Complaint::decode(frame.body())?.is_fatal(),
            tag => !matches!(tag, b'N' | b'A' | b'S'),
        };
        if !is_ours {
            return self.alone(frame).map(Some);
        }
        let (answered, to) = (aside.exchange.take(frame)?, aside.to);
        answered.map_or(Ok(()), |answered| self.moved(to, &answered))?;
        Ok(Some(Relay::nothing()))
    }

    /// The exchange is over. One that failed is tried again when the message that waits for it comes back.
    fn moved(&mut self, to: Footing, answered: &Answered) -> Result<(), Fatal> {
        self.ground.aside = None;
        self.status = Status::of(answered.status)?;
        if answered.error.is_none() {
            (self.ground.footing, self.ground.failures) = (to, 0);
            return Ok(());
        }
        self.ground.failures += 1;
        if self.ground.failures > TRIES_MAX { Err(Fatal::Upstream(b'E')) } else { Ok(()) }
    }
}

/// What an agent is told whose read was none.
pub(super) fn not_a_read() -> Answer {
    Answer::new(MISREAD, "this was understood as a read, and the database says that it writes").hint(
        "Nothing was written. Present it again: it is then asked about as what nobody can vouch for.",
    )
}
