//! Approvals of several holds by one signature: that each hold is in the list as it was opened, that all of the list
//! are of one kind, and that nothing is among them that is answered by itself.

use super::holds::Holds;
use crate::allowance::{are_barred, done};
use crate::intent::{Act, Digest, HoldId};
use crate::record::{ApprovalRecord, RequestRecord, canonical};
use crate::statement::{Decision, Subject};

/// What a request does, and where, as far as requests of one shape have it in common.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Kind {
    does: Digest,
    /// Whether it is dangerous in production.
    is_barred: bool,
}

impl Kind {
    pub(super) fn of(request: &RequestRecord) -> Self {
        let acts: Vec<Act> = request.acts.iter().map(done).collect();
        let does = serde_json::json!({ "acts": acts, "environment": request.environment });
        Self {
            does: Digest::of(&canonical(&does)),
            is_barred: are_barred(&request.acts, &request.environment),
        }
    }
}

impl Holds {
    /// What must have been signed to approve it: that alone, or a list that it is in.
    pub(super) fn approving(
        &mut self,
        hold: &HoldId,
        approval: &ApprovalRecord,
    ) -> Result<Decision, String> {
        let parked = self.get(hold)?;
        let (subject, person) = (parked.subject(hold), &approval.person);
        let what = &approval.signed.statement.what;
        let Decision::ApproveAll { subjects } = what else { return Ok(Decision::Approve(subject)) };
        if parked.is_allowance() {
            return Err(format!("{person} approved {hold}, an allowance, together with others"));
        }
        if parked.kind().is_barred {
            return Err(format!(
                "{person} approved {hold}, which is dangerous in production, together with others"
            ));
        }
        if !what.approves(&subject) {
            let named = subjects.iter().any(|one| one.hold == *hold);
            return Err(match named {
                true => format!("{person} signed another card of {hold}, or no list as it has to be"),
                false => format!("{person} signed a list in which {hold} is not"),
            });
        }
        match subjects.iter().find(|other| !self.are_alike(&subject, other)) {
            None => Ok(what.clone()),
            Some(other) => Err(format!(
                "{person} approved {hold} together with {}, which is not of its kind",
                other.hold
            )),
        }
    }

    fn are_alike(&self, one: &Subject, other: &Subject) -> bool {
        let both = self.opened(&one.hold).zip(self.opened(&other.hold));
        both.is_some_and(|(parked, with)| {
            with.subject(&other.hold) == *other
                && !with.is_allowance()
                && parked.kind() == with.kind()
                && parked.asks_like(with)
        })
    }
}
