//! What an outcome does to the hold whose grant was taken: work that was rolled back gives it back.

use tyer_core::hold::{Event, Hold, Next, State};
use tyer_core::intent::HoldId;
use tyer_core::record::{Record, What};
use tyer_core::verdict::{LeafIndex, Outcome, Reason, Refusal};

use super::{Gateway, News};
use crate::clock;
use crate::gateway::world::holds::put;
use crate::store::{Change, StoreError};

/// The code of a request whose grant lapsed while its leaf was made durable.
const LAPSED: &str = "57014";

/// A grant that is out.
#[derive(Clone, Debug)]
pub(super) struct Taken {
    /// The hold that gave it.
    pub(super) hold: HoldId,
    /// Which use of it, if it is an allowance.
    pub(super) number: Option<u64>,
    /// Whether it comes back if what it was for fails: a rollback takes back all of that, or nothing of it left.
    pub(super) returns: bool,
}

impl Gateway {
    /// As [`Gateway::settle`], but does not wait where nobody does: an outcome that no hold waits for becomes
    /// durable together with what somebody waits for, or soon. What is lost by a crash in between is unknown
    /// at the next start.
    pub(crate) async fn settle_soon(
        &self,
        leaf: LeafIndex,
        outcome: Outcome,
    ) -> Result<(), StoreError> {
        let is_plain = matches!(self.unsettled().get(&leaf), Some(None));
        if !is_plain {
            return self.settle(leaf, outcome).await;
        }
        self.unsettled().remove(&leaf);
        self.sequencer.commit_soon(self.settled(leaf, outcome, false)).await
    }

    /// Nothing of what this leaf cleared has left, or will: when it is settled as failed, its grant comes back.
    pub(crate) fn never_left(&self, leaf: LeafIndex) {
        if let Some(Some(taken)) = self.unsettled().get_mut(&leaf) {
            taken.returns = true;
        }
    }

    /// Settles what was recorded when its grant had lapsed, and says so.
    pub(super) async fn lapsed(&self, leaf: LeafIndex) -> Refusal {
        self.never_left(leaf);
        let outcome = Outcome::Failed { code: LAPSED.to_owned() };
        if let Err(error) = self.settle(leaf, outcome).await {
            tracing::error!(%error, leaf = leaf.0, "an outcome was not recorded");
        }
        Refusal::new(
            Reason::NotRecorded,
            "recording this took longer than it may run; nothing was executed",
            "present it again; the operator has been told",
        )
    }

    /// Records an outcome together with what it means for the hold.
    pub(super) async fn settle_hold(
        &self,
        leaf: LeafIndex,
        outcome: Outcome,
        taken: Taken,
    ) -> Result<(), StoreError> {
        let is_undone = taken.returns && matches!(outcome, Outcome::Failed { .. });
        let event = match taken.number {
            Some(number) => Event::Settled(number, is_undone),
            None if is_undone => Event::Undone,
            None => Event::Used,
        };
        let mut world = self.world.lock().await;
        let Some(hold) = world.holds.get(&taken.hold).cloned() else {
            return self.sequencer.commit(self.settled(leaf, outcome, false)).await.map(|_| ());
        };
        let before = hold.allows().map(|(_, uses)| uses.taken);
        let hold = stepped(hold, event);
        let is_one_less = hold.allows().zip(before).is_some_and(|((_, uses), then)| uses.taken < then);
        let returned = is_one_less || matches!(hold.state(), State::Approved { .. });
        let mut change = self.settled(leaf, outcome.clone(), returned);
        if before.is_some() && hold.has_ended() {
            let what = What::HoldEnded { hold: taken.hold.clone(), how: hold.state_word().to_owned() };
            change = change.leaf(&Record::new(clock::now(), what));
        }
        self.sequencer.commit(put(change, &hold, Some((leaf, outcome)))).await?;
        world.holds.insert(hold);
        self.tell(News::Hold(taken.hold));
        Ok(())
    }

    /// Grants that were out when the last process ended have been used, as far as anybody knows.
    pub(super) async fn spend_taken(&self) -> Result<(), StoreError> {
        let mut world = self.world.lock().await;
        let taken: Vec<Hold> = world.holds.iter().filter(|hold| hold.is_out()).cloned().collect();
        for hold in taken {
            let hold = stepped(hold, Event::Used);
            self.sequencer.commit(put(Change::default(), &hold, None)).await?;
            world.holds.insert(hold);
        }
        Ok(())
    }
}

fn stepped(hold: Hold, event: Event) -> Hold {
    match hold.step(event, clock::now()) {
        Next::Stays(hold, _) | Next::Releases(hold, _) | Next::Refuses(hold, _) => hold,
    }
}
