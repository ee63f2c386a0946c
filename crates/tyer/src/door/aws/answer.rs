//! What goes back to the client: AWS's answer, or a refusal in the form of the client's protocol.

use bytes::Bytes;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Full};
use hyper::Response;
use hyper::header::{HeaderMap, HeaderName};
use tyer_core::verdict::{Reason, Refusal};
use tyer_wire::aws::protocol::Protocol;
use tyer_wire::aws::refuse::{Answer, Kind};

use crate::secret;

/// A body on its way to the client.
pub(super) type Reply = UnsyncBoxBody<Bytes, Broken>;

/// An answer that does not come to its end.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{0}")]
pub(super) struct Broken(pub(super) String);

/// Headers of one connection, which are not passed on.
const OF_CONNECTIONS: [&str; 8] = [
    "connection",
    "keep-alive",
    "proxy-authenticate",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// Why a request is not sent on.
#[derive(Debug)]
pub(super) struct Refused {
    protocol: Protocol,
    kind: Kind,
    message: String,
}

impl Refused {
    pub(super) fn new(protocol: Protocol, kind: Kind, message: impl Into<String>) -> Self {
        Self { protocol, kind, message: message.into() }
    }

    /// What the gateway says, which names the hold, where people see it, and what to do next.
    pub(super) fn of(protocol: Protocol, refusal: &Refusal) -> Self {
        let kind = match refusal.reason {
            Reason::Ended => Kind::Ended,
            _ => Kind::Denied,
        };
        let next = match refusal.next.as_str() {
            "" => String::new(),
            next => format!(" -- {next}"),
        };
        Self::new(protocol, kind, format!("Tyer: {}{next}", refusal.message))
    }

    pub(super) fn message(&self) -> &str {
        &self.message
    }

    pub(super) fn reply(&self) -> Response<Reply> {
        reply(Answer::new(self.protocol, self.kind, &self.message, &request_id()))
    }

    /// The same without a body.
    pub(super) fn reply_to_head(&self) -> Response<Reply> {
        reply(Answer::to_head(self.protocol, self.kind, &self.message, &request_id()))
    }
}

/// What a client can name its refusal by.
fn request_id() -> String {
    secret::short_word::<16>().map_or_else(|_| "tyer".to_owned(), |word| format!("tyer-{word}"))
}

fn reply(answer: Answer) -> Response<Reply> {
    let mut response = Response::new(whole(Bytes::from(answer.body)));
    *response.status_mut() =
        hyper::StatusCode::from_u16(answer.status).unwrap_or(hyper::StatusCode::INTERNAL_SERVER_ERROR);
    for (name, value) in answer.headers {
        if let Ok(value) = value.parse() {
            response.headers_mut().append(HeaderName::from_static(name), value);
        }
    }
    response
}

/// A body that is all there.
pub(super) fn whole(bytes: Bytes) -> Reply {
    Full::new(bytes).map_err(|never| match never {}).boxed_unsync()
}

/// The headers of an answer without those of its connection.
pub(super) fn passed_on(headers: &HeaderMap) -> HeaderMap {
    let named: Vec<String> = headers
        .get_all("connection")
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(|name| name.trim().to_ascii_lowercase())
        .collect();
    let is_passed_on = |name: &HeaderName| {
        !OF_CONNECTIONS.contains(&name.as_str()) && !named.iter().any(|own| own == name.as_str())
    };
    headers
        .iter()
        .filter(|(name, _)| is_passed_on(name))
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect()
}
