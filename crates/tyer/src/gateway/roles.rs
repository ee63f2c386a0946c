//! What people may decide: roles of the configuration, once two people have confirmed them.

use std::collections::{BTreeMap, BTreeSet};

use tyer_core::hold::Hold;
use tyer_core::intent::{HoldId, PersonId};
use tyer_core::limits::COUNTING_MIN;
use tyer_core::roles::{Role, role_part};

use super::Gateway;
use super::world::{Person, World};
use crate::clock;
use crate::config;
use crate::store::StoreError;

/// The people that there are would be left without two who run it; what the file says of those who are less.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the last two operators stay operators, and {file} makes them fewer by {}: take that out (who is given no role is an \
     operator), and put it back once two others who count are operators",
    .0.join(", "), file = config::FILE
)]
pub(crate) struct LastTwo(Vec<String>);

impl Gateway {
    /// Gives people the roles of the configuration. While one is being changed, its person decides nothing.
    pub(super) fn assign_roles(&self, world: &mut World) {
        let World { people, parts, .. } = world;
        for person in people.values_mut() {
            let is_pending =
                parts.get(&role_part(&person.id)).is_some_and(|part| part.pending.is_some());
            person.role = if is_pending { Role::Auditor } else { role(&self.config.roles, &person.id) };
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

/// Whether two humans would be operators by the configuration, if there are two whose word counts at all. Founders who
/// have yet to enrol are taken as if they had: what is confirmed with them could not be changed by anybody later.
pub(crate) fn leave_two(roles: &BTreeMap<PersonId, Role>, world: &World) -> Result<(), LastTwo> {
    let among = world.among();
    let will_count = |person: &&Person| person.counts() || person.founder && person.keys.is_empty();
    let people: Vec<&Person> = world.people.values().filter(will_count).collect();
    let count = |which: &dyn Fn(&Person) -> bool| {
        among.humans(people.iter().filter(|person| which(person)).map(|person| &person.id))
    };
    let all = count(&|_| true);
    // Whoever becomes one is none before two people have confirmed it.
    let was = |person: &PersonId| world.parts.get(&role_part(person)).and_then(|part| part.confirmed);
    let stays = |person: &PersonId| was(person).is_none_or(|digest| digest == Role::Operator.digest());
    let operators = count(&|person| role(roles, &person.id) == Role::Operator && stays(&person.id));
    if operators >= all.min(COUNTING_MIN) {
        return Ok(());
    }
    let less = people.iter().map(|person| (&person.id, role(roles, &person.id)));
    let less = less.filter(|(_, role)| *role < Role::Operator);
    Err(LastTwo(less.map(|(id, role)| format!("[person.{id}] role = \"{}\"", role.as_str())).collect()))
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

fn role(roles: &BTreeMap<PersonId, Role>, person: &PersonId) -> Role {
    roles.get(person).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use tyer_core::intent::{Digest, Timestamp};
    use tyer_core::record::PublicKey;

    use super::super::world::{Link, Passkey};
    use super::*;

    /// `alice bob` are founders, whoever has a `+` has enrolled; `carol+` was confirmed by alice.
    fn world(people: &str) -> World {
        let mut world = World::default();
        for word in people.split_whitespace() {
            let name = word.trim_end_matches('+');
            let link = Link { token: Digest([1; 32]), expires: Timestamp(1), asked_by: None };
            let founder = name != "carol";
            let mut person = Person::named(PersonId::new(name), founder, link);
            if word.ends_with('+') {
                person.keys.push(Passkey::new(PublicKey::passkey(name, name), None));
                person.confirmed_by = (!founder).then(|| PersonId::new("alice"));
            }
            world.people.insert(person.id.clone(), person);
        }
        world
    }

    #[test]
    fn the_line_that_leaves_fewer_than_two_operators_is_named() {
        let check = |people: &str, roles: &[(&str, Role)], expect: &[&str]| {
            let roles = roles.iter().map(|(name, role)| (PersonId::new(*name), *role)).collect();
            let said = leave_two(&roles, &world(people)).map_err(|LastTwo(lines)| lines);
            let lines: Vec<String> = expect.iter().map(|line| (*line).to_owned()).collect();
            assert_eq!(said.err().unwrap_or_default(), lines, "{people} {roles:?}");
        };
        let (bob, carol) = ("[person.bob] role = \"approver\"", "[person.carol] role = \"auditor\"");
        check("alice bob", &[], &[]);
        check("alice+ bob+", &[], &[]);
        // Before they have enrolled, too: later nobody could change it.
        check("alice bob", &[("bob", Role::Approver)], &[bob]);
        check("alice bob+", &[("bob", Role::Approver)], &[bob]);
        check("alice+ bob+", &[("bob", Role::Approver)], &[bob]);
        check("alice+ bob+ carol", &[("bob", Role::Approver)], &[bob]);
        check("alice+ bob+ carol+", &[("bob", Role::Approver)], &[]);
        check("alice+ bob+ carol+", &[("carol", Role::Auditor)], &[]);
        check(
            "alice+ bob+ carol+",
            &[("bob", Role::Approver), ("carol", Role::Auditor)],
            &[bob, carol],
        );
        check("alice bob", &[("dave", Role::Auditor)], &[]);
        let said = LastTwo(vec![bob.to_owned()]).to_string();
        assert!(said.contains("tyer.toml makes them fewer by [person.bob] role"), "{said}");
    }
}
