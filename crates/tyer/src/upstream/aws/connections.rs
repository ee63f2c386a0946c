//! Connections to AWS that are kept for the next request.
//!
//! Follows RFC 9112, section 9.3. Each is driven by whoever waits for its answer, not by a task of its own, so a request
//! wakes nobody else; and one is sent a second time only if the connection gave it back whole, since then none of it
//! had left.

use std::collections::HashMap;
use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use hyper::body::{Body as _, Frame, Incoming, SizeHint};
use hyper::client::conn::TrySendError;
use hyper::client::conn::http1::{Connection, SendRequest, handshake};
use hyper::http::uri::Authority;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::time::Instant;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::ClientConfig;
use tokio_rustls::rustls::pki_types::ServerName;

use super::Body;
use super::way::Way;
use crate::upstream::Stream;

/// How long a connection may take to be made.
const CONNECT_WAIT: Duration = Duration::from_secs(10);
/// How long a connection that nobody uses is kept: less than AWS keeps it.
pub(super) const IDLE: Duration = Duration::from_secs(15);
/// How many of these are kept for one host.
const KEPT_MAX: usize = 256;

/// All of one door.
pub(super) struct Connections {
    tls: TlsConnector,
    kept: Mutex<HashMap<Way, Vec<(Open, Instant)>>>,
}

/// Why there is no answer.
#[derive(Debug)]
pub(super) enum NoAnswer {
    /// None of the request has left.
    Unsent(String),
    /// Some of it may have.
    Lost(hyper::Error),
}

/// A connection over which nothing is under way, or an answer is on its way.
struct Open {
    sender: SendRequest<Body>,
    connection: Pin<Box<Connection<TokioIo<Stream>, Body>>>,
}

/// The body of an answer. Its connection goes back to the others when it has come to its end.
pub(crate) struct Answer {
    body: Incoming,
    open: Option<Open>,
    home: Arc<Connections>,
    way: Way,
}

impl Connections {
    pub(super) fn new(tls: Arc<ClientConfig>) -> Self {
        Self { tls: TlsConnector::from(tls), kept: Mutex::default() }
    }

    /// Sends a request, over a kept connection if there is one.
    pub(super) async fn send(
        self: &Arc<Self>,
        way: Way,
        mut request: Request<Body>,
    ) -> Result<Response<Answer>, NoAnswer> {
        while let Some(open) = self.take(&way) {
            match over(open, request).await {
                Ok(answered) => return Ok(self.answer(way, answered).await),
                Err(mut error) => match error.take_message() {
                    Some(unsent) => request = unsent,
                    None => return Err(NoAnswer::Lost(error.into_error())),
                },
            }
        }
        let open = self.open(&way).await.map_err(NoAnswer::Unsent)?;
        match over(open, request).await {
            Ok(answered) => Ok(self.answer(way, answered).await),
            Err(mut error) => Err(match error.take_message() {
                Some(_) => NoAnswer::Unsent(error.into_error().to_string()),
                None => NoAnswer::Lost(error.into_error()),
            }),
        }
    }

    /// Closes what nobody has used for long.
    pub(super) fn close_idle(&self, now: Instant) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        for connections in kept.values_mut() {
            connections.retain(|(_, since)| now.duration_since(*since) < IDLE);
        }
        kept.retain(|_, connections| !connections.is_empty());
    }

    /// The one that was used last, which is the least likely to be closed.
    fn take(&self, way: &Way) -> Option<Open> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let (open, since) = kept.get_mut(way)?.pop()?;
        (since.elapsed() < IDLE).then_some(open)
    }

    fn keep(&self, way: &Way, open: Open) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        match kept.get_mut(way) {
            Some(connections) if connections.len() < KEPT_MAX => connections.push((open, now)),
            Some(_) => {}
            None => {
                kept.insert(way.clone(), vec![(open, now)]);
            }
        }
    }

    async fn open(&self, way: &Way) -> Result<Open, String> {
        let opening = async {
            let stream = self.dial(way).await?;
            let (sender, connection) =
                handshake(TokioIo::new(stream)).await.map_err(|error| error.to_string())?;
            Ok(Open { sender, connection: Box::pin(connection) })
        };
        let opened = tokio::time::timeout(CONNECT_WAIT, opening).await;
        opened.unwrap_or_else(|_| Err("it did not answer in time".to_owned()))
    }

    async fn dial(&self, way: &Way) -> Result<Stream, String> {
        let authority: Authority =
            way.authority.parse().map_err(|_| "this is no name of a host".to_owned())?;
        let host = authority.host().trim_start_matches('[').trim_end_matches(']');
        let port = authority.port_u16().unwrap_or(if way.is_tls { 443 } else { 80 });
        let tcp = TcpStream::connect((host, port)).await.map_err(|error| error.to_string())?;
        // Small requests are not to wait for more.
        tcp.set_nodelay(true).map_err(|error| error.to_string())?;
        if !way.is_tls {
            return Ok(Box::new(tcp));
        }
        let name = ServerName::try_from(host.to_owned()).map_err(|error| error.to_string())?;
        let stream = self.tls.connect(name, tcp).await.map_err(|error| format!("TLS: {error}"))?;
        Ok(Box::new(stream))
    }

    async fn answer(
        self: &Arc<Self>,
        way: Way,
        (response, open): (Response<Incoming>, Option<Open>),
    ) -> Response<Answer> {
        let home = Arc::clone(self);
        let mut response = response.map(|body| Answer { body, open, home, way });
        if response.body().is_end_stream() {
            let answer = response.body_mut();
            poll_fn(|context| {
                answer.go_home(context);
                Poll::Ready(())
            })
            .await;
        }
        response
    }
}

impl Open {
    /// Moves what is under way; ready when it is closed.
    fn poll(&mut self, context: &mut Context<'_>) -> Poll<()> {
        self.connection.as_mut().poll(context).map(|_| ())
    }
}

/// Sends over one connection, which is gone with an error, and may be with an answer.
async fn over(
    mut open: Open,
    request: Request<Body>,
) -> Result<(Response<Incoming>, Option<Open>), TrySendError<Request<Body>>> {
    let mut is_open = true;
    // What came over it since, such as its end, is seen now.
    poll_fn(|context| {
        is_open = open.poll(context).is_pending();
        Poll::Ready(())
    })
    .await;
    let mut answering = pin!(open.sender.try_send_request(request));
    let response = poll_fn(|context| {
        if is_open {
            is_open = open.connection.as_mut().poll(context).is_pending();
        }
        answering.as_mut().poll(context)
    })
    .await?;
    Ok((response, is_open.then_some(open)))
}

impl hyper::body::Body for Answer {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let this = self.get_mut();
        let mut next = Pin::new(&mut this.body).poll_frame(context);
        if next.is_pending()
            && let Some(open) = &mut this.open
        {
            if open.poll(context).is_ready() {
                this.open = None;
            }
            next = Pin::new(&mut this.body).poll_frame(context);
        }
        let next = ready!(next);
        match &next {
            Some(Err(_)) => this.open = None,
            Some(Ok(_)) if !this.body.is_end_stream() => {}
            Some(Ok(_)) | None => this.go_home(context),
        }
        Poll::Ready(next)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Answer {
    /// Keeps the connection if another request may go over it.
    fn go_home(&mut self, context: &mut Context<'_>) {
        let Some(mut open) = self.open.take() else { return };
        if open.poll(context).is_pending() && open.sender.is_ready() {
            self.home.keep(&self.way, open);
        }
    }
}

impl std::fmt::Debug for Answer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Answer").field("way", &self.way).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
