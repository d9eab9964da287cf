//! Tests which requests for metrics are allowed, and in which format the answer is.

use axum::Router;
use axum::body::Body;
use axum::http::{Method, Request, Response, StatusCode};
use http_body_util::BodyExt as _;
use taskprof::write::{OPENMETRICS_TYPE, PROMETHEUS_TYPE};
use tower::ServiceExt as _;

use crate::exposition;

async fn ask(app: &Router, method: Method, path: &str, accept: Option<&str>) -> Response<Body> {
    let mut request = Request::builder().method(method).uri(path);
    if let Some(accept) = accept {
        request = request.header("accept", accept);
    }
    app.clone()
        .oneshot(request.body(Body::empty()).unwrap())
        .await
        .unwrap()
}

async fn text(response: Response<Body>) -> String {
    let body = response.into_body().collect().await.unwrap().to_bytes();
    String::from_utf8(body.to_vec()).unwrap()
}

fn content_type(response: &Response<Body>) -> &str {
    response.headers()["content-type"].to_str().unwrap()
}

#[tokio::test]
async fn the_format_is_what_the_client_takes_and_the_parameter_goes_first() {
    let app: Router = taskprof::router();
    // As Prometheus 2.42 sends it.
    let scraper = "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1";
    let (new, old) = (OPENMETRICS_TYPE, PROMETHEUS_TYPE);
    for (path, accept, expected) in [
        ("/metrics", None, new),
        ("/metrics", Some("*/*"), new),
        ("/metrics", Some(scraper), new),
        ("/metrics", Some("text/plain"), old),
        (
            "/metrics",
            Some("Text/Plain;version=0.0.4;q=0.5, */*;q=0.1"),
            old,
        ),
        (
            "/metrics",
            Some("application/openmetrics-text;q=0, text/plain"),
            old,
        ),
        ("/metrics", Some("text/html, application/xhtml+xml"), new),
        ("/metrics?format=prometheus", Some(scraper), old),
        ("/metrics?format=openmetrics", Some("text/plain"), new),
    ] {
        for method in [Method::HEAD, Method::GET] {
            let response = ask(&app, method.clone(), path, accept).await;
            assert_eq!(response.status(), StatusCode::OK, "{path} {accept:?}");
            assert_eq!(content_type(&response), expected, "{path} {accept:?}");
            let text = text(response).await;
            match (method, expected == new) {
                (Method::HEAD, _) => assert_eq!(text, ""),
                (_, true) => drop(exposition::openmetrics(&text)),
                (_, false) => drop(exposition::prometheus(&text)),
            }
        }
    }
}

#[tokio::test]
async fn what_is_not_understood_is_refused_with_a_sentence() {
    let app: Router = taskprof::router();
    for (path, sentence) in [
        (
            "/metrics?format=json",
            "parameter format must be one of openmetrics, prometheus, not \"json\"\n",
        ),
        (
            "/metrics?name=a",
            "unknown parameter \"name\"; known here: format\n",
        ),
        (
            "/metrics?format=prometheus&format=prometheus",
            "parameter format is given more than once; give it once\n",
        ),
    ] {
        for method in [Method::GET, Method::HEAD] {
            let response = ask(&app, method.clone(), path, None).await;
            assert_eq!(response.status(), StatusCode::BAD_REQUEST, "{path}");
            if method == Method::GET {
                assert_eq!(text(response).await, sentence);
            }
        }
    }
    let response = ask(&app, Method::POST, "/metrics", None).await;
    assert_eq!(response.status(), StatusCode::METHOD_NOT_ALLOWED);
}
