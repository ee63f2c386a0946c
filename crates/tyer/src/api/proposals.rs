//! Proposals: how an agent presents a whole text and learns what came of it.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;
use tyer_core::intent::SessionId;
use tyer_core::verdict::{Reason, Refusal};

use super::Body;
use super::bodies::ProposalBody;
use super::error::ApiError;
use super::site::Site;
use crate::proposal::{Proposed, propose};

/// Holds a text as one unit, or runs it if enough people have agreed.
pub(super) async fn present(
    State(site): State<Arc<Site>>,
    headers: HeaderMap,
    Body(body): Body<ProposalBody>,
) -> Result<Response, ApiError> {
    let session = session(&site, &headers).await.ok_or_else(|| {
        ApiError::new(
            StatusCode::UNAUTHORIZED,
            "credentials",
            "these are not the credentials of a session that runs",
            "use the user and password that `tyer session new` printed",
        )
    })?;
    let wait = Duration::from_secs(body.wait_seconds.unwrap_or(0));
    Ok(match Box::pin(propose(&site.gateway, session, &body.sql, wait)).await {
        Ok(Proposed { outcome, message }) => {
            Json(json!({ "outcome": outcome, "message": message })).into_response()
        }
        Err(refusal) => refused(&refusal),
    })
}

/// The session whose minted credentials the call brings.
async fn session(site: &Site, headers: &HeaderMap) -> Option<SessionId> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let decoded = STANDARD.decode(value.strip_prefix("Basic ")?).ok()?;
    let text = String::from_utf8(decoded).ok()?;
    let (user, password) = text.split_once(':')?;
    site.gateway.authenticate(user, password).await
}

fn refused(refusal: &Refusal) -> Response {
    let status = match refusal.reason {
        Reason::Held => StatusCode::ACCEPTED,
        Reason::NotRecorded => StatusCode::SERVICE_UNAVAILABLE,
        Reason::Unsupported => StatusCode::UNPROCESSABLE_ENTITY,
        Reason::TooMany => StatusCode::TOO_MANY_REQUESTS,
        Reason::Policy
        | Reason::PolicyError
        | Reason::NobodyCan
        | Reason::Narrowed
        | Reason::LastBackup
        | Reason::Frozen
        | Reason::Rejected
        | Reason::Ended => StatusCode::FORBIDDEN,
    };
    let error =
        json!({ "code": refusal.reason.as_str(), "message": refusal.message, "next": refusal.next });
    (status, Json(json!({ "hold": refusal.hold, "error": error }))).into_response()
}
