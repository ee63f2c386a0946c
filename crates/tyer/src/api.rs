//! The JSON API under `/api/v1`, with the same permissions as the pages.
//!
//! One table lists every route with who may call it; the router, the permissions and the check against
//! `openapi.json` are all made from that table.

pub(crate) mod allowances;
pub(crate) mod answers;
mod beside;
pub(crate) mod bodies;
pub(crate) mod calls;
mod ceremonies;
pub(crate) mod error;
pub(crate) mod guard;
pub(crate) mod leaves;
mod ledger;
mod news;
mod pace;
mod proposals;
pub(crate) mod sign_ins;
pub(crate) mod site;
mod ssh;

use std::sync::Arc;

use axum::extract::rejection::JsonRejection;
use axum::extract::{FromRequest, Request};
use axum::handler::Handler;
use axum::http::Method;
use axum::routing::{self, MethodFilter, MethodRouter};
use axum::{Json, Router, middleware};

use self::error::ApiError;
use self::guard::Access;
use self::site::Site;

/// The document that describes every route.
pub(crate) const OPENAPI: &str = include_str!("api/openapi.json");

/// One call that can be made.
pub(crate) struct Route {
    #[cfg_attr(not(test), expect(dead_code, reason = "compared with the document by a test"))]
    pub(crate) method: Method,
    pub(crate) path: &'static str,
    pub(crate) access: Access,
    call: MethodRouter<Arc<Site>>,
}

fn get<H, T>(path: &'static str, access: Access, call: H) -> Route
where
    H: Handler<T, Arc<Site>>,
    T: 'static,
{
    Route { method: Method::GET, path, access, call: routing::on(MethodFilter::GET, call) }
}

fn post<H, T>(path: &'static str, access: Access, call: H) -> Route
where
    H: Handler<T, Arc<Site>>,
    T: 'static,
{
    Route { method: Method::POST, path, access, call: routing::on(MethodFilter::POST, call) }
}

/// Every call.
pub(crate) fn routes() -> Vec<Route> {
    use Access::{Anybody, Counting, Paced, Reading, SignedIn};
    vec![
        get("/healthz", Anybody, calls::healthz),
        get("/readyz", Anybody, calls::readyz),
        get("/checkpoint", Anybody, ledger::checkpoint),
        get("/api/v1/status", Reading, calls::status),
        get("/api/v1/people", Reading, calls::people),
        get("/api/v1/sessions", Reading, calls::sessions),
        post("/api/v1/sessions", Counting, calls::new_session),
        get("/api/v1/sessions/{id}", Reading, answers::session),
        post("/api/v1/sessions/{id}/end", Counting, calls::end_session),
        post("/api/v1/kill", Counting, calls::kill),
        get("/api/v1/holds", Reading, calls::holds),
        get("/api/v1/holds/{id}", Reading, calls::hold),
        post("/api/v1/holds/{id}/notes", Counting, beside::note),
        post("/api/v1/holds/{id}/later", Counting, beside::later),
        get("/api/v1/answers", Reading, answers::answers),
        post("/api/v1/answers/seen", Counting, answers::seen),
        post("/api/v1/holds/{id}/allowance", Counting, allowances::ask),
        get("/api/v1/allowances", Reading, allowances::list),
        get("/api/v1/configuration", Reading, calls::configuration),
        get("/api/v1/freezes", Reading, calls::freezes),
        get("/api/v1/reviews", Reading, calls::reviews),
        post("/api/v1/freeze", SignedIn, calls::freeze),
        post("/api/v1/statements", Paced, ceremonies::statement),
        post("/api/v1/decisions", Paced, ceremonies::decide),
        post("/api/v1/ssh/statements", Counting, ssh::statement),
        post("/api/v1/ssh/decisions", Paced, ssh::decide),
        post("/api/v1/ssh/looks", Paced, ssh::look),
        post("/api/v1/ssh/cards", Paced, ssh::cards),
        post("/api/v1/enrolments/{token}/begin", Paced, ceremonies::begin_enrolment),
        post("/api/v1/enrolments/{token}/finish", Paced, ceremonies::finish_enrolment),
        post("/api/v1/proposals", Paced, proposals::present),
        get("/api/v1/ledger", Reading, ledger::leaves),
        get("/api/v1/ledger/verify", Reading, ledger::verify),
        get("/api/v1/ledger/{index}", Reading, ledger::leaf),
        get("/api/v1/ledger/{index}/receipt", Reading, ledger::receipt),
        get("/api/v1/events", Reading, news::events),
        get("/api/v1/openapi.json", Reading, calls::openapi),
    ]
}

/// The router of every call, each behind its permission. Whoever is calling must have been found out
/// by an outer layer.
pub(crate) fn router(site: &Arc<Site>) -> Router<Arc<Site>> {
    routes().into_iter().fold(Router::new(), |router, route| {
        let state = (Arc::clone(site), route.access);
        let call = route.call.route_layer(middleware::from_fn_with_state(state, guard::admit));
        router.route(route.path, call)
    })
}

/// A JSON body whose errors are those of the API.
pub(crate) struct Body<T>(pub(crate) T);

impl<T, S> FromRequest<S> for Body<T>
where
    Json<T>: FromRequest<S, Rejection = JsonRejection>,
    S: Send + Sync,
{
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        match Json::<T>::from_request(request, state).await {
            Ok(Json(body)) => Ok(Self(body)),
            Err(error) => Err(ApiError { status: error.status(), ..ApiError::bad(error.body_text()) }),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn the_document_describes_every_route_and_nothing_else() {
        let document: serde_json::Value = serde_json::from_str(OPENAPI).expect("JSON");
        let mut described = BTreeSet::new();
        for (path, calls) in document["paths"].as_object().expect("paths") {
            for (method, call) in calls.as_object().expect("calls") {
                assert!(call["summary"].is_string(), "{method} {path} says nothing");
                assert!(
                    call["responses"].as_object().is_some_and(|all| !all.is_empty()),
                    "{method} {path}"
                );
                let open = call["security"].as_array().is_some_and(Vec::is_empty);
                described.insert((method.to_uppercase(), path.clone(), open));
            }
        }
        let there: BTreeSet<_> = routes()
            .into_iter()
            .map(|route| {
                let open = matches!(route.access, Access::Anybody | Access::Paced);
                (route.method.to_string(), route.path.to_owned(), open)
            })
            .collect();
        assert_eq!(described, there);
        assert_eq!(document["info"]["version"], env!("CARGO_PKG_VERSION"));
    }

    #[test]
    fn every_reference_of_the_document_leads_somewhere() {
        let document: serde_json::Value = serde_json::from_str(OPENAPI).expect("JSON");
        let references =
            OPENAPI.split("\"$ref\": \"#").skip(1).filter_map(|rest| rest.split('"').next());
        let mut count = 0;
        for reference in references {
            assert!(document.pointer(reference).is_some(), "{reference}");
            count += 1;
        }
        assert!(count > 10);
    }
}
