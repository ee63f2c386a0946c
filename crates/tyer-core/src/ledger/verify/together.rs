//! Approvals of several holds by one signature: that each hold is in the list as it was opened, that all of the list
//! are of one kind, and that nothing is among them that is answered by itself.

use super::holds::Holds;
use crate::allowance::{are_barred, done};
use crate::intent::{Act, Digest, HoldId};
use crate::record::{ApprovalRecord, CardRecord, canonical};
use crate::statement::{Decision, Subject};

/// What a request does, and where, as far as requests of one shape have it in common.
#[derive(Debug)]
pub(super) struct Kind {
    does: Digest,
    /// Its shape; leaves of earlier versions keep none.
    shape: Option<Digest>,
    /// Whether it is dangerous in production.
    is_barred: bool,
}

impl Kind {
    pub(super) fn of(card: &CardRecord) -> Self {
        let request = &card.request;
        let acts: Vec<Act> = request.acts.iter().map(done).collect();
        let does = serde_json::json!({ "acts": acts, "environment": request.environment });
        Self {
            does: Digest::of(&canonical(&does)),
            shape: card.shape,
            is_barred: are_barred(&request.acts, &request.environment),
        }
    }

    /// Whether both are of one shape, and, where a leaf keeps none, whether they do the same.
    fn is_like(&self, other: &Self) -> bool {
        let shapes = self.shape.zip(other.shape);
        self.does == other.does && shapes.is_none_or(|(one, other)| one == other)
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
        if let Some(other) = subjects.iter().find(|other| !self.are_alike(&subject, other)) {
            let other = &other.hold;
            return Err(format!(
                "{person} approved {hold} together with {other}, which is not of its kind"
            ));
        }
        let waits = |other: &Subject| {
            self.opened(&other.hold).is_some_and(|parked| parked.is_open_at(approval.at))
        };
        match subjects.iter().find(|other| !waits(other)) {
            None => Ok(what.clone()),
            Some(other) => Err(format!(
                "{person} approved {hold} together with {}, which did not wait for people any more",
                other.hold
            )),
        }
    }

    fn are_alike(&self, one: &Subject, other: &Subject) -> bool {
        let both = self.opened(&one.hold).zip(self.opened(&other.hold));
        both.is_some_and(|(parked, with)| {
            with.subject(&other.hold) == *other
                && !with.is_allowance()
                && parked.kind().is_like(with.kind())
                && parked.asks_like(with)
        })
    }
}
