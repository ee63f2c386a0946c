//! What was let through on one person's word, as outsiders see it.

use serde::{Deserialize, Serialize};
use tyer_core::glass::{Finding, REVIEWERS, Review};

use super::Moment;

/// A review that is open.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct ReviewBody {
    pub(crate) hold: String,
    /// Who let it through.
    pub(crate) by: String,
    pub(crate) at: Moment,
    pub(crate) reason: String,
    pub(crate) agent: String,
    pub(crate) controller: String,
    pub(crate) findings: Vec<FindingBody>,
    /// How many have to sign.
    pub(crate) reviewers: usize,
    /// What they sign for.
    pub(crate) broken: String,
}

/// One reviewer's word.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct FindingBody {
    pub(crate) by: String,
    pub(crate) at: Moment,
    pub(crate) text: String,
}

impl ReviewBody {
    pub(crate) fn of(review: Review) -> Self {
        let finding = |Finding { by, at, text }: Finding| FindingBody {
            by: by.to_string(),
            at: Moment(at),
            text,
        };
        Self {
            hold: review.hold.to_string(),
            by: review.by.to_string(),
            at: Moment(review.at),
            reason: review.reason,
            agent: review.principal.agent,
            controller: review.principal.controller.to_string(),
            findings: review.findings.into_iter().map(finding).collect(),
            reviewers: REVIEWERS,
            broken: review.broken.to_string(),
        }
    }
}

/// A hold to let through alone.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct BreakBody {
    pub(crate) hold: String,
    /// Why, for those who review it.
    pub(crate) reason: String,
}

/// A review to sign off.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ReviewedBody {
    pub(crate) hold: String,
    /// What was found.
    pub(crate) finding: String,
}
