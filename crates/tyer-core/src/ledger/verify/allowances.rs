//! Holds that are allowances: that there could be such a one, and that each use was within what was agreed to.

use super::holds::Parked;
use crate::allowance::{Terms, Uncovered, Used, Uses, are_barred, at_least_a_peer, done, is_of};
use crate::ceilings::Ceilings;
use crate::hold::Standing;
use crate::intent::{Act, Effect, Environment, Principal, Timestamp, Upstream};
use crate::limits::{ALLOWANCE_MS_MAX, ALLOWANCE_USES_MAX};
use crate::people::People;
use crate::record::{ApprovalRecord, CardRecord, RequestRecord};

/// How much later a leaf may be dated than the moment at which a use was taken.
const SLACK_MS: i64 = 10_000;

/// An allowance as its leaf described it, and what was taken of it so far.
#[derive(Debug)]
pub(super) struct Allowance {
    terms: Terms,
    principal: Principal,
    upstream: Upstream,
    environment: Environment,
    acts: Vec<Act>,
    ceilings: Option<Ceilings>,
    uses: Uses,
}

impl Allowance {
    pub(super) fn of(card: &CardRecord) -> Option<Self> {
        let (terms, request) = (card.allowance.clone()?, &card.request);
        Some(Self {
            terms,
            principal: request.principal.clone(),
            upstream: request.upstream.clone(),
            environment: request.environment.clone(),
            acts: request.acts.iter().map(done).collect(),
            ceilings: request.facts.ceilings.clone(),
            uses: Uses::none(Timestamp(i64::MAX)),
        })
    }

    /// What is wrong with it whatever becomes of it. `like` is the hold that stands for all of its shape.
    pub(super) fn possible(&self, card: &CardRecord, like: Option<&Parked>) -> Result<(), String> {
        let hold = &card.hold;
        if are_barred(&self.acts, &self.environment) {
            return Err(format!("{hold} is an allowance for something dangerous in production"));
        }
        let adds = self.acts.iter().all(|act| act.effect <= Effect::Create);
        if !self.ceilings.as_ref().map_or(adds, Ceilings::is_bounded) {
            return Err(format!("{hold} is an allowance for what nothing bounds"));
        }
        let Terms { count, lasts_ms, .. } = self.terms;
        if !(1..=ALLOWANCE_USES_MAX).contains(&count) || !(1..=ALLOWANCE_MS_MAX).contains(&lasts_ms) {
            return Err(format!("{hold} is an allowance for more than there may be"));
        }
        let like = like.filter(|like| like.matches(&card.request));
        let like =
            like.ok_or_else(|| format!("{hold} is an allowance like no request that was held"))?;
        if card.needs != at_least_a_peer(like.needs()) {
            return Err(format!(
                "{hold} is an allowance that needs other people than one such request"
            ));
        }
        Ok(())
    }

    /// Takes one use; what is wrong with it.
    pub(super) fn take(
        &mut self,
        place: Timestamp,
        request: &RequestRecord,
        (counted, people): (&[&ApprovalRecord], &People),
    ) -> Result<(), String> {
        let Some(used) = request.basis.used else {
            return Err("it does not say which use of the allowance it is".to_owned());
        };
        let last = counted.iter().map(|approval| approval.at).max();
        let number = self.uses.last.saturating_add(1);
        let may = self.uses.may_take(&self.terms, used.at);
        self.uses = self.uses.clone().take(&self.terms, used.at).0;
        self.covers(used, request)?;
        if used.number != number {
            let number = used.number;
            return Err(format!("it is use {number} of the allowance, and not the next one"));
        }
        may.map_err(|why| match why {
            Uncovered::Pace => "it came faster than the allowance lets it".to_owned(),
            _ => format!("it is one use more than the {} of the allowance", self.terms.uses()),
        })?;
        if used.at > place || place > used.at.plus(SLACK_MS) {
            return Err("its use was not taken when its leaf says".to_owned());
        }
        if last.is_none_or(|last| used.at >= self.terms.until(last)) {
            return Err("the allowance was over by then".to_owned());
        }
        let others = counted.iter().filter(|approval| approval.standing != Standing::Controller);
        let barred = others.filter_map(|it| people.barred(&it.person, &request.principal)).next();
        barred.map_or(Ok(()), |barred| Err(format!("{barred}, and was counted as a peer")))
    }

    fn covers(&self, used: Used, request: &RequestRecord) -> Result<(), String> {
        if are_barred(&request.acts, &request.environment) {
            return Err("an allowance let something dangerous through in production".to_owned());
        }
        let is_same = used.shape == self.terms.shape
            && request.acts.iter().map(done).eq(self.acts.iter().cloned());
        if !is_same {
            return Err("it is of another shape than the allowance".to_owned());
        }
        let is_there = request.upstream == self.upstream && request.environment == self.environment;
        if !is_there || !is_of(self.terms.whose, &self.principal, &request.principal) {
            return Err(
                "it is of another session, agent, controller or upstream than the allowance".to_owned()
            );
        }
        if request.facts.ceilings != self.ceilings {
            return Err("it ran under other ceilings than those of the allowance".to_owned());
        }
        Ok(())
    }

    /// A use came back.
    pub(super) fn came_back(&mut self) {
        self.uses.taken = self.uses.taken.saturating_sub(1);
    }
}
