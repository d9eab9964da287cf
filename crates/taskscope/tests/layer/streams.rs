//! Server-sent events: a stream of frames that lasts.

use std::convert::Infallible;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::response::sse::{Event, Sse};
use axum::routing::get;
use taskscope::{AtEnd, CancelReason, ScopeLayer};
use tokio::net::TcpStream;
use tokio::sync::mpsc;

use super::support::{Seen, ended, note, read_until, send, serve};

/// A client in the middle of an event stream, and the server's end of it.
async fn subscribed() -> (TcpStream, Seen, mpsc::Sender<&'static str>) {
    let seen = Seen::default();
    let (events, receiver) = mpsc::channel(1);
    let receiver = Arc::new(Mutex::new(Some(receiver)));
    let handler = {
        let seen = seen.clone();
        move || async move {
            note(&seen);
            let mut receiver: mpsc::Receiver<&str> = receiver.lock().unwrap().take().unwrap();
            Sse::new(futures::stream::poll_fn(move |cx| {
                let next = receiver.poll_recv(cx);
                next.map(|event| event.map(|data| Ok::<_, Infallible>(Event::default().data(data))))
            }))
        }
    };
    let app = Router::new()
        .route("/events", get(handler))
        .layer(ScopeLayer::new().at_end(AtEnd::Cancel));
    let mut stream = serve(app).await;
    send(&mut stream, "GET /events").await;
    events.send("first").await.unwrap();
    read_until(&mut stream, "data: first\n\n").await;
    events.send("second").await.unwrap();
    read_until(&mut stream, "data: second\n\n").await;
    assert!(seen.lock().unwrap()[0].ended().is_none());
    (stream, seen, events)
}

#[tokio::test]
async fn an_event_stream_keeps_the_scope_open_until_the_server_ends_it() {
    let (mut stream, seen, events) = subscribed().await;
    drop(events);
    read_until(&mut stream, "0\r\n\r\n").await;
    assert_eq!(ended(&seen).await.1, Some(CancelReason::Ended));
}

#[tokio::test]
async fn an_event_stream_whose_client_goes_away_ends_the_scope() {
    let (stream, seen, events) = subscribed().await;
    drop(stream);
    assert_eq!(ended(&seen).await.1, Some(CancelReason::ClientGone));
    assert!(events.is_closed());
}
