//! The endpoint as an axum router with relative paths.
//!
//! Owns the routes, which come from the tables of sources, formats and Go's names, and what
//! surrounds each of them: response headers, the answer to a panic, to an unknown path and to a
//! wrong method. Not here: a socket (`serve/`), who may call it (the application that nests it),
//! how a profile is captured (`source/`) or written (`write/`).

mod admission;
mod capture_store;
mod captures;
mod cpu_options;
mod downloads;
mod dump;
mod end_captures;
mod error;
mod go;
pub(crate) mod headers;
#[cfg(feature = "metrics")]
mod metrics;
mod native;
mod page;
mod parameters;
mod progress;
mod query;
mod response;
mod stream;
mod symbol;
mod task_filter;

use std::any::Any;
use std::sync::Arc;

use axum::Router;
use axum::extract::Path;
use axum::http::request::Parts;
use axum::middleware::map_response;
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, get};
use taskscope::RuntimeGuard;
use tokio::runtime::Handle;
use tower_http::catch_panic::CatchPanicLayer;

use self::admission::Admission;
pub use self::end_captures::end_captures;
pub(crate) use self::error::HttpError;
use crate::source::{self, Source, What};

/// Marks requests that are answered on a runtime of our own, in their extensions.
#[derive(Debug, Clone)]
pub(crate) struct OwnRuntime;

/// Makes the application's runtime known for as long as one of its requests is answered; our own is
/// none of its business.
fn watch_application(own: Option<&OwnRuntime>) -> Option<RuntimeGuard> {
    match own {
        Some(OwnRuntime) => None,
        None => Handle::try_current()
            .ok()
            .map(|runtime| taskscope::register_runtime(&runtime)),
    }
}

/// The profiling endpoint as a router with relative paths, for any outer state.
///
/// `GET` the place where it is nested for a page for people, with tabs for tasks, scopes and
/// profiles; a client that takes anything but does not say HTML, as `curl`, gets the first one as
/// text. `page/addresses` lists everything there is. Responses carry `X-Content-Type-Options`,
/// `Cache-Control: no-store`, `Referrer-Policy` and a policy that forbids other hosts; the pages'
/// own forbids every script but theirs. Errors are one sentence of plain text, with
/// `X-Go-Pprof: 1`, so that `go tool pprof` shows the sentence.
///
/// # Pages
///
/// Every source of [`source::ALL`] has a page under its name, in every format of
/// [`write::FORMATS`](crate::write::FORMATS): `tasks?format=svg`,
/// `cpu?seconds=5&format=speedscope`. Parameters are strict: a bad value is a 400 that says the
/// range, and so is a parameter that is not known or given twice. Only a picture takes `x`, `y` and
/// `s` besides, in which its own script keeps its state.
///
/// Each finished capture is kept at `captures/<number>`, in every format, and the answer says where
/// in `Content-Location`. 32 captures and 64 MB are kept at the most, the oldest go first; of
/// captures that took no time, and those under Go's names, 8 and 4 MB. `base=<number>` shows what
/// has become more or less since that capture. A browser that asks for a capture that takes time
/// gets a page that shows progress and leads to the capture's address, so that reloading and
/// sharing it samples nothing again; any other client gets the body. A capture ends when its client
/// goes away.
///
/// At most 32 captures that take time go on at once, each of 300 seconds at the most; more are a
/// 429 with `Retry-After`. CPU captures that overlap share one sampler.
///
/// # Metrics
///
/// `metrics` is what a scraper collects: tasks by verdict and by scope, lengths of waits and polls,
/// runtimes, and what the profiler itself could not keep. OpenMetrics, or the older text of
/// Prometheus with `format=prometheus` or by the header `Accept`. With the feature `metrics`, a
/// default; without it there is no such page.
///
/// # Go's names
///
/// Clients of Go's `net/http/pprof` find its pages below the same prefix: `profile`, `goroutine`,
/// `goroutineleak`, `block`, `mutex`, `threadcreate`, `heap`, `allocs`, `cmdline`, `symbol`, and
/// `trace`, which is a 404 that says why, as `heap` and `allocs` are in a program without
/// [`heap::Sampler`](crate::heap::Sampler). There, Go's rules hold: unknown parameters are ignored,
/// a `profile` without a valid `seconds` takes 30, `seconds` on the others is what changes in that
/// time, `debug=1` and `debug=2` are text, and columns and files are called as in Go. Nested at
/// `/debug/pprof`, the router is found without telling anybody a path.
///
/// `block`, `heap`, `allocs`, `cmdline` and `symbol` are both ours and Go's. Such a request is
/// taken for Go's, unless it has the parameter `format` or `base`, which Go does not know: then it
/// is ours, and strict.
///
/// # Who may ask
///
/// The router checks no credentials. Names of functions, source paths and thread names are in every
/// profile, the arguments of the program are in `cmdline`, and a capture costs CPU time: nest it
/// behind whatever protects your other internal pages, or use [`serve`](crate::serve()), which
/// answers on loopback only. [`require_bearer`](crate::require_bearer()) is a layer that demands a
/// token, and shows how a layer of your own goes around it:
///
/// ```
/// # fn app(token_of_the_environment: &str) -> Result<axum::Router, Box<dyn std::error::Error>> {
/// let profiles = taskprof::router().layer(taskprof::require_bearer(token_of_the_environment)?);
/// let app = axum::Router::new().nest("/debug/profile", profiles);
/// # Ok(app)
/// # }
/// # app("6f1ed002ab5595859014ebf0951522d9").unwrap();
/// ```
///
/// # Examples
///
/// ```
/// use axum::Router;
///
/// #[derive(Clone)]
/// struct Application;
///
/// let app: Router = Router::<Application>::new()
///     .nest("/debug/profile", taskprof::router())
///     .with_state(Application);
/// ```
///
/// With `nest_service` the page also answers at `/debug/profile/`, with a slash at the end:
///
/// ```
/// let app: axum::Router = axum::Router::new().nest_service("/debug/profile", taskprof::router::<()>());
/// ```
///
/// # Overhead
///
/// Making the router switches [sampling](taskscope::sampling) on, which is where `block`, `lock`,
/// `sched` and `busy` come from, and what they cost, and the [census](taskscope::census), which the
/// overview draws. [`taskscope::sampling::stop`] and [`taskscope::census::stop`] afterwards switch
/// them off again.
///
/// # Requirements
///
/// A server that drops the request's future when the client goes away, as hyper does: that is what
/// ends a capture early. A time limit on responses (`tower-http`'s `TimeoutLayer`) must be longer
/// than the longest capture.
///
/// A graceful shutdown of the application waits for the captures that are under way, unless
/// [`end_captures`] is called.
///
/// # Limitations
///
/// axum's `nest` does not match `/debug/profile/` for any router that is nested at
/// `/debug/profile`; `nest_service` does.
pub fn router<S>() -> Router<S>
where
    S: Clone + Send + Sync + 'static,
{
    taskscope::sampling::start();
    taskscope::census::start();
    crate::heap::start();
    let admission = Arc::new(Admission::new());
    let on_overview = Arc::clone(&admission);
    let overview = get(move |parts: Parts| page::overview::page(Arc::clone(&on_overview), parts));
    let mut router = page::routes(&admission)
        .route("/", overview)
        .route("/captures/{id}", capture(&admission));
    #[cfg(feature = "metrics")]
    {
        router = router.route(metrics::PATH, metrics::routes(&admission));
    }
    for source in source::ALL {
        router = router.route(
            &format!("/{}", source.name),
            source_page(source, &admission),
        );
    }
    for name in go::NAMES {
        // A name that both know is one page; `source_page` tells Go's clients from ours.
        if source::named(name.name).is_none() {
            router = router.route(&format!("/{}", name.name), of_go(name, &admission));
        }
    }
    protected(router)
}

/// The page of a source, which may be one of Go's at the same time.
fn source_page<S>(source: &'static Source, admission: &Arc<Admission>) -> MethodRouter<S>
where
    S: Clone + Send + Sync + 'static,
{
    if let What::Symbol = source.what {
        return symbol::routes();
    }
    let (on_get, on_head) = (Arc::clone(admission), Arc::clone(admission));
    get(async move |parts: Parts| {
        let admission = Arc::clone(&on_get);
        match go::asks(source, &parts) {
            Some(name) => go::get(name, admission, parts).await,
            None => native::get(source, admission, parts).await,
        }
    })
    .head(async move |parts: Parts| {
        let admission = Arc::clone(&on_head);
        match go::asks(source, &parts) {
            Some(name) => go::head(name, parts).await,
            None => native::head(source, admission, parts).await,
        }
    })
}

fn of_go<S>(name: &'static go::Name, admission: &Arc<Admission>) -> MethodRouter<S>
where
    S: Clone + Send + Sync + 'static,
{
    let admission = Arc::clone(admission);
    get(move |parts: Parts| go::get(name, Arc::clone(&admission), parts))
        .head(move |parts: Parts| go::head(name, parts))
}

fn capture<S>(admission: &Arc<Admission>) -> MethodRouter<S>
where
    S: Clone + Send + Sync + 'static,
{
    let (on_get, on_head) = (Arc::clone(admission), Arc::clone(admission));
    get(move |id: Path<String>, parts: Parts| captures::get(id, Arc::clone(&on_get), parts))
        .head(move |id: Path<String>, parts: Parts| captures::head(id, Arc::clone(&on_head), parts))
}

/// Adds to a router what every answer has in common.
pub(crate) fn protected<S>(router: Router<S>) -> Router<S>
where
    S: Clone + Send + Sync + 'static,
{
    router
        .method_not_allowed_fallback(method_not_allowed)
        .fallback(not_found)
        .layer(CatchPanicLayer::custom(panicked))
        // Outermost, so that the answer to a panic has the headers too.
        .layer(map_response(headers::set))
}

async fn not_found() -> HttpError {
    HttpError::not_found("there is no such page; page/addresses lists what there is")
}

async fn method_not_allowed() -> HttpError {
    HttpError::method_not_allowed("only GET and HEAD are answered here")
}

/// The message of the panic is on standard error; a client learns nothing of it.
fn panicked(_message: Box<dyn Any + Send>) -> Response {
    HttpError::internal("the profiler failed; its message is on the standard error of the process")
        .into_response()
}

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use axum::http::{Request, StatusCode};
    use http_body_util::BodyExt as _;
    use tower::ServiceExt as _;

    use super::*;

    // Through a private door: no public page panics.
    #[tokio::test]
    async fn a_panicking_handler_answers_500_and_does_not_tell_why() {
        async fn handler() {
            panic!("secret");
        }
        let app: Router = protected(Router::new().route("/", get(handler)));
        let request = Request::get("/").body(Body::empty()).unwrap();
        let response = app.oneshot(request).await.unwrap();
        assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
        assert_eq!(response.headers()["x-content-type-options"], "nosniff");
        let body = response.into_body().collect().await.unwrap().to_bytes();
        assert_eq!(
            body,
            "the profiler failed; its message is on the standard error of the process\n"
        );
    }
}
