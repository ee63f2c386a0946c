//! The freezes that were started, and who has signed to end them early.

use serde::{Deserialize, Serialize};
use tyer_core::freeze::Freeze;
use tyer_core::intent::{Digest, Environment, FreezeId, Timestamp, Upstream};
use tyer_core::statement::Signed;

/// A freeze that was started.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Started {
    pub(crate) freeze: Freeze,
    /// The statements to end it early, so far.
    #[serde(default)]
    pub(crate) signed: Vec<Signed>,
    /// Two people have ended it. One of the calendar stays known until it would have ended by itself, so that the
    /// calendar does not start it again.
    #[serde(default)]
    pub(crate) is_ended: bool,
}

/// All of them, as they are stored.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Freezes {
    /// The number of the last one that people started.
    last: u64,
    all: Vec<Started>,
}

/// The one freeze of everything, as it was stored when there was one at a time.
#[derive(Debug, Deserialize)]
pub(super) struct Single {
    since: Timestamp,
    by: String,
    reason: String,
}

impl Freezes {
    /// The freeze as it was stored before there were several.
    pub(super) fn adopt(&mut self, single: &Single) {
        self.start(Freeze::of_everything(single.since, &single.by, &single.reason));
    }

    /// The id of the next one that people start.
    pub(crate) fn next(&mut self) -> FreezeId {
        self.last = self.last.saturating_add(1);
        FreezeId::new(format!("F-{}", self.last))
    }

    pub(crate) fn start(&mut self, freeze: Freeze) {
        self.all.push(Started { freeze, signed: Vec::new(), is_ended: false });
    }

    /// Those that hold.
    pub(crate) fn holding(&self, now: Timestamp) -> impl Iterator<Item = &Started> {
        self.all.iter().filter(move |it| !it.is_ended && it.freeze.holds(now))
    }

    /// Whether one that covers this upstream holds.
    pub(crate) fn cover(&self, place: (&Environment, &Upstream), now: Timestamp) -> bool {
        self.holding(now).any(|it| it.freeze.scope.covers(place.0, place.1))
    }

    /// Exactly this freeze, whether it was ended or not.
    pub(crate) fn known(&self, freeze: &Freeze) -> Option<&Started> {
        self.all.iter().find(|it| it.freeze == *freeze)
    }

    /// Drops the statements to end one early that count no more.
    pub(crate) fn forget(&mut self, lost: impl Fn(&Signed) -> bool) {
        for started in self.all.iter_mut().filter(|it| !it.is_ended) {
            started.signed.retain(|signed| !lost(signed));
        }
    }

    /// The one of that id, if it holds.
    pub(crate) fn find(&self, id: &FreezeId, now: Timestamp) -> Option<&Started> {
        self.holding(now).find(|it| it.freeze.id == *id)
    }

    /// The one that says exactly this, if it holds.
    pub(crate) fn find_mut(&mut self, digest: Digest, now: Timestamp) -> Option<&mut Started> {
        let holds = |it: &&mut Started| !it.is_ended && it.freeze.holds(now);
        self.all.iter_mut().filter(holds).find(|it| it.freeze.digest() == digest)
    }

    /// Forgets those whose end has come, and those that were ended and would have none. Returns whether there were any.
    pub(crate) fn forget_past(&mut self, now: Timestamp) -> bool {
        let before = self.all.len();
        self.all.retain(|it| !(it.freeze.is_past(now) || it.is_ended && it.freeze.until.is_none()));
        self.all.len() < before
    }
}
