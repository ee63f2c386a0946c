//! What stands before every route: the exact host, the exact origin of whatever changes something, who
//! is calling, and the headers that keep browsers from being tricked.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use axum::extract::connect_info::ConnectInfo;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use tyer_core::intent::PersonId;

use super::error::ApiError;
use super::site::Site;
use crate::clock;

/// Where a connection comes from.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Peer(pub(crate) IpAddr);

/// Who is calling.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Caller {
    /// Nobody that is known.
    Nobody,
    /// Somebody who is signed in.
    Person { id: PersonId, counts: bool, audits: bool },
    /// Whoever may open the socket in the data directory.
    Operator,
}

impl Caller {
    /// The name that is recorded.
    pub(crate) fn name(&self) -> &str {
        match self {
            Self::Nobody => "nobody",
            Self::Person { id, .. } => id.as_str(),
            Self::Operator => "operator",
        }
    }

    /// Whether what a person of that name signed may come from here: from themselves, or over the socket.
    pub(crate) fn hands_in_of(&self, name: &str) -> bool {
        match self {
            Self::Nobody => false,
            Self::Person { id, .. } => id.as_str() == name,
            Self::Operator => true,
        }
    }

    /// The person, if it is one.
    pub(crate) fn person(&self) -> Option<&PersonId> {
        match self {
            Self::Person { id, .. } => Some(id),
            Self::Nobody | Self::Operator => None,
        }
    }
}

/// Who may call a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Access {
    /// Anybody.
    Anybody,
    /// Anybody, at a bounded pace unless signed in.
    Paced,
    /// Anybody signed in but auditors, also before they count; and the operator.
    SignedIn,
    /// People who count, auditors, and the operator.
    Reading,
    /// People who count, and the operator.
    Counting,
}

/// Lets a call through or says why not.
pub(crate) async fn admit(
    State((site, access)): State<(Arc<Site>, Access)>,
    request: Request,
    next: Next,
) -> Response {
    match admitted(&site, access, &request) {
        Ok(()) => next.run(request).await,
        Err(error) => error.into_response(),
    }
}

fn admitted(site: &Site, access: Access, request: &Request) -> Result<(), ApiError> {
    let caller = request.extensions().get::<Caller>().unwrap_or(&Caller::Nobody);
    match (access, caller) {
        (Access::Anybody, _)
        | (Access::Paced, Caller::Person { .. } | Caller::Operator)
        | (Access::SignedIn, Caller::Person { audits: false, .. } | Caller::Operator)
        | (
            Access::Reading,
            Caller::Person { counts: true, .. }
            | Caller::Person { audits: true, .. }
            | Caller::Operator,
        )
        | (Access::Counting, Caller::Person { counts: true, .. } | Caller::Operator) => Ok(()),
        (Access::Paced, Caller::Nobody) => paced(site, request),
        (Access::SignedIn | Access::Counting | Access::Reading, Caller::Nobody) => Err(ApiError::new(
            StatusCode::UNAUTHORIZED,
            "sign_in",
            "nobody is signed in",
            "sign in with a passkey at /sign-in",
        )),
        (Access::SignedIn | Access::Counting, Caller::Person { audits: true, .. }) => {
            Err(decides_nothing())
        }
        (Access::Counting | Access::Reading, Caller::Person { counts: false, .. }) => {
            Err(ApiError::forbidden(
                "you are enrolled, but your word does not count yet",
                "somebody other than your inviter has to confirm you first",
            ))
        }
    }
}

/// What an auditor gets to know who wants to decide something.
pub(crate) fn decides_nothing() -> ApiError {
    ApiError::forbidden(
        "you are an auditor, who reads everything and decides nothing",
        "ask an operator or approver",
    )
}

/// Counts a call of somebody who is not signed in.
pub(crate) fn paced(site: &Site, request: &Request) -> Result<(), ApiError> {
    let peer = request.extensions().get::<ConnectInfo<Peer>>();
    let address = peer.map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |peer| peer.0.0);
    site.pace.call(address, clock::now()).map_err(|seconds| ApiError {
        retry_after: Some(seconds),
        ..ApiError::new(
            StatusCode::TOO_MANY_REQUESTS,
            "too_many",
            "too many attempts from here",
            "wait as long as Retry-After says",
        )
    })
}

/// Runs a call to its end even if the caller goes away: what has begun to be recorded is also applied.
pub(crate) async fn detach(request: Request, next: Next) -> Response {
    match tokio::spawn(next.run(request)).await {
        Ok(response) => response,
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

/// Finds out who is calling, from the cookie.
pub(crate) async fn identify(
    State(site): State<Arc<Site>>,
    mut request: Request,
    next: Next,
) -> Response {
    let caller = site.caller(request.headers()).await;
    request.extensions_mut().insert(caller);
    next.run(request).await
}

/// Whoever comes through the socket in the data directory is the operator.
pub(crate) async fn is_operator(mut request: Request, next: Next) -> Response {
    request.extensions_mut().insert(Caller::Operator);
    next.run(request).await
}

/// Refuses other hosts, so that no foreign name can be pointed here, and changes from other origins.
pub(crate) async fn same_site(State(site): State<Arc<Site>>, request: Request, next: Next) -> Response {
    let origin = &site.gateway.config.console.origin;
    match is_same_site(origin, request.method(), request.uri(), request.headers()) {
        Ok(()) => next.run(request).await,
        Err(error) => error.into_response(),
    }
}

fn is_same_site(origin: &str, method: &Method, uri: &Uri, headers: &HeaderMap) -> Result<(), ApiError> {
    let authority = origin.split_once("://").map_or(origin, |(_, authority)| authority);
    let named = uri.authority().is_none_or(|named| named.as_str() == authority);
    if !named || only(headers, &header::HOST) != Some(authority) {
        return Err(ApiError::new(
            StatusCode::MISDIRECTED_REQUEST,
            "other_host",
            "this is not the name of this console",
            "use the address in `console.origin`",
        ));
    }
    let reads = *method == Method::GET || *method == Method::HEAD;
    if !reads && only(headers, &header::ORIGIN) != Some(origin) {
        return Err(ApiError::new(
            StatusCode::FORBIDDEN,
            "other_origin",
            "changes are taken only from this console's own pages",
            "send the console's origin as `Origin`",
        ));
    }
    Ok(())
}

/// The value of a header that occurs exactly once.
fn only<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    let mut values = headers.get_all(name).iter();
    let value = values.next()?.to_str().ok()?;
    if values.next().is_some() { None } else { Some(value) }
}

/// Nothing but what this server sends may run, load, frame or be framed.
const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; \
     connect-src 'self'; img-src 'self' data:; form-action 'self'; frame-ancestors 'none'; base-uri 'none'";

/// Adds the headers that every response carries.
pub(crate) async fn headers(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    for (name, value) in [
        ("content-security-policy", CONTENT_SECURITY_POLICY),
        ("x-content-type-options", "nosniff"),
        // Nothing to other sites. `no-referrer` would make browsers send forms with `Origin: null`.
        ("referrer-policy", "same-origin"),
        ("cross-origin-opener-policy", "same-origin"),
        ("cross-origin-resource-policy", "same-origin"),
        ("x-frame-options", "DENY"),
        (
            "permissions-policy",
            "publickey-credentials-get=(self), publickey-credentials-create=(self), camera=(), microphone=(), \
             geolocation=(), payment=(), usb=()",
        ),
    ] {
        headers.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
    }
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_exact_host_and_origin_pass() {
        const ORIGIN: &str = "https://tyer.example.com:8443";
        const HOST: &str = "tyer.example.com:8443";
        let check = |method: &str, uri: &str, named: &[(&str, &str)], expect: u16| {
            let mut headers = HeaderMap::new();
            for (name, value) in named {
                let name = HeaderName::from_bytes(name.as_bytes()).expect("a name");
                headers.append(name, value.parse().expect("a value"));
            }
            let method = method.parse().expect("a method");
            let uri = uri.parse().expect("a URI");
            let status = is_same_site(ORIGIN, &method, &uri, &headers)
                .map_or_else(|e| e.status.as_u16(), |()| 200);
            assert_eq!(status, expect, "{method} {uri} {named:?}");
        };
        check("GET", "/", &[("host", HOST)], 200);
        check("GET", "/", &[("host", HOST), ("origin", "https://evil.example")], 200);
        check("GET", "/", &[], 421);
        check("GET", "/", &[("host", "tyer.example.com")], 421);
        check("GET", "/", &[("host", "127.0.0.1:8443")], 421);
        check("GET", "/", &[("host", HOST), ("host", "evil.example")], 421);
        check("GET", "http://evil.example/", &[("host", HOST)], 421);
        check("POST", "/", &[("host", HOST), ("origin", ORIGIN)], 200);
        check("POST", "/", &[("host", HOST)], 403);
        check("POST", "/", &[("host", HOST), ("origin", "null")], 403);
        check("POST", "/", &[("host", HOST), ("origin", "http://tyer.example.com:8443")], 403);
        check("POST", "/", &[("host", HOST), ("origin", "https://tyer.example.com")], 403);
        check("POST", "/", &[("host", HOST), ("origin", ORIGIN), ("origin", ORIGIN)], 403);
        check("DELETE", "/", &[("host", HOST)], 403);
    }
}
