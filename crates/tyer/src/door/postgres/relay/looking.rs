//! What a request's names mean on this connection: the gateway asks while it answers the open question.

use tokio::sync::{mpsc, oneshot};
use tyer_core::names::Meant;

use super::Relay;
use crate::gateway::Here;

/// Who asked, if anybody has.
pub(super) struct Looking {
    ask: mpsc::Sender<oneshot::Sender<Meant>>,
    asked: mpsc::Receiver<oneshot::Sender<Meant>>,
    reply: Option<oneshot::Sender<Meant>>,
}

impl Looking {
    pub(super) fn new() -> Self {
        let (ask, asked) = mpsc::channel(1);
        Self { ask, asked, reply: None }
    }

    /// For whoever wants to ask.
    pub(super) fn here(&self) -> Here {
        Here::Asks(self.ask.clone())
    }

    /// The next question; never, if nobody asks. Nothing is lost if this is given up.
    pub(super) async fn next(&mut self) -> oneshot::Sender<Meant> {
        match self.asked.recv().await {
            Some(reply) => reply,
            None => std::future::pending().await,
        }
    }

    /// The server has answered, if it did; whoever asked may have stopped waiting.
    pub(super) fn answered(&mut self, meant: Option<Meant>) {
        if let (Some(reply), Some(meant)) = (self.reply.take(), meant) {
            reply.send(meant).ok();
        }
    }

    /// Nobody is answered any more.
    pub(super) fn close(&mut self) {
        self.asked.close();
        while self.asked.try_recv().is_ok() {}
        self.reply = None;
    }
}

impl Relay<'_> {
    /// Asks the server, unless something else is under way; whoever asked is then told so by silence.
    pub(super) fn look_up(&mut self, reply: oneshot::Sender<Meant>) {
        if reply.is_closed() {
            return;
        }
        if let Some(chore) = self.session.look_up() {
            self.looking.reply = Some(reply);
            self.upstream_out.chore(&chore);
        }
    }
}
