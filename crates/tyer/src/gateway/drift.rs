//! Whether what people were asked about is still what would happen, looked at before their agreement is used: the
//! consequences, the policies, and freezes that have begun since. Whatever differs is on a new card.

use std::sync::Arc;

use tyer_core::facts::Facts;
use tyer_core::freeze::Freeze;
use tyer_core::hold::{Hold, State};
use tyer_core::intent::{HoldId, Intent, Timestamp};
use tyer_core::names::Meant;
use tyer_core::verdict::{Approvals, Reason, Refusal, Verdict};

use super::bounds::bounded;
use super::world::World;
use super::{Attempt, Gateway, Request};
use crate::clock;
use crate::upstream::Gathered;

impl Gateway {
    /// If a live hold is about something else by now, it has ended and a new one says what is different; while that
    /// can't be told of an approved one, it stays and the request is refused. `None` says nothing against it.
    pub(super) async fn drifted(
        &self,
        world: &mut World,
        (intent, request): (&Intent, &Request),
        id: &HoldId,
        again: Option<Gathered>,
    ) -> Option<Result<Attempt, Refusal>> {
        let now = clock::now();
        let hold = world.holds.get(id).filter(|hold| hold.is_live() && now < hold.ends())?.clone();
        let is_approved = matches!(hold.state(), State::Approved { .. });
        let has_other_rules = self.has_other_rules(world, intent, &hold, now);
        if !is_approved && !has_other_rules {
            return None;
        }
        let Gathered { mut facts, is_partial } = match again {
            Some(again) => again,
            None if !request.about.asks() && !has_other_rules => Gathered::default(),
            None => {
                let names = hold.card().facts.names.clone();
                let agreed = (!names.is_empty()).then(|| Arc::new(Meant { names, path: None }));
                return Some(Ok(Attempt::Look(intent.upstream.clone(), agreed)));
            }
        };
        facts.sequences = self.comes_to(intent, now).0.sequences;
        let mut differences = facts.drift(&hold.card().facts);
        if differences.is_empty() && !has_other_rules {
            return None;
        }
        // What was not seen is no difference that people could judge.
        if is_partial && !differences.is_empty() {
            return is_approved.then(|| Err(unseen(id)));
        }
        let was = if is_approved { "was approved" } else { "asked" };
        differences.insert(0, format!("{id} {was} for something else"));
        differences.extend(self.frozen_since(world, intent, &hold, now));
        let facts = bounded(facts, request);
        differences.extend(self.other_policies(world, intent, (&hold, &facts), now));
        Some(self.hold_anew(world, intent, hold, Facts { differences, ..facts }).await)
    }

    /// Whether people were asked under other policies, or before a freeze that has begun since.
    fn has_other_rules(&self, world: &World, intent: &Intent, hold: &Hold, now: Timestamp) -> bool {
        hold.card().policy_set != self.config.policies.hash()
            || !self.frozen_since(world, intent, hold, now).is_empty()
    }

    /// In what the policies of today differ from those that asked.
    fn other_policies(
        &self,
        world: &World,
        intent: &Intent,
        (hold, facts): (&Hold, &Facts),
        now: Timestamp,
    ) -> Option<String> {
        if hold.card().policy_set == self.config.policies.hash() {
            return None;
        }
        let needed = &hold.card().needs;
        let decision = self.decide(world, intent, (facts, Approvals::default()), now);
        Some(match decision.verdict {
            Verdict::Hold(needs) if needs != *needed => format!(
                "other policies hold now: it needs {}, and needed {}",
                needs.in_words(),
                needed.in_words()
            ),
            _ => "other policies hold now, by which it needs the same people".to_owned(),
        })
    }

    /// The freezes of its upstream that have begun since people were asked, whether they go on or not.
    pub(super) fn frozen_since(
        &self,
        world: &World,
        intent: &Intent,
        hold: &Hold,
        now: Timestamp,
    ) -> Vec<String> {
        let place = (&intent.environment, &intent.upstream);
        let mut begun = self.begun_between(world, place, (hold.opened(), now));
        begun.sort_by_key(|freeze| freeze.since);
        let words = |Freeze { scope, id, by, reason, .. }: &Freeze| {
            format!("changes to {} were frozen since ({id}, by {by}): {reason}", scope.in_words())
        };
        let mut words: Vec<String> = begun.iter().map(words).collect();
        if world.freezes.has_forgotten(hold.opened()) {
            words.push("it was frozen since, by more freezes than are remembered".to_owned());
        }
        words
    }
}

/// What a requester reads while the consequences of an approved request cannot be looked at.
fn unseen(id: &HoldId) -> Refusal {
    let message = format!("{id} is approved, but what it would do now could not be looked at");
    let next = "nothing was executed; present the same request again soon, outside of a transaction"
        .to_owned();
    Refusal { hold: Some(id.clone()), ..Refusal::new(Reason::Held, message, next) }
}
