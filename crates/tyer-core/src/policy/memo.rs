//! What the policies said of exactly these inputs before, so that evaluating them again can be spared.
//!
//! This is not a remembered verdict. Whether policies permit depends on nothing but the set and [`Inputs`]:
//! who asks for what and where, how the session was narrowed, and whether changes are frozen, all as they
//! are now. Each decision states all of them anew, and only an entry that is equal in every one counts. A
//! freeze, another narrowing or another set is another question. Time and the request's identity are no
//! inputs of policies; a grant from here is for today's request and lapses as any other.

use std::collections::HashMap;
use std::hash::{BuildHasher as _, BuildHasherDefault, DefaultHasher};
use std::sync::Arc;

use super::Situation;
use crate::facts::Facts;
use crate::intent::{
    Acts, Digest, Environment, Intent, Narrowing, PersonId, Principal, SessionId, Upstream,
};
use crate::limits::{MEMO_ACTS_MAX, MEMO_ENTRIES_MAX, NAME_CHARS_MAX};
use crate::verdict::{Approvals, Basis};

/// A request as far as a decision looks at it, borrowed.
#[derive(Clone, Copy, Debug)]
pub struct Asks<'a> {
    /// Who asks.
    pub principal: &'a Principal,
    /// Of what.
    pub upstream: &'a Upstream,
    /// Where that stands.
    pub environment: &'a Environment,
    /// What would be done.
    pub acts: &'a Acts,
    /// The identity of the exact request.
    pub digest: Digest,
}

impl<'a> From<&'a Intent> for Asks<'a> {
    fn from(intent: &'a Intent) -> Self {
        Self {
            principal: &intent.principal,
            upstream: &intent.upstream,
            environment: &intent.environment,
            acts: &intent.acts,
            digest: intent.digest,
        }
    }
}

/// Acts that an entry's place depends on.
const PLACING_ACTS: usize = 4;

/// What was permitted without anybody's agreement, and by which policies. Bounded; when it is full, all
/// is forgotten.
#[derive(Debug, Default)]
pub struct Memo {
    entries: HashMap<u64, Entry>,
}

#[derive(Debug)]
struct Entry {
    inputs: Owned,
    basis: Arc<Basis>,
}

/// Everything that policies see of a request without approvals and facts. Policies see no session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Inputs<'a> {
    policy_set: Digest,
    agent: &'a str,
    human: bool,
    controller: &'a PersonId,
    upstream: &'a Upstream,
    environment: &'a Environment,
    acts: &'a Acts,
    narrowing: &'a Narrowing,
    frozen: bool,
    asked: bool,
}

#[derive(Debug)]
struct Owned {
    policy_set: Digest,
    principal: Principal,
    upstream: Upstream,
    environment: Environment,
    acts: Acts,
    narrowing: Narrowing,
    frozen: bool,
    asked: bool,
}

impl Memo {
    /// What permitted exactly this before.
    pub(super) fn recall(
        &self,
        policy_set: Digest,
        asks: Asks<'_>,
        situation: &Situation<'_>,
    ) -> Option<&Arc<Basis>> {
        let inputs = Inputs::of(policy_set, asks, situation)?;
        let entry = self.entries.get(&inputs.place())?;
        (entry.inputs.borrowed() == inputs).then_some(&entry.basis)
    }

    /// Notes what a decision by that set permitted, and why.
    pub(super) fn note(&mut self, asks: Asks<'_>, situation: &Situation<'_>, basis: &Basis) {
        let Some(inputs) = Inputs::of(basis.policy_set, asks, situation) else { return };
        if self.entries.len() >= MEMO_ENTRIES_MAX {
            self.entries.clear();
        }
        let owned = Owned {
            policy_set: basis.policy_set,
            principal: Principal { session: SessionId::new(""), ..asks.principal.clone() },
            upstream: asks.upstream.clone(),
            environment: asks.environment.clone(),
            acts: asks.acts.clone(),
            narrowing: situation.narrowing.clone(),
            frozen: situation.frozen,
            asked: situation.asked,
        };
        self.entries.insert(inputs.place(), Entry { inputs: owned, basis: Arc::new(basis.clone()) });
    }
}

impl<'a> Inputs<'a> {
    /// None for what comes seldom: approvals, facts, and requests that are too large to be kept.
    fn of(policy_set: Digest, asks: Asks<'a>, situation: &Situation<'a>) -> Option<Self> {
        let Situation { now: _, frozen, narrowing, ref given, possible: _, speakers: _, asked, facts } =
            *situation;
        let large = asks.acts.iter().nth(MEMO_ACTS_MAX).is_some()
            || asks.acts.iter().any(|act| act.resource.name.len() + act.why.len() > 8 * NAME_CHARS_MAX);
        if large || *given != Approvals::default() || *facts != Facts::default() {
            return None;
        }
        Some(Self {
            policy_set,
            agent: &asks.principal.agent,
            human: asks.principal.human,
            controller: &asks.principal.controller,
            upstream: asks.upstream,
            environment: asks.environment,
            acts: asks.acts,
            narrowing,
            frozen,
            asked,
        })
    }

    /// Where an entry stands, by what differs most. Two that want the same place displace each other.
    fn place(&self) -> u64 {
        let mut acts = [None; PLACING_ACTS];
        for (place, act) in acts.iter_mut().zip(self.acts.iter()) {
            *place = Some((act.effect, act.resource.kind, act.resource.name.as_str()));
        }
        let (who, how) = ((self.agent, self.controller), (self.frozen, self.asked));
        BuildHasherDefault::<DefaultHasher>::default().hash_one((who, self.upstream, how, acts))
    }
}

impl Owned {
    fn borrowed(&self) -> Inputs<'_> {
        Inputs {
            policy_set: self.policy_set,
            agent: &self.principal.agent,
            human: self.principal.human,
            controller: &self.principal.controller,
            upstream: &self.upstream,
            environment: &self.environment,
            acts: &self.acts,
            narrowing: &self.narrowing,
            frozen: self.frozen,
            asked: self.asked,
        }
    }
}
