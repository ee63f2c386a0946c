//! One connection: bytes between an agent and its upstream, with the gateway asked before anything runs.
//!
//! All protocol state is in the wire crate's session; this loop moves bytes. Both directions are
//! buffered up to a bound, so that neither side can make the other wait for ever, and an open question
//! stops the agent's messages but not the watch for its disappearance.

use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, ReadHalf, WriteHalf};
use tokio::sync::{mpsc, watch};
use tyer_core::intent::Upstream;
use tyer_core::verdict::{Clearance, LeafIndex, Outcome, Reason, Refusal};
use tyer_wire::postgres::decode::{Decoder, Side};
use tyer_wire::postgres::encode;
use tyer_wire::postgres::identity::Scope;
use tyer_wire::postgres::refuse::Answer;
use tyer_wire::postgres::session::{Fatal, Pass, Question, Session, Step};

use super::login::Agent;
use super::{Cancel, Door};
use crate::gateway::{About, Gateway, Patience, Request};
use crate::secret;
use crate::upstream::{CancelKey, Connected, ExecuteError, Stream, UpstreamWriter};

/// Bytes that may wait for a slow side before the other is no longer read.
const BUFFER_MAX: usize = 256 * 1024;
/// Bytes read at once.
const READ_BYTES: usize = 16 * 1024;
/// Outcomes that may wait to be recorded before the connection waits for them.
const OUTCOMES_MAX: usize = 256;
/// How long a cancelled statement may take to be seen stopped.
const CANCEL_WAIT: Duration = Duration::from_secs(4);
/// The code of a request that was cleared when its connection had ended, so that it never left.
const NOT_SENT: &str = "57P01";
/// How long a farewell may take to be written.
const FAREWELL: Duration = Duration::from_secs(1);

/// Relays until either side is gone, the session ends, or the program stops.
pub(super) async fn run(door: &Door, agent: Agent, stop: watch::Receiver<bool>) {
    let session = agent.session.clone();
    let (number, kill) = door.gateway.connections.opened(&session);
    connected(door, agent, Signals { kill, stop }).await;
    door.gateway.connections.closed(&session, number);
}

/// What ends a connection from outside.
struct Signals {
    kill: watch::Receiver<bool>,
    stop: watch::Receiver<bool>,
}

async fn connected(door: &Door, mut agent: Agent, signals: Signals) {
    let upstream = match door.gateway.upstreams.connect(&door.upstream, &agent.start.settings).await {
        Ok(upstream) => upstream,
        Err(error) => {
            tracing::error!(%error, upstream = %door.upstream, "the upstream does not let Tyer in");
            let answer = Answer::new("08006", "the database behind this door cannot be reached")
                .hint("nothing was executed; the operator has been told");
            // The client may be gone; it is being refused either way.
            agent.stream.write_all(&answer.fatal()).await.ok();
            return;
        }
    };
    let Ok(secret) = secret::random::<4>() else { return };
    let key = (upstream.cancel.process.cast_unsigned(), secret);
    let (waiting, cancelled) = watch::channel(0);
    door.cancels.insert(key, Cancel { upstream: upstream.cancel.clone(), waiting });
    let greeting = greeting(&upstream, key);
    let mut relay = Relay::new(door, agent, upstream, cancelled);
    relay.to_agent.extend_from_slice(&greeting);
    let ending = relay.run(signals).await;
    relay.end(ending).await;
    door.cancels.remove(key);
}

/// What a client expects after it was let in: the server's parameters, a key of Tyer's own, ready. The key names
/// the server's process, as `pg_backend_pid()` and notifications do; its secret is no use at the server.
fn greeting(upstream: &Connected, (process, secret): (u32, [u8; 4])) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (name, value) in &upstream.parameters {
        bytes.extend(encode::parameter_status(name, value));
    }
    bytes.extend(encode::backend_key(process, &secret));
    bytes.extend(encode::ready());
    bytes
}

/// How a connection ends.
enum Ending {
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

/// A question that the gateway is answering, in a task of its own so that it is always answered whole.
type Answering = tokio::task::JoinHandle<Result<Clearance, Refusal>>;

struct Relay<'a> {
    gateway: &'a Arc<Gateway>,
    upstream: Upstream,
    session_id: tyer_core::intent::SessionId,
    session: Session,
    agent_in: ReadHalf<Stream>,
    agent_out: WriteHalf<Stream>,
    from_agent: Decoder,
    to_agent: bytes::BytesMut,
    upstream_in: ReadHalf<Stream>,
    upstream_out: UpstreamWriter,
    from_upstream: Decoder,
    outcomes: mpsc::Sender<(LeafIndex, Outcome)>,
    settling: tokio::task::JoinHandle<()>,
    cancelled: watch::Receiver<u64>,
    cancel: CancelKey,
    gone: watch::Sender<bool>,
    agent_closed: bool,
    /// Whether what was read of the agent ends within a message that is taken only whole.
    is_partial: bool,
    question: Option<Answering>,
    /// The server itself has told the agent why the connection ends.
    is_told: bool,
}

impl<'a> Relay<'a> {
    fn new(door: &'a Door, agent: Agent, upstream: Connected, cancelled: watch::Receiver<u64>) -> Self {
        let config = door.gateway.config.upstreams.get(&door.upstream);
        let mut session = Session::new(Scope {
            database: agent.start.database.clone(),
            role: config.map(|config| config.user.clone()).unwrap_or_default(),
            ..Scope::default()
        });
        for (name, value) in &upstream.parameters {
            session.setting(name, value);
        }
        let (agent_in, agent_out) = tokio::io::split(agent.stream);
        let mut from_upstream = Decoder::new(Side::Upstream);
        from_upstream.push(&upstream.rest);
        let (outcomes, queue) = mpsc::channel(OUTCOMES_MAX);
        let settling = tokio::spawn(settle_all(Arc::clone(&door.gateway), queue));
        Self {
            gateway: &door.gateway,
            upstream: door.upstream.clone(),
            session_id: agent.session,
            session,
            agent_in,
            agent_out,
            from_agent: agent.decoder,
            to_agent: bytes::BytesMut::new(),
            upstream_in: upstream.reader,
            upstream_out: upstream.writer,
            from_upstream,
            outcomes,
            settling,
            cancelled,
            cancel: upstream.cancel,
            gone: watch::channel(false).0,
            agent_closed: false,
            is_partial: true,
            question: None,
            is_told: false,
        }
    }

    async fn run(&mut self, mut signals: Signals) -> Ending {
        let (mut agent_bytes, mut upstream_bytes) = (vec![0; READ_BYTES], vec![0; READ_BYTES]);
        loop {
            if self.question.is_none() {
                match self.agent_messages() {
                    Ok(Asked::Question(asked)) => self.question = Some(self.submit(&asked)),
                    Ok(Asked::Nothing) => {}
                    Ok(Asked::Finish) => return Ending::Agent,
                    Err(ending) => return ending,
                }
            }
            if self.agent_closed && self.question.is_none() && !self.upstream_out.is_pending() {
                return Ending::Agent;
            }
            let room_up = self.upstream_out.pending() < BUFFER_MAX
                && (self.is_partial || self.from_agent.pending() < BUFFER_MAX);
            let is_asking = self.question.is_some();
            tokio::select! {
                read = self.agent_in.read(&mut agent_bytes), if !self.agent_closed && room_up => {
                    self.agent_read(read.ok().and_then(|count| agent_bytes.get(..count)));
                }
                read = self.upstream_in.read(&mut upstream_bytes), if self.to_agent.len() < BUFFER_MAX => {
                    let Some(bytes) = read.ok().and_then(|count| upstream_bytes.get(..count)) else {
                        return Ending::Upstream;
                    };
                    if bytes.is_empty() {
                        return Ending::Upstream;
                    }
                    self.from_upstream.push(bytes);
                    if let Err(ending) = self.upstream_messages().await {
                        return ending;
                    }
                }
                written = self.agent_out.write_buf(&mut self.to_agent), if !self.to_agent.is_empty() => {
                    if written.is_err() {
                        return Ending::Agent;
                    }
                }
                sent = self.upstream_out.drain(), if self.upstream_out.is_pending() => {
                    if sent.is_err() {
                        return Ending::Upstream;
                    }
                }
                decided = answer(&mut self.question), if is_asking => {
                    self.question = None;
                    if let Err(ending) = self.answered(decided) {
                        return ending;
                    }
                }
                _ = self.cancelled.changed(), if is_asking => { self.gone.send_replace(true); }
                () = raised(&mut signals.kill) => return Ending::Killed,
                () = raised(&mut signals.stop), if self.session.is_at_rest() => return Ending::Stopping,
            }
        }
    }

    /// Takes what was read of the agent; nothing means that it is gone.
    fn agent_read(&mut self, bytes: Option<&[u8]>) {
        match bytes {
            Some(bytes) if !bytes.is_empty() => self.from_agent.push(bytes),
            _ => {
                self.agent_closed = true;
                self.gone.send_replace(true);
            }
        }
    }

    /// Works off the agent's messages until a question opens or nothing whole is left.
    fn agent_messages(&mut self) -> Result<Asked, Ending> {
        self.is_partial = false;
        while self.upstream_out.pending() < BUFFER_MAX {
            let Some(frame) = self.from_agent.frame().map_err(Fatal::from)? else {
                self.is_partial = true;
                break;
            };
            match self.session.agent(&frame)? {
                Step::Nothing => {}
                Step::Later => {
                    self.from_agent.put_back();
                    break;
                }
                Step::Send(chore) => self.upstream_out.chore(&chore),
                Step::Ask(question) => return Ok(Asked::Question(question)),
                Step::Finish(chore) => {
                    self.upstream_out.chore(&chore);
                    return Ok(Asked::Finish);
                }
            }
        }
        Ok(Asked::Nothing)
    }

    fn submit(&mut self, question: &Question) -> Answering {
        self.cancelled.mark_unchanged();
        self.gone.send_replace(self.agent_closed);
        let request = request(self.session_id.clone(), question);
        let wait = if question.may_wait { self.gateway.config.holds.wait } else { Duration::ZERO };
        let patience = Patience { wait, gone: self.gone.subscribe() };
        let gateway = Arc::clone(self.gateway);
        tokio::spawn(async move { gateway.submit(request, patience).await })
    }

    fn answered(&mut self, decided: Result<Clearance, Refusal>) -> Result<(), Ending> {
        match decided {
            Ok(clearance) => {
                let run = self.session.cleared(clearance.digest(), clearance.leaf())?;
                match self.upstream_out.execute(clearance, &run) {
                    Ok(()) => Ok(()),
                    Err(ExecuteError::OtherRequest) => Err(Fatal::OutOfTurn.into()),
                }
            }
            Err(refusal) => {
                let chore = self.session.refused(Answer::of(&refusal, refusal.hold.as_ref()))?;
                self.upstream_out.chore(&chore);
                Ok(())
            }
        }
    }

    async fn upstream_messages(&mut self) -> Result<(), Ending> {
        while let Some(frame) = self.from_upstream.frame().map_err(Fatal::from)? {
            self.is_told |= frame.tag() == b'E' && is_fatal(frame.body());
            let relayed = self.session.upstream(&frame)?;
            match relayed.pass {
                Pass::Same => self.to_agent.extend_from_slice(frame.bytes()),
                Pass::Instead(bytes) => self.to_agent.extend_from_slice(&bytes),
            }
            for (leaf, outcome) in relayed.settled {
                if self.gateway.is_taken(leaf) {
                    // Before the agent hears of it, so that it finds its hold as it now is.
                    settle(self.gateway, leaf, outcome).await;
                } else {
                    // The receiver lives as long as this connection.
                    self.outcomes.send((leaf, outcome)).await.ok();
                }
            }
        }
        Ok(())
    }

    /// Stops what still runs: nothing more is sent, the server is asked to cancel, and what it says is
    /// looked at for a while, so that outcomes are seen rather than guessed.
    async fn stop_upstream(&mut self) {
        self.upstream_out.discard();
        if self.session.is_at_rest() {
            return;
        }
        let upstreams = &self.gateway.upstreams;
        if let Err(error) = upstreams.cancel(&self.upstream, &self.cancel).await {
            tracing::warn!(%error, "what runs on a connection that ends could not be cancelled");
        }
        let watched = tokio::time::timeout(CANCEL_WAIT, async {
            let mut bytes = vec![0; READ_BYTES];
            while !self.session.is_at_rest() {
                match self.upstream_in.read(&mut bytes).await.ok().and_then(|count| bytes.get(..count))
                {
                    Some(read) if !read.is_empty() => self.from_upstream.push(read),
                    _ => return,
                }
                if self.upstream_messages().await.is_err() {
                    return;
                }
                self.to_agent.clear();
            }
        });
        watched.await.ok();
    }

    /// A question that was open may have been answered by yes meanwhile; nothing was sent for it.
    async fn unsent(&mut self) {
        self.gone.send_replace(true);
        if self.question.is_some()
            && let Ok(clearance) = answer(&mut self.question).await
        {
            let outcome = Outcome::Failed { code: NOT_SENT.to_owned() };
            self.outcomes.send((clearance.leaf(), outcome)).await.ok();
        }
    }

    /// Ends both sides and records what is left without an outcome.
    async fn end(mut self, ending: Ending) {
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
            self.to_agent.extend_from_slice(&answer.fatal());
        }
        if !is_lost {
            self.stop_upstream().await;
        }
        self.unsent().await;
        // What cannot be written in a second is not waited for: the connection is over.
        tokio::time::timeout(FAREWELL, self.agent_out.write_all_buf(&mut self.to_agent)).await.ok();
        tokio::time::timeout(FAREWELL, self.agent_out.shutdown()).await.ok();
        tokio::time::timeout(FAREWELL, self.upstream_out.close()).await.ok();
        for outcome in self.session.lost(why) {
            self.outcomes.send(outcome).await.ok();
        }
        drop(self.outcomes);
        self.settling.await.ok();
    }
}

enum Asked {
    Nothing,
    Question(Box<Question>),
    Finish,
}

/// Whether an error's body says that the server ends the connection.
fn is_fatal(body: &[u8]) -> bool {
    body.split(|byte| *byte == 0).any(|field| matches!(field, b"VFATAL" | b"VPANIC"))
}

/// Waits until the flag is raised, or for ever if nobody can raise it any more.
pub(crate) async fn raised(flag: &mut watch::Receiver<bool>) {
    if flag.wait_for(|raised| *raised).await.is_err() {
        std::future::pending().await
    }
}

/// Waits for the open question's answer; for ever if none is open.
async fn answer(question: &mut Option<Answering>) -> Result<Clearance, Refusal> {
    let Some(question) = question else { return std::future::pending().await };
    question.await.unwrap_or_else(|_| {
        let message = "this could not be decided, so it does not run";
        Err(Refusal::new(Reason::NotRecorded, message, "try again later; the operator has been told"))
    })
}

/// Records outcomes in the order in which they were seen.
async fn settle_all(gateway: Arc<Gateway>, mut outcomes: mpsc::Receiver<(LeafIndex, Outcome)>) {
    while let Some((leaf, outcome)) = outcomes.recv().await {
        settle(&gateway, leaf, outcome).await;
    }
}

async fn settle(gateway: &Gateway, leaf: LeafIndex, outcome: Outcome) {
    if let Err(error) = gateway.settle(leaf, outcome).await {
        // The leaf stays unsettled; the next start records it as unknown.
        tracing::error!(%error, leaf = leaf.0, "an outcome was not recorded");
    }
}

/// A question of the wire as the gateway takes it.
pub(crate) fn request(session: tyer_core::intent::SessionId, question: &Question) -> Request {
    let understanding = &question.understanding;
    let plain = understanding.explainable && question.parameters.values.is_empty();
    Request {
        session,
        acts: understanding.acts.clone(),
        digest: question.digest,
        shape: understanding.shape,
        text: question.text.clone(),
        redacted: understanding.redacted.clone(),
        transactional: understanding.transactional,
        about: About {
            relations: understanding.relations.clone(),
            explain: plain.then(|| question.sql.to_string()),
        },
    }
}
