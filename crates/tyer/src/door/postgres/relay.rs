//! One connection: bytes between an agent and its upstream, with the gateway asked before anything runs.
//!
//! All protocol state is in the wire crate's session; this loop moves bytes. Both directions are
//! buffered up to a bound, so that neither side can make the other wait for ever, and an open question
//! stops the agent's messages but not the watch for its disappearance.

mod asking;
mod bounded;
mod ending;
mod looking;

use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, ReadHalf};
use tokio::sync::watch;
use tyer_core::intent::{SessionId, Upstream};
use tyer_core::verdict::{LeafIndex, Outcome};
use tyer_wire::postgres::decode::{Decoder, Side};
use tyer_wire::postgres::encode;
use tyer_wire::postgres::identity::Scope;
use tyer_wire::postgres::refuse::Answer;
use tyer_wire::postgres::session::{Fatal, Pass, Session, Step, Turn};

pub(crate) use self::asking::request;
use self::asking::{Answering, answer};
use self::bounded::Bounded;
pub(crate) use self::bounded::otherwise;
use self::ending::Ending;
use self::looking::Looking;
use super::login::Agent;
use super::{Cancel, Door, Key};
use crate::config::UpstreamConfig;
use crate::door::accept::raised;
use crate::gateway::Gateway;
use crate::secret;
use crate::upstream::{CancelKey, Connected, DialError, Outbox, Stream, UpstreamWriter};

/// Bytes that may wait for a slow side before the other is no longer read.
const BUFFER_MAX: usize = 256 * 1024;
/// Bytes read at once.
const READ_BYTES: usize = 16 * 1024;

/// Relays until either side is gone, the session ends, or the program stops.
pub(super) async fn run(door: &Door, mut agent: Agent, stop: watch::Receiver<bool>) {
    let session = agent.session.clone();
    let most = door.gateway.config.limits.connections_per_session;
    let Some((number, kill)) = door.gateway.connections.opened(&session, most) else {
        let answer = Answer::new("53300", &format!("this session has {most} connections already"))
            .hint("close some, or let the operator raise limits.connections_per_session");
        // The client may be gone; it is being refused either way.
        agent.stream.write_all(&answer.fatal()).await.ok();
        agent.stream.shutdown().await.ok();
        return;
    };
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
            let code = if matches!(error, DialError::Powers { .. }) { "57P03" } else { "08006" };
            let (message, hint) = error.for_agent();
            let answer = Answer::new(code, message).hint(hint);
            // The client may be gone; it is being refused either way.
            agent.stream.write_all(&answer.fatal()).await.ok();
            return;
        }
    };
    let Ok(secret) = secret::random::<32>() else { return };
    let length = if agent.start.minor >= 2 { secret.len() } else { 4 };
    let secret: Vec<u8> = secret.into_iter().take(length).collect();
    let key = (upstream.cancel.process.cast_unsigned(), secret);
    let (waiting, cancelled) = watch::channel(0);
    door.cancels.insert(key.clone(), Cancel { upstream: upstream.cancel.clone(), waiting });
    let greeting = greeting(&upstream, &key);
    let mut relay = Relay::new(door, agent, upstream, cancelled);
    relay.to_agent.put(&greeting);
    let ending = relay.run(signals).await;
    relay.end(ending).await;
    door.cancels.remove(&key);
}

/// What a client expects after it was let in: the server's parameters, a key of Tyer's own, ready. The key
/// names the server's process, as `pg_backend_pid()` and notifications do; its secret is no use there.
fn greeting(upstream: &Connected, (process, secret): &Key) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (name, value) in &upstream.parameters {
        bytes.extend(encode::parameter_status(name, value));
    }
    bytes.extend(encode::backend_key(*process, secret));
    bytes.extend(encode::ready());
    bytes
}

struct Relay<'a> {
    gateway: &'a Arc<Gateway>,
    upstream: Upstream,
    session_id: SessionId,
    session: Session,
    agent_in: ReadHalf<Stream>,
    from_agent: Decoder,
    to_agent: Outbox,
    upstream_in: ReadHalf<Stream>,
    upstream_out: UpstreamWriter,
    from_upstream: Decoder,
    cancelled: watch::Receiver<u64>,
    cancel: CancelKey,
    gone: watch::Sender<bool>,
    agent_closed: bool,
    /// Whether what was read of the agent ends within a message that is taken only whole.
    is_partial: bool,
    question: Option<Answering>,
    /// The request under ceilings that is in hand: asked for, and its clearance until it is used.
    bounded: Option<Bounded>,
    looking: Looking,
    /// What was cleared and will not be sent, until that is recorded.
    unsent: Option<LeafIndex>,
    /// The server itself has told the agent why the connection ends.
    is_told: bool,
}

impl<'a> Relay<'a> {
    fn new(door: &'a Door, agent: Agent, upstream: Connected, cancelled: watch::Receiver<u64>) -> Self {
        let config = door.gateway.config.upstreams.get(&door.upstream);
        let config = config.and_then(UpstreamConfig::postgres);
        let mut session = Session::new(Scope {
            database: agent.start.database.clone(),
            role: config.map(|config| config.user.clone()).unwrap_or_default(),
            ..Scope::default()
        });
        if door.gateway.observes(&door.upstream) {
            session = session.observing();
        } else if upstream.is_direct {
            session = session.enforcing();
        }
        session = session.vouching(config.map(|config| Arc::clone(&config.reads)).unwrap_or_default());
        for (name, value) in &upstream.parameters {
            session.setting(name, value);
        }
        let (agent_in, agent_out) = tokio::io::split(agent.stream);
        let mut from_upstream = Decoder::new(Side::Upstream);
        from_upstream.push(&upstream.rest);
        Self {
            gateway: &door.gateway,
            upstream: door.upstream.clone(),
            session_id: agent.session,
            session,
            agent_in,
            from_agent: agent.decoder,
            to_agent: Outbox::new(agent_out),
            upstream_in: upstream.reader,
            upstream_out: upstream.writer,
            from_upstream,
            cancelled,
            cancel: upstream.cancel,
            gone: watch::channel(false).0,
            agent_closed: false,
            is_partial: true,
            question: None,
            bounded: None,
            looking: Looking::new(),
            unsent: None,
            is_told: false,
        }
    }

    async fn run(&mut self, mut signals: Signals) -> Ending {
        let (told_to_stop, told_to_end) = (signals.stop.clone(), signals.kill.clone());
        // Registered once, and not with every message.
        let mut killed = pin!(raised(&mut signals.kill));
        let mut stopping = pin!(raised(&mut signals.stop));
        let (mut agent_bytes, mut upstream_bytes) = (vec![0; READ_BYTES], vec![0; READ_BYTES]);
        loop {
            if let Err(ending) = self.work_off().await {
                return ending;
            }
            let is_asking = self.question.is_some();
            if self.agent_closed && !is_asking && !self.upstream_out.is_pending() {
                return Ending::Agent;
            }
            let room_up = self.upstream_out.pending() < BUFFER_MAX
                && (self.is_partial || self.from_agent.pending() < BUFFER_MAX);
            // Looked at each time around; below it is waited for, once there is nothing else to do.
            match (*told_to_stop.borrow(), *told_to_end.borrow()) {
                (false, true) => return Ending::Killed,
                (true, true) => return Ending::Stopping,
                (true, false) if self.session.is_at_rest() => return Ending::Stopping,
                _ => {}
            }
            tokio::select! {
                // The server's answers first: what may be under way is bounded, and they make room.
                biased;
                read = self.upstream_in.read(&mut upstream_bytes), if self.to_agent.pending() < BUFFER_MAX => {
                    match read.ok().and_then(|count| upstream_bytes.get(..count)) {
                        Some(bytes) if !bytes.is_empty() => self.from_upstream.push(bytes),
                        _ => return Ending::Upstream,
                    }
                    if let Err(ending) = self.upstream_messages().await {
                        return ending;
                    }
                }
                read = self.agent_in.read(&mut agent_bytes), if !self.agent_closed && room_up => {
                    self.agent_read(read.ok().and_then(|count| agent_bytes.get(..count)));
                }
                written = self.to_agent.drain(), if self.to_agent.is_pending() => {
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
                reply = self.looking.next(), if is_asking => self.look_up(reply),
                _ = self.cancelled.changed(), if is_asking => { self.gone.send_replace(true); }
                () = &mut killed => {
                    return if *told_to_stop.borrow() { Ending::Stopping } else { Ending::Killed };
                }
                () = &mut stopping, if self.session.is_at_rest() => return Ending::Stopping,
            }
        }
    }

    /// Does what needs no waiting: works off the agent's messages and writes what can be written, so that
    /// it is on its way before this connection sleeps.
    async fn work_off(&mut self) -> Result<(), Ending> {
        self.settle_unsent().await;
        if self.question.is_none() && self.agent_messages()? == Flow::Finished {
            return Err(Ending::Agent);
        }
        if self.upstream_out.is_pending()
            && let Some(Err(_)) = at_once(self.upstream_out.drain()).await
        {
            return Err(Ending::Upstream);
        }
        if self.to_agent.is_pending()
            && let Some(Err(_)) = at_once(self.to_agent.drain()).await
        {
            return Err(Ending::Agent);
        }
        Ok(())
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
    fn agent_messages(&mut self) -> Result<Flow, Ending> {
        self.is_partial = false;
        while self.question.is_none() && self.upstream_out.pending() < BUFFER_MAX {
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
                Step::First(chore) => {
                    self.from_agent.put_back();
                    self.upstream_out.chore(&chore);
                    break;
                }
                Step::Send(chore) => self.upstream_out.chore(&chore),
                Step::Ask(question) => self.ask(&question)?,
                Step::Finish(chore) => {
                    self.upstream_out.chore(&chore);
                    return Ok(Flow::Finished);
                }
            }
        }
        Ok(Flow::GoesOn)
    }

    async fn upstream_messages(&mut self) -> Result<(), Ending> {
        while let Some(frame) = self.from_upstream.frame().map_err(Fatal::from)? {
            self.is_told |= frame.tag() == b'E' && is_fatal(frame.body());
            let relayed = self.session.upstream(&frame)?;
            match relayed.pass {
                Pass::Same => self.to_agent.put(frame.bytes()),
                Pass::Instead(bytes) => self.to_agent.put(&bytes),
            }
            self.upstream_out.chore(&relayed.send);
            for (leaf, outcome) in relayed.settled {
                settle(self.gateway, leaf, outcome).await;
            }
            if relayed.turn != Turn::None {
                self.turned(relayed.turn).await?;
            }
        }
        Ok(())
    }
}

/// Whether the agent has said goodbye.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Flow {
    GoesOn,
    Finished,
}

/// What a future says without waiting, if it says anything yet.
async fn at_once<T>(future: impl Future<Output = T>) -> Option<T> {
    let mut future = pin!(future);
    poll_fn(|context| match future.as_mut().poll(context) {
        Poll::Ready(said) => Poll::Ready(Some(said)),
        Poll::Pending => Poll::Ready(None),
    })
    .await
}

/// Whether an error's body says that the server ends the connection.
fn is_fatal(body: &[u8]) -> bool {
    body.split(|byte| *byte == 0).any(|field| matches!(field, b"VFATAL" | b"VPANIC"))
}

/// Records an outcome. They come in the order in which they were seen.
async fn settle(gateway: &Gateway, leaf: LeafIndex, outcome: Outcome) {
    if matches!(outcome, Outcome::Misread { .. }) {
        tracing::error!(leaf = leaf.0, "finding: what was understood as a read was refused as a write");
    }
    if let Err(error) = gateway.settle_soon(leaf, outcome).await {
        // The leaf stays unsettled; the next start records it as unknown.
        tracing::error!(%error, leaf = leaf.0, "an outcome was not recorded");
    }
}
