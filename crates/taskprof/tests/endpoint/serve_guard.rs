//! The guard layer around the router inside an application of one's own.

use std::net::SocketAddr;

use axum::Router;
use axum::routing::get;

use crate::client::{Answer, Sentence as _, exchange};

const TOKEN: &str = "6f1ed002ab5595859014ebf0951522d9";

/// An application with a page of its own, and the pages behind a token.
async fn application() -> SocketAddr {
    let guard = taskprof::require_bearer(TOKEN).unwrap();
    let app = Router::new()
        .route("/shop", get(async || "open"))
        .nest("/debug/profile", taskprof::router().layer(guard.clone()))
        .nest_service("/debug/pprof", taskprof::router::<()>().layer(guard));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    tokio::spawn(async { axum::serve(listener, app).await });
    addr
}

async fn ask(addr: SocketAddr, path: &str, headers: &str) -> Answer {
    let request =
        format!("GET {path} HTTP/1.1\r\nHost: shop.example\r\nConnection: close\r\n{headers}\r\n");
    let asked = tokio::task::spawn_blocking(move || exchange(addr, request.as_bytes()));
    asked.await.unwrap()
}

#[tokio::test]
async fn the_pages_need_the_token_and_the_rest_of_the_application_does_not() {
    let addr = application().await;
    let token = format!("Authorization: Bearer {TOKEN}\r\n");
    for path in [
        "/debug/profile",
        "/debug/profile/tasks?debug=1",
        "/debug/profile/nothing",
        "/debug/pprof/",
        "/debug/pprof/goroutine?debug=2",
        "/debug/pprof/nothing",
    ] {
        let refused = ask(addr, path, "").await;
        assert_eq!(refused.status, 401, "{path}");
        assert!(refused.sentence().starts_with("this needs a token: "));
        assert_eq!(refused.headers("www-authenticate").len(), 2);
        assert_eq!(refused.header("cache-control"), Some("no-store"), "{path}");
        let inside = ask(addr, path, &token).await;
        let status = if path.ends_with("nothing") { 404 } else { 200 };
        assert_eq!(inside.status, status, "{path}");
    }
    let open = ask(addr, "/shop", "").await;
    assert_eq!((open.status, open.text()), (200, "open"));
}

// Without axum: any tower service with any body.
#[tokio::test]
async fn the_layer_guards_any_service() {
    use tower::{Layer as _, ServiceExt as _, service_fn};
    let inner = service_fn(async |request: axum::http::Request<u32>| {
        Ok::<_, std::convert::Infallible>(format!("{}", request.into_body()))
    });
    let guarded = taskprof::require_bearer(TOKEN).unwrap().layer(inner);
    let request = axum::http::Request::new(7);
    let refused = guarded.clone().oneshot(request.clone()).await.unwrap();
    assert_eq!(refused.status(), 401);
    let mut request = request;
    let token = format!("Bearer {TOKEN}").parse().unwrap();
    request.headers_mut().insert("authorization", token);
    assert_eq!(guarded.oneshot(request).await.unwrap().status(), 200);
}
