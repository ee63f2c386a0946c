//! The request of a hold, presented again: decided again with the approvals that were given.

use tyer_core::hold::{Event, Next, State, StepError};
use tyer_core::intent::{HoldId, Intent, Timestamp};
use tyer_core::verdict::Refusal;

use super::outcomes::Taken;
use super::world::World;
use super::world::holds::put;
use super::{Attempt, Gateway, News, Request, not_recorded, unrecorded};
use crate::store::{Change, Table};

impl Gateway {
    /// Presents the request of a hold again: decided again with the approvals that were given.
    pub(super) async fn present(
        &self,
        world: &mut World,
        (intent, request): (&Intent, &Request),
        id: HoldId,
        now: Timestamp,
    ) -> Result<Attempt, Refusal> {
        let Some(hold) = world.holds.get(&id).cloned() else {
            return Err(not_recorded());
        };
        let needs = hold.card().needs.clone();
        if matches!(hold.state(), State::Open) && now < hold.ends() {
            return Ok(Attempt::Waits(id, needs));
        }
        let among = world.among();
        if self.has_lost_a_key(world, &hold) || hold.has_lapsed_among(&among, now) {
            let ended = self.abandon(world, |other| *other.id() == id, now).await;
            return ended.map(|_| Attempt::Again).map_err(|error| unrecorded(&error));
        }
        let counted = hold.counted_among(&among, now);
        let decision = self.decide(world, intent, (&hold.card().facts, counted), now);
        let (basis, hold_facts) = (decision.basis.clone(), hold.card().facts.clone());
        match hold.step(Event::Present { digest: intent.digest, verdict: decision.verdict }, now) {
            Next::Releases(hold, grant) => {
                let approvals = hold.counting(&among).into_iter();
                let approvals = approvals.filter_map(|it| self.approval_record(world, it)).collect();
                let change = put(Change::default(), &hold, None);
                let facts = hold.card().facts.clone();
                let noted = self.sequences.note(intent, request.transactional, now);
                let attempt = self.clear(change, intent, grant, (facts, approvals, noted)).await?;
                let taken = Taken { hold: id.clone(), number: None, returns: request.transactional };
                world.holds.insert(hold);
                if let Attempt::Cleared(clearance) = &attempt {
                    self.unsettled().insert(clearance.leaf(), Some(taken));
                    self.note_asked(world, intent).await;
                } else if let Attempt::Lapsed(leaf) = attempt {
                    self.unsettled().insert(leaf, Some(taken));
                }
                self.tell(News::Hold(id));
                Ok(attempt)
            }
            Next::Stays(hold, _) => {
                // It aged out just now: record that, and let the next attempt park a new hold.
                self.end_hold(world, hold, now).await.map_err(|error| unrecorded(&error))?;
                Ok(Attempt::Again)
            }
            Next::Refuses(_, StepError::RefusedNow(refusal)) => {
                Err(self.refuse((intent, hold_facts), &basis, refusal, now).await)
            }
            Next::Refuses(_, StepError::NeedsMore(needs)) => Ok(Attempt::Waits(id, needs)),
            Next::Refuses(_, _) => Ok(Attempt::Waits(id, needs)),
        }
    }

    /// Remembers that people let reads of this shape through for this session.
    async fn note_asked(&self, world: &mut World, intent: &Intent) {
        if intent.acts.worst().is_write() {
            return;
        }
        let Some(mut session) = world.sessions.get(&intent.principal.session).cloned() else { return };
        session.asked.insert(intent.shape);
        let id = &intent.principal.session;
        let change = Change::default().put(Table::Session, id.as_str(), &session);
        match self.sequencer.commit(change).await {
            Ok(_) => drop(world.sessions.insert(id.clone(), session)),
            Err(error) => tracing::warn!(%error, "this read shape will be asked for again"),
        }
    }
}
