//! For clients that don't take an endpoint: the door as their proxy. What they say to a host of AWS is said to Tyer, which
//! shows itself with a certificate of its own authority, and decides each request as if it had come to the door itself.
//!
//! Follows RFC 9110, sections 9.3.6 and 11.7, for `CONNECT` and the credentials. The target, the name in the TLS handshake, the
//! `Host` and what is signed for have to agree; where a request is sent is worked out from the operation all the same.

use std::sync::{Arc, Mutex, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use hyper::body::Incoming;
use hyper::header::{HeaderMap, HeaderValue, PROXY_AUTHENTICATE, PROXY_AUTHORIZATION};
use hyper::upgrade::OnUpgrade;
use hyper::{Request, Response, StatusCode, Uri};
use hyper_util::rt::TokioIo;
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;
use tyer_core::intent::SessionId;
use tyer_wire::aws::request::Head;
use tyer_wire::aws::sigv4::Scope;
use tyer_wire::aws::table::{self, Endpoint};
use zeroize::Zeroizing;

use super::admit::{is_reached, not_reached};
use super::answer::{Reply, whole};
use super::ask::Open;
use super::{Door, answered, spoken};
use crate::door::accept::raised;

/// The one port of AWS.
const PORT: u16 = 443;

/// The host that a client asked for, and whose session it is.
pub(super) struct Tunnel {
    host: String,
    endpoint: Endpoint,
    session: SessionId,
    open: Arc<Open>,
    kill: watch::Receiver<bool>,
}

impl Tunnel {
    /// What it counts as, and what tells that to end.
    pub(super) fn open(&self) -> (Arc<Open>, watch::Receiver<bool>) {
        (Arc::clone(&self.open), self.kill.clone())
    }

    /// Why a request is not one for this tunnel, if it is not.
    pub(super) fn disagreement(
        &self,
        head: &Head,
        scope: &Scope,
        session: &SessionId,
    ) -> Option<String> {
        let host = &self.host;
        let mut named = head.headers("host");
        let is_own = |name: &str| {
            let (name, port) = name.split_once(':').unwrap_or((name, "443"));
            name.eq_ignore_ascii_case(host) && port == "443"
        };
        if !named.next().is_some_and(is_own) || named.next().is_some() {
            return Some(format!("this tunnel leads to {host}, and the request is for another host"));
        }
        if *session != self.session {
            return Some("this tunnel was opened with the credential of another session".to_owned());
        }
        let Scope { service, region, .. } = scope;
        if !self.endpoint.is_for(service, region) {
            return Some(format!("{host} is not where {service} is in {region}, which is signed for"));
        }
        None
    }
}

/// The tunnel that a connection becomes, once its client was told so.
#[derive(Clone, Default)]
pub(super) struct Dug {
    opening: Arc<Mutex<Option<Opening>>>,
}

/// A tunnel before its client has said anything in it.
pub(super) struct Opening {
    tunnel: Tunnel,
    tls: TlsAcceptor,
    stream: OnUpgrade,
}

impl Dug {
    /// Answers a `CONNECT`.
    pub(super) async fn dig(&self, door: &Arc<Door>, request: Request<Incoming>) -> Response<Reply> {
        match allowed(door, &request).await {
            Ok((tunnel, tls)) => {
                let opening = Opening { tunnel, tls, stream: hyper::upgrade::on(request) };
                *self.opening.lock().unwrap_or_else(PoisonError::into_inner) = Some(opening);
                Response::new(whole(Bytes::new()))
            }
            Err((status, why)) => {
                tracing::info!(%why, "a tunnel was refused");
                said(status, &why)
            }
        }
    }

    pub(super) fn take(&self) -> Option<Opening> {
        self.opening.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// An answer that a client shows people, or its log.
fn said(status: StatusCode, why: &str) -> Response<Reply> {
    let mut response = Response::new(whole(Bytes::from(format!("Tyer: {why}\n"))));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert("content-type", HeaderValue::from_static("text/plain; charset=utf-8"));
    if status == StatusCode::PROXY_AUTHENTICATION_REQUIRED {
        headers.insert(PROXY_AUTHENTICATE, HeaderValue::from_static("Basic realm=\"Tyer\""));
    }
    response
}

/// Whose tunnel it is and where it may lead.
async fn allowed(
    door: &Arc<Door>,
    request: &Request<Incoming>,
) -> Result<(Tunnel, TlsAcceptor), (StatusCode, String)> {
    let unknown = || {
        let why = "a tunnel needs the id and password of a session that runs here, or an access key and \
                   its secret; see `tyer session new`";
        (StatusCode::PROXY_AUTHENTICATION_REQUIRED, why.to_owned())
    };
    let (user, password) = credential(request.headers()).ok_or_else(unknown)?;
    let session = door.gateway.presented(&user, &password, &door.upstream).await;
    let session = session.ok_or_else(unknown)?;
    let (host, endpoint) = target(door, request.uri()).map_err(|why| (StatusCode::FORBIDDEN, why))?;
    let unavailable = |why: String| (StatusCode::SERVICE_UNAVAILABLE, why);
    let authority = door.gateway.config.authority.as_ref();
    let authority = authority.ok_or_else(|| unavailable("there is no authority".to_owned()))?;
    let tls = authority.host(&host).map_err(|error| {
        tracing::error!(%error, host, "a host of AWS has no certificate");
        unavailable(format!("there is no certificate for {host}"))
    })?;
    let (open, kill) = Open::new(door, &session)
        .map_err(|most| unavailable(format!("this session has {most} connections already")))?;
    Ok((Tunnel { host, endpoint, session, open, kill }, TlsAcceptor::from(tls)))
}

/// A user and a password, as RFC 7617 has them.
fn credential(headers: &HeaderMap) -> Option<(String, Zeroizing<String>)> {
    let mut all = headers.get_all(PROXY_AUTHORIZATION).iter();
    let (only, None) = (all.next()?, all.next()) else { return None };
    let (scheme, rest) = only.to_str().ok()?.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let text = Zeroizing::new(String::from_utf8(STANDARD.decode(rest.trim()).ok()?).ok()?);
    let (user, password) = text.split_once(':')?;
    Some((user.to_owned(), Zeroizing::new(password.to_owned())))
}

/// The host that is asked for, if that is an endpoint of AWS that the door reaches.
fn target(door: &Door, uri: &Uri) -> Result<(String, Endpoint), String> {
    let asked = uri.authority().map_or("", |authority| authority.as_str());
    let (host, port) = asked.rsplit_once(':').ok_or("a tunnel leads to a host and a port")?;
    if port != PORT.to_string() {
        return Err(format!("a tunnel leads to port {PORT} alone"));
    }
    let host = host.to_ascii_lowercase();
    let endpoint = table::endpoint(&host)
        .filter(|endpoint| endpoint.apis().next().is_some())
        .ok_or_else(|| match table::instead(&host) {
            Some(instead) => {
                format!("a tunnel leads to an endpoint of AWS that Tyer knows, and {host} is {instead}")
            }
            None => "a tunnel leads to an endpoint of AWS that Tyer knows, and this is none".to_owned(),
        })?;
    if !is_reached(door, endpoint.apis(), &endpoint.region) {
        return Err(not_reached(door, &endpoint.region));
    }
    Ok((host, endpoint))
}

impl Opening {
    /// Serves what goes through it until its client leaves, its session ends or the program stops.
    pub(super) async fn run(self, door: &Arc<Door>, mut stop: watch::Receiver<bool>) {
        let Self { tunnel, tls, stream } = self;
        let (login, mut kill) = (door.gateway.config.limits.login, tunnel.kill.clone());
        let opening = async {
            let stream = stream.await.map_err(std::io::Error::other)?;
            tls.accept(TokioIo::new(stream)).await
        };
        let stream = tokio::select! {
            opened = tokio::time::timeout(login, opening) => match opened {
                Ok(Ok(stream)) => stream,
                Ok(Err(error)) => return tracing::info!(%error, host = tunnel.host, "a tunnel was not used"),
                Err(_) => return tracing::info!(host = tunnel.host, "nobody said anything in a tunnel"),
            },
            () = raised(&mut kill) => return,
            () = raised(&mut stop) => return,
        };
        let (door, tunnel) = (Arc::clone(door), Arc::new(tunnel));
        let answer = move |request| answered(Arc::clone(&door), Some(Arc::clone(&tunnel)), request);
        spoken(stream, login, answer, (kill, stop)).await;
    }
}
