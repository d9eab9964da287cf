//! Deadlines that a request asks for.

use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::routing::get;
use taskscope::DeadlineHeader::{Grpc, Request};
use taskscope::{Scope, ScopeLayer, layer::LayerStats};

use super::support::{call, read_until, send, send_with, serve};

/// The time that a request with these headers is given, at the beginning.
async fn given(layer: &ScopeLayer, headers: &[(&str, &str)]) -> Option<Duration> {
    let mut request = http::Request::builder();
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let mut given = None;
    let answer = call(layer, request.body(()).unwrap(), || {
        given = Scope::current().unwrap().remaining();
        Ok(http::Response::new(Body::empty()))
    });
    answer.await.unwrap();
    given
}

/// The whole minute that a time lies in: what has passed since does not matter.
async fn minute(layer: &ScopeLayer, headers: &[(&str, &str)]) -> Option<u64> {
    let given = given(layer, headers).await;
    given.map(|time| time.as_secs().div_ceil(60))
}

#[tokio::test]
async fn a_header_is_read_only_if_configured() {
    let both = [("grpc-timeout", "10M"), ("x-request-timeout", "1200")];
    let layers = [
        (ScopeLayer::new(), None),
        (ScopeLayer::new().deadline_header(Grpc), Some(10)),
        (ScopeLayer::new().deadline_header(Request), Some(20)),
    ];
    for (layer, expected) in layers {
        assert_eq!(minute(&layer, &both).await, expected, "{layer:?}");
    }
}

#[tokio::test]
async fn the_shorter_of_two_times_counts() {
    let layer = ScopeLayer::new()
        .deadline_header(Request)
        .deadline_header(Grpc);
    for (grpc, request, expected) in [
        ("10M", "1200", Some(10)),
        ("30M", "1200", Some(20)),
        ("30M", "1200,", Some(30)),
        ("later", "later", None),
    ] {
        let headers = [("grpc-timeout", grpc), ("x-request-timeout", request)];
        assert_eq!(minute(&layer, &headers).await, expected);
    }
    let twice = [("grpc-timeout", "20M"), ("grpc-timeout", "10M")];
    assert_eq!(minute(&layer, &twice).await, Some(10));
}

#[tokio::test]
async fn what_is_no_time_is_ignored_and_counted() {
    let layer = ScopeLayer::new()
        .deadline_header(Grpc)
        .deadline_header(Request);
    assert_eq!(layer.stats(), LayerStats::default());
    for value in [
        "",
        "soon",
        "-1S",
        "123456789S",
        "\u{ff}",
        "99999999999999999999H",
    ] {
        assert_eq!(given(&layer, &[("grpc-timeout", value)]).await, None);
    }
    assert_eq!(given(&layer, &[("x-request-timeout", "1h")]).await, None);
    assert_eq!(layer.stats().malformed_deadlines, 7);
    // Nobody reads it, so nobody finds anything wrong with it.
    let deaf = ScopeLayer::new();
    assert_eq!(given(&deaf, &[("grpc-timeout", "soon")]).await, None);
    assert_eq!(deaf.stats().malformed_deadlines, 0);
}

#[tokio::test]
async fn a_client_cannot_ask_for_more_than_the_cap() {
    let layer = ScopeLayer::new()
        .deadline_header(Grpc)
        .max_timeout(Duration::from_secs(600));
    for (asked, expected) in [("99999999H", Some(10)), ("5M", Some(5)), ("10M", Some(10))] {
        assert_eq!(minute(&layer, &[("grpc-timeout", asked)]).await, expected);
    }
    assert_eq!(layer.stats().capped_deadlines, 1);
    assert_eq!(minute(&layer, &[]).await, None);
}

#[tokio::test]
async fn a_request_that_asks_for_no_time_gets_the_default() {
    let layer = ScopeLayer::new()
        .deadline_header(Grpc)
        .default_timeout(Duration::from_secs(600));
    assert_eq!(minute(&layer, &[]).await, Some(10));
    assert_eq!(minute(&layer, &[("grpc-timeout", "soon")]).await, Some(10));
    assert_eq!(minute(&layer, &[("grpc-timeout", "20M")]).await, Some(20));
    let unasked = ScopeLayer::new().default_timeout(Duration::from_secs(600));
    assert_eq!(minute(&unasked, &[]).await, Some(10));
}

/// Says whether the token is cancelled, and waits for that, if told to by the path.
fn application(layer: ScopeLayer) -> Router {
    let answer = |wait: bool| {
        move || async move {
            let scope = Scope::current().unwrap();
            if wait {
                scope.token().cancelled().await;
            }
            let reason = scope.cancellation().map(|it| it.reason.to_string());
            format!("[{}]", reason.as_deref().unwrap_or("not cancelled"))
        }
    };
    Router::new()
        .route("/now", get(answer(false)))
        .route("/wait", get(answer(true)))
        .layer(layer)
}

/// Nothing is aborted, and no answer is made up: the handler's own is delivered.
#[tokio::test]
async fn at_the_deadline_the_token_fires_and_the_handler_goes_on() {
    let layer = ScopeLayer::new().deadline_header(Request);
    let mut stream = serve(application(layer)).await;
    for (path, header, expected) in [
        ("GET /wait", "x-request-timeout: 20ms\r\n", "[deadline]"),
        // No time at all is over before the handler begins.
        ("GET /now", "x-request-timeout: 0\r\n", "[deadline]"),
        ("GET /now", "x-request-timeout: 1000\r\n", "[not cancelled]"),
        ("GET /now", "", "[not cancelled]"),
    ] {
        send_with(&mut stream, path, header).await;
        let answer = read_until(&mut stream, "]").await;
        assert!(answer.starts_with("HTTP/1.1 200 OK"), "{answer}");
        assert!(answer.ends_with(expected), "{path} {header}: {answer}");
    }
}

#[tokio::test]
async fn the_default_timeout_fires_like_one_that_was_asked_for() {
    let layer = ScopeLayer::new().default_timeout(Duration::from_millis(20));
    let mut stream = serve(application(layer)).await;
    send(&mut stream, "GET /wait").await;
    assert!(read_until(&mut stream, "]").await.ends_with("[deadline]"));
}
