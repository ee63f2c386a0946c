//! The ledger: leaves, receipts and verification.

use std::sync::Arc;

use axum::extract::{Path, Query, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use serde::{Deserialize, Serialize};
use tyer_core::verdict::LeafIndex;

use super::bodies::{LeafBody, ReceiptBody, RevealBody, VerifyBody};
use super::error::ApiError;
use super::guard::Caller;
use super::leaves::leaf_body;
use super::site::Site;

type Shared = State<Arc<Site>>;

/// Leaves in one answer, unless another number is asked for.
const COUNT_DEFAULT: u64 = 100;

/// The newest checkpoint, as C2SP tlog-tiles serves it; 404 before the first leaf.
pub(super) async fn checkpoint(State(site): Shared) -> Response {
    match site.gateway.sequencer.head() {
        Some(head) => {
            ([(header::CONTENT_TYPE, "text/plain; charset=utf-8")], head.checkpoint).into_response()
        }
        None => StatusCode::NOT_FOUND.into_response(),
    }
}

#[derive(Clone, Copy, Debug, Deserialize)]
pub(super) struct Range {
    /// The first leaf; without it, the newest are listed.
    from: Option<u64>,
    count: Option<u64>,
}

#[derive(Debug, Serialize)]
pub(super) struct Leaves {
    size: u64,
    leaves: Vec<LeafBody>,
}

pub(super) async fn leaves(
    State(site): Shared,
    Query(range): Query<Range>,
) -> Result<Json<Leaves>, ApiError> {
    let size = site.gateway.sequencer.head().map_or(0, |head| head.size);
    let count = range.count.unwrap_or(COUNT_DEFAULT);
    let from = range.from.unwrap_or_else(|| size.saturating_sub(count));
    let leaves = site.archive.leaves(from, count).await?;
    let leaves = leaves.iter().map(|(index, leaf)| leaf_body(*index, leaf)).collect();
    Ok(Json(Leaves { size, leaves }))
}

pub(super) async fn leaf(
    State(site): Shared,
    Path(index): Path<u64>,
) -> Result<Json<LeafBody>, ApiError> {
    let leaf = site.archive.leaf(index).await?;
    Ok(Json(leaf_body(LeafIndex(index), &leaf)))
}

/// Whether to open the leaf's commitment as well: `reveal=1`.
#[derive(Clone, Copy, Debug, Deserialize)]
pub(super) struct Reveal {
    #[serde(default)]
    reveal: u8,
}

pub(super) async fn receipt(
    State(site): Shared,
    Extension(caller): Extension<Caller>,
    Path(index): Path<u64>,
    Query(query): Query<Reveal>,
) -> Result<Json<ReceiptBody>, ApiError> {
    let may_reveal = matches!(caller, Caller::Operator)
        || matches!(caller, Caller::Person { counts, audits, .. } if counts || audits);
    let proved = site.archive.receipt(index, query.reveal == 1 && may_reveal).await?;
    let reveal =
        proved.private.map(|private| RevealBody { salt: private.salt.to_string(), text: private.text });
    Ok(Json(ReceiptBody { receipt: proved.text, reveal }))
}

pub(super) async fn verify(State(site): Shared) -> Result<Json<VerifyBody>, ApiError> {
    Ok(Json(VerifyBody::of(&site.archive.verify().await?)))
}
