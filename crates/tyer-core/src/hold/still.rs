//! Who could still give what a hold waits for: of those who counted when it was opened, and count now.

use super::{Hold, Standing, State};
use crate::assurance::Assurance;
use crate::intent::PersonId;
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
    /// Whether all that is missing can still be met.
    pub is_enough: bool,
}

/// One person's agreement, given or supposed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Voice<'a> {
    pub(super) person: &'a PersonId,
    pub(super) standing: Standing,
    pub(super) assurance: Assurance,
}

impl Hold {
    /// Who could still give what is missing, of these people; nothing unless it waits for people.
    #[must_use]
    pub fn still(&self, people: &People, able: &[Able]) -> Option<Still> {
        if !matches!(self.state, State::Open) {
            return None;
        }
        let given: Vec<Voice<'_>> = self.counting(people).into_iter().map(Voice::from).collect();
        let can: Vec<Voice<'_>> =
            able.iter().filter_map(|able| self.could_agree(people, able)).collect();
        let with = |more: &[Voice<'_>]| {
            let stays = |voice: &&Voice<'_>| !more.iter().any(|it| it.person == voice.person);
            let all: Vec<Voice<'_>> = given.iter().filter(stays).chain(more).copied().collect();
            self.count(&all)
        };
        let (needs, now) = (&self.card.needs, with(&[]));
        // The best of a human's names speaks for them.
        let mut humans: Vec<Voice<'_>> = Vec::new();
        for voice in can {
            match humans.iter_mut().find(|other| people.are_one(other.person, voice.person)) {
                Some(other) if self.rank(other) < self.rank(&voice) => *other = voice,
                Some(_) => {}
                None => humans.push(voice),
            }
        }
        let is_enough = needs.agreed_by(&with(&humans));
        let helps = |voice: &&Voice<'_>| is_nearer(needs, &now, &with(&[**voice]));
        let mut people: Vec<PersonId> =
            humans.iter().filter(helps).map(|voice| voice.person.clone()).collect();
        people.sort();
        Some(Still { people, is_enough })
    }

    /// As what the person could agree now, if the hold would take it.
    fn could_agree<'a>(&self, people: &People, able: &'a Able) -> Option<Voice<'a>> {
        let Able { person, standing, assurance } = able;
        let then = self.standing_then(person)?;
        let has_answered = self.has_approved(person, *assurance)
            || self
                .approvals
                .iter()
                .any(|given| given.person != *person && people.are_one(&given.person, person));
        let is_barred = *standing != Standing::Controller
            && people.barred(person, &self.card.intent.principal).is_some();
        let standing = (*standing).min(then);
        (!has_answered && !is_barred).then_some(Voice { person, standing, assurance: *assurance })
    }

    fn rank(&self, voice: &Voice<'_>) -> (Standing, usize, Assurance) {
        (voice.standing, self.card.roster.teams_of(voice.person).len(), voice.assurance)
    }
}

impl<'a> From<&'a super::Approval> for Voice<'a> {
    fn from(approval: &'a super::Approval) -> Self {
        let super::Approval { person, standing, assurance, .. } = approval;
        Self { person, standing: *standing, assurance: *assurance }
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
    /// Owners, hardware keys, teams.
    particular: [u32; 3],
}

impl Missing {
    fn of(needs: &Needs, given: &Approvals) -> Self {
        let teams = u32::try_from(needs.teams.difference(&given.teams).count()).unwrap_or(u32::MAX);
        let owners = needs.owners.saturating_sub(given.owners);
        let hardware = needs.hardware.saturating_sub(given.hardware);
        Self {
            people: needs.people().saturating_sub(given.signers),
            peers: needs.peers.saturating_sub(given.peers),
            particular: [owners, hardware, teams],
        }
    }
}
