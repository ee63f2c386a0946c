//! A TCP proxy between Tyer and the database that can stop passing bytes on.

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// Passes bytes on until told to stall the connections that there are.
pub(crate) struct Proxy {
    pub(crate) port: u16,
    stalls: watch::Sender<u64>,
}

impl Proxy {
    pub(crate) async fn before(target: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let (stalls, watching) = watch::channel(0);
        tokio::spawn(async move {
            while let Ok((near, _)) = listener.accept().await {
                let Ok(far) = TcpStream::connect(("127.0.0.1", target)).await else { continue };
                let (near_in, near_out) = near.into_split();
                let (far_in, far_out) = far.into_split();
                let since = *watching.borrow();
                tokio::spawn(pass(near_in, far_out, (watching.clone(), since)));
                tokio::spawn(pass(far_in, near_out, (watching.clone(), since)));
            }
        });
        Self { port, stalls }
    }

    /// From now on nothing arrives on the connections that there are, in either direction; what was in between is
    /// lost with its connection. New ones work.
    pub(crate) fn stall(&self) {
        self.stalls.send_modify(|stalls| *stalls += 1);
    }
}

async fn pass(
    mut from: tokio::net::tcp::OwnedReadHalf,
    mut to: tokio::net::tcp::OwnedWriteHalf,
    (stalls, since): (watch::Receiver<u64>, u64),
) {
    let mut bytes = vec![0; 16 * 1024];
    while let Ok(count @ 1..) = from.read(&mut bytes).await {
        if *stalls.borrow() > since {
            // Swallowed, and the connection stays as silent as a dead network.
            while matches!(from.read(&mut bytes).await, Ok(1..)) {}
            return;
        }
        if to.write_all(&bytes[..count]).await.is_err() {
            return;
        }
    }
}
