//! What people may decide: roles of the configuration, once two people have confirmed them.

use std::collections::BTreeSet;

use tyer_core::hold::Hold;
use tyer_core::intent::{HoldId, PersonId};
use tyer_core::limits::COUNTING_MIN;
use tyer_core::roles::{Role, role_part};

use super::Gateway;
use super::world::{Person, World};
use crate::clock;
use crate::config::Config;
use crate::store::StoreError;

/// The people that there are would be left without two who run it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the last two operators stay operators: give two people that role, or none, in [person.NAME]")]
pub(crate) struct LastTwo;

impl Gateway {
    /// Gives people the roles of the configuration. While one is being changed, its person decides nothing.
    pub(super) fn assign_roles(&self, world: &mut World) {
        let World { people, parts, .. } = world;
        for person in people.values_mut() {
            let is_pending =
                parts.get(&role_part(&person.id)).is_some_and(|part| part.pending.is_some());
            person.role = if is_pending { Role::Auditor } else { role(&self.config, &person.id) };
        }
    }

    /// Gives people their roles at start, and takes back what auditors have agreed to before.
    pub(super) async fn begin_roles(&self) -> Result<(), StoreError> {
        let mut world = self.world().await;
        self.assign_roles(&mut world);
        let is_theirs = |hold: &&Hold| is_by_auditor(&world, hold);
        let holds: BTreeSet<HoldId> =
            world.holds.iter().filter(is_theirs).map(|hold| hold.id().clone()).collect();
        self.abandon(&mut world, |hold| holds.contains(hold.id()), clock::now()).await.map(drop)
    }
}

fn is_by_auditor(world: &World, hold: &Hold) -> bool {
    let audits =
        |person: &PersonId| world.people.get(person).is_some_and(|it| it.role == Role::Auditor);
    hold.approvals().iter().any(|approval| audits(&approval.person))
}

/// Whether two humans would be operators by the configuration, if there are two whose word counts at all.
pub(crate) fn leave_two(config: &Config, world: &World) -> Result<(), LastTwo> {
    let among = world.among();
    let count = |which: &dyn Fn(&Person) -> bool| {
        among.humans(world.counting().filter(|person| which(person)).map(|person| &person.id))
    };
    let all = count(&|_| true);
    // Whoever becomes one is none before two people have confirmed it.
    let was = |person: &PersonId| world.parts.get(&role_part(person)).and_then(|part| part.confirmed);
    let stays = |person: &PersonId| was(person).is_none_or(|digest| digest == Role::Operator.digest());
    let operators = count(&|person| role(config, &person.id) == Role::Operator && stays(&person.id));
    if operators < all.min(COUNTING_MIN) { Err(LastTwo) } else { Ok(()) }
}

/// Whether two operators stay if that person goes, or they are none.
pub(super) fn can_go(world: &World, person: &Person) -> bool {
    let others = world.counting().filter(|it| it.role == Role::Operator && it.id != person.id);
    let others = world.among().humans(others.map(|it| &it.id));
    !person.counts() || person.role < Role::Operator || others >= COUNTING_MIN
}

/// Whether that person, known like this, leaves fewer than two humans, or two operators, where there were two.
pub(super) fn leaves_too_few(world: &World, known: &Person) -> bool {
    let mut people = world.people.clone();
    people.insert(known.id.clone(), known.clone());
    let after = World { people, ..World::default() };
    let humans = |world: &World, least: Role| {
        let counting = world.counting().filter(|person| person.role >= least);
        world.among().humans(counting.map(|person| &person.id))
    };
    [Role::Auditor, Role::Operator]
        .into_iter()
        .any(|least| humans(world, least) >= COUNTING_MIN && humans(&after, least) < COUNTING_MIN)
}

fn role(config: &Config, person: &PersonId) -> Role {
    config.roles.get(person).copied().unwrap_or_default()
}
