//! Making the card of a hold: what people see and sign is put together here and changes no more.

use tyer_core::facts::{Card, Facts};
use tyer_core::intent::{Intent, Timestamp};
use tyer_core::roster::Roster;
use tyer_core::verdict::{Basis, Needs};

use super::Gateway;
use super::holds::name;
use super::world::{Person, World};

impl Gateway {
    /// The card of the next hold.
    pub(super) fn card(
        &self,
        world: &World,
        (intent, facts): (Intent, Facts),
        (needs, basis): (Needs, Basis),
        now: Timestamp,
    ) -> Card {
        let session = world.sessions.get(&intent.principal.session);
        Card {
            hold: name(world.next_hold),
            purpose: session.map(|session| session.purpose.clone()).unwrap_or_default(),
            intent,
            facts,
            roster: self.roster(world, &needs),
            needs,
            policies: basis.policies,
            policy_set: basis.policy_set,
            taken: now,
            allowance: None,
        }
    }

    /// Who is what as far as the needs ask for it; of working hours only those of people who count.
    pub(super) fn roster(&self, world: &World, needs: &Needs) -> Roster {
        let mut roster = Roster::of(needs, &self.config.roster);
        roster.hours.retain(|person, _| world.people.get(person).is_some_and(Person::counts));
        roster
    }
}
