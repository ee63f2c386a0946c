//! Allowances, as outsiders see and ask for them.

use serde::{Deserialize, Serialize};
use tyer_core::allowance::{Pace, Whose, Wish};
use tyer_core::hold::Hold;

use super::{HoldBody, Moment};

/// What a hold covers beyond one request, and what has become of that.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct AllowanceBody {
    /// The held request that stands for all of its shape.
    pub(crate) like: String,
    /// Whether it covers every session of the agent.
    pub(crate) whole_agent: bool,
    pub(crate) count: u32,
    pub(crate) lasts_seconds: i64,
    pub(crate) pace: Option<PaceBody>,
    /// One of the controllers, or `operator`.
    pub(crate) by: String,
    /// What it covers, in words.
    pub(crate) covers: Vec<String>,
    /// The request without its values.
    pub(crate) shape: String,
    /// How many uses are taken; none before people have agreed.
    pub(crate) taken: u32,
    pub(crate) left: u32,
    /// When it ends, once people have agreed.
    pub(crate) until: Option<Moment>,
}

/// At most so many within any such time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PaceBody {
    pub(crate) uses: u32,
    pub(crate) seconds: i64,
}

impl AllowanceBody {
    /// None if it is a hold of one request.
    pub(crate) fn of(hold: &Hold) -> Option<Self> {
        let terms = hold.card().allowance.as_ref()?;
        let uses = hold.allows().map(|(_, uses)| uses);
        Some(Self {
            like: terms.like.to_string(),
            whole_agent: terms.whose == Whose::Agent,
            count: terms.count,
            lasts_seconds: terms.lasts_ms / 1000,
            pace: terms.pace.map(|pace| PaceBody { uses: pace.uses, seconds: pace.within_ms / 1000 }),
            by: terms.by.clone(),
            covers: terms.in_words(hold.card()),
            shape: hold.card().intent.redacted.clone(),
            taken: uses.map_or(0, |uses| uses.taken),
            left: uses.map_or(terms.uses(), |uses| uses.left(terms)),
            until: uses.map(|uses| Moment(uses.until)),
        })
    }
}

/// Allowances that are asked for or can be used.
#[derive(Debug, Serialize)]
pub(crate) struct AllowancesBody {
    pub(crate) allowances: Vec<HoldBody>,
}

/// An allowance that somebody asks for.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct AllowanceRequestBody {
    pub(crate) count: u32,
    pub(crate) lasts_seconds: i64,
    #[serde(default)]
    pub(crate) pace: Option<PaceBody>,
    /// For every session of the agent, not only the one that was held.
    #[serde(default)]
    pub(crate) whole_agent: bool,
}

impl AllowanceRequestBody {
    pub(crate) fn wish(&self, by: &str) -> Wish {
        let ms = |seconds: i64| seconds.saturating_mul(1000);
        Wish {
            whose: if self.whole_agent { Whose::Agent } else { Whose::Session },
            count: self.count,
            lasts_ms: ms(self.lasts_seconds),
            pace: self.pace.map(|pace| Pace { uses: pace.uses, within_ms: ms(pace.seconds) }),
            by: by.to_owned(),
        }
    }
}
