//! A network between Tyer and its upstream that can be made to swallow what comes.

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// Passes bytes on, until some come that it was told of.
pub(crate) struct Proxy {
    pub(crate) port: u16,
    needle: watch::Sender<Option<&'static [u8]>>,
}

impl Proxy {
    pub(crate) async fn before(target: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let (needle, watching) = watch::channel(None);
        tokio::spawn(async move {
            while let Ok((near, _)) = listener.accept().await {
                let Ok(far) = TcpStream::connect(("127.0.0.1", target)).await else { continue };
                let (near_in, near_out) = near.into_split();
                let (far_in, far_out) = far.into_split();
                tokio::spawn(pass(near_in, far_out, watching.clone()));
                tokio::spawn(pass(far_in, near_out, watching.clone()));
            }
        });
        Self { port, needle }
    }

    /// Where these bytes come, nothing arrives in that direction any more: they and all behind them are lost, and the
    /// connection stays as silent as a dead network. Others work.
    pub(crate) fn stall_before(&self, bytes: &'static [u8]) {
        self.needle.send_replace(Some(bytes));
    }
}

async fn pass(
    mut from: tokio::net::tcp::OwnedReadHalf,
    mut to: tokio::net::tcp::OwnedWriteHalf,
    needle: watch::Receiver<Option<&'static [u8]>>,
) {
    let mut bytes = vec![0; 16 * 1024];
    while let Ok(count @ 1..) = from.read(&mut bytes).await {
        let is_in = |needle: &[u8]| bytes[..count].windows(needle.len()).any(|part| part == needle);
        if needle.borrow().is_some_and(is_in) {
            while matches!(from.read(&mut bytes).await, Ok(1..)) {}
            return;
        }
        if to.write_all(&bytes[..count]).await.is_err() {
            return;
        }
    }
}
