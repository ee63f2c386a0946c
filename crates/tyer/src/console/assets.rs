//! The stylesheet, the script and the mark, inside the program.

use axum::Router;
use axum::http::{HeaderValue, header};
use axum::response::IntoResponse;
use axum::routing::get;

const CSS: &str = include_str!("assets/app.css");
const SCRIPT: &str = include_str!("assets/app.js");
const MARK: &str = include_str!("assets/mark.svg");

pub(super) fn router<S: Clone + Send + Sync + 'static>() -> Router<S> {
    Router::new()
        .route("/assets/app.css", get(|| asset("text/css; charset=utf-8", CSS)))
        .route("/assets/app.js", get(|| asset("text/javascript; charset=utf-8", SCRIPT)))
        .route("/assets/mark.svg", get(|| asset("image/svg+xml", MARK)))
}

/// Browsers ask again each time, so that a new program never meets an old script.
async fn asset(kind: &'static str, body: &'static str) -> impl IntoResponse {
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static(kind)),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-cache")),
    ];
    (headers, body)
}
