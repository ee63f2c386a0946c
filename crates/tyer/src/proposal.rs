//! Proposals: a whole text of SQL, held as one unit and run from that text once people have agreed.
//!
//! The agent presents the text through the API with its session's minted credentials; presenting it
//! again continues the same hold. It runs as one message on a connection of its own, so PostgreSQL makes
//! it all or nothing unless the text itself says otherwise.

mod asked;

use std::sync::Arc;
use std::time::Duration;

use tokio::io::AsyncReadExt as _;
use tokio::sync::watch;
use tyer_core::intent::{SessionId, Upstream};
use tyer_core::names::Meant;
use tyer_core::verdict::{Clearance, LeafIndex, Outcome, Reason, Refusal};
use tyer_wire::postgres::decode::{Complaint, Decoder, Side};
use tyer_wire::postgres::session::{Excess, Owning, Pass, Session, Turn};

use self::asked::question;
use crate::door::accept::raised;
use crate::door::postgres::{otherwise, request};
use crate::gateway::exceeded::EXCEEDED;
use crate::gateway::{Gateway, Here, Patience, Request};
use crate::upstream::Connected;

/// Bytes read at once.
const READ_BYTES: usize = 16 * 1024;
/// How long the database may take to say what names mean.
const NAMES_WAIT: Duration = Duration::from_secs(3);
/// How long a text may wait for people in one call.
pub(crate) const WAIT_MAX: Duration = Duration::from_secs(50);

/// What came of a text that ran.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Proposed {
    pub(crate) outcome: Outcome,
    /// The database's own message, when it refused.
    pub(crate) message: Option<String>,
}

/// Submits a text for a session and, once it is cleared, runs it.
pub(crate) async fn propose(
    gateway: &Arc<Gateway>,
    session: SessionId,
    sql: &str,
    wait: Duration,
) -> Result<Proposed, Refusal> {
    let upstream = upstream_of(gateway, &session).await?;
    let closed = Gateway::closed_by(&gateway.world().await.parts, &upstream);
    if !closed.is_empty() {
        let next = format!("people confirm it at {}/configuration", gateway.config.console.origin);
        return Err(Refusal::new(
            Reason::Ended,
            format!("a change of {} waits for two people", closed.join(" and ")),
            next,
        ));
    }
    // The upstream's connection comes first: what a text means depends on the settings found there.
    let mut connected = gateway.upstreams.connect(&upstream, &[]).await.map_err(|error| {
        tracing::error!(%error, %upstream, "the upstream does not let Tyer in");
        let (message, next) = error.for_agent();
        Refusal::new(Reason::Unsupported, message, next)
    })?;
    let (mut relay, question) = question(gateway, &upstream, &mut connected, sql).await?;
    // Registered before it is decided, so that the end of the session finds it in every case.
    let most = gateway.config.limits.connections_per_session;
    let Some((number, kill)) = gateway.connections.opened(&session, most) else {
        let message = format!("this session has {most} connections already");
        return Err(Refusal::new(Reason::TooMany, message, "close some and propose it again"));
    };
    let patience = Patience { wait: wait.min(WAIT_MAX), gone: kill.clone() };
    let mut request = request(session.clone(), &relay, &question);
    let mut decoder = Decoder::new(Side::Upstream);
    decoder.push(&connected.rest);
    request.about.here = Box::pin(here(&mut relay, &mut connected, &mut decoder)).await;
    let proposed = match gateway.submit(request.clone(), patience).await {
        Ok(clearance) => {
            let leaf = clearance.leaf();
            let clearance = Some(clearance);
            let run = Running { relay, connected, decoder, request, leaf, clearance };
            let proposed = run.finish(gateway, &upstream, kill).await;
            if let Err(error) = gateway.settle(leaf, proposed.outcome.clone()).await {
                tracing::error!(%error, leaf = leaf.0, "an outcome was not recorded");
            }
            Ok(proposed)
        }
        Err(refusal) => {
            drop(connected);
            Err(refusal)
        }
    };
    gateway.connections.closed(&session, number);
    proposed
}

/// What was cleared and its connection.
struct Running {
    relay: Session,
    connected: Connected,
    decoder: Decoder,
    request: Request,
    leaf: LeafIndex,
    /// Until it is used.
    clearance: Option<Clearance>,
}

impl Running {
    /// Runs it. Whatever happens has an outcome, also that nothing was sent.
    async fn finish(
        mut self,
        gateway: &Gateway,
        upstream: &Upstream,
        kill: watch::Receiver<bool>,
    ) -> Proposed {
        if *kill.borrow() {
            let why = "the session was ended; nothing was sent".to_owned();
            return self.unsent(gateway, "57P01", why);
        }
        match self.begin() {
            Ok(()) => self.carry_out(gateway, upstream, kill).await,
            Err(why) => self.unsent(gateway, "XX000", why),
        }
    }

    /// Sends it, or under ceilings what prepares it.
    fn begin(&mut self) -> Result<(), String> {
        let clearance = self.clearance.as_ref();
        let Some((digest, ceilings)) = clearance.and_then(|it| Some((it.digest(), it.ceilings()?)))
        else {
            return self.execute();
        };
        match self.relay.own(digest, ceilings).map_err(|fatal| fatal.to_string())? {
            Owning::Starts(chore) => self.connected.writer.chore(&chore),
            Owning::Refused(answer) => return Err(answer.message().to_owned()),
        }
        Ok(())
    }

    fn execute(&mut self) -> Result<(), String> {
        let clearance = self.clearance.take().ok_or("it was sent already")?;
        let run = self.relay.cleared(clearance.digest(), clearance.leaf());
        let run = run.map_err(|fatal| fatal.to_string())?;
        self.connected.writer.execute(clearance, &run).map_err(|error| error.to_string())
    }

    fn unsent(&self, gateway: &Gateway, code: &str, message: String) -> Proposed {
        gateway.never_left(self.leaf);
        Proposed { outcome: Outcome::Failed { code: code.to_owned() }, message: Some(message) }
    }

    /// Reads until the outcome is known. A session that is ended meanwhile makes the database cancel it.
    async fn carry_out(
        mut self,
        gateway: &Gateway,
        upstream: &Upstream,
        mut kill: watch::Receiver<bool>,
    ) -> Proposed {
        let mut is_cancelled = false;
        let (mut bytes, mut message) = (vec![0; READ_BYTES], None);
        loop {
            match self.heard(&mut message) {
                Heard::More => {}
                Heard::Outcome(outcome) => {
                    self.connected.writer.close().await;
                    return Proposed { outcome, message };
                }
                Heard::Unsent(why) => return self.unsent(gateway, "55000", why),
                Heard::Otherwise(excess) => {
                    let leaf = self.leaf;
                    let refusal = gateway.meant_otherwise(&self.request, leaf, otherwise(excess)).await;
                    let outcome = Outcome::Failed { code: EXCEEDED.to_owned() };
                    return Proposed { outcome, message: Some(refusal.message) };
                }
                Heard::Exceeded(excess) => {
                    let refusal = gateway.exceeded(&self.request, self.leaf, otherwise(excess)).await;
                    let outcome = Outcome::Failed { code: EXCEEDED.to_owned() };
                    return Proposed { outcome, message: Some(refusal.message) };
                }
                Heard::Over => break,
            }
            if is_cancelled && self.connected.writer.is_pending() {
                // Nothing more is sent of a session that was ended.
                break;
            }
            let writer = &mut self.connected.writer;
            tokio::select! {
                () = raised(&mut kill), if !is_cancelled => {
                    if writer.is_pending() {
                        // The server would wait for the rest of it.
                        break;
                    }
                    is_cancelled = true;
                    if let Err(error) = gateway.upstreams.cancel(upstream, &self.connected.cancel).await {
                        tracing::warn!(%error, "a proposal that runs could not be cancelled");
                    }
                }
                sent = writer.drain(), if writer.is_pending() => {
                    if sent.is_err() { break }
                }
                read = self.connected.reader.read(&mut bytes) => match read.ok().and_then(|count| bytes.get(..count)) {
                    Some(read) if !read.is_empty() => self.decoder.push(read),
                    _ => break,
                }
            }
        }
        self.lost(gateway, message)
    }

    /// The connection ends here, and with it whatever the text left open.
    fn lost(self, gateway: &Gateway, message: Option<String>) -> Proposed {
        if self.clearance.is_some() {
            let why = message.unwrap_or_else(|| "the connection to the database was lost".to_owned());
            return self.unsent(gateway, "08006", why);
        }
        drop(self.connected);
        let why = "the connection to the database was lost before the outcome was seen";
        let lost = self.relay.lost(why).into_iter().next().map(|(_, outcome)| outcome);
        Proposed { outcome: lost.unwrap_or_else(|| Outcome::Unknown { why: why.to_owned() }), message }
    }

    fn heard(&mut self, message: &mut Option<String>) -> Heard {
        loop {
            let frame = match self.decoder.frame() {
                Ok(Some(frame)) => frame,
                Ok(None) => return Heard::More,
                Err(_) => return Heard::Over,
            };
            let tag = frame.tag();
            if tag == b'E' && message.is_none() {
                *message = Complaint::decode(frame.body()).ok().map(|complaint| complaint.message);
            }
            let Ok(relayed) = self.relay.upstream(&frame) else { return Heard::Over };
            self.connected.writer.chore(&relayed.send);
            if let Some((_, outcome)) = relayed.settled.into_iter().next() {
                return Heard::Outcome(outcome);
            }
            match relayed.turn {
                // Nothing was asked about names while it ran.
                Turn::None | Turn::Meant(_) => {}
                Turn::Ready => match self.execute() {
                    Ok(()) => {}
                    Err(why) => return Heard::Unsent(why),
                },
                Turn::Refused(answer) => return Heard::Unsent(answer.message().to_owned()),
                Turn::Otherwise(excess) => return Heard::Otherwise(excess),
                Turn::Exceeded(excess) => return Heard::Exceeded(excess),
            }
            if matches!(&relayed.pass, Pass::Instead(bytes) if bytes.is_empty()) {
                continue;
            }
            // Nobody will end a transaction that is left open, or send the rows that are waited for.
            let left = match tag {
                b'Z' => "the text left its transaction open, so it was rolled back; end it by COMMIT",
                b'G' | b'W' => "the text waits for rows, which a proposal cannot send",
                _ => continue,
            };
            message.get_or_insert_with(|| left.to_owned());
            return Heard::Over;
        }
    }
}

/// What the names of the open question mean on that connection, if it says so in time.
async fn here(relay: &mut Session, connected: &mut Connected, decoder: &mut Decoder) -> Here {
    let Some(chore) = relay.look_up() else { return Here::Elsewhere };
    connected.writer.chore(&chore);
    let meant = tokio::time::timeout(NAMES_WAIT, meant(relay, connected, decoder)).await;
    meant.ok().flatten().map_or(Here::Elsewhere, |meant| Here::Knows(Arc::new(meant)))
}

async fn meant(relay: &mut Session, connected: &mut Connected, decoder: &mut Decoder) -> Option<Meant> {
    let mut bytes = vec![0; READ_BYTES];
    loop {
        while let Some(frame) = decoder.frame().ok()? {
            let relayed = relay.upstream(&frame).ok()?;
            if let Turn::Meant(meant) = relayed.turn {
                return meant;
            }
        }
        if connected.writer.is_pending() {
            connected.writer.drain().await.ok()?;
            continue;
        }
        let count = connected.reader.read(&mut bytes).await.ok()?;
        decoder.push(bytes.get(..count).filter(|read| !read.is_empty())?);
    }
}

async fn upstream_of(gateway: &Gateway, session: &SessionId) -> Result<Upstream, Refusal> {
    let world = gateway.world().await;
    let found = world.sessions.get(session).map(|session| session.upstream.clone());
    found.ok_or_else(|| {
        Refusal::new(Reason::Ended, "this session has ended", "ask your controller for a new session")
    })
}

/// What the database's messages so far come to.
enum Heard {
    More,
    Outcome(Outcome),
    /// Nothing of the text was sent, and nothing will be.
    Unsent(String),
    /// Its names mean something else than was agreed to; nothing of it was sent.
    Otherwise(Excess),
    /// It did more than was agreed to, and was taken back.
    Exceeded(Excess),
    /// Nothing more will come that could tell.
    Over,
}
