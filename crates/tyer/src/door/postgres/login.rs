//! Letting a client in: TLS, SCRAM-SHA-256 with minted credentials, and the first messages of a session.
//!
//! Nothing is said to the upstream before the client has proven who it is. Every failure is told in the
//! protocol and the connection is closed.

use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout_at};
use tyer_core::intent::SessionId;
use tyer_wire::postgres::decode::{Decoder, Side, sasl_initial};
use tyer_wire::postgres::encode;
use tyer_wire::postgres::refuse::Answer;
use tyer_wire::postgres::scram::{Challenge, Channel, MECHANISM, MECHANISM_PLUS, Verifier};
use tyer_wire::postgres::startup::{First, NO, Start, YES, first};

use super::Door;
use crate::config::UpstreamConfig;
use crate::gateway::Gateway;
use crate::secret;
use crate::upstream::Stream;

/// How long a client for which there is no room may take until it can be told so.
const TURN_AWAY_WAIT: Duration = Duration::from_secs(5);

/// A client that has proven which session it is.
pub(super) struct Agent {
    pub(super) stream: Stream,
    pub(super) session: SessionId,
    pub(super) start: Start,
    /// Bytes of the client that were read past the login.
    pub(super) decoder: Decoder,
}

/// Why a client does not get in.
#[derive(Debug, thiserror::Error)]
pub(super) enum LoginError {
    #[error("the connection was lost: {0}")]
    Io(#[from] std::io::Error),
    #[error("the client took too long")]
    TooSlow,
    #[error("refused: {0}")]
    Refused(String),
}

/// Lets a client in; `None` when it only wanted to cancel something.
pub(super) async fn login(door: &Door, tcp: TcpStream) -> Result<Option<Agent>, LoginError> {
    tcp.set_nodelay(true)?;
    let deadline = Instant::now() + door.gateway.config.limits.login;
    let is_local = tcp.peer_addr()?.ip().is_loopback();
    // Before TLS is spoken there are no words for it.
    let (mut stream, secure) =
        match timeout_at(deadline, negotiate(door, tcp)).await.map_err(|_| LoginError::TooSlow)?? {
            Negotiated::Ready(stream, secure) => (stream, secure),
            Negotiated::Cancelled => return Ok(None),
        };
    let inside = let_in(door, &mut stream, (secure, is_local));
    match timeout_at(deadline, inside).await {
        Ok(inside) => Ok(inside?.map(|Inside { session, start, decoder }| Agent {
            stream,
            session,
            start,
            decoder,
        })),
        Err(_) => {
            let answer = Answer::new("57014", "canceling authentication due to timeout");
            timeout_at(deadline + TURN_AWAY_WAIT, refuse(&mut stream, &answer)).await.ok();
            Err(LoginError::TooSlow)
        }
    }
}

/// Tells a client, in its own protocol, that there is no room.
pub(super) async fn turn_away(door: Arc<Door>, tcp: TcpStream) {
    let told = async {
        let Negotiated::Ready(mut stream, _) = negotiate(&door, tcp).await? else { return Ok(()) };
        let answer = Answer::new("53300", "too many connections at this door")
            .hint("close some, or let the operator raise limits.connections");
        let mut buffer = Vec::new();
        loop {
            let (found, used) = read_first(&mut stream, &mut buffer).await?;
            buffer.drain(..used);
            match found {
                First::Gss | First::Tls => stream.write_all(NO).await?,
                First::Cancel { process, secret } => {
                    cancel(&door, process, &secret).await;
                    return Ok(());
                }
                First::Start(_) | First::DirectTls => return Err(refuse(&mut stream, &answer).await),
            }
        }
    };
    if let Ok(Err(error)) = tokio::time::timeout(TURN_AWAY_WAIT, told).await {
        tracing::info!(%error, "a connection was turned away");
    }
}

/// What a client has proven, and brought along.
struct Inside {
    session: SessionId,
    start: Start,
    decoder: Decoder,
}

async fn let_in(
    door: &Door,
    stream: &mut Stream,
    (is_tls, is_local): (bool, bool),
) -> Result<Option<Inside>, LoginError> {
    let mut buffer = Vec::new();
    let start = loop {
        let (found, used) = read_first(stream, &mut buffer).await?;
        buffer.drain(..used);
        match found {
            First::Start(start) => break start,
            First::Cancel { process, secret } => {
                cancel(door, process, &secret).await;
                return Ok(None);
            }
            First::Gss | First::Tls => stream.write_all(NO).await?,
            First::DirectTls => {
                return Err(refuse(stream, &Answer::new("08P01", "TLS inside TLS")).await);
            }
        }
    };
    if !is_tls && !is_local {
        let answer =
            Answer::new("28000", "this door speaks only TLS").hint("connect with sslmode=verify-full");
        return Err(refuse(stream, &answer).await);
    }
    let unlisted = start.unlisted.as_ref().filter(|_| !door.gateway.observes(&door.upstream));
    if let Some(error) = unlisted {
        return Err(refuse(stream, &error.answer()).await);
    }
    if let Some(negotiate) = &start.negotiate {
        stream.write_all(negotiate).await?;
    }
    let mut decoder = Decoder::new(Side::Agent);
    decoder.push(&buffer);
    let session = authenticate(door, stream, (&mut decoder, is_tls), &start.user).await?;
    if let Err(answer) = check_open(&door.gateway, door, &start).await {
        return Err(refuse(stream, &answer).await);
    }
    Ok(Some(Inside { session, start, decoder }))
}

enum Negotiated {
    Ready(Stream, bool),
    Cancelled,
}

/// Answers what comes before the start-up message on a bare connection.
async fn negotiate(door: &Door, mut tcp: TcpStream) -> Result<Negotiated, LoginError> {
    loop {
        let mut head = [0; 8];
        let seen = peek(&tcp, &mut head).await?;
        match first(head.get(..seen).unwrap_or_default()) {
            Ok(Some((First::DirectTls, _))) => {
                let tls = door.tls.accept(tcp).await?;
                // Nobody has asked for TLS in PostgreSQL's words, so TLS must say what is meant.
                if tls.get_ref().1.alpn_protocol() != Some(b"postgresql") {
                    return Err(LoginError::Refused("TLS at once, for no known protocol".to_owned()));
                }
                return Ok(Negotiated::Ready(Box::new(tls), true));
            }
            Ok(Some((First::Tls, used))) => {
                skip(&mut tcp, used).await?;
                tcp.write_all(YES).await?;
                let tls = door.tls.accept(tcp).await?;
                return Ok(Negotiated::Ready(Box::new(tls), true));
            }
            Ok(Some((First::Gss, used))) => {
                skip(&mut tcp, used).await?;
                tcp.write_all(NO).await?;
            }
            // Longer first packets are read where everything else is.
            Ok(_) => return Ok(Negotiated::Ready(Box::new(tcp), false)),
            Err(error) => {
                let mut stream: Stream = Box::new(tcp);
                return Err(refuse(&mut stream, &error.answer()).await);
            }
        }
        if seen == 0 {
            return Ok(Negotiated::Cancelled);
        }
    }
}

/// Looks at the first eight bytes (or fewer, if the client closed or does TLS at once).
async fn peek(tcp: &TcpStream, head: &mut [u8; 8]) -> Result<usize, LoginError> {
    loop {
        let seen = tcp.peek(head).await?;
        if seen == 0 || seen == head.len() || head.first() == Some(&0x16) {
            return Ok(seen);
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

async fn skip(tcp: &mut TcpStream, count: usize) -> Result<(), LoginError> {
    let mut rest = vec![0; count];
    tcp.read_exact(&mut rest).await?;
    Ok(())
}

/// Reads until the first packet is whole.
async fn read_first(stream: &mut Stream, buffer: &mut Vec<u8>) -> Result<(First, usize), LoginError> {
    loop {
        match first(buffer) {
            Ok(Some(found)) => return Ok(found),
            Ok(None) => {
                if stream.read_buf(buffer).await? == 0 {
                    return Err(std::io::Error::from(std::io::ErrorKind::UnexpectedEof).into());
                }
            }
            Err(error) => return Err(refuse(stream, &error.answer()).await),
        }
    }
}

/// The SCRAM exchange. A user that does not exist goes through the same one and fails at its end.
async fn authenticate(
    door: &Door,
    stream: &mut Stream,
    (decoder, is_tls): (&mut Decoder, bool),
    user: &str,
) -> Result<SessionId, LoginError> {
    let known = door.gateway.verifier(user, &door.upstream).await;
    let verifier =
        known.as_ref().map_or_else(|| Verifier::mock(&door.mock, user), |(_, known)| known.clone());
    let plus = is_tls.then_some(MECHANISM_PLUS);
    let offered: Vec<&str> = plus.into_iter().chain([MECHANISM]).collect();
    stream.write_all(&encode::authentication_sasl(&offered)).await?;
    let initial = password_message(stream, decoder).await?;
    let nonce = secret::token().map_err(|error| LoginError::Refused(error.to_string()))?;
    let exchange = sasl_initial(&initial).ok().and_then(|(mechanism, first)| {
        let channel = match mechanism {
            chosen if chosen == MECHANISM.as_bytes() && is_tls => Channel::Offered,
            chosen if chosen == MECHANISM.as_bytes() => Channel::Plain,
            chosen if chosen == MECHANISM_PLUS.as_bytes() && is_tls => Channel::Bound(&door.end_point),
            _ => return None,
        };
        Challenge::answer_over(first, verifier, known.is_some(), &nonce, channel).ok()
    });
    let Some((challenge, answer)) = exchange else {
        return Err(refuse(stream, &wrong(user)).await);
    };
    stream.write_all(&encode::authentication_continue(&answer)).await?;
    let last = password_message(stream, decoder).await?;
    match (challenge.finish(&last), known) {
        (Ok((_proven, last)), Some((session, _))) => {
            stream.write_all(&encode::authentication_final(&last)).await?;
            stream.write_all(&encode::authentication_ok()).await?;
            Ok(session)
        }
        _ => Err(refuse(stream, &wrong(user)).await),
    }
}

fn wrong(user: &str) -> Answer {
    Answer::new("28P01", &format!("password authentication failed for user \"{user}\""))
        .hint("use the credentials of a session that still runs; `tyer session new` makes one")
}

/// The body of the next message, which must be a password message.
async fn password_message(stream: &mut Stream, decoder: &mut Decoder) -> Result<Vec<u8>, LoginError> {
    let mut bytes = [0; 4096];
    loop {
        match decoder.frame() {
            Ok(Some(frame)) if frame.tag() == b'p' => return Ok(frame.body().to_vec()),
            Ok(Some(_)) | Err(_) => {
                return Err(
                    refuse(stream, &Answer::new("08P01", "a password message was expected")).await
                );
            }
            Ok(None) => {}
        }
        let count = stream.read(&mut bytes).await?;
        if count == 0 {
            return Err(std::io::Error::from(std::io::ErrorKind::UnexpectedEof).into());
        }
        decoder.push(bytes.get(..count).unwrap_or_default());
    }
}

/// Whether the door may be used: the right database, and no unconfirmed change of what it rests on.
async fn check_open(gateway: &Gateway, door: &Door, start: &Start) -> Result<(), Answer> {
    let config = gateway.config.upstreams.get(&door.upstream);
    let config = config.and_then(UpstreamConfig::postgres);
    let database = config.map(|config| config.database.as_str()).unwrap_or_default();
    if start.database != database {
        let message = format!("database \"{}\" is not behind this door", start.database);
        return Err(Answer::new("3D000", &message).hint(&format!("connect to database \"{database}\"")));
    }
    let closed = Gateway::closed_by(&gateway.world().await.parts, &door.upstream);
    if closed.is_empty() {
        return Ok(());
    }
    let (message, hint) = gateway.closed_in_words(&closed);
    Err(Answer::new("57P03", &message).hint(&hint))
}

async fn cancel(door: &Door, process: u32, secret: &[u8]) {
    let Some(cancel) = door.cancels.get(process, secret) else { return };
    cancel.waiting.send_modify(|count| *count += 1);
    if let Err(error) = door.gateway.upstreams.cancel(&door.upstream, &cancel.upstream).await {
        tracing::warn!(%error, "a cancel request did not reach the upstream");
    }
}

async fn refuse(stream: &mut Stream, answer: &Answer) -> LoginError {
    // The client may be gone; it is being refused either way.
    stream.write_all(&answer.fatal()).await.ok();
    stream.shutdown().await.ok();
    LoginError::Refused(answer.message().to_owned())
}
