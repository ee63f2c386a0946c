//! What came of what ran with a hold's grant, or with one of those of an allowance.

use super::{Changed, Hold, Next, State};
use crate::intent::Timestamp;

impl Hold {
    /// All of what ran was rolled back.
    pub(super) fn came_back(mut self, now: Timestamp) -> Next {
        let State::Taken { lapses } = self.state else { return Next::Stays(self, Changed::No) };
        // With nothing left of its time it could not be used again.
        self.state = if now < lapses { State::Approved { lapses } } else { State::Spent };
        Next::Stays(self, Changed::Yes)
    }

    /// What ran stands, or may.
    pub(super) fn used(mut self) -> Next {
        if let State::Active(uses) = &mut self.state {
            let changed = if uses.out.is_empty() { Changed::No } else { Changed::Yes };
            uses.out.clear();
            return Next::Stays(self, changed);
        }
        if !matches!(self.state, State::Taken { .. }) {
            return Next::Stays(self, Changed::No);
        }
        self.state = State::Spent;
        Next::Stays(self, Changed::Yes)
    }

    /// What came of that use was seen.
    pub(super) fn settled(mut self, number: u64, is_undone: bool) -> Next {
        let State::Active(uses) = &self.state else { return Next::Stays(self, Changed::No) };
        let uses = uses.clone().settled(number, is_undone);
        let is_spent = self.card.allowance.as_ref().is_none_or(|terms| uses.are_spent(terms));
        self.state = if is_spent { State::Spent } else { State::Active(uses) };
        Next::Stays(self, Changed::Yes)
    }
}
