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
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tyer_core::intent::Upstream;

use crate::config::UpstreamConfig;
use crate::gateway::Gateway;
use crate::secret;
use crate::serve::ServeError;
use crate::upstream::CancelKey;

pub(crate) use self::relay::{raised, request};

/// The door's certificate in the data directory.
pub(crate) const CERTIFICATE: &str = "door.crt";
/// Its key.
pub(crate) const KEY: &str = "door.key";

/// Connections of one door at once; more are told so and closed.
pub(crate) const CONNECTIONS_MAX: usize = 2_000;

/// A bound door.
#[derive(Debug)]
pub(crate) struct Listener {
    upstream: Upstream,
    tcp: TcpListener,
    tls: Arc<ServerConfig>,
}

/// What the connections of one door share.
pub(crate) struct Door {
    gateway: Arc<Gateway>,
    upstream: Upstream,
    tls: TlsAcceptor,
    /// Keys the mock verifiers of users that do not exist.
    mock: [u8; 32],
    cancels: Cancels,
}

/// Binds the door of an upstream, with the certificate of the data directory.
pub(crate) async fn bind(upstream: &UpstreamConfig, data: &Path) -> Result<Listener, ServeError> {
    let io = |what: String| ServeError::io(what);
    let chain = data.join(CERTIFICATE);
    let bad = |error: &dyn std::fmt::Display| std::io::Error::other(error.to_string());
    let certificates = CertificateDer::pem_file_iter(&chain)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|error| io(format!("cannot read {}", chain.display()))(bad(&error)))?;
    let key = PrivateKeyDer::from_pem_file(data.join(KEY))
        .map_err(|error| io("cannot read the door's key".to_owned())(bad(&error)))?;
    let mut tls = ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(certificates, key)
        .map_err(|error| io("the door's certificate cannot be used".to_owned())(bad(&error)))?;
    tls.alpn_protocols = vec![b"postgresql".to_vec()];
    let tcp = TcpListener::bind(upstream.listen)
        .await
        .map_err(io(format!("cannot listen on {} for `{}`", upstream.listen, upstream.name)))?;
    Ok(Listener { upstream: upstream.name.clone(), tcp, tls: Arc::new(tls) })
}

/// Accepts connections until told to stop, then waits for those that are open.
pub(crate) async fn serve(gateway: Arc<Gateway>, listener: Listener, mut stop: watch::Receiver<bool>) {
    let mock = match secret::random::<32>() {
        Ok(mock) => mock,
        Err(error) => return tracing::error!(%error, "the door stays closed"),
    };
    let door = Arc::new(Door {
        gateway,
        upstream: listener.upstream,
        tls: TlsAcceptor::from(listener.tls),
        mock,
        cancels: Cancels::default(),
    });
    let mut connections = JoinSet::new();
    let stopping = stop.clone();
    loop {
        tokio::select! {
            () = raised(&mut stop) => break,
            Some(_) = connections.join_next() => {}
            accepted = listener.tcp.accept() => match accepted {
                Ok((tcp, _)) if connections.len() >= CONNECTIONS_MAX => drop(tcp),
                Ok((tcp, _)) => { connections.spawn(connection(Arc::clone(&door), tcp, stopping.clone())); }
                Err(error) => {
                    // Usually no file descriptors: give connections time to end.
                    tracing::warn!(%error, "a connection was not accepted");
                    tokio::time::sleep(std::time::Duration::from_millis(50)).await;
                }
            }
        }
    }
    while connections.join_next().await.is_some() {}
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

/// The keys that were handed out to agents, and what they cancel. The server's own keys stay here.
#[derive(Debug, Default)]
struct Cancels {
    by_key: Mutex<HashMap<(u32, [u8; 4]), Cancel>>,
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
    fn insert(&self, key: (u32, [u8; 4]), cancel: Cancel) {
        self.lock().insert(key, cancel);
    }

    fn remove(&self, key: (u32, [u8; 4])) {
        self.lock().remove(&key);
    }

    fn get(&self, process: u32, secret: &[u8]) -> Option<Cancel> {
        let secret = secret.try_into().ok()?;
        self.lock().get(&(process, secret)).cloned()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<(u32, [u8; 4]), Cancel>> {
        self.by_key.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
