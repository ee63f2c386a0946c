//! Reading how things stand, and what the operator and people may do without a passkey: make and end
//! sessions, and freeze.

use std::sync::Arc;

use axum::extract::{Path, Query, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use serde::{Deserialize, Serialize};
use serde_json::json;
use tyer_core::intent::{HoldId, Narrowing, PersonId, SessionId, Upstream};
use tyer_core::limits::COMMENT_CHARS_MAX;

use super::bodies::{
    AccessKeyBody, CardBody, EndBody, EndingBody, FreezeBody, FreezeRequestBody, HoldBody, How,
    KillBody, KillRequestBody, MintedBody, Moment, NewSessionBody, PartBody, PersonBody, ProxyBody,
    ReviewBody, SessionBody, StatusBody,
};
use super::error::ApiError;
use super::guard::Caller;
use super::site::{Site, is_live};
use super::{Body, OPENAPI};
use crate::gateway::holds::number;
use crate::gateway::sessions::{Minted, NewSession, parse_may};

/// Holds that have ended, of one answer.
const ENDED_SHOWN: usize = 100;

type Shared = State<Arc<Site>>;

pub(super) async fn healthz() -> &'static str {
    "ok\n"
}

/// 503 with the words for what is unsafe, else 200.
pub(super) async fn readyz(State(site): Shared) -> Response {
    site.gateway.upstreams.look_at_roles().await;
    let posture = site.status().await.posture;
    let status = if posture.is_empty() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(json!({ "ready": posture.is_empty(), "unsafe": posture }))).into_response()
}

pub(super) async fn openapi() -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "application/json")], OPENAPI)
}

pub(super) async fn status(State(site): Shared) -> Json<StatusBody> {
    Json(site.status().await)
}

#[derive(Debug, Serialize)]
pub(super) struct FreezesBody {
    freezes: Vec<FreezeBody>,
}

#[derive(Debug, Serialize)]
pub(super) struct ReviewsBody {
    reviews: Vec<ReviewBody>,
}

#[derive(Debug, Serialize)]
pub(super) struct People {
    people: Vec<PersonBody>,
}

pub(super) async fn people(State(site): Shared) -> Json<People> {
    Json(People { people: site.people().await })
}

#[derive(Debug, Serialize)]
pub(super) struct Sessions {
    sessions: Vec<SessionBody>,
}

pub(super) async fn sessions(State(site): Shared) -> Json<Sessions> {
    Json(Sessions { sessions: site.sessions().await })
}

#[derive(Debug, Serialize)]
pub(super) struct Parts {
    parts: Vec<PartBody>,
}

pub(super) async fn configuration(State(site): Shared) -> Json<Parts> {
    Json(Parts { parts: site.parts().await })
}

/// Which holds to list.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Which {
    #[default]
    Open,
    All,
}

#[derive(Clone, Debug, Deserialize)]
pub(super) struct HoldsQuery {
    #[serde(default)]
    state: Which,
    /// Only holds that have ended and are older than this one.
    before: Option<String>,
}

#[derive(Debug, Serialize)]
pub(super) struct Holds {
    holds: Vec<HoldBody>,
    /// The oldest of them, if there may be older ones.
    #[serde(skip_serializing_if = "Option::is_none")]
    older: Option<String>,
}

pub(super) async fn holds(
    State(site): Shared,
    Extension(caller): Extension<Caller>,
    Query(query): Query<HoldsQuery>,
) -> Result<Json<Holds>, ApiError> {
    let (mut holds, next) = site.holds(caller.name()).await;
    if matches!(query.state, Which::Open) {
        holds.retain(|hold| is_live(hold.state));
        return Ok(Json(Holds { holds, older: None }));
    }
    let before = match query.before {
        None => next,
        Some(id) => {
            holds.clear();
            let before = number(&HoldId::new(id.clone())).filter(|number| *number <= next);
            before.ok_or_else(|| ApiError::bad(format!("there is no hold {id}")))?
        }
    };
    let ended = site.ended(before, ENDED_SHOWN, &holds).await?;
    let oldest = ended.last().map(|hold| hold.hold.clone());
    let older = oldest.filter(|id| number(&HoldId::new(id.clone())).is_some_and(|number| number > 1));
    holds.extend(ended);
    holds.sort_by_key(HoldBody::queue_key);
    Ok(Json(Holds { holds, older }))
}

pub(super) async fn hold(
    State(site): Shared,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
) -> Result<Json<CardBody>, ApiError> {
    let card = site.card(&HoldId::new(id.clone()), caller.name()).await?;
    card.map(|(card, _)| Json(card))
        .ok_or_else(|| ApiError::not_found(format!("there is no hold {id}")))
}

/// Makes a session. A person makes sessions that act for themselves only: were they to name somebody
/// else, they would count as a peer of their own agent.
pub(super) async fn new_session(
    State(site): Shared,
    Extension(caller): Extension<Caller>,
    Body(body): Body<NewSessionBody>,
) -> Result<(StatusCode, Json<MintedBody>), ApiError> {
    let controller = match (caller.person(), body.controller) {
        (Some(person), None) => person.clone(),
        (Some(person), Some(named)) if named == person.as_str() => person.clone(),
        (Some(_), Some(_)) => {
            return Err(ApiError::forbidden(
                "a session that you make acts for you",
                "let the other person make it, or ask the operator",
            ));
        }
        (None, Some(named)) => PersonId::new(named),
        (None, None) => return Err(ApiError::bad("`controller` says for whom the session acts")),
    };
    let lasts_ms = body.lasts_seconds.map(|seconds| seconds.saturating_mul(1_000));
    let new = NewSession {
        agent: body.agent,
        human: body.human,
        controller,
        upstream: Upstream::new(body.upstream),
        narrowing: Narrowing { may: parse_may(&body.may).map_err(ApiError::bad)?, on: body.on },
        lasts_ms,
        purpose: body.purpose,
    };
    let minted = site.gateway.new_session(new, caller.name()).await?;
    minted_body(&site, &minted).map(|body| (StatusCode::CREATED, Json(body)))
}

fn minted_body(site: &Site, minted: &Minted) -> Result<MintedBody, ApiError> {
    let session = &minted.session;
    let upstream = site.gateway.config.upstreams.get(&session.upstream);
    let upstream = upstream.ok_or_else(|| ApiError::not_found("the upstream is gone"))?;
    let host = match upstream.listen.ip() {
        ip if ip.is_unspecified() => site.gateway.config.console.relying_party.id().to_owned(),
        std::net::IpAddr::V6(ip) => format!("[{ip}]"),
        std::net::IpAddr::V4(ip) => ip.to_string(),
    };
    let (user, password) = (session.principal.session.to_string(), minted.password.reveal().to_owned());
    let port = upstream.listen.port();
    let database = upstream.postgres().map(|database| database.database.clone());
    let url = match &database {
        Some(database) => {
            format!("postgresql://{user}:{password}@{host}:{port}/{}", percent_encoded(database))
        }
        None if upstream.listen.ip().is_loopback() => format!("http://{host}:{port}"),
        None => format!("https://{host}:{port}"),
    };
    let authority = site.gateway.config.authority.as_ref();
    let authority = authority.filter(|_| upstream.aws().is_some());
    let proxy = authority.map(|authority| ProxyBody {
        url: url.replacen("://", &format!("://{user}:{password}@"), 1),
        certificate: authority.pem().to_owned(),
    });
    let keys = site.gateway.access_keys(session).into_iter();
    let aws = keys.map(|key| AccessKeyBody {
        account: key.account,
        access_key_id: key.id,
        secret_access_key: key.secret.reveal().to_owned(),
    });
    let host = host.trim_matches(['[', ']']).to_owned();
    let expires = Moment(session.until);
    let (session, aws) = (user.clone(), aws.collect());
    Ok(MintedBody { session, user, password, host, port, database, url, aws, proxy, expires })
}

/// Text as one segment of a URL's path.
fn percent_encoded(text: &str) -> String {
    let mut out = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

pub(super) async fn end_session(
    State(site): Shared,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
    Body(body): Body<EndBody>,
) -> Result<Json<EndingBody>, ApiError> {
    let how = match body.how {
        How::Ended => "ended",
        How::Killed => "killed",
    };
    let ending = site.gateway.end_session(&SessionId::new(id), how, caller.name()).await?;
    Ok(Json(EndingBody { open: ending.open, closed: ending.closed }))
}

pub(super) async fn kill(
    State(site): Shared,
    Extension(caller): Extension<Caller>,
    Body(body): Body<KillRequestBody>,
) -> Result<Json<KillBody>, ApiError> {
    let target = body.target().ok_or_else(|| ApiError::bad("say `true` or leave it"))?;
    Ok(Json(KillBody::of(site.gateway.kill(&target, caller.name(), None).await?)))
}

pub(super) async fn freeze(
    State(site): Shared,
    Extension(caller): Extension<Caller>,
    Body(body): Body<FreezeRequestBody>,
) -> Result<Json<FreezeBody>, ApiError> {
    freeze_now(&site, &caller, body).await.map(Json)
}

/// What was let through on one person's word and waits for others to review it, the oldest first.
pub(super) async fn reviews(State(site): Shared) -> Json<ReviewsBody> {
    Json(ReviewsBody { reviews: site.status().await.reviews })
}

/// The freezes that hold, and those that will within seven days.
pub(super) async fn freezes(State(site): Shared) -> Json<FreezesBody> {
    Json(FreezesBody { freezes: site.freezes().await })
}

/// Freezes. An emergency is not held up by a missing reason.
pub(crate) async fn freeze_now(
    site: &Site,
    caller: &Caller,
    body: FreezeRequestBody,
) -> Result<FreezeBody, ApiError> {
    let new = body.asked();
    if new.reason.chars().count() > COMMENT_CHARS_MAX {
        return Err(ApiError::bad("a reason is at most 2,000 characters"));
    }
    let freeze = site.gateway.freeze(caller.name(), new).await?;
    let started = site.freezes().await.into_iter().find(|it| it.freeze == freeze.id.as_str());
    started
        .ok_or_else(|| ApiError::conflict("not_this_freeze", "the freeze is over already".to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_databases_are_safe_in_urls() {
        let check = |text: &str, expect: &str| assert_eq!(percent_encoded(text), expect);
        check("orders", "orders");
        check("or/ders?x=1&é", "or%2Fders%3Fx%3D1%26%C3%A9");
    }
}
