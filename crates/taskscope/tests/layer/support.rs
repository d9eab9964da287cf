//! A server on a real socket, a client that writes HTTP by hand, and what handlers saw.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use axum::Router;
use taskscope::{AtEnd, CancelReason, Scope, ScopeLayer, ScopeRef, layer::ScopeBody};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// The scopes that handlers saw.
pub(crate) type Seen = Arc<Mutex<Vec<ScopeRef>>>;

pub(crate) fn note(seen: &Seen) {
    seen.lock().unwrap().push(Scope::current().unwrap());
}

/// Serves HTTP/1 and, to those who know, HTTP/2.
pub(crate) async fn listen(app: Router) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let service = app.into_make_service_with_connect_info::<SocketAddr>();
    tokio::spawn(async move { axum::serve(listener, service).await });
    address
}

pub(crate) async fn serve(app: Router) -> TcpStream {
    TcpStream::connect(listen(app).await).await.unwrap()
}

pub(crate) async fn send(stream: &mut TcpStream, request: &str) {
    send_with(stream, request, "").await;
}

/// `headers`: lines, each with its end.
pub(crate) async fn send_with(stream: &mut TcpStream, request: &str, headers: &str) {
    stream
        .write_all(format!("{request} HTTP/1.1\r\nHost: test\r\n{headers}\r\n").as_bytes())
        .await
        .unwrap();
}

/// Reads until the answer contains `end`.
pub(crate) async fn read_until(stream: &mut TcpStream, end: &str) -> String {
    let mut text = String::new();
    while !text.contains(end) {
        let mut buffer = [0; 1024];
        let count = stream.read(&mut buffer).await.unwrap();
        assert!(count > 0, "closed after {text:?}");
        text.push_str(&String::from_utf8_lossy(&buffer[..count]));
    }
    text
}

/// Waits for the token of a scope with [`AtEnd::Cancel`]: it is cancelled when the scope ends.
pub(crate) async fn ended(seen: &Seen) -> (String, Option<CancelReason>) {
    let scope = seen.lock().unwrap().last().unwrap().clone();
    scope.token().cancelled().await;
    (
        scope.name().to_owned(),
        scope.cancelled().map(|(reason, _)| reason),
    )
}

/// The answer of a service behind `layer`, without a server.
pub(crate) async fn call<R>(
    layer: &ScopeLayer,
    request: http::Request<()>,
    answer: impl FnOnce() -> Result<http::Response<R>, String>,
) -> Result<http::Response<ScopeBody<R>>, String>
where
    R: http_body::Body,
{
    use tower::{Layer as _, ServiceExt as _};

    let mut answer = Some(answer);
    // Made in the call itself, before any future is polled.
    let service = tower::service_fn(move |_: http::Request<()>| {
        let answer = answer.take().expect("called once");
        std::future::ready(answer())
    });
    layer.layer(service).oneshot(request).await
}

/// As [`call`], with [`AtEnd::Cancel`] and a body only.
pub(crate) async fn ask<R>(
    method: &str,
    answer: impl FnOnce() -> Result<R, String>,
) -> Result<http::Response<ScopeBody<R>>, String>
where
    R: http_body::Body,
{
    let request = http::Request::builder().method(method).body(()).unwrap();
    let layer = ScopeLayer::new().at_end(AtEnd::Cancel);
    call(&layer, request, || answer().map(http::Response::new)).await
}

pub(crate) fn reason(seen: &Seen) -> Option<CancelReason> {
    seen.lock().unwrap()[0]
        .cancelled()
        .map(|(reason, _)| reason)
}

/// A label of a scope.
pub(crate) fn label(scope: &ScopeRef, key: &str) -> Option<String> {
    let labels = scope.labels();
    let found = labels.iter().find(|(name, _)| &**name == key);
    found.map(|(_, value)| value.to_string())
}
