//! The acts found so far, without repetitions and bounded.

use std::collections::HashSet;

use tyer_core::intent::{Act, Acts, Effect, Kind, Resource, Reversibility, Tie};

/// How many different acts one request may have before it counts as opaque.
const ACTS_MAX: usize = 1_000;

/// Acts in the order in which they were found.
#[derive(Default)]
pub(super) struct Found {
    acts: Vec<Act>,
    seen: HashSet<Act>,
    /// How many were pushed, repetitions included.
    pub(super) pushed: usize,
}

impl Found {
    /// Adds an act unless it is there already. Beyond the bound only graver ones are kept, after
    /// one opaque act that stands for the rest.
    pub(super) fn push(&mut self, act: Act) {
        self.pushed += 1;
        if self.seen.contains(&act) {
            return;
        }
        if self.acts.len() == ACTS_MAX {
            self.keep(Act::opaque("does too many different things to list"));
        }
        if self.acts.len() < ACTS_MAX || self.acts.iter().all(|kept| kept.effect < act.effect) {
            self.keep(act);
        }
    }

    fn keep(&mut self, act: Act) {
        self.seen.insert(act.clone());
        self.acts.push(act);
    }

    /// The acts themselves.
    pub(super) fn into_vec(self) -> Vec<Act> {
        self.acts
    }

    /// The acts as the domain wants them: at least one.
    pub(super) fn into_acts(self) -> Acts {
        let mut acts = self.acts.into_iter();
        let first = acts.next().unwrap_or_else(nothing);
        Acts::new(first, acts)
    }
}

/// The act of a text without any statement.
fn nothing() -> Act {
    free("does nothing")
}

/// An act with the reversibility that its effect usually has.
pub(super) fn act(effect: Effect, resource: Resource, why: impl Into<String>) -> Act {
    let reversibility = match effect {
        Effect::Read | Effect::Create | Effect::Grant | Effect::Disarm => Reversibility::Reversible,
        Effect::Change | Effect::Replace | Effect::Destroy => Reversibility::Recoverable,
        Effect::Execute | Effect::Opaque => Reversibility::Irreversible,
    };
    Act { effect, resource, reversibility, local: false, why: why.into(), tie: None }
}

/// A read that touches nothing outside the session.
pub(super) fn free(why: impl Into<String>) -> Act {
    Act { local: true, ..act(Effect::Read, Resource::upstream(), why) }
}

/// Small changes to an act while it is made.
pub(super) trait Adjust {
    /// The same act, touching only the session if `local`.
    fn local_if(self, local: bool) -> Self;
    /// The same act with another reversibility.
    fn that_is(self, reversibility: Reversibility) -> Self;
    /// The same act with what it says of something else.
    fn tied(self, tie: Option<Tie>) -> Self;
}

impl Adjust for Act {
    fn local_if(self, local: bool) -> Self {
        Self { local, ..self }
    }

    fn that_is(self, reversibility: Reversibility) -> Self {
        Self { reversibility, ..self }
    }

    fn tied(self, tie: Option<Tie>) -> Self {
        Self { tie, ..self }
    }
}

/// A resource of the kind that has relations.
pub(super) fn table(name: impl Into<String>) -> Resource {
    Resource::new(Kind::Relation, name)
}

/// A resource that is none of the usual kinds, named by what it is and its name.
pub(super) fn object(name: impl Into<String>) -> Resource {
    Resource::new(Kind::Object, name)
}
