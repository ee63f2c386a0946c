//! What is or does something else than people had agreed to: it was not sent, or was taken back. Their agreement is
//! used up or void, and they are asked anew with what was found.

use std::sync::Arc;

use tyer_core::ceilings::{Beyond, Measured};
use tyer_core::facts::Facts;
use tyer_core::hold::State;
use tyer_core::intent::HoldId;
use tyer_core::names::Meant;
use tyer_core::verdict::{LeafIndex, Outcome, Reason, Refusal};

use super::bounds::bounded;
use super::{Attempt, Gateway, Here, Request, unrecorded};
use crate::clock;

/// The code of work that was taken back because it was more than was agreed to, or not sent because it was something
/// else.
pub(crate) const EXCEEDED: &str = "55000";

/// In what a request differs from what was agreed to.
pub(crate) struct Otherwise {
    pub(crate) differences: Vec<String>,
    /// What it did before it was taken back.
    pub(crate) measured: Vec<Measured>,
    pub(crate) beyond: Vec<Beyond>,
    /// What its names meant where it was to run.
    pub(crate) meant: Meant,
}

impl Gateway {
    /// It did more: ends the hold of that leaf and opens one that shows both numbers; what the agent is told.
    pub(crate) async fn exceeded(
        &self,
        request: &Request,
        leaf: LeafIndex,
        otherwise: Otherwise,
    ) -> Refusal {
        let more = format!("it did {}, and was taken back", otherwise.differences.join("; "));
        let asked = Box::pin(self.used_up(request, leaf, otherwise)).await;
        self.told(more, asked)
    }

    /// Its names mean something else, and nothing of it was sent: the same.
    pub(crate) async fn meant_otherwise(
        &self,
        request: &Request,
        leaf: LeafIndex,
        otherwise: Otherwise,
    ) -> Refusal {
        let what = otherwise.differences.join("; ");
        let more = format!("what was approved is not what is meant here: {what}");
        let asked = Box::pin(self.made_void(request, leaf, otherwise)).await;
        self.told(more, asked)
    }

    fn told(&self, more: String, asked: Result<Attempt, Refusal>) -> Refusal {
        match asked {
            Ok(Attempt::Waits(hold, needs)) => {
                let refusal = self.held(&hold, &needs);
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
        otherwise: Otherwise,
    ) -> Result<Attempt, Refusal> {
        let before = self.taken(leaf, false);
        let outcome = Outcome::Failed { code: EXCEEDED.to_owned() };
        self.settle(leaf, outcome).await.map_err(|error| unrecorded(&error))?;
        let why = "was approved, ran, and was taken back: it did too much";
        let facts = self.otherwise(request, otherwise, (before.as_ref(), why)).await?;
        self.asks(request, facts, None).await
    }

    /// Records that the hold of that leaf ends without having run, and asks people again.
    async fn made_void(
        &self,
        request: &Request,
        leaf: LeafIndex,
        otherwise: Otherwise,
    ) -> Result<Attempt, Refusal> {
        let before = self.taken(leaf, true);
        let outcome = Outcome::Failed { code: EXCEEDED.to_owned() };
        self.settle(leaf, outcome).await.map_err(|error| unrecorded(&error))?;
        let why = "was approved for something else";
        let facts = self.otherwise(request, otherwise, (before.as_ref(), why)).await?;
        self.asks(request, facts, before).await
    }

    /// The hold that cleared it, and whether it gets its grant back for the moment.
    fn taken(&self, leaf: LeafIndex, returns: bool) -> Option<HoldId> {
        let mut unsettled = self.unsettled();
        let taken = unsettled.get_mut(&leaf)?.as_mut()?;
        taken.returns = returns;
        Some(taken.hold.clone())
    }

    /// The facts of now, with what was found.
    async fn otherwise(
        &self,
        request: &Request,
        otherwise: Otherwise,
        (before, why): (Option<&HoldId>, &str),
    ) -> Result<Facts, Refusal> {
        let Otherwise { mut differences, measured, beyond, meant } = otherwise;
        let upstream = self.intent(&*self.world().await, request, clock::now())?.upstream;
        let mut about = request.about.clone();
        about.here = Here::Knows(Arc::new(meant));
        let facts = self.upstreams.facts(&upstream, &about, None).await.facts;
        let id = before.map_or_else(|| "it".to_owned(), ToString::to_string);
        differences.insert(0, format!("{id} {why}"));
        Ok(bounded(Facts { differences, measured, beyond, ..facts }, request))
    }

    /// Opens a hold with these facts, in the place of one that is void.
    async fn asks(
        &self,
        request: &Request,
        mut facts: Facts,
        void: Option<HoldId>,
    ) -> Result<Attempt, Refusal> {
        let _gate = self.gate.read().await;
        let now = clock::now();
        let mut world = self.world.lock().await;
        let intent = self.intent(&world, request, now)?;
        // What is refused now is refused when it is presented again.
        facts.sequences = self.comes_to(&intent, now).0.sequences;
        let live = world.holds.of_request(&request.session, request.digest).cloned();
        match live {
            Some(hold)
                if Some(hold.id()) == void.as_ref()
                    && matches!(hold.state(), State::Approved { .. }) =>
            {
                self.hold_anew(&mut world, &intent, hold, facts).await
            }
            Some(hold) => Ok(Attempt::Waits(hold.id().clone(), hold.card().needs.clone())),
            None => self.ask_anew(&mut world, &intent, facts, now).await,
        }
    }
}
