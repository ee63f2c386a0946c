//! Who was what when a request was held: the teams whose agreement is asked for, with their members, and people's
//! working hours, as the card freezes them. Whoever joins a team later speaks for it at later holds.
//!
//! One human speaks for one team, however many they are in: "one from payments and one from sre" are two people.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::hold::Standing;
use crate::hours::Hours;
use crate::intent::{Digest, PersonId, TeamId, Timestamp};
use crate::record::canonical;
use crate::verdict::Needs;

/// The members of the teams, and the working hours, that a hold asks for, whole and as the configuration said when it was opened.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Roster {
    /// Who is in which team.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub teams: BTreeMap<TeamId, BTreeSet<PersonId>>,
    /// When people work who have said so, if it is asked for.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub hours: BTreeMap<PersonId, Hours>,
}

impl Roster {
    /// What a hold with these needs has to remember of all teams and working hours that there are.
    #[must_use]
    pub fn of(needs: &Needs, all: &Self) -> Self {
        let named = |team: &TeamId| Some((team.clone(), all.teams.get(team)?.clone()));
        let hours = if needs.on_hours > 0 { all.hours.clone() } else { BTreeMap::new() };
        Self { teams: needs.teams.iter().filter_map(named).collect(), hours }
    }

    /// Whether it says nothing; then it is left out of what is stored.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.teams.is_empty() && self.hours.is_empty()
    }

    /// The teams that a person could speak for, one of them at a time.
    #[must_use]
    pub fn teams_of(&self, person: &PersonId) -> BTreeSet<TeamId> {
        teams_of(&self.teams, person)
    }

    /// Whether a person is at work then. Who has no working hours never is.
    #[must_use]
    pub fn is_at_work(&self, person: &PersonId, at: Timestamp) -> bool {
        self.hours.get(person).is_some_and(|hours| hours.hold(at))
    }

    /// The teams that these people speak for together. Whoever controls the request speaks for none.
    pub fn spoken_for<'a>(
        &self,
        people: impl IntoIterator<Item = (&'a PersonId, Standing)>,
    ) -> BTreeSet<TeamId> {
        let others = people.into_iter().filter(|(_, standing)| *standing != Standing::Controller);
        let speakers: Vec<_> = others.map(|(person, _)| self.teams_of(person)).collect();
        spoken_for(&self.teams.keys().cloned().collect(), &speakers)
    }
}

/// The teams that a person is in.
#[must_use]
pub fn teams_of(teams: &BTreeMap<TeamId, BTreeSet<PersonId>>, person: &PersonId) -> BTreeSet<TeamId> {
    let of_person = teams.iter().filter(|(_, members)| members.contains(person));
    of_person.map(|(team, _)| team.clone()).collect()
}

/// Which of the wanted teams have a speaker of their own, where each person speaks for one of those they are in: as
/// many as can be, and of those that could, the first by name. The order of the people makes no difference.
#[must_use]
pub fn spoken_for(wanted: &BTreeSet<TeamId>, speakers: &[BTreeSet<TeamId>]) -> BTreeSet<TeamId> {
    let mut speaks: Vec<Option<&TeamId>> = vec![None; speakers.len()];
    // A team that finds nobody now finds nobody later: those that can have speakers are a matroid's.
    wanted.iter().filter(|team| find(team, speakers, &mut speaks)).cloned().collect()
}

/// Gives the team a speaker, letting others change over to another of their teams. Each person is asked once.
fn find<'a>(
    team: &'a TeamId,
    speakers: &[BTreeSet<TeamId>],
    speaks: &mut [Option<&'a TeamId>],
) -> bool {
    let mut asked_for: Vec<Option<&'a TeamId>> = vec![None; speakers.len()];
    let mut next = vec![team];
    while let Some(wanted) = next.pop() {
        for (at, teams) in speakers.iter().enumerate() {
            let is_free = asked_for.get(at).is_some_and(Option::is_none);
            if !is_free || !teams.contains(wanted) {
                continue;
            }
            if let Some(place) = asked_for.get_mut(at) {
                *place = Some(wanted);
            }
            match speaks.get(at).copied().flatten() {
                Some(other) => next.push(other),
                None => {
                    change_over(at, &asked_for, speaks);
                    return true;
                }
            }
        }
    }
    false
}

/// The person there speaks for whom they were asked for; whoever spoke for that, for whom they were asked for.
fn change_over<'a>(at: usize, asked_for: &[Option<&'a TeamId>], speaks: &mut [Option<&'a TeamId>]) {
    let mut at = Some(at);
    while let Some(person) = at {
        let team = asked_for.get(person).copied().flatten();
        at = speaks.iter().position(|spoken| spoken.is_some() && *spoken == team);
        if let Some(place) = speaks.get_mut(person) {
            *place = team;
        }
    }
}

/// The digest of a part of the configuration that says who is in a team: `{"members":[...]}` in canonical form.
#[must_use]
pub fn team_digest(members: &BTreeSet<PersonId>) -> Digest {
    Digest::of(&canonical(&serde_json::json!({ "members": members })))
}

/// The name of that part.
#[must_use]
pub fn team_part(team: &TeamId) -> String {
    format!("{TEAM_PART}{team}")
}

/// What the names of such parts begin with.
pub const TEAM_PART: &str = "team ";

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn teams(text: &str) -> BTreeSet<TeamId> {
        text.split_whitespace().map(TeamId::new).collect()
    }

    #[test]
    fn one_human_speaks_for_one_team() {
        let check = |people: &str, expect: &str| {
            let speakers: Vec<_> = people.split(',').map(teams).collect();
            assert_eq!(spoken_for(&teams("a b c"), &speakers), teams(expect), "{people}");
        };
        check("", "");
        check("x", "");
        check("a", "a");
        check("a b", "a");
        check("b c", "b");
        check("a b,a", "a b");
        check("a,a b", "a b");
        check("a,a", "a");
        check("a b,a b", "a b");
        check("a b,b c", "a b");
        check("b c,b", "b c");
        check("a b,b c,a", "a b c");
        check("a b,a b,a b", "a b");
        check("a b,b c,c", "a b c");
        check("c,b c,a b", "a b c");
    }

    #[test]
    fn whoever_controls_the_request_speaks_for_no_team() {
        let members = ["ann", "bob"].map(PersonId::new).into();
        let roster = Roster { teams: [(TeamId::new("a"), members)].into(), ..Roster::default() };
        let ann = PersonId::new("ann");
        assert_eq!(roster.spoken_for([(&ann, Standing::Controller)]), teams(""));
        assert_eq!(roster.spoken_for([(&ann, Standing::Peer)]), teams("a"));
        assert_eq!(roster.spoken_for([(&PersonId::new("cat"), Standing::Owner)]), teams(""));
    }

    /// The most that any way of speaking gives, found by trying all.
    fn most(wanted: &BTreeSet<TeamId>, speakers: &[BTreeSet<TeamId>]) -> usize {
        let Some((first, rest)) = speakers.split_first() else { return 0 };
        let silent = most(wanted, rest);
        let speaks = first.intersection(wanted).map(|team| {
            let left = wanted.iter().filter(|other| *other != team).cloned().collect();
            1 + most(&left, rest)
        });
        speaks.max().unwrap_or(0).max(silent)
    }

    proptest! {
        #[test]
        fn as_many_as_can_be_and_the_same_in_whatever_order(
            mut people in prop::collection::vec(
                prop::collection::btree_set(prop::sample::select(vec!["a", "b", "c", "d"]), 0..4), 0..6),
            turn in 0..6_usize,
        ) {
            let wanted = teams("a b c d");
            let speakers = |people: &[BTreeSet<&str>]| -> Vec<BTreeSet<TeamId>> {
                people.iter().map(|teams| teams.iter().copied().map(TeamId::new).collect()).collect()
            };
            let before = spoken_for(&wanted, &speakers(&people));
            prop_assert_eq!(before.len(), most(&wanted, &speakers(&people)));
            let turn = turn % people.len().max(1);
            people.rotate_left(turn);
            prop_assert_eq!(spoken_for(&wanted, &speakers(&people)), before.clone());
            // One more takes none away.
            people.push(["a", "b"].into());
            prop_assert!(spoken_for(&wanted, &speakers(&people)).is_superset(&before));
        }
    }
}
