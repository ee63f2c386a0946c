//! The console's connections: bounded in number, and ended where a client is too slow.
//!
//! A client that is slow to say what it wants, or to read the answer, keeps one of a bounded number of places from
//! others. It is given time for the head of each request, which is also how long a connection may be idle; for all of a
//! body; and for taking up some of an answer. An answer itself may take as long as it does: news goes on for hours.

use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::middleware::map_request_with_state;
use axum::serve::Listener;
use axum::{BoxError, Router};
use hyper::body::{Frame, SizeHint};
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::{Sleep, sleep};

use super::closed;

/// How many clients at once, and how slow each may be.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    pub(super) connections: usize,
    /// For the head of the first request, and from one request to the head of the next.
    pub(super) head: Duration,
    /// For all of a request's body.
    pub(super) body: Duration,
    /// For taking up some of an answer.
    pub(super) taking: Duration,
}

impl Default for Bounds {
    fn default() -> Self {
        let wait = Duration::from_secs(30);
        Self { connections: 1_000, head: wait, body: wait, taking: wait }
    }
}

/// Serves what is accepted until `closing` turns true, and what is open then to its end. `router` is for one client.
pub(super) async fn serve<L: Listener>(
    mut listener: L,
    router: impl Fn(&L::Addr) -> Router,
    bounds: Bounds,
    closing: watch::Receiver<bool>,
) {
    let slots = Arc::new(Semaphore::new(bounds.connections));
    let mut open = JoinSet::new();
    let mut stop = pin!(closed(closing.clone()));
    loop {
        let accepted = async {
            let slot = Arc::clone(&slots).acquire_owned().await;
            (slot, listener.accept().await)
        };
        let (slot, (stream, from)) = tokio::select! {
            (Ok(slot), accepted) = accepted => (slot, accepted),
            () = &mut stop => break,
        };
        let router = router(&from).layer(map_request_with_state(bounds.body, in_time));
        open.spawn(connection((stream, slot), router, bounds, closed(closing.clone())));
        while open.try_join_next().is_some() {}
    }
    drop(listener);
    while open.join_next().await.is_some() {}
}

async fn connection<S: AsyncRead + AsyncWrite + Unpin>(
    (stream, _slot): (S, OwnedSemaphorePermit),
    router: Router,
    bounds: Bounds,
    stop: impl Future<Output = ()>,
) {
    let stream = TokioIo::new(Taken { stream, wait: bounds.taking, stalled: None });
    let mut served = pin!(
        http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(bounds.head)
            .serve_connection(stream, TowerToHyperService::new(router))
    );
    let mut stop = pin!(stop);
    let ended = tokio::select! {
        ended = &mut served => ended,
        () = &mut stop => {
            served.as_mut().graceful_shutdown();
            served.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection to the console ended early");
    }
}

async fn in_time(State(wait): State<Duration>, request: Request) -> Request {
    request.map(|body| Body::new(InTime { body, over: Box::pin(sleep(wait)) }))
}

/// A request's body that has to be there in time.
struct InTime {
    body: Body,
    over: Pin<Box<Sleep>>,
}

impl hyper::body::Body for InTime {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        if let Poll::Ready(frame) = Pin::new(&mut self.body).poll_frame(context) {
            return Poll::Ready(frame.map(|frame| frame.map_err(BoxError::from)));
        }
        ready!(self.over.as_mut().poll(context));
        Poll::Ready(Some(Err("the body took too long".into())))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// A stream whose other side has to take up what is written.
struct Taken<S> {
    stream: S,
    wait: Duration,
    /// Running since the other side takes up nothing.
    stalled: Option<Pin<Box<Sleep>>>,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Taken<S> {
    fn taken<T>(
        &mut self,
        context: &mut Context<'_>,
        write: impl FnOnce(Pin<&mut S>, &mut Context<'_>) -> Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        let written = write(Pin::new(&mut self.stream), context);
        if written.is_ready() {
            self.stalled = None;
            return written;
        }
        let wait = self.wait;
        let stalled = self.stalled.get_or_insert_with(|| Box::pin(sleep(wait)));
        ready!(stalled.as_mut().poll(context));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for Taken<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Taken<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.taken(context, |stream, context| stream.poll_write(context, bytes))
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.taken(context, |stream, context| stream.poll_flush(context))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.taken(context, |stream, context| stream.poll_shutdown(context))
    }
}

#[cfg(test)]
mod tests;
