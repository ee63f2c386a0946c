//! A request under ceilings: prepared, cleared, and taken back where it did more than was agreed to.

use tyer_core::verdict::{Clearance, LeafIndex, Outcome};
use tyer_wire::postgres::refuse::Answer;
use tyer_wire::postgres::session::{Excess, Fatal, Owning, Pass, Turn};

use super::ending::{Ending, NOT_SENT};
use super::{Relay, settle};
use crate::gateway::Request;
use crate::gateway::exceeded::Otherwise;

/// What is in hand of one.
pub(super) struct Bounded {
    request: Request,
    /// Kept until the session is ready for it.
    clearance: Option<Clearance>,
    leaf: Option<LeafIndex>,
}

impl Bounded {
    pub(super) fn new(request: Request) -> Self {
        Self { request, clearance: None, leaf: None }
    }

    /// Its clearance, if that was not used.
    pub(super) fn unused(&mut self) -> Option<Clearance> {
        self.clearance.take()
    }
}

impl Relay<'_> {
    /// Prepares what was cleared under ceilings.
    pub(super) fn begin_bounded(&mut self, clearance: Clearance) -> Result<(), Ending> {
        let Some(ceilings) = clearance.ceilings() else { return Err(Fatal::OutOfTurn.into()) };
        let owning = self.session.own(clearance.digest(), ceilings)?;
        let Some(bounded) = &mut self.bounded else { return Err(Fatal::OutOfTurn.into()) };
        bounded.leaf = Some(clearance.leaf());
        bounded.clearance = Some(clearance);
        match owning {
            Owning::Starts(chore) => self.upstream_out.chore(&chore),
            Owning::Refused(answer) => self.refuse_bounded(answer)?,
        }
        Ok(())
    }

    /// What the session says of it.
    pub(super) async fn turned(&mut self, turn: Turn) -> Result<(), Ending> {
        match turn {
            Turn::None => Ok(()),
            Turn::Ready => match self.bounded.as_mut().and_then(Bounded::unused) {
                Some(clearance) => self.execute(clearance),
                None => Err(Fatal::OutOfTurn.into()),
            },
            Turn::Refused(answer) => self.refuse_bounded(answer),
            Turn::Otherwise(excess) => self.means_otherwise(excess).await,
            Turn::Exceeded(excess) => self.take_back(excess).await,
            Turn::Meant(meant) => {
                self.looking.answered(meant);
                Ok(())
            }
        }?;
        self.settle_unsent().await;
        Ok(())
    }

    /// Nothing of it was sent, and nothing will be.
    fn refuse_bounded(&mut self, answer: Answer) -> Result<(), Ending> {
        let chore = self.session.refused(answer)?;
        self.upstream_out.chore(&chore);
        self.unsent = self.bounded.as_mut().and_then(Bounded::unused).map(|it| it.leaf());
        Ok(())
    }

    /// Records that what was cleared was not sent.
    pub(super) async fn settle_unsent(&mut self) {
        if let Some(leaf) = self.unsent.take() {
            self.gateway.never_left(leaf);
            settle(self.gateway, leaf, Outcome::Failed { code: NOT_SENT.to_owned() }).await;
        }
    }

    /// Nothing of it was sent; people are asked anew, with what its names mean here.
    async fn means_otherwise(&mut self, excess: Excess) -> Result<(), Ending> {
        let Some((request, leaf)) =
            self.bounded.take().and_then(|bounded| Some((bounded.request, bounded.leaf?)))
        else {
            return Err(Fatal::OutOfTurn.into());
        };
        let refusal = self.gateway.meant_otherwise(&request, leaf, otherwise(excess)).await;
        let chore = self.session.refused(Answer::of(&refusal, refusal.hold.as_ref()))?;
        self.upstream_out.chore(&chore);
        Ok(())
    }

    /// It was taken back; people are asked anew, with what it did.
    async fn take_back(&mut self, excess: Excess) -> Result<(), Ending> {
        let Some((request, leaf)) =
            self.bounded.take().and_then(|bounded| Some((bounded.request, bounded.leaf?)))
        else {
            return Err(Fatal::OutOfTurn.into());
        };
        let refusal = self.gateway.exceeded(&request, leaf, otherwise(excess)).await;
        let relayed = self.session.exceeded(&Answer::of(&refusal, refusal.hold.as_ref()))?;
        if let Pass::Instead(bytes) = relayed.pass {
            self.to_agent.put(&bytes);
        }
        for (leaf, outcome) in relayed.settled {
            settle(self.gateway, leaf, outcome).await;
        }
        Ok(())
    }
}

/// What the session found, as the gateway takes it.
pub(crate) fn otherwise(excess: Excess) -> Otherwise {
    let Excess { differences, measured, beyond, meant } = excess;
    Otherwise { differences, measured, beyond, meant }
}
