//! Allowances: which there are, and asking for one. They are answered, shown and revoked as the holds they are.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::{Extension, Json};
use tyer_core::intent::HoldId;

use super::Body;
use super::bodies::allowances::{AllowanceRequestBody, AllowancesBody};
use super::bodies::{CardBody, HoldBody};
use super::error::ApiError;
use super::guard::Caller;
use super::site::Site;

type Shared = State<Arc<Site>>;

pub(super) async fn list(State(site): Shared) -> Json<AllowancesBody> {
    Json(AllowancesBody { allowances: site.allowances().await })
}

/// Asks for an allowance like that held request. A person asks for sessions that they control; the operator for any.
pub(super) async fn ask(
    State(site): Shared,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
    Body(body): Body<AllowanceRequestBody>,
) -> Result<(StatusCode, Json<CardBody>), ApiError> {
    let hold = ask_now(&site, &caller, (&id, &body)).await?;
    let card = site.card(&hold, caller.name()).await?;
    let card = card.ok_or_else(|| ApiError::conflict("not_answerable", format!("{hold} has ended")))?;
    Ok((StatusCode::CREATED, Json(card.0)))
}

/// Asks, and says which hold people answer.
pub(crate) async fn ask_now(
    site: &Site,
    caller: &Caller,
    (id, body): (&str, &AllowanceRequestBody),
) -> Result<HoldId, ApiError> {
    let wish = body.wish(caller.name());
    Ok(site.gateway.ask_allowance(&HoldId::new(id), caller.person(), wish).await?)
}

impl Site {
    /// Allowances that are asked for or can be used, the newest first.
    pub(crate) async fn allowances(&self) -> Vec<HoldBody> {
        let (mut holds, _) = self.holds("").await;
        holds.retain(|hold| hold.allowance.is_some() && matches!(hold.state, "open" | "active"));
        holds.sort_by_key(|hold| std::cmp::Reverse(hold.opened));
        holds
    }
}
