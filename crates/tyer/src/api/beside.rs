//! Leaving notes beside holds, handing them over, and putting them off.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::{Extension, Json};
use serde_json::{Value, json};
use tyer_core::intent::{HoldId, PersonId};

use super::Body;
use super::bodies::beside::{LaterRequestBody, NoteRequestBody};
use super::bodies::{EffectedBody, Moment};
use super::error::ApiError;
use super::guard::Caller;
use super::site::Site;
use crate::gateway::beside::{LeaveError, NewNote};

type Shared = State<Arc<Site>>;

pub(super) async fn note(
    State(site): Shared,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
    Body(body): Body<NoteRequestBody>,
) -> Result<Json<EffectedBody>, ApiError> {
    let note = NewNote { text: body.text, to: body.to.into_iter().map(PersonId::new).collect() };
    let left = site.gateway.leave_note(&HoldId::new(id), caller.name(), note).await;
    said(&site, left).await?;
    Ok(Json(EffectedBody::Done(true)))
}

/// Until when the caller has put it off.
pub(super) async fn later(
    State(site): Shared,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
    Body(body): Body<LaterRequestBody>,
) -> Result<Json<Value>, ApiError> {
    let put_off = site.gateway.put_off(&HoldId::new(id), caller.name(), body.into()).await;
    let until = said(&site, put_off).await?;
    Ok(Json(json!({ "until": until.map(Moment) })))
}

async fn said<T>(site: &Site, left: Result<T, LeaveError>) -> Result<T, ApiError> {
    match left {
        Ok(left) => Ok(left),
        Err(LeaveError::Answer(error)) => Err(site.gateway.saying(error.into()).await.into()),
        Err(error) => Err(error.into()),
    }
}
