//! Holds of one shape answered together: one signature over the whole list of them, of which each is a subject.
//!
//! INVARIANT: neither an allowance nor something dangerous in production is approved so, whoever signed what.

use super::{Approval, Hold, State};
use crate::allowance::{done, is_barred};
use crate::intent::HoldId;
use crate::limits::TOGETHER_MAX;
use crate::statement::{Decision, Subject};

/// Why a hold is not approved together with others.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Apart {
    /// A person looks at each of these.
    #[error("{0} is dangerous in production, and approved by itself or not at all")]
    Dangerous(HoldId),
    /// It lets many requests run already.
    #[error("{0} asks for an allowance, and is approved by itself or not at all")]
    Allowance(HoldId),
    /// It does not wait for people.
    #[error("{0} does not wait for people any more")]
    NotOpen(HoldId),
    /// They have not enough in common to be looked at as one.
    #[error("{0} and {1} are not of one shape, session and policy set with the same needs")]
    Unlike(HoldId, HoldId),
    /// It is named twice.
    #[error("{0} is in the list twice")]
    Twice(HoldId),
    /// Too few or too many.
    #[error("from 2 to {TOGETHER_MAX} requests are approved together")]
    Count,
}

/// What a person signs to approve all of these, in order.
///
/// # Errors
/// When they are not approved together.
pub fn together(holds: &[&Hold]) -> Result<Vec<Subject>, Apart> {
    let Some((first, others)) = holds.split_first() else { return Err(Apart::Count) };
    for hold in holds {
        hold.may_be_together()?;
        if hold.state != State::Open {
            return Err(Apart::NotOpen(hold.id().clone()));
        }
    }
    if let Some(other) = others.iter().find(|other| !first.is_like(other)) {
        return Err(Apart::Unlike(first.id().clone(), other.id().clone()));
    }
    let mut subjects: Vec<Subject> = holds.iter().map(|hold| hold.subject()).collect();
    subjects.sort_by(|one, other| one.place().cmp(&other.place()));
    let pairs = subjects.iter().zip(subjects.iter().skip(1));
    if let Some((twice, _)) = pairs.into_iter().find(|(one, next)| one.hold == next.hold) {
        return Err(Apart::Twice(twice.hold.clone()));
    }
    if (2..=TOGETHER_MAX).contains(&subjects.len()) { Ok(subjects) } else { Err(Apart::Count) }
}

impl Hold {
    /// What is signed about it.
    #[must_use]
    pub fn subject(&self) -> Subject {
        Subject {
            hold: self.card.hold.clone(),
            request: self.card.intent.digest,
            card: self.card.digest(),
            policy_set: self.card.policy_set,
        }
    }

    /// Whether the statement is the person's own, and lets this request run as its card shows it.
    pub(super) fn is_signed_for(&self, approval: &Approval) -> bool {
        let statement = &approval.signed.statement;
        statement.person == approval.person.as_str() && statement.what.approves(&self.subject())
    }

    /// Whether it may be approved by such a statement at all.
    pub(super) fn may_be_signed_so(&self, approval: &Approval) -> Result<(), Apart> {
        match approval.signed.statement.what {
            Decision::ApproveAll { .. } => self.may_be_together(),
            _ => Ok(()),
        }
    }

    fn may_be_together(&self) -> Result<(), Apart> {
        let id = || self.card.hold.clone();
        if self.card.allowance.is_some() {
            Err(Apart::Allowance(id()))
        } else if is_barred(&self.card.intent) {
            Err(Apart::Dangerous(id()))
        } else {
            Ok(())
        }
    }

    fn is_like(&self, other: &Self) -> bool {
        let (one, other) = (&self.card, &other.card);
        let acts = one.intent.acts.iter().map(done).eq(other.intent.acts.iter().map(done));
        acts && one.intent.shape == other.intent.shape
            && one.intent.principal == other.intent.principal
            && one.intent.upstream == other.intent.upstream
            && one.intent.environment == other.intent.environment
            && one.needs == other.needs
            && one.policy_set == other.policy_set
    }
}
