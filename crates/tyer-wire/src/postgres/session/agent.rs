//! What each message of the agent becomes: held back, sent, asked about or refused.

use std::sync::Arc;

use tyer_core::limits::STATEMENTS_MAX;

use super::expect::{Awaits, CopyData, Course, Form, Progress, Running};
use super::kept;
use super::names::Name;
use super::pipeline::not_utf8;
use super::question::{Portal, Prepared, Question, Text, unclear};
use super::{Asked, Chore, Fatal, Ran, Reading, Session, Status, Step};
use crate::postgres::decode::{self, Bind, Frame, Parse, Piece};
use crate::postgres::identity::{Parameters, Value};
use crate::postgres::refuse::Answer;
use crate::postgres::understand::Understanding;

impl Session {
    pub(super) fn query(&mut self, frame: &Frame<'_>) -> Result<Step, Fatal> {
        let raw = decode::query(frame.body())?;
        if std::str::from_utf8(raw).is_err() && !self.observes() {
            return Ok(self.refuse_query(not_utf8()));
        }
        if let Some(step) = self.refuse_unasked(None) {
            return Ok(step);
        }
        if let Some(answer) = self.ground.take_failure() {
            return Ok(self.refuse_query(answer));
        }
        let text = Text::of(raw);
        let alone = self.understood(&text);
        let (text, understanding) = self.among_names(text, alone);
        let understanding = self.understood.belied(&text.sql, understanding);
        if let Some(error) = understanding.syntax_error.as_ref().filter(|_| !self.observes()) {
            return Ok(self.refuse_in_its_words(raw, Answer::new("42601", error)));
        }
        if let Some(step) = self.ground_for(&understanding) {
            return Ok(step);
        }
        let course = self.course(&text, &understanding);
        let what = Awaits::Query(Progress { course, ..Progress::default() });
        Ok(self.ask(frame, &text, understanding, (Parameters::default(), what)))
    }

    /// A function called by its number, outside of SQL: nothing says what it does.
    pub(super) fn call(&mut self, frame: &Frame<'_>) -> Step {
        let why = "calls a function by its number, outside of SQL";
        let text = Text::named(why);
        let understanding = Arc::new(unclear(&text.sql, why));
        let course = Course::of(&understanding);
        let what = Awaits::Query(Progress { course, form: Form::Call, ..Progress::default() });
        let call = Value { binary: true, bytes: Some(frame.body().to_vec()) };
        let parameters = Parameters { types: Vec::new(), values: vec![call] };
        self.ask(frame, &text, understanding, (parameters, what))
    }

    pub(super) fn parse(&mut self, frame: &Frame<'_>) -> Result<Step, Fatal> {
        let parse = Parse::decode(frame.body())?;
        if std::str::from_utf8(parse.sql).is_err() && !self.observes() {
            return Ok(self.refuse_here(not_utf8()));
        }
        if self.statements.len() >= STATEMENTS_MAX {
            let answer = Answer::new("54000", "too many prepared statements on this connection");
            return Ok(self.refuse_here(answer.hint("Close some, or DEALLOCATE ALL.")));
        }
        let text = Text::of(parse.sql);
        let mut understanding = self.understood(&text);
        if let Some(error) = &understanding.syntax_error {
            // The server will say so itself; should it know better, nothing is known of the text.
            understanding = Arc::new(unclear(&text.sql, error));
        }
        let bytes = kept::of_prepared(&text, &parse.types, &understanding);
        let Some(weight) = self.kept.room(bytes) else { return Ok(self.refuse_here(too_much())) };
        let weight = Some(weight);
        let prepared = Prepared { text, types: parse.types, understanding, weight };
        let what = Awaits::Parse { name: Name::new(parse.name), prepared: Arc::new(prepared) };
        Ok(self.keep(frame, what))
    }

    pub(super) fn bind(&mut self, frame: &Frame<'_>) -> Result<Step, Fatal> {
        let bind = Bind::decode(frame.body())?;
        if self.portals.len() >= STATEMENTS_MAX {
            let answer = Answer::new("54000", "too many portals on this connection");
            return Ok(self.refuse_here(answer.hint("Close some, or end the transaction.")));
        }
        let prepared = self.statement_to_bind(&Name::new(bind.statement));
        let format = |at: usize| match bind.formats.as_slice() {
            [one] => *one,
            all => all.get(at).copied().unwrap_or(0),
        };
        let values = bind
            .values
            .iter()
            .enumerate()
            .map(|(at, value)| Value { binary: format(at) == 1, bytes: value.map(<[u8]>::to_vec) })
            .collect::<Vec<_>>();
        let Some(weight) = self.kept.room(kept::of_values(&values)) else {
            return Ok(self.refuse_here(too_much()));
        };
        let portal = Portal::new(prepared, values, Some(weight));
        Ok(self.keep(frame, Awaits::Bind { name: Name::new(bind.portal), portal }))
    }

    pub(super) fn close(&mut self, frame: &Frame<'_>) -> Result<Step, Fatal> {
        let (target, name) = decode::target(frame.body())?;
        Ok(self.keep(frame, Awaits::Close { target, name: Name::new(name) }))
    }

    pub(super) fn execute(&mut self, frame: &Frame<'_>) -> Result<Step, Fatal> {
        let (name, rows_max) = decode::execute(frame.body())?;
        let name = Name::new(name);
        if let Some(answer) = self.ground.take_failure() {
            return Ok(self.refuse_here(answer));
        }
        let settled = self.portals.settled_mut(&name);
        let suspended = settled.and_then(|portal| {
            Some((portal.suspended_course()?, Arc::clone(&portal.prepared.understanding)))
        });
        if let Some(((course, continues), understanding)) = suspended {
            // Its transaction is the agent's, where the ground can be another by now.
            if !self.implicit
                && let Some(step) = self.ground_for(&understanding)
            {
                return Ok(step);
            }
            let running = Running { continues, ..Running::new(name, course, rows_max) };
            return Ok(self.go_on(frame, running));
        }
        if self.ran == Ran::Apart {
            let answer = Answer::new("0A000", "an approved request must be the last of its pipeline");
            return Ok(self.refuse_here(answer.hint("Send Sync behind it.")));
        }
        let spared = self.bind_of(&name);
        if let Some(step) = self.refuse_unasked(spared) {
            return Ok(step);
        }
        let unseen = || {
            let prepared = Arc::new(Prepared::unseen("portal", &name.shown()));
            Portal::new(prepared, Vec::new(), None)
        };
        let portal = self.portals.get(&name).cloned().unwrap_or_else(unseen);
        let prepared = &portal.prepared;
        let alone = match self.unreadable() {
            Some(why) => Arc::new(unclear(&prepared.text.sql, why)),
            None => Arc::clone(&prepared.understanding),
        };
        let (text, understanding) = self.among_names(prepared.text.clone(), alone);
        let understanding = self.understood.belied(&text.sql, understanding);
        if let Some(step) = self.ground_for(&understanding) {
            return Ok(step);
        }
        let parameters = prepared.parameters(&portal.values);
        let course = self.course(&text, &understanding);
        let may_copy = text.may_copy(&understanding);
        let running = Running { may_copy, ..Running::new(name, course, rows_max) };
        let what = Awaits::Execute(running);
        Ok(self.ask(frame, &text, understanding, (parameters, what)))
    }

    /// More rows of an execution that was cleared need no new decision.
    pub(super) fn go_on(&mut self, frame: &Frame<'_>, running: Running) -> Step {
        let mut out = Vec::new();
        if self.release(&mut out) {
            out.extend_from_slice(frame.bytes());
            let expect = self.expect(Awaits::Execute(running));
            self.plan(&expect);
            self.expects.push_back(expect);
            self.unsynced = true;
        }
        Step::Send(Chore(out))
    }

    pub(super) fn flush(&mut self, frame: &Frame<'_>) -> Step {
        if let Some(step) = self.ground_for_binds().or_else(|| self.ask_to_bind(frame)) {
            return step;
        }
        let mut out = Vec::new();
        self.release(&mut out);
        self.behind(frame.bytes(), &mut out);
        Step::Send(Chore(out))
    }

    pub(super) fn sync(&mut self, frame: &Frame<'_>) -> Step {
        if let Some(step) = self.ground_for_binds().or_else(|| self.ask_to_bind(frame)) {
            return step;
        }
        let mut out = Vec::new();
        if self.skipping.is_none() {
            self.release(&mut out);
        }
        self.behind(frame.bytes(), &mut out);
        Step::Send(Chore(out))
    }

    /// `COPY` data goes on while something cleared is in flight; the server ignores it otherwise.
    pub(super) fn copy(&mut self, frame: &Frame<'_>) -> Step {
        if frame.piece() != Piece::Later {
            let runs = self.expects.iter().any(|expect| {
                expect.leaf.is_some() && matches!(expect.what, Awaits::Query(_) | Awaits::Execute(_))
            });
            // What is owned takes no rows, and nothing may stand where Tyer's own words go.
            let passes = runs && self.skipping.is_none() && self.owned.is_none();
            self.copy_data = if passes { CopyData::Passed } else { CopyData::Dropped };
        }
        let mut out = Vec::new();
        if self.copy_data == CopyData::Dropped {
            return Step::Nothing;
        }
        if frame.piece() != Piece::Later && !self.release(&mut out) {
            self.copy_data = CopyData::Dropped;
            return Step::Send(Chore(out));
        }
        out.extend_from_slice(frame.bytes());
        if frame.tag() != b'd' {
            self.copy_ended();
        }
        let last = self.expects.back().map(|expect| &expect.what);
        let mark = match frame.tag() {
            b'd' if matches!(last, Some(Awaits::Copying)) => None,
            b'd' => Some(Awaits::Copying),
            _ => Some(Awaits::CopyEnd),
        };
        if let Some(mark) = mark {
            let expect = self.expect(mark);
            self.expects.push_back(expect);
        }
        Step::Send(Chore(out))
    }

    /// The agent has ended the `COPY` in flight: from here on the server swallows nothing more.
    fn copy_ended(&mut self) {
        for expect in &mut self.expects {
            match &mut expect.what {
                Awaits::Query(progress) => {
                    progress.copying = progress.copying.saturating_sub(1);
                    return;
                }
                Awaits::Execute(running) if running.may_copy => {
                    running.ended = true;
                    return;
                }
                _ => {}
            }
        }
    }

    pub(super) fn ask(
        &mut self,
        frame: &Frame<'_>,
        text: &Text,
        understanding: Arc<Understanding>,
        (parameters, what): (Parameters, Awaits),
    ) -> Step {
        let digest = text.digest(self.place, &parameters);
        let (sql, below) = (Arc::clone(&text.sql), text.below());
        let bytes = frame.bytes().to_vec();
        self.asked = Some(Asked { digest, bytes, what, understanding: Arc::clone(&understanding) });
        let may_wait = self.may_wait();
        Step::Ask(Box::new(Question { sql, understanding, parameters, digest, below, may_wait }))
    }

    pub(super) fn may_wait(&self) -> bool {
        self.status == Status::Idle && self.expects.is_empty() && !self.unsynced
    }

    pub(super) fn understood(&mut self, text: &Text) -> Arc<Understanding> {
        match self.unreadable() {
            Some(why) => Arc::new(unclear(&text.sql, why)),
            None if text.is_utf8() => self.understood.of(&text.sql),
            None => Arc::new(unclear(&text.sql, "is not valid UTF-8")),
        }
    }

    /// Why texts can't be read as the server will read them, if so.
    pub(super) fn unreadable(&self) -> Option<&'static str> {
        let is = |name: &str, value: &str| self.scope.settings.get(name).is_some_and(|is| is == value);
        if self.reading == Reading::Unsettled {
            Some("settings may have changed before it")
        } else if !is("client_encoding", "UTF8") {
            Some("the client encoding is not UTF8")
        } else if !is("standard_conforming_strings", "on") {
            Some("standard_conforming_strings is not on")
        } else {
            None
        }
    }
}

fn too_much() -> Answer {
    Answer::new("54000", "too many bytes in prepared statements and portals of this connection")
        .hint("Close some, DEALLOCATE ALL, or end the transaction; send many values by COPY.")
}
