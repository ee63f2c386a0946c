//! Reads run where the server itself refuses to write.
//!
//! What is understood as a read runs in a transaction that is read-only to the server, wherever nothing else was
//! cleared in it: were the understanding wrong, the server says so ([`MISREAD`]) and nothing was written. Outside of
//! a transaction of the agent's the session's default is switched, once for any number of reads; in one of the
//! agent's a savepoint is opened in front of its first reads, and released in front of anything else ("SET
//! TRANSACTION" and "Client Connection Defaults" in the PostgreSQL documentation). The ground is prepared before a
//! text is asked about, by an exchange of Tyer's own while nothing else is in flight, so that nothing rests on an
//! answer that is still to come. An agent is told of it only if it asks, as by `current_setting`.
//!
//! Not enforced: behind something else in one pipeline without `Sync`, or in one text with transaction control; where
//! the agent has made its own default read-only, which then holds as it is; and before servers that do not report that
//! default. SECURITY.md lists what else a server lets through.
//!
//! INVARIANT: nothing but reads runs where Tyer has put the server to reading only, and a default that an agent has
//! asked for is not changed.

use std::sync::Arc;

use tyer_core::intent::{Act, Effect};

use super::exchange::{Answered, Exchange, Own, own};
use super::expect::{Awaits, Course, Expect};
use super::question::Text;
use super::{Chore, Fatal, Ran, Relay, Session, Skipping, Status, Step};
use crate::postgres::decode::{Complaint, Frame, Piece, parameter_status};
use crate::postgres::encode;
use crate::postgres::refuse::Answer;
use crate::postgres::understand::{About, Control, Understanding};

/// The code by which a server refuses to write where it only reads (read_only_sql_transaction).
pub(super) const MISREAD: &str = "25006";
/// The setting that decides it for transactions to come.
const DEFAULT: &str = "default_transaction_read_only";
/// The code of what a cancel request has hit (query_canceled).
const CANCELLED: &str = "57014";
/// The code of what could not be prepared for another reason (object_not_in_prerequisite_state).
const NOT_PREPARED: &str = "55000";
/// How often in a row an exchange may fail, as by a cancellation that comes late, before the connection ends.
const TRIES_MAX: u8 = 8;

/// Where the next text would run.
#[derive(Debug, Default)]
pub(super) struct Ground {
    theirs: Theirs,
    block: Block,
    footing: Footing,
    /// Whether anything but reads was cleared in the transaction that is open.
    is_granted: bool,
    /// Whether anything but reads was cleared in the pipeline, and is no part of a transaction that is over.
    is_behind: bool,
    /// Whether anything but reads was cleared that may have changed the default, as the server will say at its end.
    is_unreported: bool,
    /// The last read in the agent's transaction that may leave something to run at its end, as a cursor does that is kept.
    runs_later: Option<Arc<str>>,
    /// An exchange of Tyer's own that is under way.
    aside: Option<Aside>,
    /// What the server said to one that failed: it is the answer to the message that waits for it.
    failed: Option<Answer>,
    failures: u8,
}

/// The agent's own default.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Theirs {
    /// Nothing is enforced here.
    #[default]
    Unused,
    /// The server has not said.
    Unknown,
    /// It may write, as the session began.
    Writes,
    /// It may write, and has seen to that itself.
    SetToWrite,
    Reads,
}

/// Whether the agent has opened a transaction, once all that was cleared is done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Block {
    #[default]
    Closed,
    Open,
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
    /// The agent's transaction itself, which is about to end.
    Transaction,
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

    /// What the message that has waited fails by, if Tyer's own words did: a cancel request that hit them was for it.
    pub(super) fn take_failure(&mut self) -> Option<Answer> {
        self.failed.take()
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
            (_, Theirs::Unused) => Theirs::Unused,
            ("on", _) => Theirs::Reads,
            (_, Theirs::Reads | Theirs::SetToWrite) => Theirs::SetToWrite,
            (_, Theirs::Unknown | Theirs::Writes) => Theirs::Writes,
        };
        if self.footing == Footing::Default {
            self.footing = Footing::Nothing;
        }
    }

    /// This is cleared, and leaves; with its text, where the server is to refuse what it would write.
    pub(super) fn cleared(&mut self, understanding: &Understanding, enforced: Option<&Arc<str>>) {
        let ends = |control: &Control| {
            matches!(control, Control::Commit { .. } | Control::Rollback { .. } | Control::Prepare)
        };
        for control in &understanding.controls {
            match control {
                // What stands before it in its pipeline becomes part of it.
                Control::Begin if self.block == Block::Closed => {
                    (self.block, self.is_granted) = (Block::Open, self.is_granted && self.is_behind);
                }
                Control::Commit { chain: true } | Control::Rollback { chain: true } => {
                    (self.is_granted, self.is_behind) = (false, false);
                }
                control if ends(control) => {
                    (self.block, self.is_granted, self.is_behind) = (Block::Closed, false, false);
                }
                _ => {}
            }
        }
        let is_granted = |act: &Act| act.effect.is_write() && !act.local;
        self.is_granted |= understanding.acts.iter().any(is_granted);
        let is_other = !understanding.is_enforceable();
        self.is_unreported |= is_other;
        let is_control = !understanding.controls.is_empty() && understanding.statements == 1;
        self.is_behind |= is_other && !is_control && self.block == Block::Closed;
        if !understanding.controls.is_empty() {
            // What Tyer has done in the transaction does not outlive whatever this does to it.
            self.leaves_transaction();
        } else if !understanding.fits_block && self.block == Block::Open {
            self.runs_later = enforced.cloned().or_else(|| self.runs_later.take());
        }
    }

    fn leaves_transaction(&mut self) {
        if self.footing != Footing::Default {
            self.footing = Footing::Nothing;
        }
    }

    /// The server skips what was cleared and is still in flight, in a transaction of the agent's or not.
    pub(super) fn failed(&mut self, is_idle: bool) {
        self.block = if is_idle { Block::Closed } else { Block::Open };
        self.is_granted &= !is_idle;
        self.is_behind = false;
    }

    /// The server has answered everything, and is in a transaction of the agent's or is not.
    pub(super) fn settled(&mut self, is_idle: bool) {
        self.is_unreported = false;
        self.block = if is_idle { Block::Closed } else { Block::Open };
        if is_idle {
            (self.is_granted, self.runs_later) = (false, None);
            self.leaves_transaction();
        }
    }

    /// Whether this ends a transaction of nothing but reads, one of which may have left something to run now.
    fn ends_reading(&self, understanding: &Understanding) -> bool {
        let is_end = matches!(understanding.controls.as_slice(), [Control::Commit { chain: false }]);
        is_end && understanding.statements == 1 && self.runs_later.is_some() && !self.is_granted
    }

    /// What makes the server refuse to write until the transaction is over: no savepoint lasts until then.
    fn ends(&self) -> (Footing, &'static [&'static str]) {
        let all = &["RELEASE SAVEPOINT tyer_read", "SET LOCAL transaction_read_only = on"];
        let from = usize::from(self.footing != Footing::Savepoint);
        (Footing::Transaction, all.get(from..).unwrap_or_default())
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
        self.ground.theirs = if self.observes() { Theirs::Unused } else { Theirs::Unknown };
        self
    }

    /// What has to come first so that a text runs where it should: a step that does not take its message.
    pub(super) fn ground_for(&mut self, understanding: &Understanding) -> Option<Step> {
        if self.expects.iter().any(|expect| matches!(expect.what, Awaits::Parting)) {
            return Some(Step::Later);
        }
        let to_enforced = self.is_to_be_enforced(understanding)?;
        let is_end = self.ground.ends_reading(understanding);
        let is_there = to_enforced == self.ground.is_enforced()
            && !(to_enforced && self.is_unreported())
            && is_end == (self.ground.footing == Footing::Transaction);
        if is_there || to_enforced && self.is_too_late() {
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
        let (to, texts) = match is_end {
            true => self.ground.ends(),
            false => self.ground.moves(is_idle, to_enforced),
        };
        let statements: Vec<Own> = texts.iter().copied().map(Own::plain).collect();
        self.ground.aside = Some(Aside { exchange: Exchange::of(&statements), to });
        Some(Step::First(Chore(own(statements))))
    }

    /// Whether the server is to hold it to reading, or is not to; nothing where that is not Tyer's to decide.
    fn is_to_be_enforced(&self, understanding: &Understanding) -> Option<bool> {
        let is_theirs = match self.ground.theirs {
            Theirs::Unused | Theirs::Unknown => true,
            // Of a transaction that is open already it says nothing.
            Theirs::Reads => self.ground.block == Block::Closed,
            Theirs::Writes | Theirs::SetToWrite => false,
        };
        let is_neither = understanding.about == About::Neither
            || understanding.statements == 0 && understanding.acts.worst() == Effect::Read;
        if is_theirs || is_neither {
            return None;
        }
        match understanding.controls.as_slice() {
            _ if self.ground.ends_reading(understanding) => Some(true),
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
        match self.ground.block {
            Block::Closed => self.ground.is_behind,
            // What is in flight may not come to be.
            Block::Open => self.ground.is_granted && !self.expects.iter().any(is_control),
        }
    }

    /// Whether a pipeline is in flight that may have changed the default: its report comes at its end.
    fn is_unreported(&self) -> bool {
        let is_end = |expect: &Expect| matches!(expect.what, Awaits::Sync | Awaits::Parting);
        self.ground.is_unreported && self.expects.iter().any(is_end)
    }

    /// The ground for what `Flush` or `Sync` would have the server plan.
    pub(super) fn ground_for_binds(&mut self) -> Option<Step> {
        if self.skipping.is_some() || self.ground.theirs == Theirs::Unused {
            return None;
        }
        let bound = self.held.iter().find_map(|held| match &held.expect.what {
            Awaits::Bind { portal, .. } => Some(Arc::clone(&portal.prepared.understanding)),
            _ => None,
        })?;
        bound.is_enforceable().then(|| self.ground_for(&bound)).flatten()
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
        let enforced = match self.ground.footing {
            Footing::Transaction => self.ground.runs_later.clone(),
            _ => is_enforced.then(|| Arc::clone(&text.sql)),
        };
        Course { enforced, ..Course::of(understanding) }
    }

    /// Whether the server has just refused as a write what was understood as a read: the first that it still has to
    /// answer. From now on nobody vouches for its text on this connection.
    pub(super) fn is_misread(&mut self, code: &str) -> bool {
        if code != MISREAD {
            return false;
        }
        let until = |expect: &&Expect| !matches!(expect.what, Awaits::Sync | Awaits::Parting);
        let mut asked = self.expects.iter().take_while(until).filter(|expect| expect.leaf.is_some());
        let Some(text) = asked.next().and_then(|expect| expect.what.enforced()) else { return false };
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

    /// The exchange is over. If it failed, so does the message that waits for it; `Flush` and `Sync` try again.
    fn moved(&mut self, to: Footing, answered: &Answered) -> Result<(), Fatal> {
        self.ground.aside = None;
        self.status = Status::of(answered.status)?;
        let Some(error) = &answered.error else {
            (self.ground.footing, self.ground.failures, self.ground.failed) = (to, 0, None);
            return Ok(());
        };
        let said = Complaint::decode(error.get(5..).unwrap_or_default())?;
        let code = if said.code == CANCELLED { CANCELLED } else { NOT_PREPARED };
        self.ground.failed = Some(Answer::new(code, &said.message));
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
