//! Listeners: TLS with handshakes that cannot hold each other up, and the socket of the command line.

use std::io;
use std::net::SocketAddr;
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use axum::serve::Listener;
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};
use tokio::sync::{Semaphore, mpsc, watch};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::server::TlsStream;

use crate::config::TlsFiles;
use crate::secret;
use crate::serve::ServeError;

/// How long a handshake may take.
const HANDSHAKE_WAIT: Duration = Duration::from_secs(10);
/// Handshakes at a time.
const HANDSHAKES_MAX: usize = 64;
/// After accepting failed, such as for want of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(200);

/// Connections that have shaken hands.
#[derive(Debug)]
pub(super) struct Tls {
    ready: mpsc::Receiver<(TlsStream<TcpStream>, SocketAddr)>,
    address: io::Result<SocketAddr>,
}

impl Tls {
    /// Accepts and shakes hands beside whoever waits for connections.
    pub(super) fn new(
        listener: TcpListener,
        config: Arc<ServerConfig>,
        closing: watch::Receiver<bool>,
    ) -> Self {
        let address = listener.local_addr();
        let (send, ready) = mpsc::channel(HANDSHAKES_MAX);
        tokio::spawn(accept_all(listener, TlsAcceptor::from(config), send, closing));
        Self { ready, address }
    }
}

async fn accept_all(
    listener: TcpListener,
    acceptor: TlsAcceptor,
    send: mpsc::Sender<(TlsStream<TcpStream>, SocketAddr)>,
    mut closing: watch::Receiver<bool>,
) {
    let slots = Arc::new(Semaphore::new(HANDSHAKES_MAX));
    loop {
        let Ok(slot) = Arc::clone(&slots).acquire_owned().await else { return };
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = closing.wait_for(|closing| *closing) => return,
        };
        let (stream, from) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::warn!(%error, "the console could not accept a connection");
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        let (acceptor, send) = (acceptor.clone(), send.clone());
        tokio::spawn(async move {
            match tokio::time::timeout(HANDSHAKE_WAIT, acceptor.accept(stream)).await {
                // If nobody takes it any more, the server is closing.
                Ok(Ok(stream)) => drop(send.send((stream, from)).await),
                Ok(Err(error)) => tracing::debug!(%error, %from, "a handshake failed"),
                Err(_) => tracing::debug!(%from, "a handshake took too long"),
            }
            drop(slot);
        });
    }
}

impl Listener for Tls {
    type Io = TlsStream<TcpStream>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        match self.ready.recv().await {
            Some(accepted) => accepted,
            // Only when closing; the server stops waiting then.
            None => std::future::pending().await,
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        match &self.address {
            Ok(address) => Ok(*address),
            Err(error) => Err(error.kind().into()),
        }
    }
}

/// TLS as the certificate's files say.
pub(super) fn server_tls(files: &TlsFiles) -> Result<Arc<ServerConfig>, ServeError> {
    let refuse = |path: &Path, message: String| {
        let what = format!("the console's certificate in {}", path.display());
        ServeError::io(what)(io::Error::other(message))
    };
    let chain = CertificateDer::pem_file_iter(&files.certificate)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|error| refuse(&files.certificate, error.to_string()))?;
    let key = PrivateKeyDer::from_pem_file(&files.key)
        .map_err(|error| refuse(&files.key, error.to_string()))?;
    let provider = Arc::new(tokio_rustls::rustls::crypto::ring::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| refuse(&files.certificate, error.to_string()))?
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .map_err(|error| refuse(&files.certificate, error.to_string()))?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

/// A socket that only this user can open. It is made inside a private directory and moved into place, so
/// that there is no moment at which others could open it. A socket that nobody listens on is replaced.
pub(super) async fn socket(path: &Path) -> io::Result<UnixListener> {
    if UnixStream::connect(path).await.is_ok() {
        return Err(io::ErrorKind::AddrInUse.into());
    }
    let word = secret::short_word::<8>().map_err(io::Error::other)?;
    let private = path.with_file_name(format!(".socket-{word}"));
    std::fs::DirBuilder::new().mode(0o700).create(&private)?;
    let made = (|| {
        let inside = private.join("s");
        let listener = UnixListener::bind(&inside)?;
        std::fs::set_permissions(&inside, std::fs::Permissions::from_mode(0o600))?;
        std::fs::rename(&inside, path)?;
        Ok(listener)
    })();
    // What is left of it is empty.
    std::fs::remove_dir_all(&private).ok();
    made
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_socket_is_private_and_taken_once() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("tyer.sock");
        let first = socket(&path).await.expect("a socket");
        let mode = std::fs::metadata(&path).expect("the socket").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert!(socket(&path).await.is_err(), "somebody listens there");
        drop(first);
        socket(&path).await.expect("what nobody listens on is replaced");
        let left = std::fs::read_dir(directory.path()).expect("the directory").count();
        assert_eq!(left, 1, "nothing else is left behind");
    }
}
