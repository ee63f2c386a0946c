//! Freezes, as outsiders see and ask for them.

use serde::{Deserialize, Serialize};
use tyer_core::freeze::Scope;

use super::Moment;
use crate::gateway::freeze::{NewFreeze, Shown};

/// A freeze that holds or will.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct FreezeBody {
    pub(crate) freeze: String,
    /// `everything`, `everything in production`, `upstream orders`.
    pub(crate) covers: String,
    pub(crate) environment: Option<String>,
    pub(crate) upstream: Option<String>,
    pub(crate) since: Moment,
    /// The start on the clocks where the end was given; UTC if there is none.
    pub(crate) since_local: String,
    pub(crate) until: Option<Moment>,
    /// The end on the clocks where it was given.
    pub(crate) until_local: Option<String>,
    pub(crate) zone: Option<String>,
    /// A person, `operator` or `calendar`.
    pub(crate) by: String,
    pub(crate) reason: String,
    /// Whether it holds now.
    pub(crate) holds: bool,
    /// Who has signed to end it early.
    pub(crate) signed_by: Vec<String>,
    /// How many have to sign.
    pub(crate) enders: usize,
    /// What they sign for.
    pub(crate) digest: String,
}

impl FreezeBody {
    pub(crate) fn of(shown: Shown) -> Self {
        let Shown { freeze, holds, signed_by, enders } = shown;
        let (environment, upstream) = match &freeze.scope {
            Scope::Everything => (None, None),
            Scope::Environment(environment) => (Some(environment.to_string()), None),
            Scope::Upstream(upstream) => (None, Some(upstream.to_string())),
        };
        Self {
            freeze: freeze.id.to_string(),
            covers: freeze.scope.in_words(),
            environment,
            upstream,
            since: Moment(freeze.since),
            since_local: freeze.since_in_words(),
            until: freeze.until.map(Moment),
            until_local: freeze.until_in_words(),
            digest: freeze.digest().to_string(),
            zone: freeze.zone,
            by: freeze.by,
            reason: freeze.reason,
            holds,
            signed_by,
            enders,
        }
    }
}

/// A freeze that somebody asks for; empty words are as if they were not there, as forms send them.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct FreezeRequestBody {
    pub(crate) reason: String,
    pub(crate) environment: Option<String>,
    pub(crate) upstream: Option<String>,
    /// A local time such as `2026-12-20T18:00`.
    pub(crate) until: Option<String>,
    /// Where clocks show it; UTC unless given.
    pub(crate) zone: Option<String>,
}

impl FreezeRequestBody {
    /// What is asked for, with a reason in any case.
    pub(crate) fn asked(self) -> NewFreeze {
        let given = |word: Option<String>| word.filter(|word| !word.trim().is_empty());
        let reason = match self.reason.trim() {
            "" => "no reason given",
            reason => reason,
        };
        NewFreeze {
            reason: reason.to_owned(),
            environment: given(self.environment),
            upstream: given(self.upstream),
            until: given(self.until),
            zone: given(self.zone),
        }
    }
}
