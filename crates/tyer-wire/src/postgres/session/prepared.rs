//! What messages and texts do to names, before and after the server has done it.
//!
//! SQL's PREPARE, EXECUTE and DEALLOCATE share the names of the protocol's statements. Code that is not seen
//! through may redefine any of them, and so may a FETCH from a cursor that such code opened: what a name
//! meant before is in doubt from then on, even if that code failed. A `Bind` to a name in doubt is preceded
//! by messages of Tyer's own, which close the statement and parse its known text anew; EXECUTE of one is
//! opaque. INVARIANT: what runs under a name is the body that was asked about.

use std::collections::HashMap;
use std::sync::Arc;

use tyer_core::limits::STATEMENTS_MAX;

use super::Session;
use super::expect::{Awaits, Course, Expect};
use super::kept;
use super::names::Name;
use super::question::{Prepared, Text};
use crate::postgres::decode::Target;
use crate::postgres::encode;
use crate::postgres::understand::{Body, Naming, Understanding, understand_among};

impl Session {
    /// What names will mean once the server has done this.
    pub(super) fn plan(&mut self, expect: &Expect) {
        let at = expect.at;
        match &expect.what {
            Awaits::Parse { name, prepared } | Awaits::Restore { name, prepared } => {
                self.statements.plan(at, name, Some(Arc::clone(prepared)));
            }
            Awaits::Bind { name, portal } => {
                let bound = &portal.prepared.understanding;
                // What executes others is not planned before it runs.
                if bound.hides() && bound.executes.is_empty() {
                    self.doubt_names(at);
                }
                self.portals.plan(at, name, Some(portal.clone()));
            }
            Awaits::Close { target: Target::Statement, name } => self.statements.plan(at, name, None),
            Awaits::Close { target: Target::Portal, name } => self.portals.plan(at, name, None),
            Awaits::Query(progress) => {
                self.statements.plan(at, &Name::default(), None);
                self.portals.plan(at, &Name::default(), None);
                self.plan_course(at, &progress.course);
            }
            Awaits::Execute(running) => self.plan_course(at, &running.course),
            Awaits::Describe
            | Awaits::Clear
            | Awaits::Refused(_)
            | Awaits::Sync
            | Awaits::Parting
            | Awaits::Copying
            | Awaits::CopyEnd => {}
        }
    }

    /// Makes the plans anew, of what is in flight and held back.
    pub(super) fn replan(&mut self) {
        self.statements.drop_plans();
        self.portals.drop_plans();
        let (expects, held) = (std::mem::take(&mut self.expects), std::mem::take(&mut self.held));
        expects.iter().chain(held.iter().map(|held| &held.expect)).for_each(|expect| self.plan(expect));
        (self.expects, self.held) = (expects, held);
    }

    fn plan_course(&mut self, at: u64, course: &Course) {
        for naming in &course.namings {
            match naming {
                Naming::Prepare(name, body) => {
                    let prepared = self.kept_body(body);
                    self.statements.plan(at, &Name::new(name.as_bytes()), prepared);
                }
                Naming::Forget(name) => self.statements.plan(at, &Name::new(name.as_bytes()), None),
                Naming::ForgetAll => self.statements.plan_wipe(at),
                Naming::Fetch if self.hides_cursors => self.doubt_names(at),
                Naming::Fetch => {}
            }
        }
        if course.hides {
            self.doubt_names(at);
        }
    }

    /// What SQL's PREPARE gives a name; nothing known where there is no room to keep it.
    fn kept_body(&self, body: &Body) -> Option<Arc<Prepared>> {
        if self.statements.len() >= STATEMENTS_MAX {
            return None;
        }
        let mut prepared = Prepared::of(body);
        let bytes = kept::of_prepared(&prepared.text, &prepared.types, &prepared.understanding);
        prepared.weight = Some(self.kept.room(bytes)?);
        Some(Arc::new(prepared))
    }

    fn doubt_names(&mut self, at: u64) {
        self.hides_cursors = true;
        self.statements.doubt(at);
    }

    /// The server has done all of it.
    pub(super) fn confirm_course(&mut self, at: u64, course: &Course) {
        for naming in &course.namings {
            match naming {
                Naming::Prepare(name, body) => {
                    let prepared = self.kept_body(body);
                    self.statements.confirm(at, &Name::new(name.as_bytes()), prepared);
                }
                Naming::Forget(name) => self.statements.confirm(at, &Name::new(name.as_bytes()), None),
                Naming::ForgetAll => self.statements.confirm_wipe(at),
                Naming::Fetch => {}
            }
        }
    }

    /// It failed, and how far it came is not known.
    pub(super) fn confirm_unknown(&mut self, at: u64, course: &Course) {
        for naming in &course.namings {
            match naming {
                Naming::Prepare(name, _) | Naming::Forget(name) => {
                    self.statements.confirm(at, &Name::new(name.as_bytes()), None);
                }
                Naming::ForgetAll => self.statements.confirm_wipe(at),
                Naming::Fetch => {}
            }
        }
    }

    /// What a text does that executes prepared statements of before.
    pub(super) fn among_names(
        &self,
        text: Text,
        alone: Arc<Understanding>,
    ) -> (Text, Arc<Understanding>) {
        let meaning = |name: &String| {
            let prepared = self.statements.get(&Name::new(name.as_bytes()))?;
            Some((name.clone(), Arc::clone(prepared)))
        };
        let mut bodies: Vec<_> = alone.executes.iter().filter_map(meaning).collect();
        if bodies.is_empty() {
            return (text, alone);
        }
        let known =
            |(name, body): &(String, Arc<Prepared>)| (name.clone(), Arc::clone(&body.understanding));
        let known: HashMap<_, _> = bodies.iter().map(known).collect();
        let understanding = understand_among(&text.sql, known);
        bodies.retain(|(name, _)| understanding.executes.contains(name));
        (text.among(bodies), Arc::new(understanding))
    }

    /// What a name stands for that is about to be bound.
    pub(super) fn statement_to_bind(&mut self, name: &Name) -> Arc<Prepared> {
        let known = self.statements.get(name).cloned().or_else(|| self.restored(name));
        known.unwrap_or_else(|| Arc::new(Prepared::unseen("statement", &name.shown())))
    }

    /// Has a statement in doubt parsed anew, so that it is what it was.
    fn restored(&mut self, name: &Name) -> Option<Arc<Prepared>> {
        let doubted = self.statements.get_doubted(name).filter(|prepared| prepared.is_repeatable());
        let prepared = Arc::clone(doubted.filter(|_| self.unreadable().is_none())?);
        self.hold(encode::close_statement(name.bytes()), Awaits::Clear);
        let parse = encode::parse(name.bytes(), prepared.text.sql.as_bytes(), &prepared.types);
        self.hold(parse, Awaits::Restore { name: name.clone(), prepared: Arc::clone(&prepared) });
        Some(prepared)
    }
}
