//! The accounts of AWS: Tyer's own credentials, and the only way to send a request with them.
//!
//! INVARIANT: what an agent asked for is sent only by [`Cloud::execute`], which takes a clearance by value and compares
//! it with what is sent. The client that sends is private to this file and to what Tyer itself asks.

mod connections;
mod credentials;
mod look;
mod mask;
mod way;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::{Request, Response, Uri};
use tyer_core::intent::{Digest, Principal};
use tyer_core::verdict::Clearance;
use tyer_wire::aws::asked::Asked;
use tyer_wire::aws::identity;
use tyer_wire::aws::request::Head;
use tyer_wire::aws::sigv4::{Outgoing, Scope, SignError, Signer, sign};
use tyer_wire::aws::table;
use tyer_wire::line::one_line;

pub(crate) use self::connections::Answer;
use self::connections::{Connections, IDLE, NoAnswer};
pub(crate) use self::credentials::Credentials;
use self::credentials::Kept;
pub(crate) use self::look::Looked;
pub(crate) use self::mask::Mask;
use self::way::Way;
use super::dial::client_tls;
use crate::clock;
use crate::config::aws::AwsConfig;

/// How long Tyer waits for an answer to what it asks itself.
const ASK_WAIT: Duration = Duration::from_secs(10);
/// Bytes of such an answer.
const ANSWER_BYTES_MAX: usize = 1024 * 1024;
/// Characters of an error that the operator is told.
const ERROR_CHARS_MAX: usize = 300;

/// A body on its way to AWS; it fails where the client's fails.
pub(crate) type Body = UnsyncBoxBody<Bytes, Cut>;

/// The client's body is not what it declared, or did not come to its end.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Cut(pub(crate) String);

/// The accounts behind one door.
pub(crate) struct Cloud {
    config: Arc<AwsConfig>,
    connections: Arc<Connections>,
    credentials: BTreeMap<String, Kept>,
}

impl std::fmt::Debug for Cloud {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Cloud").field("config", &self.config).finish_non_exhaustive()
    }
}

/// A cleared request with its body.
pub(crate) struct Sending<'a> {
    pub(crate) asked: &'a Asked,
    /// The account, by the operator's name.
    pub(crate) account: &'a str,
    /// Whether it does more than read.
    pub(crate) is_write: bool,
    /// For whom, which a role's session says.
    pub(crate) principal: &'a Principal,
    pub(crate) body: Body,
    pub(crate) outgoing: Outgoing,
}

/// What came of sending.
#[derive(Debug)]
pub(crate) struct Answered {
    pub(crate) response: Response<Answer>,
    /// What must not get back to the agent.
    pub(crate) secrets: Credentials,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SendError {
    /// The clearance is for another request, or bounds what cannot be bounded here; nothing was sent.
    #[error("the clearance is not for what was about to be sent")]
    OtherRequest,
    /// Nothing was sent.
    #[error("Tyer has no credentials for the account: {0}")]
    Credentials(String),
    /// Nothing was sent.
    #[error("nothing says at which host of AWS this is asked for")]
    NoHost,
    /// Nothing was sent.
    #[error(transparent)]
    Sign(#[from] SignError),
    /// Nothing was sent.
    #[error("{0} cannot be reached: {1}")]
    Unreachable(String, String),
    /// It was sent, or some of it, and nobody knows what came of it.
    #[error("the connection to {0} was lost: {1}")]
    Lost(String, String),
}

impl SendError {
    /// Whether certainly nothing has left.
    pub(crate) fn is_unsent(&self) -> bool {
        !matches!(self, Self::Lost(..))
    }

    /// Whether the same request may get there if it is sent again.
    pub(crate) fn may_pass(&self) -> bool {
        match self {
            Self::Credentials(_) | Self::Unreachable(..) | Self::Lost(..) => true,
            Self::OtherRequest | Self::NoHost | Self::Sign(_) => false,
        }
    }

    /// What the agent is told; the credentials are the operator's business.
    pub(crate) fn in_words(&self) -> &'static str {
        match self {
            Self::OtherRequest => "what was about to be sent is not what was decided; nothing was sent",
            Self::Credentials(_) => {
                "Tyer has no credentials for this account just now; nothing was sent"
            }
            Self::NoHost => "nothing says at which host of AWS this is asked for; nothing was sent",
            Self::Sign(_) => "this cannot be signed as it is; nothing was sent",
            Self::Unreachable(..) => "AWS cannot be reached just now; nothing was sent",
            Self::Lost(..) => "the connection to AWS was lost before the outcome was seen",
        }
    }
}

impl Cloud {
    /// Prepares the way to the accounts; reads the certificates of its authorities.
    pub(crate) fn new(config: &Arc<AwsConfig>) -> Result<Self, String> {
        let tls = client_tls(config.authorities.as_deref(), None).or_else(|message| {
            // Without TLS there is nothing to trust.
            let is_plain = config.endpoint.as_ref().is_some_and(|it| !it.is_tls);
            if is_plain { Ok(super::dial::trusting_nobody()) } else { Err(message) }
        })?;
        let credentials = config.accounts.iter();
        let credentials = credentials.map(|(name, it)| (name.clone(), Kept::new(it.clone()))).collect();
        let connections = Arc::new(Connections::new(tls));
        Ok(Self { config: Arc::clone(config), connections, credentials })
    }

    /// What is configured.
    pub(crate) fn config(&self) -> &AwsConfig {
        &self.config
    }

    /// Closes, from time to time, connections that nobody uses any more.
    pub(crate) async fn keep_up(&self) {
        loop {
            tokio::time::sleep(IDLE).await;
            self.connections.close_idle(tokio::time::Instant::now());
        }
    }

    /// Whether there is a place to send the request to.
    pub(crate) fn reaches(&self, asked: &Asked) -> bool {
        Way::of(self.config.endpoint.as_ref(), asked).is_some()
    }

    /// Sends exactly the cleared request, once, signed with Tyer's credentials.
    pub(crate) async fn execute(
        &self,
        clearance: Clearance,
        sending: Sending<'_>,
    ) -> Result<Answered, SendError> {
        let Sending { asked, account, is_write, principal, body, outgoing } = sending;
        if clearance.digest() != asked.digest() || clearance.ceilings().is_some() {
            return Err(SendError::OtherRequest);
        }
        // Used up.
        drop(clearance);
        let way = Way::of(self.config.endpoint.as_ref(), asked).ok_or(SendError::NoHost)?;
        let credentials = self.credentials(account, principal).await?;
        let (service, region) = (asked.decoded().service.as_str(), asked.decoded().region.as_str());
        // Others may let this account write to their buckets.
        let owner = if is_write { self.config.owner(account, region).account } else { "" };
        let head = asked.expecting(owner);
        let at = (&way, service, region);
        let response = self.send(&head, (body, outgoing), at, &credentials).await?;
        Ok(Answered { response, secrets: credentials })
    }

    /// Tyer's credentials for an account, on behalf of somebody.
    async fn credentials(
        &self,
        account: &str,
        principal: &Principal,
    ) -> Result<Credentials, SendError> {
        let kept = self.credentials.get(account);
        let kept = kept.ok_or_else(|| SendError::Credentials("there is no such account".to_owned()))?;
        kept.of(self, principal).await.map_err(SendError::Credentials)
    }

    /// Signs and sends.
    async fn send(
        &self,
        head: &Head,
        (body, outgoing): (Body, Outgoing),
        (way, service, region): (&Way, &str, &str),
        credentials: &Credentials,
    ) -> Result<Response<Answer>, SendError> {
        let host = way.authority.as_str();
        let now = clock::now();
        let scope = Scope::on(now, region, service).ok_or(SignError::Day)?;
        let key = credentials.key(&scope);
        let (access_key, token) = (credentials.access_key(), credentials.token());
        let signed = sign(head, host, outgoing, &Signer { access_key, token, key: &key }, now)?;
        let request = request(&signed, body)
            .map_err(|error| SendError::Unreachable(host.to_owned(), error.to_string()))?
            .ok_or(SendError::OtherRequest)?;
        self.connections.send(way.clone(), request).await.map_err(|error| match error {
            NoAnswer::Unsent(why) => SendError::Unreachable(host.to_owned(), why),
            NoAnswer::Lost(error) => SendError::Lost(host.to_owned(), chain(&error)),
        })
    }

    /// Which account Tyer's credentials are of, and as whom they act there.
    pub(crate) async fn identity(&self, account: &str) -> Result<(String, String), String> {
        let account = self.credentials.get(account).ok_or("there is no such account")?;
        let credentials = account.source().await?;
        let region = self.config.regions.first().map_or("us-east-1", String::as_str);
        let answer = self.ask("sts", region, identity::request(), &credentials).await?;
        identity::read(&answer).ok_or_else(|| "who Tyer is there was not said".to_owned())
    }

    /// Asks something on Tyer's own behalf, for a bounded time.
    async fn ask(
        &self,
        service: &str,
        region: &str,
        (head, body): (Head, Vec<u8>),
        credentials: &Credentials,
    ) -> Result<Bytes, String> {
        let api = table::signed_for(service).next();
        let host = || api.and_then(|api| table::host(api, region));
        let way = Way::to(self.config.endpoint.as_ref(), host);
        let way = way.ok_or_else(|| SendError::NoHost.to_string())?;
        let outgoing = Outgoing::Hash(Digest::of(&body));
        let (body, to) = ((whole(Bytes::from(body)), outgoing), (&way, service, region));
        let asked = async {
            let answer = self.send(&head, body, to, credentials).await.map_err(|it| it.to_string())?;
            let status = answer.status();
            let body = Limited::new(answer.into_body(), ANSWER_BYTES_MAX).collect().await;
            let body = body.map_err(|error| error.to_string())?.to_bytes();
            if status.is_success() { Ok(body) } else { Err(said(status, &body, credentials)) }
        };
        tokio::time::timeout(ASK_WAIT, asked).await.map_err(|_| "it took too long".to_owned())?
    }
}

/// What an error of AWS says, short, for the operator, without what AWS was asked with.
fn said(status: hyper::StatusCode, body: &[u8], credentials: &Credentials) -> String {
    let mut body = body.to_vec();
    // Before it is cut, so that nothing of them is left at the end.
    credentials.cover(&mut body);
    let body: String = String::from_utf8_lossy(&body).chars().take(ERROR_CHARS_MAX).collect();
    format!("{status}, {}", one_line(&body))
}

/// An error with what is behind it.
fn chain(error: &dyn std::error::Error) -> String {
    let mut said = error.to_string();
    let mut next = error.source();
    while let Some(inner) = next {
        said = format!("{said}: {inner}");
        next = inner.source();
    }
    said
}

/// The request as it is sent; nothing if it could be read as another than was signed.
fn request(head: &Head, body: Body) -> Result<Option<Request<Body>>, hyper::http::Error> {
    let mut target = head.path.clone();
    if !head.query.is_empty() {
        target.push('?');
        target.push_str(&head.query);
    }
    let uri = Uri::builder().path_and_query(target).build()?;
    if uri.path() != head.path || uri.query().unwrap_or_default() != head.query {
        return Ok(None);
    }
    let mut request = Request::builder().method(head.method.as_str()).uri(uri);
    for (name, value) in &head.headers {
        request = request.header(name, value);
    }
    request.body(body).map(Some)
}

/// A body that is all there.
pub(crate) fn whole(bytes: Bytes) -> Body {
    Full::new(bytes).map_err(|never| match never {}).boxed_unsync()
}
