//! A scope for each request, over real sockets: its name, and each way in which it ends.
#![cfg(feature = "axum")]

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::routing::{any, get};
use http_body_util::StreamBody;
use taskscope::{AtEnd, CancelReason, Scope, ScopeLayer, ScopeRef};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;

/// The scopes that handlers saw.
type Seen = Arc<Mutex<Vec<ScopeRef>>>;

fn note(seen: &Seen) {
    seen.lock().unwrap().push(Scope::current().unwrap());
}

async fn serve(app: Router) -> TcpStream {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, app).await });
    TcpStream::connect(address).await.unwrap()
}

async fn send(stream: &mut TcpStream, request: &str) {
    stream
        .write_all(format!("{request} HTTP/1.1\r\nHost: test\r\n\r\n").as_bytes())
        .await
        .unwrap();
}

/// Reads until the answer contains `end`.
async fn read_until(stream: &mut TcpStream, end: &str) -> String {
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
async fn ended(seen: &Seen) -> (String, Option<CancelReason>) {
    let scope = seen.lock().unwrap().last().unwrap().clone();
    scope.token().cancelled().await;
    (
        scope.name().to_owned(),
        scope.cancelled().map(|(reason, _)| reason),
    )
}

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

#[tokio::test]
async fn a_streaming_body_keeps_the_scope_open_until_it_ends() {
    let seen = Seen::default();
    let (frames, receiver) = mpsc::channel::<Result<http_body::Frame<Bytes>, std::io::Error>>(1);
    let receiver = Arc::new(Mutex::new(Some(receiver)));
    let handler = {
        let seen = seen.clone();
        move || async move {
            note(&seen);
            let mut receiver = receiver.lock().unwrap().take().unwrap();
            Body::new(StreamBody::new(futures::stream::poll_fn(move |cx| {
                receiver.poll_recv(cx)
            })))
        }
    };
    let app = Router::new()
        .route("/", get(handler))
        .layer(ScopeLayer::new().at_end(AtEnd::Cancel));
    let mut stream = serve(app).await;
    send(&mut stream, "GET /").await;
    frames
        .send(Ok(http_body::Frame::data(Bytes::from_static(b"first"))))
        .await
        .unwrap();
    read_until(&mut stream, "first").await;
    let scope = seen.lock().unwrap()[0].clone();
    assert!(scope.ended().is_none());
    drop(frames);
    read_until(&mut stream, "0\r\n\r\n").await;
    assert_eq!(ended(&seen).await.1, Some(CancelReason::Ended));
}

#[tokio::test]
async fn a_client_that_goes_away_ends_the_scope_while_the_handler_is_waiting() {
    let seen = Seen::default();
    let (called, mut calls) = mpsc::channel(1);
    let handler = {
        let seen = seen.clone();
        move || async move {
            note(&seen);
            called.send(()).await.unwrap();
            std::future::pending::<()>().await;
        }
    };
    let app = Router::new()
        .route("/", get(handler))
        .layer(ScopeLayer::new().at_end(AtEnd::Cancel));
    let mut stream = serve(app).await;
    send(&mut stream, "GET /").await;
    calls.recv().await.unwrap();
    assert!(seen.lock().unwrap()[0].ended().is_none());
    drop(stream);
    assert_eq!(ended(&seen).await.1, Some(CancelReason::ClientGone));
}

#[tokio::test]
async fn a_client_that_goes_away_ends_the_scope_in_the_middle_of_a_body() {
    let seen = Seen::default();
    let handler = {
        let seen = seen.clone();
        move || async move {
            note(&seen);
            let first = futures::stream::iter([Ok::<_, std::io::Error>(http_body::Frame::data(
                Bytes::from_static(b"first"),
            ))]);
            Body::new(StreamBody::new(futures::StreamExt::chain(
                first,
                futures::stream::pending(),
            )))
        }
    };
    let app = Router::new()
        .route("/", get(handler))
        .layer(ScopeLayer::new().at_end(AtEnd::Cancel));
    let mut stream = serve(app).await;
    send(&mut stream, "GET /").await;
    read_until(&mut stream, "first").await;
    assert!(seen.lock().unwrap()[0].ended().is_none());
    drop(stream);
    assert_eq!(ended(&seen).await.1, Some(CancelReason::ClientGone));
}

/// The default policy ends the scope all the same, and leaves the token alone.
#[tokio::test]
async fn under_the_default_policy_the_end_is_only_noted() {
    let seen = Seen::default();
    let handler = {
        let seen = seen.clone();
        move || async move { note(&seen) }
    };
    let mut stream = serve(
        Router::new()
            .route("/", get(handler))
            .layer(ScopeLayer::new()),
    )
    .await;
    send(&mut stream, "GET /").await;
    read_until(&mut stream, "\r\n\r\n").await;
    let scope = seen.lock().unwrap()[0].clone();
    assert!(scope.ended().is_some() && scope.cancelled().is_none());
}

/// A service whose answer is made in `call` itself, before any future is polled.
#[derive(Clone)]
struct Answers<A>(A);

impl<A, R> tower_service::Service<http::Request<()>> for Answers<A>
where
    A: Fn() -> Result<R, String>,
{
    type Response = http::Response<R>;
    type Error = String;
    type Future = std::future::Ready<Result<http::Response<R>, String>>;

    fn poll_ready(
        &mut self,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Result<(), String>> {
        std::task::Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: http::Request<()>) -> Self::Future {
        std::future::ready((self.0)().map(http::Response::new))
    }
}

/// The answer of such a service behind the layer.
async fn ask<A, R>(
    method: &str,
    answer: A,
) -> Result<http::Response<taskscope::ScopeBody<R>>, String>
where
    A: Fn() -> Result<R, String>,
    R: http_body::Body,
{
    use tower_layer::Layer as _;
    use tower_service::Service as _;

    let mut service = ScopeLayer::new()
        .at_end(AtEnd::Cancel)
        .layer(Answers(answer));
    service
        .call(http::Request::builder().method(method).body(()).unwrap())
        .await
}

fn reason(seen: &Seen) -> Option<CancelReason> {
    seen.lock().unwrap()[0]
        .cancelled()
        .map(|(reason, _)| reason)
}

/// A server does not poll the body of an answer to `HEAD`, whatever is in it.
#[tokio::test]
async fn the_answer_to_head_is_complete_without_its_body() {
    for (method, expected) in [
        ("HEAD", CancelReason::Ended),
        ("GET", CancelReason::ClientGone),
    ] {
        let seen = Seen::default();
        let answer = ask(method, || {
            note(&seen);
            Ok(Body::from("never polled"))
        });
        drop(answer.await.unwrap());
        assert_eq!(reason(&seen), Some(expected), "{method}");
    }
}

#[tokio::test]
async fn a_service_that_fails_has_ended_in_good_order() {
    let seen = Seen::default();
    let answer = ask("GET", || {
        note(&seen);
        Err::<Body, _>("out of stock".to_owned())
    });
    assert_eq!(answer.await.unwrap_err(), "out of stock");
    assert_eq!(reason(&seen), Some(CancelReason::Ended));
}

/// Servers that know the length do not ask for more after the last byte.
#[tokio::test]
async fn a_body_that_says_that_it_is_over_is_not_asked_again() {
    use http_body_util::BodyExt as _;

    let seen = Seen::default();
    let answer = ask("GET", || {
        note(&seen);
        Ok(Body::from("all"))
    });
    let mut body = answer.await.unwrap().into_body();
    assert!(seen.lock().unwrap()[0].ended().is_none());
    assert!(body.frame().await.unwrap().is_ok());
    assert!(seen.lock().unwrap()[0].ended().is_some());
    drop(body);
    assert_eq!(reason(&seen), Some(CancelReason::Ended));
}

#[tokio::test]
async fn the_body_of_an_answer_is_made_inside_the_scope() {
    use http_body_util::BodyExt as _;

    let answer = ask("GET", || {
        Ok(StreamBody::new(futures::stream::once(async {
            let name = Scope::current().map(|scope| scope.name().to_owned());
            Ok::<_, std::io::Error>(http_body::Frame::data(Bytes::from(
                name.unwrap_or_default(),
            )))
        })))
    });
    let body = answer.await.unwrap().into_body().collect().await.unwrap();
    assert_eq!(body.to_bytes(), "GET (no route)");
    assert!(Scope::current().is_none());
}
