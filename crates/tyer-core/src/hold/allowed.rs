//! A hold that is an allowance: once people have agreed it gives one grant a request that its card covers, each decided
//! again, and none beyond what the card says.

use super::{Hold, Next, State, StepError};
use crate::allowance::{Terms, Uncovered, Uses, covers};
use crate::ceilings::Ceilings;
use crate::facts::Facts;
use crate::intent::{Intent, Timestamp};
use crate::verdict::Verdict;

/// A request that an allowance may cover.
#[derive(Debug)]
pub struct Use {
    /// The request.
    pub intent: Intent,
    /// What it would do now, taken where it would run.
    pub facts: Facts,
    /// The decision made just now, with the approvals of the allowance.
    pub verdict: Verdict,
}

impl Hold {
    /// What enough people's agreement makes of it, given now.
    pub(super) fn agreed(&self, now: Timestamp) -> State {
        let from = now.max(self.not_before());
        match &self.card.allowance {
            Some(terms) => State::Active(Uses::none(terms.until(now))),
            None => State::Approved { lapses: from.plus(self.lifetimes.grant_ms) },
        }
    }

    /// What it covers and what has become of that, if it is an allowance that people have agreed to.
    #[must_use]
    pub fn allows(&self) -> Option<(&Terms, &Uses)> {
        let State::Active(uses) = &self.state else { return None };
        Some((self.card.allowance.as_ref()?, uses))
    }

    /// Whether something left it and nobody has seen what came of that.
    #[must_use]
    pub fn is_out(&self) -> bool {
        match &self.state {
            State::Taken { .. } => true,
            State::Active(uses) => !uses.out.is_empty(),
            _ => false,
        }
    }

    pub(super) fn lets(mut self, it: Use, now: Timestamp) -> Next {
        let Use { intent, facts, verdict } = it;
        let taken = match self.allows() {
            None => Err(StepError::Closed(self.state_word())),
            Some((terms, uses)) => covers(&self.card, terms, &intent, &facts)
                .and_then(|()| uses.may_take(terms, now))
                .map(|()| uses.clone().take(terms, now))
                .map_err(StepError::Uncovered),
        };
        let (uses, used) = match taken {
            Ok(taken) => taken,
            Err(error) => return Next::Refuses(self, error),
        };
        match verdict {
            Verdict::Deny(refusal) => Next::Refuses(self, StepError::RefusedNow(refusal)),
            Verdict::Hold(needs) => Next::Refuses(self, StepError::NeedsMore(needs)),
            Verdict::Allow(grant) if grant.basis().policy_set != self.card.policy_set => {
                Next::Refuses(self, StepError::Uncovered(Uncovered::Policies))
            }
            Verdict::Allow(grant)
                if grant.digest() != intent.digest
                    || *grant.session() != intent.principal.session
                    || !grant.is_live(now) =>
            {
                Next::Refuses(self, StepError::OtherRequest)
            }
            Verdict::Allow(grant) => {
                let grant = grant.released(self.card.hold.clone(), self.ceilings(), uses.until);
                self.state = State::Active(uses);
                Next::Releases(self, grant.used_as(used))
            }
        }
    }

    /// What whatever leaves it may do at most.
    pub(super) fn ceilings(&self) -> Option<Ceilings> {
        let facts = &self.card.facts;
        facts.ceilings.clone().map(|it| Ceilings { names: facts.names.clone(), ..it })
    }
}
