//! Each way in which a request ends.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::routing::get;
use http_body_util::StreamBody;
use taskscope::{AtEnd, CancelReason, Scope, ScopeLayer};
use tokio::sync::{mpsc, oneshot};

use super::support::{Seen, ask, call, ended, note, read_until, reason, send, serve};

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

/// The default policy ends the scope all the same, says why, and leaves the token alone.
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
    assert_eq!(scope.end_reason(), Some(CancelReason::Ended));
}

/// Tells when it is dropped.
struct Dropped(#[expect(dead_code, reason = "its drop is the message")] oneshot::Sender<()>);

#[tokio::test]
async fn under_the_default_policy_a_client_that_goes_away_is_named_as_the_reason() {
    let seen = Seen::default();
    let (called, mut calls) = mpsc::channel(1);
    let (sender, handler_dropped) = oneshot::channel::<()>();
    let sender = Arc::new(Mutex::new(Some(Dropped(sender))));
    let handler = {
        let seen = seen.clone();
        move || async move {
            let _dropped = sender.lock().unwrap().take();
            note(&seen);
            called.send(()).await.unwrap();
            std::future::pending::<()>().await;
        }
    };
    let app = Router::new()
        .route("/", get(handler))
        .layer(ScopeLayer::new());
    let mut stream = serve(app).await;
    send(&mut stream, "GET /").await;
    calls.recv().await.unwrap();
    let scope = seen.lock().unwrap()[0].clone();
    let child = scope.child("below");
    assert_eq!(scope.end_reason(), None);
    drop(stream);
    assert!(handler_dropped.await.is_err());
    assert_eq!(scope.end_reason(), Some(CancelReason::ClientGone));
    assert_eq!(child.to_ref().end_reason(), Some(CancelReason::ClientGone));
    assert!(scope.cancelled().is_none() && !scope.token().is_cancelled());
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

/// A body of frames that does not know that it is over.
fn unaware<const N: usize>(frames: [Result<http_body::Frame<Bytes>, std::io::Error>; N]) -> Body {
    Body::new(StreamBody::new(futures::stream::iter(frames)))
}

fn data(text: &'static str) -> Result<http_body::Frame<Bytes>, std::io::Error> {
    Ok(http_body::Frame::data(Bytes::from_static(text.as_bytes())))
}

/// Hyper stops asking a body when the announced length has been sent: a file, for example, never
/// gets to say that it is over.
#[tokio::test]
async fn a_body_is_complete_when_it_has_the_announced_length() {
    use futures::StreamExt as _;

    let seen = Seen::default();
    let handler = |announced: &'static str| {
        let seen = seen.clone();
        move || async move {
            note(&seen);
            let frames = futures::stream::iter([data("first"), data("second")]);
            let endless = frames.chain(futures::stream::pending());
            (
                [("content-length", announced)],
                Body::new(StreamBody::new(endless)),
            )
        }
    };
    let app = Router::new()
        .route("/all", get(handler("11")))
        .route("/more", get(handler("12")))
        .layer(ScopeLayer::new().at_end(AtEnd::Cancel));
    let mut stream = serve(app).await;
    send(&mut stream, "GET /all").await;
    read_until(&mut stream, "firstsecond").await;
    assert_eq!(ended(&seen).await.1, Some(CancelReason::Ended));
    send(&mut stream, "GET /more").await;
    read_until(&mut stream, "firstsecond").await;
    drop(stream);
    assert_eq!(ended(&seen).await.1, Some(CancelReason::ClientGone));
}

/// After trailers a server asks for nothing more: every gRPC answer ends so.
#[tokio::test]
async fn a_body_is_complete_with_its_trailers() {
    use http_body_util::BodyExt as _;

    for (last, expected) in [
        (
            http_body::Frame::trailers(http::HeaderMap::new()),
            CancelReason::Ended,
        ),
        (
            http_body::Frame::data(Bytes::new()),
            CancelReason::ClientGone,
        ),
    ] {
        let seen = Seen::default();
        let answer = ask("POST", || {
            note(&seen);
            Ok(unaware([data("message"), Ok(last)]))
        });
        let mut body = answer.await.unwrap().into_body();
        assert!(body.frame().await.unwrap().unwrap().is_data());
        assert!(body.frame().await.unwrap().is_ok());
        drop(body);
        assert_eq!(reason(&seen), Some(expected));
    }
}

#[tokio::test]
async fn a_body_that_fails_has_ended_in_good_order() {
    use http_body_util::BodyExt as _;

    let seen = Seen::default();
    let answer = ask("GET", || {
        note(&seen);
        Ok(unaware([data("half"), Err(std::io::Error::other("disk"))]))
    });
    let mut body = answer.await.unwrap().into_body();
    assert!(body.frame().await.unwrap().is_ok());
    assert!(body.frame().await.unwrap().is_err());
    drop(body);
    assert_eq!(reason(&seen), Some(CancelReason::Ended));
}

#[tokio::test]
async fn a_status_without_a_body_is_complete_without_it() {
    for (status, expected) in [
        (204, CancelReason::Ended),
        (304, CancelReason::Ended),
        (200, CancelReason::ClientGone),
    ] {
        let seen = Seen::default();
        let layer = ScopeLayer::new().at_end(AtEnd::Cancel);
        let answer = call(&layer, http::Request::new(()), || {
            note(&seen);
            let response = http::Response::builder().status(status);
            Ok(response.body(Body::from("never polled")).unwrap())
        });
        drop(answer.await.unwrap());
        assert_eq!(reason(&seen), Some(expected), "{status}");
    }
}

/// A broken future may be kept for a while after its panic was caught, and be dropped as if the
/// client had gone.
#[tokio::test]
async fn a_panic_is_the_services_own_end() {
    use futures::FutureExt as _;
    use tower::{Layer as _, ServiceExt as _};

    let seen = Seen::default();
    let panics = tower::service_fn(|_: http::Request<()>| {
        let seen = seen.clone();
        async move {
            note(&seen);
            if true {
                panic!("out of stock");
            }
            Ok::<http::Response<Body>, ()>(http::Response::default())
        }
    });
    let service = ScopeLayer::new().at_end(AtEnd::Cancel).layer(panics);
    let mut future = Box::pin(service.oneshot(http::Request::new(())));
    let caught = std::panic::AssertUnwindSafe(&mut future).catch_unwind();
    assert!(caught.await.is_err());
    assert_eq!(reason(&seen), Some(CancelReason::Ended));
    drop(future);
    assert_eq!(
        seen.lock().unwrap()[0].end_reason(),
        Some(CancelReason::Ended)
    );
}
