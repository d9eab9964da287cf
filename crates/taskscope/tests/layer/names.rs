//! The names and labels that the layer gives to scopes.

use axum::Router;
use axum::routing::{any, get};
use taskscope::{AtEnd, CancelReason, Scope, ScopeLayer, layer::MAX_REQUEST_ID};

use super::support::{Seen, call, ended, label, note, read_until, send, send_with, serve};

#[tokio::test]
async fn scopes_are_named_by_method_and_matched_route() {
    let seen = Seen::default();
    let handler = {
        let seen = seen.clone();
        move || async move { note(&seen) }
    };
    let app = Router::new()
        .route("/orders/{id}", any(handler.clone()))
        .fallback(handler)
        .layer(ScopeLayer::new().at_end(AtEnd::Cancel));
    let mut stream = serve(app).await;
    for (request, name) in [
        ("GET /orders/17?full=1", "GET /orders/{id}"),
        ("HEAD /orders/17", "HEAD /orders/{id}"),
        ("BREW /orders/17", "(other method) /orders/{id}"),
        ("GET /no/such/path", "GET (no route)"),
    ] {
        send(&mut stream, request).await;
        read_until(&mut stream, "\r\n\r\n").await;
        assert_eq!(
            ended(&seen).await,
            (name.to_owned(), Some(CancelReason::Ended))
        );
    }
}

#[tokio::test]
async fn tasks_that_a_handler_spawns_belong_to_the_request() {
    let app = Router::new()
        .route(
            "/",
            get(|| async {
                let name = taskscope::spawn(async {
                    Scope::current().map(|scope| scope.name().to_owned())
                });
                name.await.unwrap().unwrap_or_default()
            }),
        )
        .layer(ScopeLayer::new());
    let mut stream = serve(app).await;
    send(&mut stream, "GET /").await;
    assert!(read_until(&mut stream, "GET /").await.ends_with("GET /"));
}

/// Answers with a label of its scope, or nothing.
fn answer_label(key: &'static str) -> impl Clone + Fn() -> std::future::Ready<String> {
    move || std::future::ready(label(&Scope::current().unwrap(), key).unwrap_or_default())
}

fn body(answer: &str) -> &str {
    answer.split_once("\r\n\r\n").unwrap().1
}

#[tokio::test]
async fn the_request_id_is_the_clients_or_made_up() {
    let layer = ScopeLayer::new();
    let show = answer_label("request_id");
    let app = Router::new().route("/", get(show)).layer(layer.clone());
    let mut stream = serve(app).await;
    let longest = "x".repeat(MAX_REQUEST_ID);
    let mut made_up = Vec::new();
    for (header, taken) in [
        ("X-Request-Id: 7f3a-11\r\n".to_owned(), Some("7f3a-11")),
        (format!("x-request-id: {longest}\r\n"), Some(&*longest)),
        (format!("x-request-id: {longest}x\r\n"), None),
        ("x-request-id: two words\r\n".to_owned(), None),
        ("x-request-id: na\u{ef}ve\r\n".to_owned(), None),
        ("x-request-id:\r\n".to_owned(), None),
        (String::new(), None),
    ] {
        send_with(&mut stream, "GET /", &format!("{header}Accept: x\r\n")).await;
        let head = read_until(&mut stream, "\r\n\r\n").await;
        let id = body(&head);
        match taken {
            Some(taken) => assert_eq!(id, taken),
            None => made_up.push(id.to_owned()),
        }
        assert!(!head.to_lowercase().contains("x-request-id"), "{head}");
    }
    made_up.sort();
    made_up.dedup();
    assert_eq!(made_up.len(), 5, "{made_up:?}");
    assert!(made_up.iter().all(|id| !id.is_empty() && id.is_ascii()));
    assert_eq!(layer.stats().refused_request_ids, 4);
}

#[tokio::test]
async fn the_response_has_the_request_id_if_asked_for() {
    let header = http::HeaderName::from_static("x-correlation");
    let layer = ScopeLayer::new()
        .request_id_header(header.clone())
        .answer_request_id();
    for (own, expected) in [(None, "client"), (Some("handler"), "handler")] {
        let request = http::Request::builder().header(&header, "client");
        let answer = call(&layer, request.body(()).unwrap(), || {
            let mut response = http::Response::builder();
            if let Some(own) = own {
                response = response.header(&header, own);
            }
            Ok(response.body(axum::body::Body::empty()).unwrap())
        });
        let answer = answer.await.unwrap();
        let values: Vec<_> = answer.headers().get_all(&header).iter().collect();
        assert_eq!(values, [expected]);
    }
    let made_up = call(&layer, http::Request::new(()), || {
        let id = label(&Scope::current().unwrap(), "request_id").unwrap();
        Ok(http::Response::new(id))
    });
    let made_up = made_up.await.unwrap();
    let header = made_up.headers()[&header].to_str().unwrap().to_owned();
    let body = http_body_util::BodyExt::collect(made_up.into_body()).await;
    assert_eq!(body.unwrap().to_bytes(), header);
}

#[tokio::test]
async fn the_peer_is_the_clients_address() {
    let show = answer_label("peer");
    let app = Router::new()
        .route("/", get(async move || format!("[{}]", show().await)))
        .layer(ScopeLayer::new());
    let mut stream = serve(app).await;
    send(&mut stream, "GET /").await;
    let peer = stream.local_addr().unwrap().to_string();
    let answer = read_until(&mut stream, "]").await;
    assert_eq!(body(&answer), format!("[{peer}]"));
    // A control: where nobody tells, there is no label.
    let layer = ScopeLayer::new();
    let answer = call(&layer, http::Request::new(()), || {
        assert_eq!(label(&Scope::current().unwrap(), "peer"), None);
        Ok(http::Response::new(String::new()))
    });
    assert!(answer.await.is_ok());
}

#[tokio::test]
async fn a_route_function_stands_in_for_axums_route() {
    let layer = ScopeLayer::new().route(|request| {
        (request.uri.path() == "/shop.Orders/Get").then(|| "/shop.Orders/Get".into())
    });
    for (path, name) in [
        ("/shop.Orders/Get", "POST /shop.Orders/Get"),
        ("/whatever/the/client/likes", "POST (no route)"),
    ] {
        let request = http::Request::post(path).body(()).unwrap();
        let answer = call(&layer, request, || {
            assert_eq!(Scope::current().unwrap().name(), name);
            Ok(http::Response::new(String::new()))
        });
        assert!(answer.await.is_ok());
    }
}

#[tokio::test]
async fn requests_below_a_scope_are_cancelled_with_it() {
    let server = Scope::new("server");
    let seen = Seen::default();
    for layer in [
        ScopeLayer::new().parent(&server.to_ref()),
        ScopeLayer::new(),
    ] {
        let answer = call(&layer, http::Request::new(()), || {
            note(&seen);
            Ok(http::Response::new(String::new()))
        });
        assert!(answer.await.is_ok());
    }
    server.cancel(CancelReason::Shutdown);
    let [below, beside] = <[_; 2]>::try_from(seen.lock().unwrap().clone()).unwrap();
    assert_eq!(below.parent(), Some(server.to_ref()));
    assert!(below.token().is_cancelled());
    assert!(!beside.token().is_cancelled());
}
