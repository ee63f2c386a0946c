//! How often the agents of sessions asked people lately.

use std::collections::BTreeMap;

use tyer_core::intent::{Principal, SessionId, Timestamp};
use tyer_core::pace::{Counted, Pace, Paced};

/// The paces of sessions that asked within the last minutes. Lost with the process, which forgives.
#[derive(Debug, Default)]
pub(crate) struct Paces(BTreeMap<SessionId, Pace>);

impl Paces {
    /// People would be asked by this session.
    pub(crate) fn asks(&mut self, session: &SessionId, now: Timestamp) -> Paced {
        let (pace, paced) = self.0.remove(session).unwrap_or_default().asks(now);
        self.0.insert(session.clone(), pace);
        paced
    }

    /// What this session asks was, or had been, rejected.
    pub(crate) fn rejected(&mut self, session: &SessionId, now: Timestamp) {
        let pace = self.0.remove(session).unwrap_or_default().rejected(now);
        self.0.insert(session.clone(), pace);
    }

    pub(crate) fn counted(&self, session: &SessionId, now: Timestamp) -> Counted {
        self.0.get(session).map(|pace| pace.counted(now)).unwrap_or_default()
    }

    /// Names whoever is slowed: `kiro of carol has asked 37 times in 10 minutes, 12 were rejected`.
    pub(crate) fn naming(&self, principal: &Principal, now: Timestamp) -> Option<String> {
        let pace = self.0.get(&principal.session).filter(|pace| pace.is_slowed(now))?;
        Some(named(principal, pace.counted(now)))
    }

    /// Forgets who has been quiet.
    pub(crate) fn forget(&mut self, now: Timestamp) {
        self.0.retain(|_, pace| !pace.is_quiet(now));
    }
}

/// Who asked how often, in words.
pub(crate) fn named(principal: &Principal, counted: Counted) -> String {
    format!("{} of {} {}", principal.agent, principal.controller, counted.in_words())
}
