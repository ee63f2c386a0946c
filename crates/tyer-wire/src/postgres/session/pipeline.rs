//! What is held back of a pipeline: released once it is answered, or refused in place.

use tyer_core::limits::PIPELINE_BYTES_MAX;

use super::expect::{Awaits, Expect, Form, Progress};
use super::names::Name;
use super::{Chore, Fatal, Held, REFUSED_NAME, REFUSED_SQL, Session, Skipping, Step};
use crate::postgres::decode::{Frame, Target};
use crate::postgres::encode;
use crate::postgres::refuse::Answer;

impl Session {
    /// What becomes of a message before anything else is looked at: taken (`None`), to come again, or
    /// nothing at all.
    ///
    /// A message has to wait for the answers to an earlier pipeline: an error there makes the server skip
    /// what comes after it, so what a name means at the next `Sync` is known only once the answers are
    /// here. Behind a `Query`, or an `Execute` that may be a `COPY`, even `Sync` waits, since the server
    /// swallows it while it takes `COPY` data, and then there is no answer to it: were it on its way when
    /// the `COPY` fails, nobody could tell which answer comes next.
    ///
    /// # Errors
    /// The server takes `COPY` data, which only the agent can end: waiting would be for ever.
    pub(super) fn in_turn(&self, tag: u8) -> Result<Option<Step>, Fatal> {
        if matches!(tag, b'd' | b'c' | b'f' | b'X') {
            return Ok(None);
        }
        if self.ground.is_moving() {
            return Ok(Some(Step::Later));
        }
        let swallows = self.expects.iter().find_map(|expect| match &expect.what {
            Awaits::Query(progress) => Some(progress.copying > 0),
            // Behind the end of its data it is like any other, and `Sync` must not wait: what was done is told to
            // the agent only after the server has committed it.
            Awaits::Execute(running) if running.may_copy && !(running.copying && running.ended) => {
                Some(running.copying)
            }
            _ => None,
        });
        if self.owned.is_some() && swallows != Some(true) {
            return Ok(Some(Step::Later));
        }
        match (swallows, tag) {
            (Some(true), b'S' | b'H') => return Ok(Some(Step::Nothing)),
            (Some(true), _) => return Err(Fatal::Agent(tag)),
            (Some(false), _) => return Ok(Some(Step::Later)),
            (None, b'S') => return Ok(None),
            (None, _) => {}
        }
        let at_boundary = !self.unsynced && self.held.is_empty() && self.skipping.is_none();
        let unsure = self.statements.has_plans() || self.portals.has_plans();
        Ok((at_boundary && unsure).then_some(Step::Later))
    }

    pub(super) fn expect(&mut self, what: Awaits) -> Expect {
        self.sent += 1;
        Expect { at: self.sent, what, leaf: None }
    }

    /// Holds a message back until its pipeline is decided.
    pub(super) fn keep(&mut self, frame: &Frame<'_>, what: Awaits) -> Step {
        let mut out = Vec::new();
        if self.held_bytes > PIPELINE_BYTES_MAX && !self.release(&mut out) {
            return Step::Send(Chore(out));
        }
        self.hold(frame.bytes().to_vec(), what);
        if out.is_empty() { Step::Nothing } else { Step::Send(Chore(out)) }
    }

    pub(super) fn hold(&mut self, bytes: Vec<u8>, what: Awaits) {
        let expect = self.expect(what);
        self.plan(&expect);
        self.held_bytes += bytes.len();
        self.held.push(Held { bytes, expect });
    }

    /// Sends what is held back without having asked. A `Bind` that must not be planned unasked is
    /// refused, unless the upstream is only observed; then the pipeline ends here, and the answer is
    /// `false`.
    pub(super) fn release(&mut self, out: &mut Vec<u8>) -> bool {
        match self.first_grave() {
            Some(at) => self.refuse_from(at, bound_unasked(), out),
            None => self.release_all(out),
        }
        self.skipping.is_none()
    }

    pub(super) fn release_all(&mut self, out: &mut Vec<u8>) {
        self.held_bytes = 0;
        for Held { bytes, expect } in self.held.drain(..) {
            self.unsynced = true;
            out.extend(bytes);
            self.expects.push_back(expect);
        }
    }

    /// Refuses the pipeline if any `Bind` held back but the spared one is grave; then not even the
    /// spared one goes out, because it was not answered.
    pub(super) fn refuse_unasked(&mut self, spared: Option<usize>) -> Option<Step> {
        let unasked = |at: &usize| Some(*at) != spared && self.is_grave(*at);
        (0..self.held.len()).find(unasked).filter(|_| !self.observes())?;
        Some(self.refuse_here(bound_unasked()))
    }

    fn is_grave(&self, at: usize) -> bool {
        let bound = self.held.get(at).map(|held| &held.expect.what);
        matches!(bound, Some(Awaits::Bind { portal, .. }) if portal.is_grave())
    }

    /// Where the one `Bind` is held back that must not be planned unasked, if there is just one.
    pub(super) fn only_grave(&self) -> Option<usize> {
        let mut grave = (0..self.held.len()).filter(|at| self.is_grave(*at));
        grave.next().filter(|_| grave.next().is_none())
    }

    fn first_grave(&self) -> Option<usize> {
        (0..self.held.len()).find(|at| !self.observes() && self.is_grave(*at))
    }

    /// Where the last `Bind` of that portal is held back, unless it is closed again behind it.
    pub(super) fn bind_of(&self, name: &Name) -> Option<usize> {
        let about = |held: &Held| match &held.expect.what {
            Awaits::Bind { name: bound, .. } => bound == name,
            Awaits::Close { target: Target::Portal, name: closed } => closed == name,
            _ => false,
        };
        let at = self.held.iter().rposition(about)?;
        let is_bind = |held: &Held| matches!(held.expect.what, Awaits::Bind { .. });
        self.held.get(at).is_some_and(is_bind).then_some(at)
    }

    pub(super) fn refuse_here(&mut self, answer: Answer) -> Step {
        let mut out = Vec::new();
        let at = self.first_grave().unwrap_or(self.held.len());
        self.refuse_from(at, answer, &mut out);
        Step::Send(Chore(out))
    }

    /// Sends what is held back before place `at`, then a message that must fail, and drops the rest up
    /// to `Sync`.
    pub(super) fn refuse_from(&mut self, at: usize, answer: Answer, out: &mut Vec<u8>) {
        self.held.truncate(at);
        self.release_all(out);
        out.extend(encode::parse(REFUSED_NAME, REFUSED_SQL, &[]));
        let expect = self.expect(Awaits::Refused(Box::new(answer)));
        self.expects.push_back(expect);
        self.unsynced = true;
        self.skipping = Some(Skipping::Refused);
        self.replan();
    }

    pub(super) fn refuse_query(&mut self, answer: Answer) -> Step {
        if let Some(step) = self.refuse_unasked(None) {
            return step;
        }
        let mut out = Vec::new();
        self.send_refused_query(answer, &mut out);
        Step::Send(Chore(out))
    }

    pub(super) fn send_refused_query(&mut self, answer: Answer, out: &mut Vec<u8>) {
        self.release_all(out);
        out.extend(encode::query(REFUSED_SQL));
        self.ends_pipeline();
        let refused = Some(Box::new(answer));
        let expect = self.expect(Awaits::Query(Progress { refused, ..Progress::default() }));
        self.plan(&expect);
        self.expects.push_back(expect);
    }

    /// Refuses a `Query` that is not valid SQL by what the server itself says of it: it is made to parse the
    /// text, which runs nothing, and then to fail, should it know better. Behind an unsynced pipeline the
    /// `Sync` that this takes could end that, so there the words are the parser's.
    pub(super) fn refuse_in_its_words(&mut self, sql: &[u8], answer: Answer) -> Step {
        if self.unsynced || !self.held.is_empty() {
            return self.refuse_query(answer);
        }
        let mut out = Vec::new();
        out.extend(encode::parse(b"", sql, &[]));
        out.extend(encode::parse(REFUSED_NAME, REFUSED_SQL, &[]));
        out.extend(encode::sync());
        let refused = Some(Box::new(answer));
        let progress = Progress { refused, form: Form::Parsed, ..Progress::default() };
        let expect = self.expect(Awaits::Query(progress));
        self.plan(&expect);
        self.expects.push_back(expect);
        Step::Send(Chore(out))
    }
}

fn bound_unasked() -> Answer {
    Answer::new("0A000", "this statement cannot be bound without being executed in the same pipeline")
        .hint("Send Bind and Execute together, before Flush, Sync or another Execute.")
}

pub(super) fn not_utf8() -> Answer {
    Answer::new("22021", "the statement is not valid UTF-8")
}
