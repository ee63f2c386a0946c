//! The upstream's half of the relay: whose answer a message is, and what became of each leaf.

use tyer_core::verdict::{LeafIndex, Outcome};

use super::enforced::not_a_read;
use super::expect::{Awaits, Expect, Form, Known, Progress, Running, rows_of};
use super::names::Name;
use super::{Chore, Fatal, Session, Skipping, Status, Turn, transaction};
use crate::postgres::decode::{self, Complaint, Frame, Piece, Target};

/// What follows from a message of the upstream.
#[derive(Debug, PartialEq, Eq)]
#[must_use]
pub struct Relay {
    /// What the agent gets.
    pub pass: Pass,
    /// Leaves whose outcome is known now.
    pub settled: Vec<(LeafIndex, Outcome)>,
    /// What goes to the upstream next, if anything.
    pub send: Chore,
    /// What it means for a request under ceilings.
    pub turn: Turn,
}

/// What the agent gets of a message.
#[derive(Debug, PartialEq, Eq)]
pub enum Pass {
    /// The frame as it came.
    Same,
    /// These bytes instead.
    Instead(Vec<u8>),
}

impl Relay {
    fn same() -> Self {
        Self::of(Pass::Same)
    }

    pub(super) fn nothing() -> Self {
        Self::of(Pass::Instead(Vec::new()))
    }

    fn of(pass: Pass) -> Self {
        Self { pass, settled: Vec::new(), send: Chore::default(), turn: Turn::None }
    }
}

impl Session {
    /// Takes a message of the upstream.
    ///
    /// # Errors
    /// The connection can't go on: nothing that was sent has such an answer.
    pub fn upstream(&mut self, frame: &Frame<'_>) -> Result<Relay, Fatal> {
        if let Some(relay) = self.aside(frame)? {
            return Ok(relay);
        }
        if let Some(looking) = self.looking.take() {
            return self.looking(looking, frame);
        }
        match self.owned.take() {
            None => self.alone(frame),
            Some(owned) => self.owned(owned, frame),
        }
    }

    /// A message of the upstream to what the agent sent.
    pub(super) fn alone(&mut self, frame: &Frame<'_>) -> Result<Relay, Fatal> {
        match frame.tag() {
            _ if frame.piece() == Piece::Later => Ok(Relay::same()),
            b'N' | b'A' => Ok(Relay::same()),
            b'S' => {
                let (name, value) = decode::parameter_status(frame.body())?;
                self.setting(&name, &value);
                Ok(Relay::same())
            }
            b'E' => self.failed(frame),
            b'Z' => self.ready(decode::ready_status(frame.body())?),
            _ => {
                if frame.tag() == b'1' && self.parsed() {
                    return Ok(Relay::nothing());
                }
                let relay = if self.is_own() { Relay::nothing() } else { Relay::same() };
                self.progressed(frame)?;
                Ok(relay)
            }
        }
    }

    /// Whether the server has yet to answer something that was sent. Inside an open transaction it may have
    /// answered everything.
    #[must_use]
    pub fn is_awaiting(&self) -> bool {
        !self.expects.is_empty() || self.owned.is_some() || self.ground.is_moving()
    }

    /// Whether a message answers what the agent did not send.
    fn is_own(&self) -> bool {
        let first = self.expects.front().map(|expect| &expect.what);
        matches!(first, Some(Awaits::Clear | Awaits::Restore { .. }))
    }

    /// Whether the server has just parsed the text of a refused `Query`, which it knows better than we do.
    fn parsed(&mut self) -> bool {
        match self.expects.front_mut().map(|expect| &mut expect.what) {
            Some(Awaits::Query(progress)) if progress.form == Form::Parsed => {
                progress.form = Form::Text;
                true
            }
            _ => false,
        }
    }

    /// A message that answers, in whole or in part, what stands first.
    fn progressed(&mut self, frame: &Frame<'_>) -> Result<(), Fatal> {
        let tag = frame.tag();
        let Some(front) = self.expects.front_mut() else { return Err(Fatal::Upstream(tag)) };
        match (tag, &mut front.what) {
            (b't', Awaits::Describe) => Ok(()),
            (b'1', Awaits::Parse { .. } | Awaits::Restore { .. })
            | (b'2', Awaits::Bind { .. })
            | (b'3', Awaits::Close { .. } | Awaits::Clear)
            | (b'T' | b'n', Awaits::Describe) => {
                self.confirm();
                Ok(())
            }
            (_, Awaits::Query(progress)) if progress.refused.is_some() => Err(Fatal::Upstream(tag)),
            (b'G', Awaits::Query(progress)) => {
                progress.copying += 1;
                Ok(())
            }
            (b'C', Awaits::Query(progress)) => {
                let tag = decode::command_tag(frame.body())?;
                progress.complete(tag.clone());
                let control = transaction::next_control(&mut progress.course, &tag);
                progress.is_mixed |= transaction::divides(&tag);
                let at = front.at;
                self.transacted(at, &tag, control);
                Ok(())
            }
            (b'V', Awaits::Query(progress)) if progress.form != Form::Call => Err(Fatal::Upstream(tag)),
            (b'I' | b'V', Awaits::Query(progress)) => {
                progress.complete(String::new());
                Ok(())
            }
            (b'T' | b'D' | b'H' | b'd' | b'c', Awaits::Query(_))
            | (b'D' | b'H' | b'd' | b'c', Awaits::Execute(_)) => Ok(()),
            // Of anything else, what was sent behind it may be swallowed.
            (b'G', Awaits::Execute(running)) if running.may_copy => {
                running.copying = true;
                Ok(())
            }
            (b'C' | b'I' | b's', Awaits::Execute(_)) => self.executed(frame),
            _ => Err(Fatal::Upstream(tag)),
        }
    }

    /// The first in line is answered in full.
    fn confirm(&mut self) {
        let Some(Expect { at, what, leaf }) = self.expects.pop_front() else { return };
        match what {
            Awaits::Parse { name, prepared } | Awaits::Restore { name, prepared } => {
                self.statements.confirm(at, &name, Some(prepared));
            }
            Awaits::Bind { name, portal } => {
                self.bound(at, leaf);
                self.portals.confirm(at, &name, Some(portal));
            }
            Awaits::Close { target: Target::Statement, name } => {
                self.statements.confirm(at, &name, None)
            }
            Awaits::Close { target: Target::Portal, name } => self.portals.confirm(at, &name, None),
            _ => {}
        }
        self.trim();
    }

    /// An `Execute` has come to its end, or to its row limit.
    fn executed(&mut self, frame: &Frame<'_>) -> Result<(), Fatal> {
        let tag = match frame.tag() {
            b'C' => decode::command_tag(frame.body())?,
            b'I' => String::new(),
            _ => "PortalSuspended".to_owned(),
        };
        let Some(Expect { at, what: Awaits::Execute(mut running), leaf }) = self.expects.pop_front()
        else {
            return Err(Fatal::Upstream(frame.tag()));
        };
        self.confirm_course(at, &running.course);
        let suspended = frame.tag() == b's';
        if let Some(portal) = self.portals.settled_mut(&running.portal) {
            portal.suspended = suspended.then_some(leaf.or(running.continues));
        }
        let rows = if suspended { Some(u64::from(running.rows_max)) } else { rows_of(&tag) };
        self.note((at, leaf), &running, (tag.clone(), rows));
        let control = transaction::next_control(&mut running.course, &tag);
        let is_known = control.is_some();
        self.transacted(at, &tag, control);
        if running.course.may_commit && !is_known && self.implicit {
            self.stands();
        }
        if running.copying {
            // What stood between the data was swallowed.
            if let Some(end) = self.expects.iter().position(|it| matches!(it.what, Awaits::CopyEnd)) {
                self.expects.drain(..=end);
            }
        }
        self.trim();
        Ok(())
    }

    fn note(
        &mut self,
        (at, leaf): (u64, Option<LeafIndex>),
        running: &Running,
        (tag, rows): (String, Option<u64>),
    ) {
        if let Some(leaf) = leaf {
            let only_reads = running.course.only_reads;
            let did = std::mem::take(&mut self.did);
            let outcome = Outcome::Done { tag, rows, did, undone: None };
            self.known.push(Known { at, leaf, outcome, is_final: false, only_reads });
            return;
        }
        let known = self.known.iter_mut().find(|known| Some(known.leaf) == running.continues);
        if let Some(Known { outcome: Outcome::Done { tag: told, rows: sum, .. }, .. }) = known {
            *told = tag;
            *sum = Some(sum.unwrap_or(0).saturating_add(rows.unwrap_or(0)));
        }
    }

    fn ready(&mut self, status: u8) -> Result<Relay, Fatal> {
        self.status = Status::of(status)?;
        let Some(Expect { at, what, leaf }) = self.expects.pop_front() else {
            return Err(Fatal::Upstream(b'Z'));
        };
        let mut is_ours = false;
        match what {
            Awaits::Query(progress) => {
                let unnamed = Name::default();
                self.statements.confirm(at, &unnamed, None);
                self.portals.confirm(at, &unnamed, None);
                match &progress.failed {
                    None => self.confirm_course(at, &progress.course),
                    Some(_) => self.confirm_unknown(at, &progress.course),
                }
                let (only_reads, is_mixed) = (progress.course.only_reads, progress.is_mixed);
                let mut outcome = progress.outcome().ok_or(Fatal::Upstream(b'Z'))?;
                if let Outcome::Done { did, .. } = &mut outcome {
                    *did = std::mem::take(&mut self.did);
                }
                let is_final = is_mixed || !matches!(outcome, Outcome::Done { .. });
                self.known.extend(leaf.map(|leaf| Known { at, leaf, outcome, is_final, only_reads }));
            }
            Awaits::Sync => {}
            Awaits::Parting => is_ours = true,
            _ => return Err(Fatal::Upstream(b'Z')),
        }
        let settled = self.settled_now();
        self.implicit = self.status == Status::Idle;
        if self.implicit {
            self.portals.forget();
        }
        if !is_ours && matches!(self.skipping, Some(Skipping::Errored(_))) {
            self.skipping = None;
        }
        self.trim();
        if self.expects.is_empty() {
            self.reading = self.reading.reported(self.status);
        }
        if self.expects.is_empty() {
            self.hides_cursors &= !self.implicit;
            self.ground.settled(self.implicit);
        }
        let relay = if is_ours { Relay::nothing() } else { Relay::same() };
        Ok(Relay { settled, ..relay })
    }

    fn failed(&mut self, frame: &Frame<'_>) -> Result<Relay, Fatal> {
        let Complaint { code, .. } = match Complaint::decode(frame.body())? {
            // The connection ends; what was in flight is settled when it has.
            complaint if complaint.is_fatal() => return Ok(Relay::same()),
            complaint => complaint,
        };
        let mut relay = Relay::same();
        let refused = match self.expects.front().map(|expect| &expect.what) {
            None => return Ok(relay),
            Some(Awaits::Query(Progress { form: Form::Parsed, .. })) => None,
            Some(Awaits::Refused(answer) | Awaits::Query(Progress { refused: Some(answer), .. })) => {
                Some(answer)
            }
            Some(_) => None,
        };
        let code = match refused {
            Some(answer) => {
                relay.pass = Pass::Instead(answer.error());
                answer.code().to_owned()
            }
            None => code,
        };
        if self.is_misread(&code) {
            relay.pass = Pass::Instead(not_a_read().error());
        }
        match self.expects.front_mut().map(|expect| &mut expect.what) {
            Some(Awaits::Query(progress)) => {
                progress.copying = 0;
                progress.failed.get_or_insert_with(|| code.clone());
                let may_commit = progress.course.may_commit;
                if may_commit {
                    self.doubt_all();
                }
                self.take_back(&code);
            }
            // Committing failed.
            Some(Awaits::Sync) => self.take_back(&code),
            Some(Awaits::Parting) => {
                self.take_back(&code);
                self.skip_rest(&code);
            }
            _ => self.skip(&code),
        }
        Ok(relay)
    }

    /// An error in a pipeline: the server skips the rest of it up to `Sync`.
    fn skip(&mut self, code: &str) {
        let Some(first) = self.expects.pop_front() else { return };
        if matches!(&first.what, Awaits::Execute(running) if running.course.may_commit) {
            self.doubt_all();
        }
        self.take_back(code);
        let mut is_ahead = first.leaf.is_none();
        self.fail_leaf(&first, code, true);
        self.undone(first);
        while let Some(expect) =
            self.expects.pop_front_if(|expect| !matches!(expect.what, Awaits::Sync | Awaits::Parting))
        {
            self.fail_leaf(&expect, code, is_ahead);
            is_ahead &= expect.leaf.is_none();
        }
        if matches!(self.expects.front().map(|expect| &expect.what), None | Some(Awaits::Parting)) {
            self.skip_rest(code);
        }
        if self.expects.iter().all(|expect| expect.what.course().is_none()) {
            self.ground.failed(self.implicit);
        }
        self.replan();
    }

    /// What a message leaves behind even where it fails.
    fn undone(&mut self, Expect { at, what, .. }: Expect) {
        match what {
            Awaits::Parse { name, .. } if name.is_unnamed() => self.statements.confirm(at, &name, None),
            Awaits::Bind { name, .. } if name.is_unnamed() => self.portals.confirm(at, &name, None),
            Awaits::Execute(running) => {
                if let Some(portal) = self.portals.settled_mut(&running.portal) {
                    portal.suspended = None;
                }
                self.confirm_unknown(at, &running.course);
            }
            _ => {}
        }
    }

    /// Settles a leaf that failed, by itself or because of what stood before it.
    fn fail_leaf(&mut self, expect: &Expect, code: &str, by_itself: bool) {
        let Some(leaf) = expect.leaf else { return };
        let known = Known::failed(expect.at, leaf, code);
        let outcome = if by_itself { expect.what.failed(code) } else { known.outcome };
        self.known.push(Known { outcome, ..known });
    }

    /// Forgets places without an answer that have come to the front.
    fn trim(&mut self) {
        while matches!(
            self.expects.front(),
            Some(Expect { what: Awaits::Copying | Awaits::CopyEnd, .. })
        ) {
            self.expects.pop_front();
        }
    }
}
