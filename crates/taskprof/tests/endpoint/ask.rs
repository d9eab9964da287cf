//! Asks a router without a connection.

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, Method, Request, StatusCode};
use http_body_util::BodyExt as _;
use tower::ServiceExt as _;

/// A whole answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        Some(self.headers.get(name)?.to_str().unwrap())
    }

    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }
}

/// The pages as Go's clients look for them.
pub(crate) fn app() -> Router {
    Router::new().nest_service("/debug/pprof", taskprof::router::<()>())
}

pub(crate) async fn send(app: &Router, request: Request<Body>) -> Answer {
    let response = app.clone().oneshot(request).await.unwrap();
    let (parts, body) = response.into_parts();
    Answer {
        status: parts.status,
        headers: parts.headers,
        body: body.collect().await.unwrap().to_bytes().to_vec(),
    }
}

pub(crate) async fn ask(app: &Router, method: Method, path: &str) -> Answer {
    let request = Request::builder().method(method).uri(path);
    send(app, request.body(Body::empty()).unwrap()).await
}

pub(crate) async fn get(app: &Router, path: &str) -> Answer {
    ask(app, Method::GET, path).await
}

/// Asks as a browser does when somebody follows a link.
pub(crate) async fn browse(app: &Router, path: &str) -> Answer {
    let request = Request::get(path).header("accept", "text/html,application/xhtml+xml,*/*;q=0.8");
    send(app, request.body(Body::empty()).unwrap()).await
}
