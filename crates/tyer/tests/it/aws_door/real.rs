//! An AWS that checks signatures, which emulators don't, and remembers what came.

use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::SystemTime;

use bytes::Bytes;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Full, StreamBody};
use hyper::body::{Body, Frame, Incoming, SizeHint};
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tyer_core::intent::{Digest, Timestamp};
use tyer_wire::aws::request::Head;
use tyer_wire::aws::sigv4::{Claim, SigningKey};

pub(crate) const ACCESS_KEY: &str = "AKIAREALREALREALREAL";
pub(crate) const SECRET: &str = "rEaL/s3cret+of=the-account";

/// Every access key that it knows, with its secret.
pub(crate) const KEYS: [(&str, &str); 4] = [
    (ACCESS_KEY, SECRET),
    ("AKIAOTHEROTHEROTHER0", "oThEr/s3cret"),
    ("AKIAPROFILEPROFILE00", "pRoFiLe+s3cret="),
    ("ASIAASSUMEDASSUMED00", "aSsUmEd/s3cret"),
];

/// A request that arrived whole.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) head: Head,
    pub(crate) body: Bytes,
    /// Whose key signed it, if the signature holds.
    pub(crate) signer: Option<String>,
}

/// What it answers.
#[derive(Clone, Debug)]
pub(crate) enum Says {
    /// This status and body.
    Answer(u16, String),
    /// The first of these answers whose text stands in the request's body, else an empty one.
    Script(Vec<(&'static str, String)>),
    /// These pieces, each by itself, of a length that is not said.
    Pieces(Vec<String>),
    /// Nothing: the connection is closed once the request is there.
    Nothing,
    /// It answers when it is let.
    Waits,
    /// The beginning of an answer of so many bytes, and then nothing.
    Begins(u64),
}

#[derive(Debug)]
struct Shared {
    seen: Mutex<Vec<Seen>>,
    says: Mutex<Says>,
    let_go: Semaphore,
}

#[derive(Clone, Debug)]
pub(crate) struct Service {
    pub(crate) port: u16,
    shared: Arc<Shared>,
}

impl Service {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let says = Mutex::new(Says::Answer(200, "{}".to_owned()));
        let let_go = Semaphore::new(0);
        let shared = Arc::new(Shared { seen: Mutex::default(), says, let_go });
        let service = Self { port, shared };
        let accepting = service.clone();
        tokio::spawn(async move {
            while let Ok((tcp, _)) = listener.accept().await {
                let service = accepting.clone();
                let answer = service_fn(move |request| {
                    let service = service.clone();
                    async move { service.answer(request).await }
                });
                let io = TokioIo::new(tcp);
                let server = hyper::server::conn::http1::Builder::new().serve_connection(io, answer);
                tokio::spawn(server);
            }
        });
        service
    }

    pub(crate) fn endpoint(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.shared.seen.lock().expect("what came").clone()
    }

    pub(crate) fn says(&self, says: Says) {
        *self.shared.says.lock().expect("what it says") = says;
    }

    /// Lets one that waits be answered.
    pub(crate) fn let_go(&self) {
        self.shared.let_go.add_permits(1);
    }

    async fn answer(&self, request: Request<Incoming>) -> Result<Response<Answer>, std::io::Error> {
        let (parts, body) = request.into_parts();
        // One that breaks off has not arrived.
        let body = body.collect().await.map_err(std::io::Error::other)?.to_bytes();
        let headers = parts.headers.iter();
        let own = |value: &[u8]| String::from_utf8_lossy(value).into_owned();
        let head = Head {
            method: parts.method.to_string(),
            path: parts.uri.path().to_owned(),
            query: parts.uri.query().unwrap_or_default().to_owned(),
            headers: headers.map(|(name, value)| (name.to_string(), own(value.as_bytes()))).collect(),
        };
        let signer = signer(&head, &body);
        let text = String::from_utf8_lossy(&body).into_owned();
        self.shared.seen.lock().expect("what came").push(Seen { head, body, signer });
        let says = self.shared.says.lock().expect("what it says").clone();
        match says {
            Says::Answer(status, body) => Ok(answer(status, body)),
            Says::Script(answers) => {
                let found = answers.into_iter().find(|(needle, _)| text.contains(needle));
                Ok(answer(200, found.map_or_else(|| "<R/>".to_owned(), |(_, answer)| answer)))
            }
            Says::Pieces(pieces) => {
                let frame = |piece| Ok(Frame::data(Bytes::from(piece)));
                let pieces = tokio_stream::iter(pieces.into_iter().map(frame));
                Ok(Response::new(StreamBody::new(pieces).boxed_unsync()))
            }
            Says::Begins(length) => {
                let body = Begun { length, has_begun: false };
                Ok(Response::new(body.boxed_unsync()))
            }
            Says::Nothing => Err(std::io::Error::other("gone")),
            Says::Waits => {
                self.shared.let_go.acquire().await.expect("a permit").forget();
                Ok(answer(200, "{}".to_owned()))
            }
        }
    }
}

type Answer = UnsyncBoxBody<Bytes, std::io::Error>;

fn answer(status: u16, body: String) -> Response<Answer> {
    let mut answer = Response::builder().status(status).header("x-amzn-requestid", "r-1");
    if (300..400).contains(&status) {
        answer = answer.header("location", "https://elsewhere.s3.amazonaws.com/");
    }
    let body = Full::new(Bytes::from(body)).map_err(|never| match never {});
    answer.body(body.boxed_unsync()).expect("an answer")
}

/// A body that says it is so long, begins, and never goes on.
struct Begun {
    length: u64,
    has_begun: bool,
}

impl Body for Begun {
    type Data = Bytes;
    type Error = std::io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, std::io::Error>>> {
        if std::mem::replace(&mut self.has_begun, true) {
            return Poll::Pending;
        }
        Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(b"begun")))))
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.length)
    }
}

fn signer(head: &Head, body: &[u8]) -> Option<String> {
    let claim = Claim::read(head).ok()?;
    let (_, secret) = KEYS.iter().find(|(id, _)| *id == claim.access_key())?;
    let key = SigningKey::derive(secret, claim.scope());
    let digest = Digest::of(body);
    let body = (!claim.payload().is_chunked()).then_some(&digest);
    claim.verify(head, body, &key, now()).ok()?;
    Some(claim.access_key().to_owned())
}

pub(crate) fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("after 1970");
    Timestamp(i64::try_from(since.as_millis()).expect("a moment"))
}
