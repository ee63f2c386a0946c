//! What an outcome does to the hold whose grant was taken: work that was rolled back gives it back.

use tyer_core::hold::{Event, Hold, Next, State};
use tyer_core::intent::HoldId;
use tyer_core::verdict::{LeafIndex, Outcome};

use super::{Gateway, News, settled};
use crate::clock;
use crate::store::{Change, StoreError, Table};

/// A grant that is out.
#[derive(Clone, Debug)]
pub(super) struct Taken {
    /// The hold that gave it.
    pub(super) hold: HoldId,
    /// Whether a rollback takes back all that was done with it.
    pub(super) transactional: bool,
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
        self.sequencer.commit_soon(settled(leaf, outcome, false)).await
    }

    /// Records an outcome together with what it means for the hold.
    pub(super) async fn settle_hold(
        &self,
        leaf: LeafIndex,
        outcome: Outcome,
        taken: Taken,
    ) -> Result<(), StoreError> {
        let is_undone = taken.transactional && matches!(outcome, Outcome::Failed { .. });
        let event = if is_undone { Event::Undone } else { Event::Used };
        let mut world = self.world.lock().await;
        let Some(hold) = world.holds.get(&taken.hold).cloned() else {
            return self.sequencer.commit(settled(leaf, outcome, false)).await.map(|_| ());
        };
        let hold = stepped(hold, event);
        let returned = matches!(hold.state(), State::Approved { .. });
        let change = settled(leaf, outcome, returned).put(Table::Hold, taken.hold.as_str(), &hold);
        self.sequencer.commit(change).await?;
        world.holds.insert(taken.hold.clone(), hold);
        self.tell(News::Hold(taken.hold));
        Ok(())
    }

    /// Grants that were out when the last process ended have been used, as far as anybody knows.
    pub(super) async fn spend_taken(&self) -> Result<(), StoreError> {
        let mut world = self.world.lock().await;
        let out = |hold: &&Hold| matches!(hold.state(), State::Taken { .. });
        let taken: Vec<Hold> = world.holds.values().filter(out).cloned().collect();
        for hold in taken {
            let (id, hold) = (hold.id().clone(), stepped(hold, Event::Used));
            let change = Change::default().put(Table::Hold, id.as_str(), &hold);
            self.sequencer.commit(change).await?;
            world.holds.insert(id, hold);
        }
        Ok(())
    }
}

fn stepped(hold: Hold, event: Event) -> Hold {
    match hold.step(event, clock::now()) {
        Next::Stays(hold, _) | Next::Releases(hold, _) | Next::Refuses(hold, _) => hold,
    }
}
