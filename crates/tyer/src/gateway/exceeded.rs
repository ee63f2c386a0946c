//! What did more than people had agreed to, and was taken back: their agreement is used up, and they are asked
//! anew with what it really did.

use tyer_core::ceilings::Measured;
use tyer_core::facts::Facts;
use tyer_core::verdict::{LeafIndex, Outcome, Reason, Refusal};

use super::holds::bounded;
use super::{Attempt, Gateway, Request, unrecorded};
use crate::clock;

/// The code of work that was taken back because it was more than was agreed to.
pub(crate) const EXCEEDED: &str = "55000";

impl Gateway {
    /// Ends the hold of that leaf and opens one that shows both numbers; what the agent is told.
    pub(crate) async fn exceeded(
        &self,
        request: &Request,
        leaf: LeafIndex,
        (differences, measured): (Vec<String>, Vec<Measured>),
    ) -> Refusal {
        let more = format!("it did {}, and was taken back", differences.join("; "));
        match self.used_up(request, leaf, (differences, measured)).await {
            Ok(Attempt::Waits(hold, needs)) => {
                let refusal = self.held(&hold, needs);
                Refusal { message: format!("{more}; now {}", refusal.message), ..refusal }
            }
            Ok(_) => Refusal::new(Reason::Held, more, "nothing was changed; present it again"),
            Err(refusal) => Refusal { message: format!("{more}; {}", refusal.message), ..refusal },
        }
    }

    /// Records that the hold of that leaf is spent, and asks people again.
    async fn used_up(
        &self,
        request: &Request,
        leaf: LeafIndex,
        (mut differences, measured): (Vec<String>, Vec<Measured>),
    ) -> Result<Attempt, Refusal> {
        let mut before = None;
        if let Some(Some(taken)) = self.unsettled().get_mut(&leaf) {
            taken.returns = false;
            before = Some(taken.hold.clone());
        }
        let outcome = Outcome::Failed { code: EXCEEDED.to_owned() };
        self.settle(leaf, outcome).await.map_err(|error| unrecorded(&error))?;
        let upstream = self.intent(&*self.world().await, request, clock::now())?.upstream;
        let facts = self.upstreams.facts(&upstream, &request.about).await.facts;
        let id = before.map_or_else(|| "it".to_owned(), |id| id.to_string());
        differences.insert(0, format!("{id} was approved, ran, and was taken back: it did too much"));
        let mut facts = bounded(Facts { differences, measured, ..facts }, request);
        let _gate = self.gate.read().await;
        let now = clock::now();
        let mut world = self.world.lock().await;
        let intent = self.intent(&world, request, now)?;
        if let Some(hold) = world.holds.of_request(&request.session, request.digest) {
            return Ok(Attempt::Waits(hold.id().clone(), hold.card().needs));
        }
        // What is refused now is refused when it is presented again.
        facts.sequences = self.comes_to(&intent, now).0.sequences;
        self.ask_anew(&mut world, &intent, facts, now).await
    }
}
