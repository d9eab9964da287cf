//! The pages for people: overview, tasks, scopes, profiles.
//!
//! The server makes them whole, so they work without a script. The script loads rows that come into
//! view, keeps numbers fresh and shows the progress of a capture. HTML is written by a library that
//! escapes everything, and the policy of these pages lets no script run but ours. Not here:
//! profiles and dumps in formats for tools (`native.rs`, `go.rs`).

mod addresses;
mod assets;
mod capture;
mod layout;
mod links;
pub(super) mod overview;
mod profiles;
mod scopes;
mod snapshots;
mod tasks;

use std::sync::Arc;

use axum::Router;
use axum::extract::Path;
use axum::http::HeaderValue;
use axum::http::header::CONTENT_SECURITY_POLICY;
use axum::http::request::Parts;
use axum::response::{Html, IntoResponse, Response};
use axum::routing::get;

pub(super) use self::snapshots::SnapshotCache;
use super::admission::Admission;

/// The name of the thread that writes a page, for error messages.
const PAGE: &str = "taskprof-page";

/// Allows style, script, requests and frames from this host only, and nothing inline.
const POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; frame-src 'self'; img-src data:; base-uri 'none'; \
     form-action 'self'; frame-ancestors 'none'",
);

/// A page as a response.
fn answer(page: String) -> Response {
    let mut response = Html(page).into_response();
    response
        .headers_mut()
        .insert(CONTENT_SECURITY_POLICY, POLICY);
    response
}

/// The routes of all pages but the overview, which is at the router's own address.
pub(super) fn routes<S>(admission: &Arc<Admission>) -> Router<S>
where
    S: Clone + Send + Sync + 'static,
{
    let admission = || Arc::clone(admission);
    let (on_tasks, on_task, on_scopes, on_profiles, on_capture) = (
        admission(),
        admission(),
        admission(),
        admission(),
        admission(),
    );
    Router::new()
        .route("/page/page.css", get(assets::style))
        .route("/page/page.js", get(assets::script))
        .route("/page/addresses", get(addresses::page))
        .route(
            "/page/tasks",
            get(move |parts: Parts| tasks::page(Arc::clone(&on_tasks), parts)),
        )
        .route(
            "/page/tasks/{id}",
            get(move |id: Path<String>, parts: Parts| tasks::task(id, Arc::clone(&on_task), parts)),
        )
        .route(
            "/page/scopes",
            get(move |parts: Parts| scopes::page(Arc::clone(&on_scopes), parts)),
        )
        .route(
            "/page/profiles",
            get(move |parts: Parts| profiles::page(Arc::clone(&on_profiles), parts)),
        )
        .route(
            "/page/capture",
            get(move |parts: Parts| capture::get(Arc::clone(&on_capture), parts))
                .head(capture::head),
        )
}
