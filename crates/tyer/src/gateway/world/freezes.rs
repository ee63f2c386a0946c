//! The freezes that were started, and who has signed to end them early.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};
use tyer_core::freeze::Freeze;
use tyer_core::intent::{Digest, Environment, FreezeId, Timestamp, Upstream};
use tyer_core::limits::{FREEZES_OVER_MAX, HOLD_MS_MAX};
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
    /// Those that are over, for as long as a hold can live that was opened before them.
    #[serde(default, skip_serializing_if = "VecDeque::is_empty")]
    over: VecDeque<Over>,
    /// When the last one began that was dropped from those because they were too many.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    forgotten: Option<Timestamp>,
}

/// A freeze that is over.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Over {
    freeze: Freeze,
    at: Timestamp,
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

    /// Those that hold or held, as far back as a live hold may have been opened.
    pub(crate) fn ever(&self) -> impl Iterator<Item = &Freeze> {
        self.all.iter().map(|it| &it.freeze).chain(self.over.iter().map(|it| &it.freeze))
    }

    /// Whether one that began at `from` or later may have been dropped, because they were too many.
    pub(crate) fn has_forgotten(&self, from: Timestamp) -> bool {
        self.forgotten.is_some_and(|began| from <= began)
    }

    /// Puts aside those whose end has come, and those that were ended and would have none. Returns whether there were
    /// any.
    pub(crate) fn forget_past(&mut self, now: Timestamp) -> bool {
        let is_over = |it: &Started| it.freeze.is_past(now) || it.is_ended && it.freeze.until.is_none();
        let (over, all): (Vec<_>, Vec<_>) = self.all.drain(..).partition(is_over);
        self.all = all;
        let has_changed = !over.is_empty();
        self.over.extend(over.into_iter().map(|it| Over { freeze: it.freeze, at: now }));
        self.over.retain(|it| now < it.at.plus(HOLD_MS_MAX).plus(HOLD_MS_MAX));
        while self.over.len() > FREEZES_OVER_MAX
            && let Some(dropped) = self.over.pop_front()
        {
            self.forgotten = self.forgotten.max(Some(dropped.freeze.since));
        }
        has_changed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What began is remembered after its end for as long as a hold can live, or else that something was.
    #[test]
    fn what_is_over_is_remembered_or_known_to_be_missing() {
        let mut freezes = Freezes::default();
        let start = |freezes: &mut Freezes, at: i64| {
            let once = Freeze {
                until: Some(Timestamp(at + 1)),
                ..Freeze::of_everything(Timestamp(at), "a", "b")
            };
            freezes.start(once.clone());
            once
        };
        let first = start(&mut freezes, 10);
        assert!(freezes.forget_past(Timestamp(20)));
        assert_eq!(freezes.ever().collect::<Vec<_>>(), [&first]);
        let long = HOLD_MS_MAX * 2 + 20;
        freezes.forget_past(Timestamp(long - 1));
        assert_eq!(freezes.ever().count(), 1);
        freezes.forget_past(Timestamp(long));
        assert_eq!((freezes.ever().count(), freezes.has_forgotten(Timestamp(0))), (0, false));
        let most = i64::try_from(FREEZES_OVER_MAX).unwrap();
        for n in 0..=most {
            start(&mut freezes, long + n);
        }
        freezes.forget_past(Timestamp(long + most + 1));
        assert_eq!(freezes.ever().count(), FREEZES_OVER_MAX);
        // Only the first was dropped, and what was opened after it misses nothing.
        assert!(freezes.has_forgotten(Timestamp(long)) && !freezes.has_forgotten(Timestamp(long + 1)));
    }
}
