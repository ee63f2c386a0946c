//! AWS's answer on its way back, and what it says about the outcome. Tyer's own credentials never go with it.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt as _;
use hyper::Response;
use hyper::body::{Body, Frame, SizeHint};
use hyper::header::{HeaderMap, HeaderName};
use hyper::http::response::Parts;
use tokio::sync::watch;
use tyer_core::verdict::{LeafIndex, Outcome};
use tyer_wire::aws::outcome::{self, Failure};
use tyer_wire::aws::table::Operation;

use super::answer::{Broken, Reply, passed_on, whole};
use super::ask::{Open, settle};
use super::body::Seen;
use crate::door::accept::raised;
use crate::upstream::aws::{Answer, Answered, Credentials, Mask};

/// Bytes of an answer that goes back in one piece.
const WHOLE_BYTES_MAX: u64 = 64 * 1024;
/// How long an answer in one piece may take once it has begun.
const WHOLE_WAIT: Duration = Duration::from_secs(60);
/// Bytes of an error that are passed on.
const ERROR_BYTES_MAX: usize = 1024 * 1024;
/// Bytes of any answer that are kept to find an error in them.
const KEPT_BYTES_MAX: usize = 4 * 1024;

/// What of a request outlasts its sending.
pub(super) struct Sent {
    pub(super) open: Arc<Open>,
    pub(super) leaf: LeafIndex,
    /// What it was, if that is known.
    pub(super) call: Option<Operation>,
    /// Of its body, if that streamed.
    pub(super) seen: Option<Seen>,
    /// Whether it does more than read.
    pub(super) is_write: bool,
}

/// The answer for the client; nothing if it broke off, or its session was ended. Its outcome is recorded when it has come to
/// its end.
pub(super) async fn reply(
    answered: Answered,
    sent: Sent,
    mut kill: watch::Receiver<bool>,
) -> Option<Response<Reply>> {
    let Answered { response, secrets } = answered;
    let (mut parts, mut body) = response.into_parts();
    parts.headers = passed_on(&parts.headers);
    // It would lead past the door.
    if parts.status.is_redirection() {
        parts.headers.remove("location");
    }
    let ending = Ending { sent, status: parts.status.as_u16() };
    let is_error = parts.status.as_u16() >= 300;
    let is_small = body.size_hint().exact().is_some_and(|bytes| bytes <= WHOLE_BYTES_MAX);
    if !is_error && !is_small {
        clean(&mut parts.headers, |value| secrets.cover_secrets(value));
        let killed = Box::pin(async move { raised(&mut kill).await });
        let (kept, mask) = (Vec::new(), Mask::new(secrets));
        let body = Passing {
            body,
            killed,
            ending: Some(ending),
            kept,
            is_cut: false,
            mask,
            next: VecDeque::new(),
        };
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
    let all = without((&secrets, is_error), &mut parts, all);
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

/// An answer without Tyer's secrets, and an error, which may say with what AWS was asked, without its access key either.
fn without((own, is_error): (&Credentials, bool), parts: &mut Parts, body: Bytes) -> Bytes {
    let cover = |text: &mut [u8]| if is_error { own.cover(text) } else { own.cover_secrets(text) };
    clean(&mut parts.headers, cover);
    let mut body = BytesMut::from(body);
    if cover(&mut body) {
        // They are of what AWS said.
        let is_sum = |name: &str| {
            ["x-amz-crc32", "content-md5"].contains(&name) || name.starts_with("x-amz-checksum-")
        };
        drop_named(&mut parts.headers, |name, _| is_sum(name));
    }
    body.freeze()
}

/// Drops headers in which something would have to be covered.
fn clean(headers: &mut HeaderMap, cover: impl Fn(&mut [u8]) -> bool) {
    drop_named(headers, |_, value| cover(&mut value.to_vec()));
}

fn drop_named(headers: &mut HeaderMap, is_dropped: impl Fn(&str, &[u8]) -> bool) {
    let all = headers.iter();
    let dropped = all.filter(|(name, value)| is_dropped(name.as_str(), value.as_bytes()));
    let dropped: Vec<HeaderName> = dropped.map(|(name, _)| name.clone()).collect();
    for name in dropped {
        headers.remove(name);
    }
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
    sent: Sent,
    status: u16,
}

impl Ending {
    /// Bytes of the answer that are needed.
    fn kept_max(&self) -> usize {
        self.sent.call.map_or(0, outcome::looked_at).max(KEPT_BYTES_MAX)
    }

    async fn settle(self, error_type: Option<&str>, body: &[u8], came: Came) {
        let outcome = match outcome::error(self.status, error_type, body) {
            Some(Failure { code, is_certain: false }) if self.sent.is_write => Outcome::Unknown {
                why: format!("AWS answered {code}, which does not say how far it got"),
            },
            Some(Failure { code, .. }) => Outcome::Failed { code },
            None => self.done(body, came),
        };
        settle(&self.sent.open.door, self.sent.leaf, outcome).await;
    }

    fn done(&self, body: &[u8], came: Came) -> Outcome {
        let seen = self.sent.seen.as_ref().map(|seen| format!("; {}", seen.in_words()));
        let call = self.sent.call;
        let may_say_more = call.is_some_and(|call| outcome::looked_at(call) > 0);
        let cut = match came {
            Came::Broken => "; the answer broke off",
            Came::Cut if may_say_more => {
                "; whether all of it was done was not looked at, the answer is too long"
            }
            Came::Cut | Came::Whole => "",
        };
        let call = call.filter(|_| came == Came::Whole);
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
    /// As much of its beginning as says whether it is an error.
    kept: Vec<u8>,
    /// There is more than its beginning.
    is_cut: bool,
    mask: Mask,
    /// What may go on.
    next: VecDeque<Frame<Bytes>>,
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
        loop {
            if let Some(frame) = self.next.pop_front() {
                return Poll::Ready(Some(Ok(frame)));
            }
            let frame = match ready!(Pin::new(&mut self.body).poll_frame(context)) {
                Some(Ok(frame)) => frame,
                Some(Err(error)) => {
                    self.end(Came::Broken);
                    return Poll::Ready(Some(Err(Broken(error.to_string()))));
                }
                None => {
                    self.end(Came::Whole);
                    return Poll::Ready(self.mask.rest().map(|rest| Ok(Frame::data(rest))));
                }
            };
            self.take(frame);
        }
    }

    fn is_end_stream(&self) -> bool {
        self.next.is_empty() && self.mask.held() == 0 && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let (inner, held) = (self.body.size_hint(), self.mask.held() as u64);
        inner.exact().map_or_else(SizeHint::default, |left| SizeHint::with_exact(left + held))
    }
}

impl Passing {
    /// Takes what AWS sent, and finds out what of it may go on.
    fn take(&mut self, frame: Frame<Bytes>) {
        match frame.into_data() {
            Ok(bytes) => {
                let most = self.ending.as_ref().map_or(0, Ending::kept_max);
                let room = most.saturating_sub(self.kept.len());
                self.is_cut |= room < bytes.len();
                self.kept.extend_from_slice(bytes.get(..room).unwrap_or(&bytes));
                let passed = self.mask.push(bytes);
                if !passed.is_empty() {
                    self.next.push_back(Frame::data(passed));
                }
                if self.body.is_end_stream() {
                    self.end(Came::Whole);
                }
            }
            Err(mut last) => {
                let own = self.mask.credentials();
                if let Some(trailers) = last.trailers_mut() {
                    clean(trailers, |value| own.cover_secrets(value));
                }
                self.next.extend(self.mask.rest().map(Frame::data));
                self.next.push_back(last);
            }
        }
    }

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
