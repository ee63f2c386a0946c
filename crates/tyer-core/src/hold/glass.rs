//! Breaking the glass: one operator lets exactly one held request through, when nobody else can be had in time.
//!
//! It stands in for people and for nothing else: the request is the one on the card, runs once, within its ceilings
//! and before the approval lapses; a freeze, a rejection and the time to stop it bind as ever. INVARIANT: only a key
//! that is attested to live in hardware, of somebody who counted when the hold was opened.

use super::{Approval, Changed, Hold, Next, State, StepError};
use crate::assurance::Assurance;
use crate::intent::Timestamp;
use crate::statement::Decision;

impl Hold {
    /// Who let it through on their own word.
    #[must_use]
    pub fn broken_by(&self) -> Option<&Approval> {
        self.glass.as_deref()
    }

    pub(super) fn break_glass(mut self, approval: Approval, now: Timestamp) -> Next {
        let error = if self.state != State::Open {
            Some(StepError::Closed(self.state_word()))
        } else if self.card.allowance.is_some() {
            Some(StepError::Many)
        } else if approval.assurance < Assurance::Hardware {
            Some(StepError::NotHardware(approval.assurance.in_words()))
        } else if self.standing_then(&approval.person).is_none() {
            Some(StepError::CameLater(approval.person.clone()))
        } else {
            self.misstated(&approval)
        };
        if let Some(error) = error {
            return Next::Refuses(self, error);
        }
        self.glass = Some(Box::new(approval));
        let lapses = now.max(self.not_before()).plus(self.lifetimes.grant_ms);
        self.state = State::Approved { lapses };
        Next::Stays(self, Changed::Yes)
    }

    /// What is wrong with what was signed.
    fn misstated(&self, approval: &Approval) -> Option<StepError> {
        let statement = &approval.signed.statement;
        match &statement.what {
            Decision::BreakGlass { subject, reason } if *subject == self.subject() => {
                let is_theirs = statement.person == approval.person.as_str();
                let error = if is_theirs { StepError::NoReason } else { StepError::OtherCard };
                (!is_theirs || reason.trim().is_empty()).then_some(error)
            }
            _ => Some(StepError::OtherCard),
        }
    }
}
