//! The PostgreSQL door: accepts libpq-style clients, terminates TLS and SCRAM with credentials that Tyer
//! minted, and relays each connection to the real database through the gateway.

mod login;
mod relay;

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tyer_core::intent::Upstream;

use super::accept::{Accepts, accept};
use super::threads::Threads;
use crate::config::UpstreamConfig;
use crate::gateway::Gateway;
use crate::secret;
use crate::serve::ServeError;
use crate::tls;
use crate::upstream::CancelKey;

pub(crate) use self::relay::{otherwise, request};

/// A bound door.
#[derive(Debug)]
pub(crate) struct Listener {
    upstream: Upstream,
    tcp: TcpListener,
    tls: Arc<ServerConfig>,
    end_point: Vec<u8>,
}

/// What the connections of one door share.
pub(crate) struct Door {
    gateway: Arc<Gateway>,
    upstream: Upstream,
    tls: TlsAcceptor,
    /// What an exchange over TLS can be bound to.
    end_point: Vec<u8>,
    /// Keys the mock verifiers of users that do not exist.
    mock: [u8; 32],
    cancels: Cancels,
}

/// Binds the door of an upstream, with the certificate of the data directory.
pub(crate) async fn bind(upstream: &UpstreamConfig, data: &Path) -> Result<Listener, ServeError> {
    let io = |what: String| ServeError::io(what);
    let (mut tls, leaf) = tls::of_doors(data)?;
    let end_point = tls::end_point(&leaf).map_err(|error| std::io::Error::other(error.to_string()));
    let end_point = end_point.map_err(io("the door's certificate cannot be used".to_owned()))?;
    tls.alpn_protocols = vec![b"postgresql".to_vec()];
    let tcp = TcpListener::bind(upstream.listen)
        .await
        .map_err(io(format!("cannot listen on {} for `{}`", upstream.listen, upstream.name)))?;
    Ok(Listener { upstream: upstream.name.clone(), tcp, tls: Arc::new(tls), end_point })
}

/// Accepts connections until told to stop, then waits for those that are open.
pub(crate) async fn serve(
    gateway: Arc<Gateway>,
    listener: Listener,
    threads: Arc<Threads>,
    stop: watch::Receiver<bool>,
) {
    let mock = match secret::random::<32>() {
        Ok(mock) => mock,
        Err(error) => return tracing::error!(%error, "the door stays closed"),
    };
    let door = Arc::new(Door {
        gateway,
        upstream: listener.upstream,
        tls: TlsAcceptor::from(listener.tls),
        end_point: listener.end_point,
        mock,
        cancels: Cancels::default(),
    });
    let most = door.gateway.config.limits.connections;
    let accepting = Accepting { door, threads, stop: stop.clone() };
    accept(&listener.tcp, most, stop, &accepting).await;
}

/// What starting a connection needs.
struct Accepting {
    door: Arc<Door>,
    threads: Arc<Threads>,
    stop: watch::Receiver<bool>,
}

impl Accepts for Accepting {
    fn start(&self, connections: &mut JoinSet<()>, tcp: TcpStream) {
        start(connections, &self.threads, (&self.door, tcp, self.stop.clone()));
    }

    fn turn_away(&self, turned_away: &mut JoinSet<()>, tcp: TcpStream) {
        turned_away.spawn(login::turn_away(Arc::clone(&self.door), tcp));
    }
}

/// Starts a connection on the thread where it will stay.
fn start(
    connections: &mut JoinSet<()>,
    threads: &Threads,
    (door, tcp, stop): (&Arc<Door>, TcpStream, watch::Receiver<bool>),
) {
    let (Some(place), Ok(tcp), door) = (threads.place(), tcp.into_std(), Arc::clone(door)) else {
        return tracing::warn!("a connection was not accepted: it cannot change threads");
    };
    let handle = place.handle.clone();
    let relayed = async move {
        let _place = place;
        match TcpStream::from_std(tcp) {
            Ok(tcp) => Box::pin(connection(door, tcp, stop)).await,
            Err(error) => tracing::warn!(%error, "a connection was not accepted"),
        }
    };
    connections.spawn_on(relayed, &handle);
}

async fn connection(door: Arc<Door>, tcp: TcpStream, stop: watch::Receiver<bool>) {
    let peer = tcp.peer_addr().ok();
    let agent = match login::login(&door, tcp).await {
        Ok(Some(agent)) => agent,
        // A cancel request, or a client that only looked.
        Ok(None) => return,
        Err(error) => return tracing::info!(?peer, %error, "a connection did not get in"),
    };
    relay::run(&door, agent, stop).await;
}

/// What an agent cancels by: a process, and a secret of 4 bytes or, since protocol 3.2, of 32.
type Key = (u32, Vec<u8>);

/// The keys that were handed out to agents, and what they cancel. The server's own keys stay here.
#[derive(Debug, Default)]
struct Cancels {
    by_key: Mutex<HashMap<Key, Cancel>>,
}

/// What a cancel request of one connection does.
#[derive(Clone, Debug)]
struct Cancel {
    /// Cancels what runs on the server.
    upstream: CancelKey,
    /// Ends a wait for people.
    waiting: watch::Sender<u64>,
}

impl Cancels {
    fn insert(&self, key: Key, cancel: Cancel) {
        self.lock().insert(key, cancel);
    }

    fn remove(&self, key: &Key) {
        self.lock().remove(key);
    }

    fn get(&self, process: u32, secret: &[u8]) -> Option<Cancel> {
        self.lock().get(&(process, secret.to_vec())).cloned()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<Key, Cancel>> {
        self.by_key.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
