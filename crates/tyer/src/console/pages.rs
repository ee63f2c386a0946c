//! The routes of the pages, and who may see them.

use std::sync::Arc;

use axum::extract::{Form, Path, Query, Request, State};
use axum::http::{Method, StatusCode, Uri, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use axum::{Extension, Router};
use maud::{Markup, html};
use serde::Deserialize;
use tyer_core::intent::{HoldId, PersonId};
use tyer_core::verdict::LeafIndex;

use super::card::Beholder;
use super::escape::Line;
use super::glass::Glass;
use super::layout::{self, Frame, Here, now};
use super::{assets, card, configuration, freezes, ledger, people, queue, sessions, sign_in};
use crate::api::answers::seen_by_form;
use crate::api::bodies::{FreezeRequestBody, StatusBody, VerifyBody};
use crate::api::calls::freeze_now;
use crate::api::error::ApiError;
use crate::api::guard::{self, Caller, decides_nothing};
use crate::api::leaves::{leaf_body, outcome_words};
use crate::api::sign_ins::clear_cookie;
use crate::api::site::Site;

type Shared = State<Arc<Site>>;

/// Leaves on one page.
const LEAVES_SHOWN: u64 = 100;

/// Every page and every form.
pub(super) fn router(site: &Arc<Site>) -> Router<Arc<Site>> {
    let closed = Router::new()
        .route("/", get(queue_page))
        .route("/holds/{id}", get(hold_page).post(unscripted_answer))
        .route("/answers/seen", post(seen_by_form))
        .route("/sessions", get(sessions_page))
        .route("/people", get(people_page))
        .route("/ledger", get(ledger_page))
        .route("/ledger/{index}", get(leaf_page))
        .route("/configuration", get(configuration_page))
        .route("/freezes", get(freezes_page))
        .route_layer(middleware::from_fn(admit));
    let paced = Router::new()
        .route("/enrol/{token}", get(enrol_page))
        .route_layer(middleware::from_fn_with_state(Arc::clone(site), pace));
    Router::new()
        .route("/sign-in", get(sign_in_page))
        .route("/sign-out", post(sign_out))
        .route("/freeze", post(freeze).layer(middleware::from_fn(no_auditor)))
        .merge(closed)
        .merge(paced)
        .merge(assets::router())
}

/// Sends people who are not signed in to the sign-in, and those who do not count yet to where they are
/// told so.
async fn admit(request: Request, next: Next) -> Response {
    match request.extensions().get::<Caller>() {
        Some(Caller::Person { counts: true, .. }) => next.run(request).await,
        Some(Caller::Person { audits: true, .. }) if request.method() == Method::GET => {
            next.run(request).await
        }
        Some(Caller::Person { audits: true, .. }) => decides_nothing().into_response(),
        Some(Caller::Person { .. }) => {
            let page = layout::plain("Waiting", &sign_in::waiting());
            (StatusCode::FORBIDDEN, page).into_response()
        }
        Some(Caller::Operator | Caller::Nobody) | None => {
            let wanted = request.uri().path_and_query().map_or("/", |wanted| wanted.as_str());
            Redirect::to(&format!("/sign-in?next={}", encoded(wanted))).into_response()
        }
    }
}

/// Auditors freeze nothing either.
async fn no_auditor(request: Request, next: Next) -> Response {
    match request.extensions().get::<Caller>() {
        Some(Caller::Person { audits: true, .. }) => decides_nothing().into_response(),
        _ => next.run(request).await,
    }
}

async fn pace(State(site): Shared, request: Request, next: Next) -> Response {
    match guard::paced(&site, &request) {
        Ok(()) => next.run(request).await,
        Err(error) => error.into_response(),
    }
}

/// A path as the value of a query.
fn encoded(path: &str) -> String {
    let mut out = String::new();
    for byte in path.bytes() {
        if byte.is_ascii_alphanumeric() || b"/-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

fn framed(title: &str, here: Here, status: &StatusBody, caller: &Caller, main: &Markup) -> Markup {
    let me = caller.name();
    layout::page(&Frame { title, here, status, me, follow: "", now: now() }, main)
}

async fn queue_page(
    State(site): Shared,
    Extension(caller): Extension<Caller>,
) -> Result<Markup, ApiError> {
    let (status, (mut holds, next)) = (site.status().await, site.holds(caller.name()).await);
    holds.extend(site.ended(next, queue::DECIDED_SHOWN, &holds).await?);
    let answers = site.answers(caller.person()).await;
    Ok(framed("Holds", Here::Queue, &status, &caller, &queue::main(&holds, &answers, now())))
}

async fn hold_page(
    State(site): Shared,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
) -> Result<Response, ApiError> {
    let status = site.status().await;
    let id = HoldId::new(id);
    let Some((body, ran)) = site.card(&id, caller.name()).await? else {
        return Ok(missing(&status, &caller));
    };
    let outcome = match (body.hold.state, ran) {
        (_, Some((leaf, outcome))) => Some((leaf, Some(outcome))),
        ("spent" | "taken", None) => site.archive.outcome(&id).await?,
        _ => None,
    };
    let outcome = outcome.map(|(leaf, outcome)| {
        let none = || "no outcome is recorded yet".to_owned();
        (leaf.0, outcome.as_ref().map_or_else(none, outcome_words))
    });
    let cannot_answer = site.cannot_answer(&body.hold.environment);
    let no_peer = site.gateway.no_peer(&id, &PersonId::new(caller.name())).await;
    let freezes = site.freezes_over(&body.hold).await;
    let glass = glass_of(&site, &status, (&id, caller.name())).await;
    let audits = matches!(caller, Caller::Person { audits: true, .. });
    let alike = match audits {
        true => Vec::new(),
        false => site.alike(&id, &PersonId::new(caller.name())).await,
    };
    let glass = match audits || cannot_answer {
        true => Glass { can_break: false, can_review: glass.can_review && !audits, ..glass },
        false => glass,
    };
    let me = caller.name();
    let beholder =
        Beholder { me, cannot_answer, audits, no_peer, outcome, glass, alike, freezes, now: now() };
    let main = card::main(&body, &beholder);
    let (title, follow) = (format!("Hold {id}"), format!("hold {id}"));
    let frame = Frame {
        title: &title,
        here: Here::Elsewhere,
        status: &status,
        me: caller.name(),
        follow: &follow,
        now: now(),
    };
    Ok(layout::page(&frame, &main).into_response())
}

async fn glass_of(site: &Site, status: &StatusBody, (id, me): (&HoldId, &str)) -> Glass {
    let me = PersonId::new(me);
    Glass {
        can_break: site.gateway.can_break(id, &me).await,
        can_review: site.gateway.can_review(id, &me).await,
        review: status.reviews.iter().find(|review| review.hold == id.as_str()).cloned(),
    }
}

/// A button of a card that was pressed where no script runs: what became of the hold, else why this needs one.
async fn unscripted_answer(
    State(site): Shared,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
) -> Result<Response, ApiError> {
    let status = site.status().await;
    let Some((card, _)) = site.card(&HoldId::new(id), caller.name()).await? else {
        return Ok(missing(&status, &caller));
    };
    let why = card.hold.fate.unwrap_or_else(|| {
        "Nothing was decided: a passkey signs the answer, and asking it needs this page's script"
            .to_owned()
    });
    let main = html! {
        main #main.narrow tabindex="-1" {
            h1 { (card.hold.hold) }
            p #said { (Line(&why)) "." }
            p { a href={ "/holds/" (card.hold.hold) } { "The card" } }
        }
    };
    let page = framed("Hold", Here::Elsewhere, &status, &caller, &main);
    Ok((StatusCode::CONFLICT, page).into_response())
}

async fn sessions_page(State(site): Shared, Extension(caller): Extension<Caller>) -> Markup {
    let (status, sessions) = (site.status().await, site.sessions().await);
    let allowances = site.allowances().await;
    let main = sessions::main((&sessions, &allowances), &status.doors, now());
    framed("Sessions", Here::Sessions, &status, &caller, &main)
}

async fn people_page(State(site): Shared, Extension(caller): Extension<Caller>) -> Markup {
    let (status, people) = (site.status().await, site.people().await);
    framed("People", Here::People, &status, &caller, &people::main(&people, caller.name()))
}

async fn configuration_page(State(site): Shared, Extension(caller): Extension<Caller>) -> Markup {
    let (status, parts) = (site.status().await, site.parts().await);
    let main = configuration::main(&parts, &status.doors, caller.name());
    framed("Configuration", Here::Configuration, &status, &caller, &main)
}

async fn freezes_page(State(site): Shared, Extension(caller): Extension<Caller>) -> Markup {
    let (status, all) = (site.status().await, site.freezes().await);
    let main = freezes::main(&all, &status.doors, caller.name(), now());
    framed("Freezes", Here::Elsewhere, &status, &caller, &main)
}

#[derive(Clone, Copy, Debug, Deserialize)]
struct LedgerQuery {
    from: Option<u64>,
    #[serde(default)]
    verify: u8,
}

async fn ledger_page(
    State(site): Shared,
    Extension(caller): Extension<Caller>,
    Query(query): Query<LedgerQuery>,
) -> Result<Markup, ApiError> {
    let status = site.status().await;
    let from = query.from.unwrap_or_else(|| status.ledger.size.saturating_sub(LEAVES_SHOWN));
    let leaves = site.archive.leaves(from, LEAVES_SHOWN).await?;
    let leaves: Vec<_> = leaves.iter().map(|(index, leaf)| leaf_body(*index, leaf)).collect();
    let report = match query.verify {
        1 => Some(VerifyBody::of(&site.archive.verify().await?)),
        _ => None,
    };
    let window = ledger::Window { from, count: LEAVES_SHOWN };
    let main = ledger::main(&status.ledger, &leaves, &window, report.as_ref());
    Ok(framed("Ledger", Here::Ledger, &status, &caller, &main))
}

async fn leaf_page(
    State(site): Shared,
    Extension(caller): Extension<Caller>,
    Path(index): Path<u64>,
) -> Result<Markup, ApiError> {
    let status = site.status().await;
    let body = leaf_body(LeafIndex(index), &site.archive.leaf(index).await?);
    let title = format!("Leaf {index}");
    Ok(framed(&title, Here::Ledger, &status, &caller, &ledger::leaf(&body)))
}

#[derive(Debug, Deserialize)]
struct Wanted {
    #[serde(default)]
    next: String,
}

/// Leads on whoever is signed in already.
async fn sign_in_page(Extension(caller): Extension<Caller>, Query(wanted): Query<Wanted>) -> Response {
    match caller {
        Caller::Person { .. } => Redirect::to(sign_in::local_path(&wanted.next)).into_response(),
        Caller::Operator | Caller::Nobody => {
            layout::plain("Sign in", &sign_in::sign_in(&wanted.next)).into_response()
        }
    }
}

async fn sign_out(State(site): Shared, headers: axum::http::HeaderMap) -> impl IntoResponse {
    site.sign_ins.close(&headers);
    ([(header::SET_COOKIE, clear_cookie())], Redirect::to("/sign-in"))
}

async fn enrol_page(State(site): Shared, Path(token): Path<String>) -> Response {
    let person = site.gateway.invited(&token).await;
    let status = if person.is_some() { StatusCode::OK } else { StatusCode::GONE };
    let main = sign_in::enrol(&token, person.as_ref().map(|person| person.as_str()));
    (status, layout::plain("Enrol", &main)).into_response()
}

/// The freeze switch for browsers without the script.
async fn freeze(
    State(site): Shared,
    Extension(caller): Extension<Caller>,
    Form(form): Form<FreezeRequestBody>,
) -> Result<Redirect, ApiError> {
    if caller == Caller::Nobody {
        return Ok(Redirect::to("/sign-in"));
    }
    freeze_now(&site, &caller, form).await?;
    Ok(Redirect::to("/"))
}

/// Whatever has no route. Nobody learns which routes there are without signing in.
pub(super) async fn nothing_here(
    State(site): Shared,
    Extension(caller): Extension<Caller>,
    uri: Uri,
) -> Response {
    if uri.path().starts_with("/api/") {
        return ApiError::not_found("there is no such call").into_response();
    }
    match caller {
        Caller::Person { counts, audits, .. } if counts || audits => {
            missing(&site.status().await, &caller)
        }
        _ => Redirect::to("/sign-in").into_response(),
    }
}

fn missing(status: &StatusBody, caller: &Caller) -> Response {
    let main = html! {
        main #main.narrow tabindex="-1" {
            h1 { "There is nothing here" }
            p { a href="/" { "What waits for people" } }
        }
    };
    (StatusCode::NOT_FOUND, framed("Nothing here", Here::Elsewhere, status, caller, &main))
        .into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wanted_page_survives_the_sign_in() {
        assert_eq!(encoded("/holds/H-1"), "/holds/H-1");
        assert_eq!(encoded("/ledger?from=1&verify=1"), "/ledger%3Ffrom%3D1%26verify%3D1");
    }
}
