//! What a hold refuses.

use super::together::Apart;
use crate::allowance::Uncovered;
use crate::intent::{PersonId, Timestamp};
use crate::verdict::{Needs, Refusal};

/// Why an event does not apply to a hold.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StepError {
    /// It is closed already.
    #[error("the hold is {0} and can no longer be answered")]
    Closed(&'static str),
    /// One human is one approval.
    #[error("{0} has already approved this hold")]
    Twice(PersonId),
    /// The controller is no peer.
    #[error("{0} controls the session and cannot approve for it as a peer")]
    Controller(PersonId),
    /// Only the controller agrees as the controller.
    #[error("{0} does not control the session and cannot approve for it as its controller")]
    NotController(PersonId),
    /// Nobody becomes a peer for what is held already.
    #[error("{0} did not count yet when this hold was opened")]
    CameLater(PersonId),
    /// What is needed is not met by such a key, whoever else agrees.
    #[error("{0} counts for nothing here: this needs {1}")]
    CountsForNothing(&'static str, String),
    /// Only what is attested to live in hardware lets a request through alone.
    #[error("the glass is broken by an attested hardware key only, and this was {0}")]
    NotHardware(&'static str),
    /// An allowance is for people to agree to.
    #[error("nobody breaks the glass for more than one request")]
    Many,
    /// Whoever reviews it has to know why.
    #[error("breaking the glass needs a reason, for those who review it")]
    NoReason,
    /// The signature is for something else.
    #[error("the signature is not for this hold and card")]
    OtherCard,
    /// It is answered by itself or not at all.
    #[error(transparent)]
    Apart(#[from] Apart),
    /// It is not one of those that it covers as an allowance.
    #[error(transparent)]
    Uncovered(#[from] Uncovered),
    /// It is not the held request.
    #[error("this is not the request that was held")]
    OtherRequest,
    /// People still have time to stop it.
    #[error("it does not run before the time has passed in which people can stop it")]
    NotYet(Timestamp),
    /// Not enough people have agreed.
    #[error("not approved yet")]
    NotApproved,
    /// Today's policies refuse it.
    #[error("the policies of today refuse it")]
    RefusedNow(Refusal),
    /// Today's policies or facts ask for more people.
    #[error("more people are needed now")]
    NeedsMore(Needs),
}
