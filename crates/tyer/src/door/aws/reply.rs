//! AWS's answer on its way back, and what it says about the outcome. Tyer's own credentials never go with it.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt as _;
use hyper::Response;
use hyper::body::{Body, Frame, SizeHint};
use hyper::http::response::Parts;
use tokio::sync::watch;
use tyer_core::verdict::{LeafIndex, Outcome};
use tyer_wire::aws::outcome;
use tyer_wire::aws::table::Operation;

use super::answer::{Broken, Reply, passed_on, whole};
use super::ask::{Open, settle};
use super::body::Seen;
use crate::door::accept::raised;
use crate::upstream::aws::{Answer, Answered, Credentials};

/// Bytes of an answer that goes back in one piece.
const WHOLE_BYTES_MAX: u64 = 64 * 1024;
/// How long an answer in one piece may take once it has begun.
const WHOLE_WAIT: Duration = Duration::from_secs(60);
/// Bytes of an error that are passed on.
const ERROR_BYTES_MAX: usize = 1024 * 1024;
/// Bytes of any answer that are kept to find an error in them.
const KEPT_BYTES_MAX: usize = 4 * 1024;

/// The answer for the client; nothing if it broke off, or its session was ended. Its outcome is recorded when it has come to
/// its end.
pub(super) async fn reply(
    answered: Answered,
    leaf: LeafIndex,
    mut kill: watch::Receiver<bool>,
    (open, call, seen): (Arc<Open>, Option<Operation>, Option<Seen>),
) -> Option<Response<Reply>> {
    let Answered { response, secrets } = answered;
    let (mut parts, mut body) = response.into_parts();
    parts.headers = passed_on(&parts.headers);
    // It would lead past the door.
    if parts.status.is_redirection() {
        parts.headers.remove("location");
    }
    let ending = Ending { open, leaf, call, status: parts.status.as_u16(), seen };
    let is_error = parts.status.as_u16() >= 300;
    let is_small = body.size_hint().exact().is_some_and(|bytes| bytes <= WHOLE_BYTES_MAX);
    if !is_error && !is_small {
        let kept = Vec::new();
        let killed = Box::pin(async move { raised(&mut kill).await });
        let body = Passing { body, killed, ending: Some(ending), kept, is_cut: false };
        return Some(Response::from_parts(parts, body.boxed_unsync()));
    }
    let all = tokio::select! {
        all = collected(&mut body) => all,
        () = raised(&mut kill) => None,
        () = tokio::time::sleep(WHOLE_WAIT) => None,
    };
    let Some(all) = all else {
        ending.settle(None, &[], Came::Broken).await;
        return None;
    };
    let error_type = parts.headers.get("x-amzn-errortype").and_then(|value| value.to_str().ok());
    let error_type = error_type.map(str::to_owned);
    let is_error = outcome::error(ending.status, error_type.as_deref(), &all).is_some();
    ending.settle(error_type.as_deref(), &all, Came::Whole).await;
    let all = if is_error { without(&secrets, &mut parts, all) } else { all };
    Some(Response::from_parts(parts, whole(all)))
}

/// All of a body; nothing if it breaks off, or is larger than what is passed on in one piece.
async fn collected(body: &mut Answer) -> Option<Bytes> {
    let mut all = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let Ok(bytes) = frame.ok()?.into_data() else { continue };
        all.extend_from_slice(&bytes);
        if all.len() > ERROR_BYTES_MAX {
            return None;
        }
    }
    Some(all.freeze())
}

/// An error of AWS may say with what it was asked.
fn without(secrets: &Credentials, parts: &mut Parts, body: Bytes) -> Bytes {
    let stands_in_headers = |value: &hyper::header::HeaderValue| secrets.stand_in(value.as_bytes());
    let named: Vec<_> = parts
        .headers
        .iter()
        .filter(|(_, value)| stands_in_headers(value))
        .map(|(name, _)| name.clone())
        .collect();
    for name in named {
        parts.headers.remove(name);
    }
    if !secrets.stand_in(&body) {
        return body;
    }
    parts.headers.remove("content-length");
    Bytes::from(secrets.taken_out(&String::from_utf8_lossy(&body)))
}

/// How much of an answer is at hand at its end.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Came {
    Whole,
    /// More came than was kept.
    Cut,
    /// The rest never came.
    Broken,
}

/// What is recorded at the end.
struct Ending {
    open: Arc<Open>,
    leaf: LeafIndex,
    call: Option<Operation>,
    status: u16,
    seen: Option<Seen>,
}

impl Ending {
    /// Bytes of the answer that are needed.
    fn kept_max(&self) -> usize {
        self.call.map_or(0, outcome::looked_at).max(KEPT_BYTES_MAX)
    }

    async fn settle(self, error_type: Option<&str>, body: &[u8], came: Came) {
        let outcome = match outcome::error(self.status, error_type, body) {
            Some(code) => Outcome::Failed { code },
            None => self.done(body, came),
        };
        settle(&self.open.door, self.leaf, outcome).await;
    }

    fn done(&self, body: &[u8], came: Came) -> Outcome {
        let seen = self.seen.as_ref().map(|seen| format!("; {}", seen.in_words()));
        let may_say_more = self.call.is_some_and(|call| outcome::looked_at(call) > 0);
        let cut = match came {
            Came::Broken => "; the answer broke off",
            Came::Cut if may_say_more => {
                "; whether all of it was done was not looked at, the answer is too long"
            }
            Came::Cut | Came::Whole => "",
        };
        let call = self.call.filter(|_| came == Came::Whole);
        let undone = call.and_then(|call| outcome::undone(call, body));
        let tag = format!("{}{}{cut}", self.status, seen.unwrap_or_default());
        Outcome::Done { tag, rows: None, did: Vec::new(), undone }
    }
}

/// An answer that streams.
struct Passing {
    body: Answer,
    killed: Pin<Box<dyn Future<Output = ()> + Send>>,
    ending: Option<Ending>,
    /// Its beginning.
    kept: Vec<u8>,
    /// There is more than its beginning.
    is_cut: bool,
}

impl Body for Passing {
    type Data = Bytes;
    type Error = Broken;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        if self.killed.as_mut().poll(context).is_ready() {
            self.end(Came::Broken);
            return Poll::Ready(Some(Err(Broken("the session was ended".to_owned()))));
        }
        let next = ready!(Pin::new(&mut self.body).poll_frame(context));
        match &next {
            Some(Ok(frame)) => {
                if let Some(bytes) = frame.data_ref() {
                    let most = self.ending.as_ref().map_or(0, Ending::kept_max);
                    let room = most.saturating_sub(self.kept.len());
                    self.is_cut |= room < bytes.len();
                    self.kept.extend_from_slice(bytes.get(..room).unwrap_or(bytes));
                }
                if self.body.is_end_stream() {
                    self.end(Came::Whole);
                }
            }
            Some(Err(_)) => self.end(Came::Broken),
            None => self.end(Came::Whole),
        }
        Poll::Ready(next.map(|it| it.map_err(|error| Broken(error.to_string()))))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Passing {
    fn end(&mut self, came: Came) {
        let Some(ending) = self.ending.take() else { return };
        let kept = std::mem::take(&mut self.kept);
        let came = if came == Came::Whole && self.is_cut { Came::Cut } else { came };
        tokio::spawn(async move { ending.settle(None, &kept, came).await });
    }
}

impl Drop for Passing {
    fn drop(&mut self) {
        self.end(Came::Broken);
    }
}
