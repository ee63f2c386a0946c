//! One request: decided by the gateway, sent if it may be, and recorded with what came of it.
//!
//! A client that leaves neither stops what was sent nor leaves it without an outcome.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use hyper::body::Incoming;
use hyper::{Request as HttpRequest, Response};
use tokio::sync::watch;
use tyer_core::intent::{Act, Acts, Environment, SessionId, Tie};
use tyer_core::limits::AWS_WAIT_MS_MAX;
use tyer_core::policy::counts_as_production;
use tyer_core::verdict::{Clearance, LeafIndex, Outcome, Refusal};
use tyer_wire::aws::asked::{Asked, Content, Destination};
use tyer_wire::aws::decode::{Call, Decoded, Whither};
use tyer_wire::aws::protocol::Protocol;
use tyer_wire::aws::refuse::Kind;
use tyer_wire::aws::request::Head;
use tyer_wire::aws::resources::{Owner, Resource};
use tyer_wire::aws::sigv4::Outgoing;
use tyer_wire::aws::tags::Tag;
use tyer_wire::aws::understand::{Terms, understand};

use super::Door;
use super::admit::{Claimed, claimed, head};
use super::answer::{Refused, Reply};
use super::body::{Seen, passing};
use super::content::{Read, read};
use super::reply::{self, Sent};
use super::tunnel::Tunnel;
use crate::door::accept::raised;
use crate::door::lasting::{Lasting, Panicked};
use crate::gateway::access_keys::Holder;
use crate::gateway::carried::Read as Carried;
use crate::gateway::{About, Patience, Request};
use crate::upstream::aws::{self, Looked, SendError, Sending};

/// The code of what was cleared and not sent.
const NOT_SENT: &str = "not sent";

/// Takes a request to its answer, which may have come through a tunnel.
pub(super) async fn ask(
    door: &Arc<Door>,
    through: Option<&Tunnel>,
    request: HttpRequest<Incoming>,
) -> Result<Response<Reply>, Refused> {
    let (parts, body) = request.into_parts();
    let claimed = claimed(door, through, head(&parts)?).await?;
    let read = read(&claimed, body).await?;
    let opened = match through {
        // It counts as one with what goes through it.
        Some(tunnel) => Ok(tunnel.open()),
        None => Open::new(door, &claimed.holder.principal.session),
    };
    let (open, kill) = opened.map_err(|most| {
        let message = format!("Tyer: this session has {most} requests under way already");
        claimed.refuse(Kind::Unavailable, message)
    })?;
    let (gone, leaves) = watch::channel(false);
    // Told when this is no longer awaited.
    let _gone = Gone(gone);
    let exchange = Exchange::new(open, claimed, read)?;
    let protocol = exchange.protocol;
    Lasting::new(exchange.run(kill, leaves)).await.unwrap_or_else(|Panicked| {
        tracing::error!("a request came to no end");
        Err(Refused::new(protocol, Kind::Lost, "Tyer: the request came to no end"))
    })
}

/// A request, or a tunnel with the one in it, that counts as an open connection of its session.
pub(super) struct Open {
    pub(super) door: Arc<Door>,
    session: SessionId,
    number: u64,
}

impl Open {
    /// With what tells it to end; an error is how many there may be, and are.
    pub(super) fn new(
        door: &Arc<Door>,
        session: &SessionId,
    ) -> Result<(Arc<Self>, watch::Receiver<bool>), u32> {
        let most = door.gateway.config.limits.connections_per_session;
        let (number, kill) = door.gateway.connections.opened(session, most).ok_or(most)?;
        Ok((Arc::new(Self { door: Arc::clone(door), session: session.clone(), number }), kill))
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.door.gateway.connections.closed(&self.session, self.number);
    }
}

struct Gone(watch::Sender<bool>);

impl Drop for Gone {
    fn drop(&mut self) {
        self.0.send_replace(true);
    }
}

/// A verified request with its body.
struct Exchange {
    open: Arc<Open>,
    holder: Holder,
    asked: Asked,
    protocol: Protocol,
    body: aws::Body,
    outgoing: Outgoing,
    seen: Option<Seen>,
}

impl Exchange {
    fn new(open: Arc<Open>, claimed: Claimed, read: Read) -> Result<Self, Refused> {
        let content = read.content();
        let mut plain = claimed.plain.clone();
        let (body, outgoing, seen) = match read {
            Read::Whole(bytes, digest, trailers) => {
                with_trailers(&mut plain, trailers);
                (aws::whole(bytes), Outgoing::Hash(digest), None)
            }
            Read::Streams(incoming, length, verified) => {
                let (body, outgoing, seen) = passing(&claimed, (incoming, length, &verified))?;
                (body, outgoing, Some(seen))
            }
        };
        let scope = claimed.claim.scope();
        let account = open.door.cloud.config().owner(&claimed.holder.account, &scope.region).account;
        let to = Destination { account, service: &scope.service, region: &scope.region };
        let asked = Asked::new(plain, content, to);
        let protocol = asked.decoded().protocol.unwrap_or(Protocol::Query);
        Ok(Self { holder: claimed.holder, asked, protocol, body, outgoing, seen, open })
    }

    async fn run(
        self,
        mut kill: watch::Receiver<bool>,
        gone: watch::Receiver<bool>,
    ) -> Result<Response<Reply>, Refused> {
        let door = Arc::clone(&self.open.door);
        let refuse = |kind, message: &str| Refused::new(self.protocol, kind, message);
        let decided = decide(&door, (&self.asked, &self.holder), gone.clone()).await;
        let (clearance, is_write) = decided.map_err(|refusal| Refused::of(self.protocol, &refusal))?;
        let leaf = clearance.leaf();
        if *gone.borrow() || *kill.borrow() {
            not_sent(&door, leaf).await;
            return Err(refuse(
                Kind::Ended,
                "Tyer: nothing was sent; this session was ended, or the client left",
            ));
        }
        let Self { holder, asked, body, outgoing, protocol, seen, open } = self;
        let (account, principal) = (holder.account.as_str(), &holder.principal);
        let sending = Sending { asked: &asked, account, is_write, principal, body, outgoing };
        let sent = tokio::select! {
            sent = door.cloud.execute(clearance, sending) => sent,
            () = raised(&mut kill) => {
                let why = "the session was ended before the outcome was seen".to_owned();
                settle(&door, leaf, Outcome::Unknown { why }).await;
                return Err(Refused::new(protocol, Kind::Ended, "Tyer: this session was ended"));
            }
        };
        match sent {
            Ok(answered) => {
                let call = match asked.decoded().call {
                    Call::Known(operation) => Some(operation),
                    Call::Unknown { .. } => None,
                };
                let sent = Sent { open, leaf, call, seen, is_write };
                let reply = Box::pin(reply::reply(answered, sent, kill)).await;
                let kind = if is_write { Kind::Lost } else { Kind::Unavailable };
                let lost = "Tyer: AWS's answer broke off; look before you ask for it again";
                reply.ok_or_else(|| Refused::new(protocol, kind, lost))
            }
            Err(error) => {
                tracing::error!(%error, upstream = %door.upstream, "a request was not answered");
                let message = unanswered(&door, leaf, &error).await;
                // SDKs send again by themselves what was not answered.
                let may_be_done = is_write && !error.is_unsent();
                let kind = match (may_be_done, error.may_pass()) {
                    (true, _) => Kind::Lost,
                    (false, true) => Kind::Unavailable,
                    (false, false) => Kind::NotImplemented,
                };
                Err(Refused::new(protocol, kind, message))
            }
        }
    }
}

/// Has the gateway decide. Says also whether it does more than read.
async fn decide(
    door: &Door,
    (asked, holder): (&Asked, &Holder),
    gone: watch::Receiver<bool>,
) -> Result<(Clearance, bool), Refusal> {
    let since = Instant::now();
    if !door.cloud.reaches(asked) {
        return Err(nowhere(&asked.decoded().service));
    }
    let (decoded, digest) = (asked.decoded(), asked.digest());
    let config = door.cloud.config();
    let account = holder.account.as_str();
    let owner = config.owner(account, &decoded.region);
    let acts = understand(decoded, &Terms { owner, environment_tags: &config.environment_tags });
    let looked = acts.worst().is_write().then(|| {
        Arc::new(Looked {
            decoded: Arc::new(decoded.clone()),
            account: account.to_owned(),
            principal: holder.principal.clone(),
        })
    });
    let (acts, tags) = match &looked {
        Some(looked) => door.cloud.decided(looked, acts).await,
        None => (acts, None),
    };
    if acts.worst().is_dangerous() && matches!(asked.content(), Content::Unseen { .. }) {
        return Err(unseen());
    }
    let is_write = acts.worst().is_write();
    let otherwise = door.gateway.config.upstreams.get(&door.upstream);
    let otherwise = otherwise.map(|upstream| upstream.environment.clone());
    let touched = touched(decoded, owner, &acts);
    let stands = |otherwise: Environment| {
        let at = (account, decoded.region.as_str());
        config.tagged(config.environment(&otherwise, at, &touched), at, &decoded.tags())
    };
    let environment = tagged(door, otherwise.map(stands), (&acts, looked.as_ref(), tags)).await;
    let to = Whither { account, environment: environment.as_ref().map_or("", Environment::as_str) };
    let (shape, redacted) = (decoded.shape(&acts, &touched, to), decoded.redacted());
    let session = &holder.principal.session;
    let carried = Carried {
        session,
        acts: &acts,
        environment: environment.as_ref(),
        digest,
        shape,
        redacted: &redacted,
        bytes: asked.bytes_max(),
    };
    if let Some(clearance) = door.gateway.carry(&carried) {
        return Ok((clearance, is_write));
    }
    let wait = left(door.gateway.config.holds.wait, since.elapsed());
    let request = Request {
        session: session.clone(),
        acts,
        environment,
        digest,
        shape,
        text: asked.text(),
        redacted,
        transactional: false,
        fits_block: false,
        about: About { cloud: looked, ..About::default() },
    };
    let clearance = door.gateway.submit(request, Patience { wait, gone }).await?;
    Ok((clearance, is_write))
}

/// The environment with the tags of what is there, which matter where something dangerous is not known to be in production.
async fn tagged(
    door: &Door,
    found: Option<Environment>,
    (acts, looked, tags): (&Acts, Option<&Arc<Looked>>, Option<Vec<Tag>>),
) -> Option<Environment> {
    let found = found?;
    let Some(looked) = looked.filter(|_| acts.worst().is_dangerous()) else { return Some(found) };
    if counts_as_production(&found) {
        return Some(found);
    }
    let tags = match tags {
        Some(tags) => tags,
        None => door.cloud.tags(looked).await,
    };
    Some(door.cloud.config().tagged(found, (&looked.account, &looked.decoded.region), &tags))
}

/// Everything that the request names, and everything that something is done to.
fn touched(decoded: &Decoded, owner: Owner<'_>, acts: &Acts) -> Vec<Resource> {
    let named = decoded.resources(owner);
    // What is made and has no name yet is nothing that there is.
    let is_there = |act: &&Act| act.tie != Some(Tie::Unnamed);
    let arns = acts.iter().filter(is_there).map(|act| act.resource.name.as_str());
    let arns: BTreeSet<&str> = arns.filter(|name| name.starts_with("arn:")).collect();
    let is_new = |arn: &&str| named.iter().all(|resource| resource.arn != *arn);
    let more: Vec<Resource> = arns.into_iter().filter(is_new).map(Resource::of_arn).collect();
    named.into_iter().chain(more).chain(decoded.of_another(owner)).collect()
}

/// Puts what came behind a body before it, where it is as good.
fn with_trailers(head: &mut Head, trailers: Vec<(String, String)>) {
    for (name, value) in trailers {
        if head.headers(&name).next().is_none() {
            head.headers.push((name, value));
        }
    }
}

fn unseen() -> Refusal {
    Refusal::new(
        tyer_core::verdict::Reason::Unsupported,
        "a body that nobody can see before it is sent is not part of something this dangerous",
        "sign the body's SHA-256, or send it in one piece of at most 64 KiB",
    )
}

/// It would be held, approved, and then go nowhere.
fn nowhere(service: &str) -> Refusal {
    Refusal::new(
        tyer_core::verdict::Reason::Unsupported,
        format!(
            "this is no operation that Tyer knows, and what is signed for `{service}` is not at one host of AWS, so \
             nothing says where it would have to be sent"
        ),
        "ask for an operation that `tyer understand aws` knows",
    )
}

/// How long people have, where they would have `configured` and the client has waited for `spent`.
fn left(configured: Duration, spent: Duration) -> Duration {
    configured.min(Duration::from_millis(AWS_WAIT_MS_MAX).saturating_sub(spent))
}

/// Records that nothing was sent, and says to the client why.
async fn unanswered(door: &Door, leaf: LeafIndex, error: &SendError) -> String {
    if error.is_unsent() {
        not_sent(door, leaf).await;
        return format!("Tyer: {}, and the operator has been told", error.in_words());
    }
    let why = error.in_words().to_owned();
    let told = format!("Tyer: {why}; look before you ask for it again");
    settle(door, leaf, Outcome::Unknown { why }).await;
    told
}

async fn not_sent(door: &Door, leaf: LeafIndex) {
    door.gateway.never_left(leaf);
    settle(door, leaf, Outcome::Failed { code: NOT_SENT.to_owned() }).await;
}

/// Records an outcome.
pub(super) async fn settle(door: &Door, leaf: LeafIndex, outcome: Outcome) {
    if let Err(error) = door.gateway.settle_soon(leaf, outcome).await {
        // The leaf stays unsettled; the next start records it as unknown.
        tracing::error!(%error, leaf = leaf.0, "an outcome was not recorded");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn people_have_what_the_client_leaves_them() {
        let check = |configured, spent, expect| {
            let left = left(Duration::from_secs(configured), Duration::from_secs(spent));
            assert_eq!(left, Duration::from_secs(expect), "{configured} {spent}");
        };
        check(0, 0, 0);
        check(20, 0, 20);
        check(20, 3, 20);
        check(20, 9, 16);
        check(300, 0, 25);
        check(300, 6, 19);
        check(300, 60, 0);
    }

    #[test]
    fn only_what_may_pass_later_is_tried_again() {
        let host = || "sts.amazonaws.com".to_owned();
        let check = |error: SendError, may_pass, words: &str| {
            assert_eq!(error.may_pass(), may_pass, "{error}");
            assert!(error.in_words().contains(words), "{}", error.in_words());
            assert!(!error.in_words().contains("AKIA"), "{}", error.in_words());
        };
        check(SendError::NoHost, false, "nothing says at which host");
        check(SendError::OtherRequest, false, "is not what was decided");
        check(SendError::Sign(tyer_wire::aws::sigv4::SignError::Parameter), false, "cannot be signed");
        check(SendError::Credentials("AKIA1".to_owned()), true, "has no credentials");
        check(SendError::Unreachable(host(), "x".to_owned()), true, "cannot be reached");
        check(SendError::Lost(host(), "x".to_owned()), true, "was lost");
    }
}
