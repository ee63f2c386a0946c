//! The AWS door: clients of AWS reach it as their endpoint, sign with access keys that Tyer minted for their session,
//! and have each request decided before it is signed anew with the real credentials.
//!
//! Follows RFC 9112 for HTTP/1.1, which is what every SDK speaks; HTTP/2 is refused by not being offered.
//!
//! Reading order: [`serve`] accepts; `tunnel` is for clients that come as through a proxy; `admit` verifies who signed; `content` reads the body; `ask` has the gateway decide,
//! sends, and records what came of it; `answer` is what goes back.

mod admit;
mod answer;
mod ask;
mod body;
mod content;
mod reply;
mod tunnel;

use std::convert::Infallible;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tyer_core::intent::Upstream;
use tyer_wire::aws::protocol::Protocol;
use tyer_wire::aws::refuse::Kind;

use self::admit::Keys;
use self::answer::{Refused, Reply};
use self::tunnel::Tunnel;
use super::accept::{Accepts, accept, raised};
use crate::config::UpstreamConfig;
use crate::gateway::Gateway;
use crate::serve::ServeError;
use crate::tls;
use crate::upstream::aws::Cloud;
use crate::upstream::{Stream, Wire};

/// Bytes of a request's head.
const HEAD_BYTES_MAX: usize = 64 * 1024;
/// What a TLS connection begins with.
const TLS_HANDSHAKE: u8 = 0x16;
/// How long the last answer may take to leave when a session was ended.
const LAST_WAIT: Duration = Duration::from_secs(2);
/// How long a client that is turned away may take to be told.
const TURN_AWAY_WAIT: Duration = Duration::from_secs(5);

/// A bound door.
#[derive(Debug)]
pub(crate) struct Listener {
    upstream: Upstream,
    tcp: TcpListener,
    tls: Arc<ServerConfig>,
}

/// What the connections of one door share.
struct Door {
    gateway: Arc<Gateway>,
    upstream: Upstream,
    cloud: Arc<Cloud>,
    keys: Keys,
    /// What S3's buckets may stand before in the name of a host.
    names: Vec<String>,
    tls: TlsAcceptor,
}

/// Binds the door of an upstream, with the certificate of the data directory.
pub(crate) async fn bind(upstream: &UpstreamConfig, data: &Path) -> Result<Listener, ServeError> {
    let (mut tls, _) = tls::of_doors(data)?;
    tls.alpn_protocols = vec![b"http/1.1".to_vec()];
    let what = format!("cannot listen on {} for `{}`", upstream.listen, upstream.name);
    let tcp = TcpListener::bind(upstream.listen).await.map_err(ServeError::io(what))?;
    Ok(Listener { upstream: upstream.name.clone(), tcp, tls: Arc::new(tls) })
}

/// Accepts connections until told to stop, then waits for those that are open.
pub(crate) async fn serve(gateway: Arc<Gateway>, listener: Listener, stop: watch::Receiver<bool>) {
    let Some(cloud) = gateway.upstreams.cloud(&listener.upstream).cloned() else {
        return tracing::error!(upstream = %listener.upstream, "the door stays closed");
    };
    let most = gateway.config.limits.connections;
    let names = vec!["localhost".to_owned(), gateway.config.console.relying_party.id().to_owned()];
    let door = Arc::new(Door {
        gateway,
        upstream: listener.upstream,
        cloud,
        keys: Keys::default(),
        names,
        tls: TlsAcceptor::from(listener.tls),
    });
    let cloud = Arc::clone(&door.cloud);
    let accepting = Accepting { door, stop: stop.clone() };
    tokio::select! {
        () = accept(&listener.tcp, most, stop, &accepting) => {}
        () = cloud.keep_up() => {}
    }
}

/// What starting a connection needs.
struct Accepting {
    door: Arc<Door>,
    stop: watch::Receiver<bool>,
}

impl Accepts for Accepting {
    fn start(&self, connections: &mut JoinSet<()>, tcp: TcpStream) {
        connections.spawn(connection(Arc::clone(&self.door), tcp, self.stop.clone()));
    }

    fn turn_away(&self, turned_away: &mut JoinSet<()>, tcp: TcpStream) {
        let door = Arc::clone(&self.door);
        turned_away.spawn(async move {
            let told = async {
                let Some(stream) = opened(&door, tcp).await else { return };
                let full = service_fn(|_| async {
                    let message = "this door has as many connections as it may";
                    let full = Refused::new(Protocol::Query, Kind::Unavailable, message);
                    Ok::<_, Infallible>(full.reply())
                });
                let mut server = http1::Builder::new();
                server.keep_alive(false);
                // The client may be gone; it is being refused either way.
                server.serve_connection(TokioIo::new(stream), full).await.ok();
            };
            tokio::time::timeout(TURN_AWAY_WAIT, told).await.ok();
        });
    }
}

/// The stream as it is spoken: TLS where the client begins it, else in clear, which only clients on this machine may.
async fn opened(door: &Door, tcp: TcpStream) -> Option<Stream> {
    let peer = tcp.peer_addr().ok();
    let mut first = [0];
    let opening = async {
        // Small answers are not to wait for more.
        tcp.set_nodelay(true)?;
        tcp.peek(&mut first).await?;
        if first == [TLS_HANDSHAKE] {
            return Ok(Box::new(door.tls.accept(tcp).await?) as Stream);
        }
        if !tcp.local_addr()?.ip().is_loopback() {
            return Err(std::io::Error::other("this door speaks only TLS, but to this machine"));
        }
        Ok(Box::new(tcp) as Stream)
    };
    match tokio::time::timeout(door.gateway.config.limits.login, opening).await {
        Ok(Ok(stream)) => Some(stream),
        Ok(Err(error)) => {
            tracing::info!(?peer, %error, "a connection did not get in");
            None
        }
        Err(_) => {
            tracing::info!(?peer, "a connection said nothing");
            None
        }
    }
}

async fn connection(door: Arc<Door>, tcp: TcpStream, stop: watch::Receiver<bool>) {
    let Some(stream) = opened(&door, tcp).await else { return };
    let login = door.gateway.config.limits.login;
    let dug = tunnel::Dug::default();
    let (own, digging) = (Arc::clone(&door), dug.clone());
    let answer = move |request: Request<Incoming>| {
        let (door, digging) = (Arc::clone(&own), digging.clone());
        async move {
            if request.method() == Method::CONNECT {
                return digging.dig(&door, request).await;
            }
            answered(door, None, request).await
        }
    };
    // Sessions come and go over it.
    let (_never, kill) = watch::channel(false);
    spoken(stream, login, answer, (kill, stop.clone())).await;
    if let Some(opening) = dug.take() {
        opening.run(&door, stop).await;
    }
}

/// Speaks HTTP until the client leaves, or is told to after its request in hand.
async fn spoken<S, F>(
    stream: impl Wire + 'static,
    login: Duration,
    answer: S,
    (mut kill, mut stop): (watch::Receiver<bool>, watch::Receiver<bool>),
) where
    S: Fn(Request<Incoming>) -> F + Send + 'static,
    F: Future<Output = Response<Reply>> + Send + 'static,
{
    let service = service_fn(move |request| {
        let answering = answer(request);
        async move { Ok::<_, Infallible>(answering.await) }
    });
    let server = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(login)
        .max_buf_size(HEAD_BYTES_MAX)
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades();
    let mut server = std::pin::pin!(server);
    let mut is_stopping = false;
    loop {
        tokio::select! {
            ended = server.as_mut() => {
                if let Err(error) = ended {
                    tracing::debug!(%error, "a connection ended");
                }
                return;
            }
            () = raised(&mut kill) => {
                server.as_mut().graceful_shutdown();
                // What its last request is told may still leave.
                tokio::time::timeout(LAST_WAIT, server).await.ok();
                return;
            }
            () = raised(&mut stop), if !is_stopping => {
                is_stopping = true;
                server.as_mut().graceful_shutdown();
            }
        }
    }
}

async fn answered(
    door: Arc<Door>,
    through: Option<Arc<Tunnel>>,
    request: Request<Incoming>,
) -> Response<Reply> {
    let is_head = request.method() == Method::HEAD;
    match Box::pin(ask::ask(&door, through.as_deref(), request)).await {
        Ok(response) => response,
        Err(refused) => {
            tracing::debug!(why = refused.message(), "a request was refused");
            if is_head { refused.reply_to_head() } else { refused.reply() }
        }
    }
}
