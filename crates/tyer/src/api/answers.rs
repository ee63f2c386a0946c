//! What became of holds, for the people on whose behalf was asked.

use std::sync::Arc;

use axum::extract::{Form, Path, Query, State};
use axum::response::Redirect;
use axum::{Extension, Json};
use serde::{Deserialize, Serialize};
use tyer_core::intent::{HoldId, PersonId, SessionId};
use tyer_core::limits::UNSEEN_PER_PERSON;

use super::Body;
use super::bodies::answers::AnsweredBody;
use super::bodies::{EffectedBody, HoldBody, SessionBody};
use super::error::ApiError;
use super::guard::Caller;
use super::site::Site;

/// Holds that have ended, among which those of a session are looked for.
const ENDED_SEARCHED: usize = 200;

type Shared = State<Arc<Site>>;

/// Whose answers.
#[derive(Clone, Debug, Default, Deserialize)]
pub(super) struct AnswersQuery {
    person: Option<String>,
}

#[derive(Debug, Serialize)]
pub(super) struct Answers {
    answers: Vec<AnsweredBody>,
}

/// What the caller has not seen yet; of everybody, if the operator asks for nobody's.
pub(super) async fn answers(
    State(site): Shared,
    Extension(caller): Extension<Caller>,
    Query(query): Query<AnswersQuery>,
) -> Result<Json<Answers>, ApiError> {
    let named = query.person.map(PersonId::new);
    if let Some(named) = &named
        && caller.person().is_some_and(|person| person != named)
    {
        return Err(ApiError::forbidden("everybody sees their own answers", "leave `person` out"));
    }
    let whose = caller.person().cloned().or(named);
    Ok(Json(Answers { answers: site.answers(whose.as_ref()).await }))
}

/// The holds whose answers somebody has seen.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SeenBody {
    holds: Vec<String>,
}

pub(super) async fn seen(
    State(site): Shared,
    Extension(caller): Extension<Caller>,
    Body(body): Body<SeenBody>,
) -> Result<Json<EffectedBody>, ApiError> {
    note_seen(&site, &caller, body.holds).await?;
    Ok(Json(EffectedBody::Done(true)))
}

/// The same by a form of a page without the script: ids with spaces between them.
#[derive(Debug, Deserialize)]
pub(crate) struct SeenForm {
    holds: String,
}

pub(crate) async fn seen_by_form(
    State(site): Shared,
    Extension(caller): Extension<Caller>,
    Form(form): Form<SeenForm>,
) -> Result<Redirect, ApiError> {
    note_seen(&site, &caller, form.holds.split_whitespace().map(str::to_owned).collect()).await?;
    Ok(Redirect::to("/"))
}

async fn note_seen(site: &Site, caller: &Caller, holds: Vec<String>) -> Result<(), ApiError> {
    let Some(person) = caller.person() else {
        return Err(ApiError::forbidden("people see answers for themselves", "sign in to the console"));
    };
    if holds.len() > UNSEEN_PER_PERSON {
        return Err(ApiError::bad("at most 100 at once"));
    }
    let holds: Vec<HoldId> = holds.into_iter().map(HoldId::new).collect();
    Ok(site.gateway.saw(person, &holds).await?)
}

/// A session with what it asked people.
#[derive(Debug, Serialize)]
pub(super) struct OneSession {
    #[serde(flatten)]
    session: SessionBody,
    /// Its holds in the order of the queue, and the newest that have ended.
    holds: Vec<HoldBody>,
}

pub(super) async fn session(
    State(site): Shared,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
) -> Result<Json<OneSession>, ApiError> {
    let found = site.sessions().await.into_iter().find(|session| session.session == id);
    let none = || ApiError::not_found(format!("there is no session {}", SessionId::new(id.clone())));
    let session = found.ok_or_else(none)?;
    let (mut holds, next) = site.holds(caller.name()).await;
    let ended = site.ended(next, ENDED_SEARCHED, &holds).await?;
    holds.extend(ended);
    holds.retain(|hold| hold.session == session.session);
    Ok(Json(OneSession { session, holds }))
}
