//! Kills, as outsiders ask for them and see what came of them.

use serde::{Deserialize, Serialize};
use tyer_core::intent::{SessionId, Upstream};

use crate::gateway::kill::{Kill, Target};

/// What is killed: `{"session": "s-1"}`, `{"agent": "kiro"}`, `{"upstream": "orders"}`, `{"everything": true}`.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum KillRequestBody {
    Session(String),
    Agent(String),
    Upstream(String),
    Everything(bool),
}

impl KillRequestBody {
    /// What is meant; nothing for `{"everything": false}`.
    pub(crate) fn target(self) -> Option<Target> {
        match self {
            Self::Session(id) => Some(Target::Session(SessionId::new(id))),
            Self::Agent(agent) => Some(Target::Agent(agent)),
            Self::Upstream(upstream) => Some(Target::Upstream(Upstream::new(upstream))),
            Self::Everything(yes) => yes.then_some(Target::Everything),
        }
    }
}

/// What was seen of a kill, and what was not.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct KillBody {
    pub(crate) killed: String,
    pub(crate) sessions: Vec<KilledBody>,
    /// Held requests that were seen to be taken back.
    pub(crate) holds: Vec<String>,
    /// Leaves of requests under way whose outcome was seen.
    pub(crate) seen: Vec<u64>,
    /// Leaves of those whose outcome was not.
    pub(crate) unseen: Vec<u64>,
    /// What could not be seen, in words; empty is good.
    pub(crate) not_seen: Vec<String>,
}

/// One session that was killed.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct KilledBody {
    pub(crate) session: String,
    pub(crate) agent: String,
    pub(crate) open: u32,
    pub(crate) closed: u32,
    /// Its credentials were seen to be refused.
    pub(crate) refused: bool,
}

impl KillBody {
    pub(crate) fn of(kill: Kill) -> Self {
        let not_seen = kill.not_seen();
        let killed = kill.sessions.into_iter().map(|killed| KilledBody {
            session: killed.session.to_string(),
            agent: killed.agent,
            open: killed.ending.open,
            closed: killed.ending.closed,
            refused: killed.refused,
        });
        Self {
            killed: kill.what,
            sessions: killed.collect(),
            holds: kill.holds.iter().map(ToString::to_string).collect(),
            seen: kill.seen.iter().map(|leaf| leaf.0).collect(),
            unseen: kill.unseen.iter().map(|leaf| leaf.0).collect(),
            not_seen,
        }
    }
}
