//! Proposals: a whole text of SQL, held as one unit and run from that text once people have agreed.
//!
//! The agent presents the text through the API with its session's minted credentials; presenting it
//! again continues the same hold. It runs as one message on a connection of its own, so PostgreSQL makes
//! it all or nothing unless the text itself says otherwise.

use std::sync::Arc;
use std::time::Duration;

use tokio::io::AsyncReadExt as _;
use tokio::sync::watch;
use tyer_core::intent::{SessionId, Upstream};
use tyer_core::verdict::{Clearance, Outcome, Reason, Refusal};
use tyer_wire::postgres::decode::{Complaint, Decoder, Side};
use tyer_wire::postgres::encode;
use tyer_wire::postgres::identity::Scope;
use tyer_wire::postgres::session::{Question, Session, Step};

use crate::door::postgres::{raised, request};
use crate::gateway::{Gateway, Patience};
use crate::upstream::Connected;

/// Bytes read at once.
const READ_BYTES: usize = 16 * 1024;
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
    let connected = gateway.upstreams.connect(&upstream, &[]).await.map_err(|error| {
        tracing::error!(%error, %upstream, "the upstream does not let Tyer in");
        Refusal::new(
            Reason::Unsupported,
            "the database behind this session cannot be reached",
            "try again later",
        )
    })?;
    let (relay, question) = question(gateway, &upstream, &connected, sql)?;
    // Registered before it is decided, so that the end of the session finds it in every case.
    let most = gateway.config.limits.connections_per_session;
    let Some((number, kill)) = gateway.connections.opened(&session, most) else {
        let message = format!("this session has {most} connections already");
        return Err(Refusal::new(Reason::TooMany, message, "close some and propose it again"));
    };
    let patience = Patience { wait: wait.min(WAIT_MAX), gone: kill.clone() };
    let proposed = match gateway.submit(request(session.clone(), &question), patience).await {
        Ok(clearance) => {
            let leaf = clearance.leaf();
            let proposed = run(gateway, &upstream, (clearance, relay, connected), kill).await;
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

/// Runs what was cleared. Whatever happens has an outcome, also that nothing was sent.
async fn run(
    gateway: &Gateway,
    upstream: &Upstream,
    (clearance, mut relay, mut connected): (Clearance, Session, Connected),
    kill: watch::Receiver<bool>,
) -> Proposed {
    let leaf = clearance.leaf();
    let unsent = |code: &str, message: String| {
        gateway.never_left(leaf);
        Proposed { outcome: Outcome::Failed { code: code.to_owned() }, message: Some(message) }
    };
    if *kill.borrow() {
        return unsent("57P01", "the session was ended; nothing was sent".to_owned());
    }
    let run = match relay.cleared(clearance.digest(), clearance.leaf()) {
        Ok(run) => run,
        Err(fatal) => return unsent("XX000", fatal.to_string()),
    };
    match connected.writer.execute(clearance, &run) {
        Ok(()) => carry_out(gateway, upstream, (relay, connected), kill).await,
        Err(error) => unsent("XX000", error.to_string()),
    }
}

async fn upstream_of(gateway: &Gateway, session: &SessionId) -> Result<Upstream, Refusal> {
    let world = gateway.world().await;
    let found = world.sessions.get(session).map(|session| session.upstream.clone());
    found.ok_or_else(|| {
        Refusal::new(Reason::Ended, "this session has ended", "ask your controller for a new session")
    })
}

/// What the text would do, as the one message of a connection.
fn question(
    gateway: &Gateway,
    upstream: &Upstream,
    connected: &Connected,
    sql: &str,
) -> Result<(Session, Question), Refusal> {
    let config = gateway.config.upstreams.get(upstream);
    let mut relay = Session::new(Scope {
        database: config.map(|config| config.database.clone()).unwrap_or_default(),
        role: config.map(|config| config.user.clone()).unwrap_or_default(),
        ..Scope::default()
    });
    let observes = gateway.observes(upstream);
    if observes {
        relay = relay.observing();
    }
    for (name, value) in &connected.parameters {
        relay.setting(name, value);
    }
    let refuse = |message: String| {
        Refusal::new(Reason::Unsupported, message, "correct the text and propose it again")
    };
    if sql.contains('\0') {
        return Err(refuse("the text contains a zero byte".to_owned()));
    }
    if !observes && let Some(error) = tyer_wire::postgres::understand::understand(sql).syntax_error {
        return Err(refuse(error));
    }
    let mut decoder = Decoder::new(Side::Agent);
    decoder.push(&encode::query(sql.as_bytes()));
    let frame = decoder.frame().ok().flatten();
    match frame.map(|frame| relay.agent(&frame)) {
        Some(Ok(Step::Ask(question))) => Ok((relay, *question)),
        _ => Err(refuse("the text is not one message of SQL".to_owned())),
    }
}

/// Sends what was cleared and reads until its outcome is known. A session that is ended meanwhile makes
/// the database cancel it.
async fn carry_out(
    gateway: &Gateway,
    upstream: &Upstream,
    (mut relay, mut connected): (Session, Connected),
    mut kill: watch::Receiver<bool>,
) -> Proposed {
    let mut is_cancelled = false;
    let mut decoder = Decoder::new(Side::Upstream);
    decoder.push(&connected.rest);
    let (mut bytes, mut message) = (vec![0; READ_BYTES], None);
    loop {
        match heard(&mut decoder, &mut relay, &mut message) {
            Heard::More => {}
            Heard::Outcome(outcome) => {
                connected.writer.close().await;
                return Proposed { outcome, message };
            }
            Heard::Over => break,
        }
        tokio::select! {
            () = raised(&mut kill), if !is_cancelled => {
                if connected.writer.is_pending() {
                    // The server would wait for the rest of it.
                    break;
                }
                is_cancelled = true;
                if let Err(error) = gateway.upstreams.cancel(upstream, &connected.cancel).await {
                    tracing::warn!(%error, "a proposal that runs could not be cancelled");
                }
            }
            sent = connected.writer.drain(), if connected.writer.is_pending() => {
                if sent.is_err() { break }
            }
            read = connected.reader.read(&mut bytes) => match read.ok().and_then(|count| bytes.get(..count)) {
                Some(read) if !read.is_empty() => decoder.push(read),
                _ => break,
            }
        }
    }
    // The connection ends here, and with it whatever the text left open.
    drop(connected);
    let why = "the connection to the database was lost before the outcome was seen";
    let lost = relay.lost(why).into_iter().next().map(|(_, outcome)| outcome);
    Proposed { outcome: lost.unwrap_or_else(|| Outcome::Unknown { why: why.to_owned() }), message }
}

/// What the database's messages so far come to.
enum Heard {
    More,
    Outcome(Outcome),
    /// Nothing more will come that could tell.
    Over,
}

fn heard(decoder: &mut Decoder, relay: &mut Session, message: &mut Option<String>) -> Heard {
    loop {
        let frame = match decoder.frame() {
            Ok(Some(frame)) => frame,
            Ok(None) => return Heard::More,
            Err(_) => return Heard::Over,
        };
        let tag = frame.tag();
        if tag == b'E' && message.is_none() {
            *message = Complaint::decode(frame.body()).ok().map(|complaint| complaint.message);
        }
        let Ok(relayed) = relay.upstream(&frame) else { return Heard::Over };
        if let Some((_, outcome)) = relayed.settled.into_iter().next() {
            return Heard::Outcome(outcome);
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
