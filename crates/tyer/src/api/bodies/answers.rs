//! Answers to holds, as their controllers are told.

use serde::Serialize;

use super::Moment;
use crate::gateway::world::answers::{Answered, Said, in_words};

/// What became of a hold, and who has not seen it yet.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct AnsweredBody {
    pub(crate) hold: String,
    pub(crate) session: String,
    pub(crate) agent: String,
    pub(crate) upstream: String,
    /// The gravest of what was asked, in words.
    pub(crate) what: String,
    /// `approved`, `rejected` or `expired`.
    pub(crate) how: String,
    pub(crate) at: Moment,
    pub(crate) said: Vec<SaidBody>,
    /// All of it in a sentence.
    pub(crate) words: String,
    pub(crate) unseen_by: Vec<String>,
}

/// One person's word.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct SaidBody {
    pub(crate) person: String,
    pub(crate) at: Moment,
    /// A comment, or the reason of a rejection.
    pub(crate) words: String,
}

impl AnsweredBody {
    pub(crate) fn of(answered: &Answered) -> Self {
        let said = |said: &Said| SaidBody {
            person: said.person.to_string(),
            at: Moment(said.at),
            words: said.words.clone(),
        };
        Self {
            hold: answered.hold.to_string(),
            session: answered.session.to_string(),
            agent: answered.agent.clone(),
            upstream: answered.upstream.to_string(),
            what: answered.what.clone(),
            how: answered.how.clone(),
            at: Moment(answered.at),
            said: answered.said.iter().map(said).collect(),
            words: in_words(&answered.how, &answered.said, Some(answered.at)),
            unseen_by: answered.unseen_by.iter().map(ToString::to_string).collect(),
        }
    }
}
