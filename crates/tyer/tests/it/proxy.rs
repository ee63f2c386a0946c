//! A TCP proxy between Tyer and the database that can stop passing bytes on.

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// Passes bytes on until told to stall.
pub(crate) struct Proxy {
    pub(crate) port: u16,
    stalled: watch::Sender<bool>,
}

impl Proxy {
    pub(crate) async fn before(target: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let (stalled, watching) = watch::channel(false);
        tokio::spawn(async move {
            while let Ok((near, _)) = listener.accept().await {
                let Ok(far) = TcpStream::connect(("127.0.0.1", target)).await else { continue };
                let (near_in, near_out) = near.into_split();
                let (far_in, far_out) = far.into_split();
                tokio::spawn(pass(near_in, far_out, watching.clone()));
                tokio::spawn(pass(far_in, near_out, watching.clone()));
            }
        });
        Self { port, stalled }
    }

    /// From now on nothing arrives, in either direction; what was in between is lost with its connection.
    pub(crate) fn stall(&self) {
        self.stalled.send_replace(true);
    }

    /// New connections work again.
    pub(crate) fn resume(&self) {
        self.stalled.send_replace(false);
    }
}

async fn pass(
    mut from: tokio::net::tcp::OwnedReadHalf,
    mut to: tokio::net::tcp::OwnedWriteHalf,
    stalled: watch::Receiver<bool>,
) {
    let mut bytes = vec![0; 16 * 1024];
    while let Ok(count @ 1..) = from.read(&mut bytes).await {
        if *stalled.borrow() {
            // Swallowed, and the connection stays as silent as a dead network.
            while matches!(from.read(&mut bytes).await, Ok(1..)) {}
            return;
        }
        if to.write_all(&bytes[..count]).await.is_err() {
            return;
        }
    }
}
