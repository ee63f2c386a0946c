//! Who could still give what a hold waits for: of those who counted when it was opened, and count now.

use super::{Hold, Standing, State};
use crate::assurance::Assurance;
use crate::intent::{PersonId, Timestamp};
use crate::people::People;
use crate::verdict::{Approvals, Needs};

/// What a person could sign with today, and as what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Able {
    /// Who.
    pub person: PersonId,
    /// As what they would count today.
    pub standing: Standing,
    /// By the best of their keys.
    pub assurance: Assurance,
}

/// The people who could still help.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Still {
    /// Whose agreement would help to meet what is missing now, by name; one name of one human.
    pub people: Vec<PersonId>,
    /// Who can help only from a later hour on, in which they are at work; the first first.
    pub later: Vec<(Timestamp, PersonId)>,
    /// Whether all that is missing can still be met in time.
    pub is_enough: bool,
    /// From when on it can be met, if not now.
    pub from: Option<Timestamp>,
}

/// One person's agreement, given or supposed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Voice<'a> {
    pub(super) person: &'a PersonId,
    pub(super) standing: Standing,
    pub(super) assurance: Assurance,
    /// When.
    pub(super) at: Timestamp,
}

impl Hold {
    /// Who could still give what is missing, of these people; nothing unless it waits for people.
    #[must_use]
    pub fn still(&self, people: &People, able: &[Able], now: Timestamp) -> Option<Still> {
        if !matches!(self.state, State::Open) {
            return None;
        }
        let given: Vec<Voice<'_>> = self.counting(people).into_iter().map(Voice::from).collect();
        let with = |more: &[Voice<'_>]| {
            let stays = |voice: &&Voice<'_>| !more.iter().any(|it| it.person == voice.person);
            let all: Vec<Voice<'_>> = given.iter().filter(stays).chain(more).copied().collect();
            self.count(&all)
        };
        let (needs, so_far) = (&self.card.needs, with(&[]));
        let soon = self.humans(people, able, |_| Some(now));
        // Everybody as soon as they are at work, if they are not and that is before it is too late.
        let late = |person: &PersonId| {
            let next = self.card.roster.hours.get(person)?.next(now)?;
            (next > now && next < self.expires).then_some(next)
        };
        let mut late = self.humans(people, able, late);
        late.sort_by_key(|voice| (voice.at, voice.person));
        let by = |moment: Timestamp| {
            let mut all: Vec<Voice<'_>> = late.iter().filter(|it| it.at <= moment).copied().collect();
            let is_other =
                |it: &Voice<'_>| !all.iter().any(|late| people.are_one(late.person, it.person));
            let others: Vec<Voice<'_>> = soon.iter().filter(|it| is_other(it)).copied().collect();
            all.extend(others);
            needs.agreed_by(&with(&all))
        };
        let first = std::iter::once(now).chain(late.iter().map(|it| it.at)).find(|moment| by(*moment));
        let helps = |voice: &&Voice<'_>| is_nearer(needs, &so_far, &with(&[**voice]));
        let mut names: Vec<PersonId> = soon.iter().filter(helps).map(|it| it.person.clone()).collect();
        names.sort();
        let is_missing = |voice: &&Voice<'_>| {
            needs.on_hours > so_far.on_hours && with(&[**voice]).on_hours > so_far.on_hours
        };
        let later = late.iter().filter(is_missing).map(|it| (it.at, it.person.clone())).collect();
        let from = first.filter(|first| *first > now);
        Some(Still { people: names, later, is_enough: first.is_some(), from })
    }

    /// Who could agree at the moment that is said for them, if it is; the best of a human's names speaks for them.
    fn humans<'a>(
        &self,
        people: &People,
        able: &'a [Able],
        when: impl Fn(&PersonId) -> Option<Timestamp>,
    ) -> Vec<Voice<'a>> {
        let mut humans: Vec<Voice<'_>> = Vec::new();
        for able in able {
            let Some(at) = when(&able.person) else { continue };
            let Some(voice) = self.could_agree(people, able, at) else { continue };
            match humans.iter_mut().find(|other| people.are_one(other.person, voice.person)) {
                Some(other) if self.rank(other) < self.rank(&voice) => *other = voice,
                Some(_) => {}
                None => humans.push(voice),
            }
        }
        humans
    }

    /// As what the person could agree then, if the hold would take it.
    fn could_agree<'a>(&self, people: &People, able: &'a Able, at: Timestamp) -> Option<Voice<'a>> {
        let Able { person, standing, assurance } = able;
        let then = self.standing_then(person)?;
        let by_other_name = self
            .approvals
            .iter()
            .any(|given| given.person != *person && people.are_one(&given.person, person));
        let is_barred = *standing != Standing::Controller
            && people.barred(person, &self.card.intent.principal).is_some();
        let standing = (*standing).min(then);
        let voice = Voice { person, standing, assurance: *assurance, at };
        (!self.has_approved(&voice) && !by_other_name && !is_barred).then_some(voice)
    }

    fn rank(&self, voice: &Voice<'_>) -> (Standing, usize, Assurance) {
        (voice.standing, self.card.roster.teams_of(voice.person).len(), voice.assurance)
    }
}

impl<'a> From<&'a super::Approval> for Voice<'a> {
    fn from(approval: &'a super::Approval) -> Self {
        let super::Approval { person, standing, assurance, at, .. } = approval;
        Self { person, standing: *standing, assurance: *assurance, at: *at }
    }
}

/// Whether what is needed is nearer than before. Somebody who is nobody in particular helps only where more people
/// are missing than those of whom something in particular is asked.
fn is_nearer(needs: &Needs, before: &Approvals, after: &Approvals) -> bool {
    let (was, is) = (Missing::of(needs, before), Missing::of(needs, after));
    let most = was.particular.iter().copied().max().unwrap_or(0);
    (needs.controller && after.controller && !before.controller)
        || was.particular.iter().zip(&is.particular).any(|(was, is)| is < was)
        || (is.peers < was.peers && was.peers > most)
        || (is.people < was.people && was.people > most.max(was.peers))
}

struct Missing {
    people: u32,
    peers: u32,
    /// Owners, hardware keys, teams, people at work.
    particular: [u32; 4],
}

impl Missing {
    fn of(needs: &Needs, given: &Approvals) -> Self {
        let teams = u32::try_from(needs.teams.difference(&given.teams).count()).unwrap_or(u32::MAX);
        let owners = needs.owners.saturating_sub(given.owners);
        let hardware = needs.hardware.saturating_sub(given.hardware);
        Self {
            people: needs.people().saturating_sub(given.signers),
            peers: needs.peers.saturating_sub(given.peers),
            particular: [owners, hardware, teams, needs.on_hours.saturating_sub(given.on_hours)],
        }
    }
}
