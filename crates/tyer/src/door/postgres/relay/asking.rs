//! A request before the gateway: decided on the spot if it can be, else while the connection is watched.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use tyer_core::intent::SessionId;
use tyer_core::verdict::{Clearance, Refusal};
use tyer_wire::postgres::refuse::Answer;
use tyer_wire::postgres::session::{Fatal, Question, Session, Status};

use super::Relay;
use super::bounded::Bounded;
use super::ending::Ending;
use crate::gateway::carried::Read;
use crate::gateway::{About, Here, Patience, Request};
use crate::upstream::{ExecuteError, Statement};

/// A question that the gateway is answering. It is always awaited to its end, also where the connection ends.
pub(super) type Answering = Pin<Box<dyn Future<Output = Result<Clearance, Refusal>> + Send>>;

impl Relay<'_> {
    /// Has a question answered: at once, or it is then open.
    pub(super) fn ask(&mut self, question: &Question) -> Result<(), Ending> {
        match self.gateway.carry(&read(&self.session_id, question)) {
            Some(clearance) => self.answered(Ok(clearance)),
            None => {
                let mut request = request(self.session_id.clone(), &self.session, question);
                request.about.here = self.looking.here();
                self.bounded = question.fits_block().then(|| Bounded::new(request.clone()));
                self.question = Some(self.submit(question, request));
                Ok(())
            }
        }
    }

    fn submit(&mut self, question: &Question, request: Request) -> Answering {
        self.cancelled.mark_unchanged();
        self.gone.send_replace(self.agent_closed);
        let wait = if question.may_wait { self.gateway.config.holds.wait } else { Duration::ZERO };
        let patience = Patience { wait, gone: self.gone.subscribe() };
        let gateway = Arc::clone(self.gateway);
        Box::pin(async move { gateway.submit(request, patience).await })
    }

    pub(super) fn answered(&mut self, decided: Result<Clearance, Refusal>) -> Result<(), Ending> {
        match decided {
            Ok(clearance) if clearance.ceilings().is_some() => self.begin_bounded(clearance),
            Ok(clearance) => self.execute(clearance),
            Err(refusal) => {
                let chore = self.session.refused(Answer::of(&refusal, refusal.hold.as_ref()))?;
                self.upstream_out.chore(&chore);
                Ok(())
            }
        }
    }
}

impl Relay<'_> {
    pub(super) fn execute(&mut self, clearance: Clearance) -> Result<(), Ending> {
        let run = self.session.cleared(clearance.digest(), clearance.leaf())?;
        if run.bytes().is_empty() {
            self.gateway.never_left(clearance.leaf());
        }
        match self.upstream_out.execute(clearance, &run) {
            Ok(()) => Ok(()),
            Err(ExecuteError::OtherRequest | ExecuteError::Unbounded) => Err(Fatal::OutOfTurn.into()),
        }
    }
}

/// Waits for the open question's answer; for ever if none is open.
pub(super) async fn answer(question: &mut Option<Answering>) -> Result<Clearance, Refusal> {
    match question {
        Some(question) => question.await,
        None => std::future::pending().await,
    }
}

/// A question of the wire as far as deciding on the spot needs it.
fn read<'a>(session: &'a SessionId, question: &'a Question) -> Read<'a> {
    let understanding = &question.understanding;
    Read {
        session,
        acts: &understanding.acts,
        environment: None,
        digest: question.digest,
        shape: understanding.shape,
        redacted: &understanding.redacted,
        bytes: question.bytes_max(),
    }
}

/// A question of the wire as the gateway takes it.
pub(crate) fn request(session: SessionId, relay: &Session, question: &Question) -> Request {
    let understanding = &question.understanding;
    let statement = || Statement {
        sql: Arc::clone(&question.sql),
        parameters: question.parameters.clone(),
        explainable: understanding.explainable,
        settings: relay.settings().clone(),
        in_transaction: relay.status() != Status::Idle,
        locks: understanding.locks.clone(),
    };
    let asks = !understanding.relations.is_empty() || !understanding.locks.is_empty();
    Request {
        session,
        acts: understanding.acts.clone(),
        environment: None,
        digest: question.digest,
        shape: understanding.shape,
        text: question.text(),
        redacted: understanding.redacted.clone(),
        transactional: understanding.transactional(),
        fits_block: question.fits_block(),
        about: About {
            relations: understanding.relations.clone(),
            names: understanding.names(),
            here: Here::Elsewhere,
            statement: asks.then(statement),
            text: if understanding.only_reads() { String::new() } else { question.text() },
            defines: !understanding.explainable,
            cloud: None,
        },
    }
}
