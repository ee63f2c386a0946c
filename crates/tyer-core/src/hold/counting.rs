//! How many have agreed to a hold: humans, each once, and whoever controls it never as another person.

use super::{Approval, Hold, Standing};
use crate::intent::{PersonId, Timestamp};
use crate::people::People;
use crate::verdict::Approvals;

impl Hold {
    /// The approvals so far, counted by distinct people.
    #[must_use]
    pub fn counted(&self) -> Approvals {
        self.count(&self.approvals.iter().collect::<Vec<_>>())
    }

    /// The same by what is known of these people now, with the time that has passed.
    #[must_use]
    pub fn counted_among(&self, people: &People, now: Timestamp) -> Approvals {
        let seconds = now.0.saturating_sub(self.opened.0) / 1000;
        let waited = u32::try_from(seconds.max(0)).unwrap_or(u32::MAX);
        Approvals { waited, ..self.count(&self.counting(people)) }
    }

    /// The approvals that count by what is known of these people now: of distinct humans, none barred meanwhile.
    #[must_use]
    pub fn counting(&self, people: &People) -> Vec<&Approval> {
        let principal = &self.card.intent.principal;
        let mut counting: Vec<&Approval> = Vec::new();
        for approval in &self.approvals {
            let person = &approval.person;
            let is_barred = !self.is_controller(person) && people.barred(person, principal).is_some();
            if !is_barred && !counting.iter().any(|other| people.are_one(person, &other.person)) {
                counting.push(approval);
            }
        }
        counting
    }

    fn count(&self, approvals: &[&Approval]) -> Approvals {
        let mut counted = Approvals::default();
        let mut seen: Vec<&PersonId> = Vec::new();
        for approval in approvals {
            if seen.contains(&&approval.person) {
                continue;
            }
            seen.push(&approval.person);
            // Whoever controls the session is never a peer, whatever was stored, and nobody else controls it.
            let standing = match (self.is_controller(&approval.person), approval.standing) {
                (true, _) => Standing::Controller,
                (false, Standing::Controller) => continue,
                (false, standing) => standing,
            };
            counted = counted.with(standing, approval.assurance);
        }
        counted
    }
}
