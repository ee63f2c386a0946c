//! Holds that something can still come of, found by the request that they hold, and the requests that people
//! have said no to for now.
//!
//! What has ended leaves memory and is kept by the store alone, so that neither memory nor a decision grows with
//! the holds that there ever were. Of a rejected request only what refuses it again stays, until that lapses.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use serde::{Deserialize, Serialize};
use tyer_core::hold::{Hold, State};
use tyer_core::intent::{Digest, HoldId, Intent, PersonId, Principal, SessionId, Timestamp, Upstream};
use tyer_core::verdict::{LeafIndex, Outcome};

use crate::clock;
use crate::store::{Change, Table};

/// The holds that decisions look at.
#[derive(Debug, Default)]
pub(crate) struct Holds {
    going: BTreeMap<HoldId, Hold>,
    by_request: HashMap<Digest, BTreeSet<HoldId>>,
    rejected: HashMap<Digest, Vec<Rejected>>,
}

/// A request that somebody said no to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Rejected {
    pub(crate) hold: HoldId,
    request: Digest,
    upstream: Upstream,
    controller: PersonId,
    pub(crate) by: PersonId,
    pub(crate) reason: String,
    until: Timestamp,
}

impl Rejected {
    fn of(hold: &Hold) -> Option<Self> {
        // An allowance is no request: what it is like may still be asked by itself.
        let is_request = hold.card().allowance.is_none();
        let State::Rejected { by, reason, until } = hold.state() else { return None };
        let intent = &hold.card().intent;
        is_request.then(|| Self {
            hold: hold.id().clone(),
            request: intent.digest,
            upstream: intent.upstream.clone(),
            controller: intent.principal.controller.clone(),
            by: by.clone(),
            reason: reason.clone(),
            until: *until,
        })
    }

    fn binds(&self, intent: &Intent, now: Timestamp) -> bool {
        now < self.until
            && self.request == intent.digest
            && self.upstream == intent.upstream
            && self.controller == intent.principal.controller
    }
}

/// A hold that has ended, as the store keeps it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Ended {
    pub(crate) hold: Hold,
    /// The leaf that its grant cleared, and what came of it, where that was seen.
    pub(crate) ran: Option<(LeafIndex, Outcome)>,
    /// When it ended; unknown of holds of earlier versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) at: Option<Timestamp>,
}

impl Holds {
    /// The hold of that id, unless it has ended.
    pub(crate) fn get(&self, id: &HoldId) -> Option<&Hold> {
        self.going.get(id)
    }

    /// All that have not ended.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Hold> {
        self.going.values()
    }

    /// How many such holds there are of that principal's session, and of all sessions of its controller.
    pub(crate) fn count(&self, of: &Principal, such: impl Fn(&Hold) -> bool) -> (usize, usize) {
        let (mut of_session, mut of_controller) = (0, 0);
        for hold in self.iter().filter(|hold| such(hold)) {
            let principal = &hold.card().intent.principal;
            of_session += usize::from(principal.session == of.session);
            of_controller += usize::from(principal.controller == of.controller);
        }
        (of_session, of_controller)
    }

    /// The hold's new state; what has ended is let go.
    pub(crate) fn insert(&mut self, hold: Hold) {
        let (id, request) = (hold.id().clone(), hold.card().intent.digest);
        if !hold.has_ended() {
            self.by_request.entry(request).or_default().insert(id.clone());
            self.going.insert(id, hold);
            return;
        }
        if let Some(rejected) = Rejected::of(&hold) {
            self.reject(rejected);
        }
        self.going.remove(&id);
        if let Some(ids) = self.by_request.get_mut(&request) {
            ids.remove(&id);
            if ids.is_empty() {
                self.by_request.remove(&request);
            }
        }
    }

    /// A request is refused from now on.
    pub(super) fn reject(&mut self, rejected: Rejected) {
        self.rejected.entry(rejected.request).or_default().push(rejected);
    }

    /// The live hold of this session for this request: one that people have agreed to before one that
    /// waits for them, then the newest.
    pub(crate) fn of_request(&self, session: &SessionId, request: Digest) -> Option<&Hold> {
        let ids = self.by_request.get(&request).into_iter().flatten();
        ids.filter_map(|id| self.going.get(id))
            .filter(|hold| hold.session() == session && hold.is_live())
            .filter(|hold| hold.card().allowance.is_none())
            .max_by_key(|hold| (hold.state_word() == "approved", hold.opened()))
    }

    /// Who said no to this request of this controller, for as long as that lasts.
    pub(crate) fn rejected(&self, intent: &Intent, now: Timestamp) -> Option<&Rejected> {
        self.rejected.get(&intent.digest)?.iter().find(|rejected| rejected.binds(intent, now))
    }

    /// Whether people are being asked about this request, or have said no to it.
    pub(crate) fn concern(&self, request: Digest) -> bool {
        self.by_request.contains_key(&request) || self.rejected.contains_key(&request)
    }

    /// The holds whose rejection refuses nothing any more.
    pub(crate) fn lapsed(&self, now: Timestamp) -> Vec<HoldId> {
        let all = self.rejected.values().flatten();
        all.filter(|rejected| now >= rejected.until).map(|rejected| rejected.hold.clone()).collect()
    }

    /// Forgets rejections that have lapsed.
    pub(crate) fn forget_lapsed(&mut self, now: Timestamp) {
        self.rejected.retain(|_, rejected| {
            rejected.retain(|rejected| now < rejected.until);
            !rejected.is_empty()
        });
    }
}

/// Writes a hold where it belongs: among those that something can come of, or away from them.
pub(crate) fn put(change: Change, hold: &Hold, ran: Option<(LeafIndex, Outcome)>) -> Change {
    let id = hold.id().as_str();
    if !hold.has_ended() {
        return change.put(Table::Hold, id, hold);
    }
    let rejected = Rejected::of(hold);
    let ended = Ended { hold: hold.clone(), ran, at: Some(clock::now()) };
    let change = change.remove(Table::Hold, id).put(Table::Ended, id, &ended);
    rejected.iter().fold(change, |change, rejected| change.put(Table::Rejected, id, rejected))
}

#[cfg(test)]
mod tests;
