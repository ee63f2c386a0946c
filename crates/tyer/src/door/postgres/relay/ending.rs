//! How a connection ends, and what is done about what still runs.

use std::time::Duration;

use tokio::io::AsyncReadExt as _;
use tokio::time::{Instant, timeout_at};
use tyer_core::verdict::Outcome;
use tyer_wire::postgres::refuse::Answer;
use tyer_wire::postgres::session::Fatal;

use super::asking::answer;
use super::bounded::Bounded;
use super::{READ_BYTES, Relay, settle};

/// How long a cancelled statement may take to be seen stopped.
const CANCEL_WAIT: Duration = Duration::from_secs(4);
/// The code of a request that was cleared when its connection had ended, so that it never left.
pub(super) const NOT_SENT: &str = "57P01";
/// How long a farewell may take to be written.
const FAREWELL: Duration = Duration::from_secs(1);

/// How a connection ends.
pub(super) enum Ending {
    /// The agent said goodbye or is gone.
    Agent,
    /// The upstream is gone.
    Upstream,
    /// The session was ended or killed.
    Killed,
    /// The program stops.
    Stopping,
    /// The protocol was broken, or the relay's own rules.
    Broken(Answer),
}

impl From<Fatal> for Ending {
    fn from(fatal: Fatal) -> Self {
        Self::Broken(fatal.answer())
    }
}

impl Relay<'_> {
    /// Stops what still runs: nothing more is sent, the server is asked to cancel, and what it says is
    /// looked at for a while, so that outcomes are seen rather than guessed. A transaction in which nothing
    /// runs is not waited for: the server takes it back, and frees its locks, when the connection closes.
    async fn stop_upstream(&mut self) {
        self.upstream_out.discard();
        if !self.session.is_awaiting() {
            return;
        }
        let upstreams = &self.gateway.upstreams;
        if let Err(error) = upstreams.cancel(&self.upstream, &self.cancel).await {
            tracing::warn!(%error, "what runs on a connection that ends could not be cancelled");
        }
        let deadline = Instant::now() + CANCEL_WAIT;
        let mut bytes = vec![0; READ_BYTES];
        while self.session.is_awaiting() {
            let read = timeout_at(deadline, self.upstream_in.read(&mut bytes)).await;
            match read.ok().and_then(Result::ok).and_then(|count| bytes.get(..count)) {
                Some(read) if !read.is_empty() => self.from_upstream.push(read),
                _ => return,
            }
            if self.upstream_messages().await.is_err() || self.upstream_out.is_pending() {
                return;
            }
            self.to_agent.discard();
        }
    }

    /// A question that was open may have been answered by yes meanwhile; nothing was sent for it.
    async fn unsent(&mut self) {
        self.gone.send_replace(true);
        self.looking.close();
        if self.question.is_some()
            && let Ok(clearance) = answer(&mut self.question).await
        {
            let outcome = Outcome::Failed { code: NOT_SENT.to_owned() };
            self.gateway.never_left(clearance.leaf());
            settle(self.gateway, clearance.leaf(), outcome).await;
        }
        if let Some(clearance) = self.bounded.as_mut().and_then(Bounded::unused) {
            self.unsent = Some(clearance.leaf());
        }
        self.settle_unsent().await;
    }

    /// Ends both sides and records what is left without an outcome.
    pub(super) async fn end(mut self, ending: Ending) {
        let is_lost = matches!(ending, Ending::Upstream);
        let (farewell, why) = match ending {
            Ending::Agent => (None, "the agent left before the outcome was seen"),
            Ending::Upstream => (
                Some(Answer::new("08006", "the connection to the database was lost")),
                "the connection to the database was lost before the outcome was seen",
            ),
            Ending::Killed => (
                Some(
                    Answer::new("57P01", "this session was ended")
                        .hint("ask your controller for a new session"),
                ),
                "the session was ended before the outcome was seen",
            ),
            Ending::Stopping => (
                Some(Answer::new("57P01", "Tyer is stopping")),
                "Tyer stopped before the outcome was seen",
            ),
            Ending::Broken(answer) => {
                (Some(answer), "the connection was ended before the outcome was seen")
            }
        };
        if let Some(answer) = farewell
            && self.from_upstream.is_between()
            && !(is_lost && self.is_told)
        {
            self.to_agent.put(&answer.fatal());
        }
        if !is_lost {
            self.stop_upstream().await;
            // Nothing more is sent: what would have to be told to last is not.
            self.upstream_out.discard();
        }
        self.unsent().await;
        // What cannot be written in a second is not waited for: the connection is over.
        tokio::time::timeout(FAREWELL, self.to_agent.close()).await.ok();
        tokio::time::timeout(FAREWELL, self.upstream_out.close()).await.ok();
        for (leaf, outcome) in self.session.lost(why) {
            settle(self.gateway, leaf, outcome).await;
        }
    }
}
