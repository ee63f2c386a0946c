//! Which freezes hold, as the leaves so far say.

use crate::freeze::Freeze;
use crate::intent::{Digest, FreezeId, Timestamp};
use crate::record::RequestRecord;

/// The freezes that were started and not ended early. Those whose end has come do no harm here.
#[derive(Debug, Default)]
pub(super) struct Freezes {
    started: Vec<Freeze>,
}

impl Freezes {
    /// Takes a freeze that is said to have started, by then at the latest.
    pub(super) fn start(&mut self, freeze: Freeze, latest: Timestamp) -> Result<(), String> {
        let at = freeze.since;
        if at > latest {
            return Err(format!("the freeze {} is said before it starts", freeze.id));
        }
        if freeze.is_past(at) {
            return Err(format!("the freeze {} ends before it starts", freeze.id));
        }
        self.started.retain(|known| !known.is_past(at));
        if self.started.contains(&freeze) {
            return Err(format!("the freeze {} had started before", freeze.id));
        }
        self.started.push(freeze);
        Ok(())
    }

    /// Everything is frozen, as it was said when there was one freeze at a time.
    pub(super) fn start_everything(&mut self, at: Timestamp, by: &str, reason: &str) {
        self.started.push(Freeze::of_everything(at, by, reason));
    }

    /// The freeze that says exactly this, if it holds.
    pub(super) fn holding(&self, id: &FreezeId, digest: Digest, now: Timestamp) -> Option<&Freeze> {
        let is_meant = |it: &&Freeze| it.id == *id && it.digest() == digest;
        self.started.iter().filter(|it| !it.is_past(now)).find(is_meant)
    }

    pub(super) fn end(&mut self, digest: Digest) {
        self.started.retain(|freeze| freeze.digest() != digest);
    }

    /// Ends the freeze of everything that began then, with all that were said while it held.
    pub(super) fn end_everything(&mut self, since: Timestamp) -> Result<(), String> {
        let is_of_everything = |it: &Freeze| *it == Freeze::of_everything(it.since, &it.by, &it.reason);
        if !self.started.iter().any(|it| it.since == since && is_of_everything(it)) {
            return Err("it ends a freeze that did not hold then".to_owned());
        }
        self.started.retain(|it| !is_of_everything(it));
        Ok(())
    }

    /// Whether a freeze holds that covers the request.
    pub(super) fn cover(&self, request: &RequestRecord, now: Timestamp) -> bool {
        let covers = |it: &Freeze| it.scope.covers(&request.environment, &request.upstream);
        self.started.iter().any(|it| !it.is_past(now) && covers(it))
    }
}
