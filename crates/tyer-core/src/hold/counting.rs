//! How many have agreed to a hold: humans, each once, and whoever controls it never as another person.

use super::still::Voice;
use super::{Approval, Hold, Standing, State};
use crate::assurance::Assurance;
use crate::intent::{PersonId, Principal, Timestamp};
use crate::people::People;
use crate::verdict::Approvals;

impl Hold {
    /// The approvals so far, counted by distinct people.
    #[must_use]
    pub fn counted(&self) -> Approvals {
        self.count(&self.approvals.iter().map(Voice::from).collect::<Vec<_>>())
    }

    /// The same by what is known of these people now, with the time that has passed.
    #[must_use]
    pub fn counted_among(&self, people: &People, now: Timestamp) -> Approvals {
        let seconds = now.0.saturating_sub(self.opened.0) / 1000;
        let waited = u32::try_from(seconds.max(0)).unwrap_or(u32::MAX);
        let voices: Vec<_> = self.counting(people).into_iter().map(Voice::from).collect();
        Approvals { waited, ..self.count(&voices) }
    }

    /// How many count for a use of an allowance by that principal. It has waited for nothing.
    #[must_use]
    pub fn counted_for(&self, people: &People, principal: &Principal) -> Approvals {
        let voices = self.counting_for(people, principal).into_iter().map(Voice::from);
        self.count(&voices.collect::<Vec<_>>())
    }

    /// The approvals that count by what is known of these people now: of distinct humans, none barred meanwhile.
    #[must_use]
    pub fn counting(&self, people: &People) -> Vec<&Approval> {
        self.counting_for(people, &self.card.intent.principal)
    }

    /// Those that count for a use of an allowance by that principal: of nobody who is barred for it, or for the card's.
    #[must_use]
    pub fn counting_for(&self, people: &People, principal: &Principal) -> Vec<&Approval> {
        let own = &self.card.intent.principal;
        let bars =
            |person: &PersonId, principal: &Principal| people.barred(person, principal).is_some();
        let mut counting: Vec<&Approval> = Vec::new();
        for approval in &self.approvals {
            let person = &approval.person;
            let is_the_controller = *person == own.controller;
            let is_barred = !self.is_controller(person) && bars(person, own)
                || !is_the_controller && own != principal && bars(person, principal);
            if !is_barred && !counting.iter().any(|other| people.are_one(person, &other.person)) {
                counting.push(approval);
            }
        }
        counting
    }

    /// Whether the approvals that count by what is known now have lapsed, whatever lengthened the hold's life since.
    #[must_use]
    pub fn has_lapsed_among(&self, people: &People, now: Timestamp) -> bool {
        let last = self.counting(people).into_iter().map(|approval| approval.at).max();
        let last = last.max(self.glass.as_ref().map(|broken| broken.at));
        let end = |last: Timestamp| match &self.card.allowance {
            Some(terms) => terms.until(last),
            None => last.max(self.not_before()).plus(self.lifetimes.grant_ms),
        };
        let is_agreed = matches!(self.state, State::Approved { .. } | State::Active(_));
        is_agreed && last.is_some_and(|last| now >= end(last))
    }

    pub(super) fn count(&self, voices: &[Voice<'_>]) -> Approvals {
        let mut counted = Approvals { glass: self.glass.is_some(), ..Approvals::default() };
        let (mut seen, mut speak): (Vec<&PersonId>, Vec<_>) = (Vec::new(), Vec::new());
        for Voice { person, standing, assurance, at } in voices {
            if seen.contains(person) {
                continue;
            }
            seen.push(person);
            // Whoever controls the session is never a peer, whatever was stored, and only one agrees as its controller.
            let is_the_controller = **person == self.card.intent.principal.controller;
            let standing = match *standing {
                _ if is_the_controller => Standing::Controller,
                _ if self.is_controller(person) => continue,
                Standing::Controller => continue,
                standing => standing,
            };
            counted = counted.with(standing, *assurance);
            if *assurance >= Assurance::Passkey {
                speak.push((*person, standing));
                let at_work =
                    standing != Standing::Controller && self.card.roster.is_at_work(person, *at);
                counted.on_hours = counted.on_hours.saturating_add(u32::from(at_work));
            }
        }
        Approvals { teams: self.card.roster.spoken_for(speak), ..counted }
    }
}
