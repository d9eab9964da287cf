//! Upgraded connections: web sockets over HTTP/1 and HTTP/2, and a protocol of our own. Their tasks keep the scope of the request open.

use axum::Router;
use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade};
use axum::routing::{any, get};
use futures::{SinkExt, StreamExt};
use http::StatusCode;
use hyper_util::rt::TokioIo;
use taskscope::{AtEnd, CancelReason, Scope, ScopeLayer, ScopeRef};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::{mpsc, oneshot};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::{self, protocol::Role};

use super::support::{Seen, ended, listen, note, read_until, serve};

async fn echo(mut socket: WebSocket) {
    while let Some(Ok(message)) = socket.recv().await {
        if matches!(message, Message::Text(_) | Message::Binary(_))
            && socket.send(message).await.is_err()
        {
            return;
        }
    }
}

fn layer() -> ScopeLayer {
    ScopeLayer::new().at_end(AtEnd::Cancel)
}

/// An application with one WebSocket, at `/ws`.
fn application<C, F>(seen: &Seen, layer: ScopeLayer, callback: C) -> Router
where
    C: FnOnce(WebSocket) -> F + Clone + Send + Sync + 'static,
    F: Future<Output = ()> + Send + 'static,
{
    let seen = seen.clone();
    let handler = move |upgrade: WebSocketUpgrade| async move {
        note(&seen);
        upgrade.on_upgrade(taskscope::in_current_scope(callback))
    };
    Router::new().route("/ws", any(handler)).layer(layer)
}

async fn connect(stream: TcpStream) -> WebSocketStream<TcpStream> {
    let (socket, _) = tokio_tungstenite::client_async("ws://test/ws", stream)
        .await
        .unwrap();
    socket
}

/// Sends a text and waits until it comes back.
async fn echoed<S>(socket: &mut WebSocketStream<S>, text: String)
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin,
{
    let message = tungstenite::Message::text(text);
    socket.send(message.clone()).await.unwrap();
    assert_eq!(socket.next().await.unwrap().unwrap(), message);
}

#[tokio::test]
async fn a_websocket_keeps_the_scope_of_its_request_open_until_it_is_closed() {
    let seen = Seen::default();
    let stream = serve(application(&seen, layer(), echo)).await;
    let mut socket = connect(stream).await;
    echoed(&mut socket, "hello".to_owned()).await;
    let scope = seen.lock().unwrap()[0].clone();
    assert_eq!(scope.name(), "GET /ws");
    assert!(scope.ended().is_none());
    socket.close(None).await.unwrap();
    assert!(matches!(
        socket.next().await,
        Some(Ok(tungstenite::Message::Close(_)))
    ));
    assert!(socket.next().await.is_none());
    assert_eq!(ended(&seen).await.1, Some(CancelReason::Ended));
}

#[tokio::test]
async fn a_websocket_whose_client_goes_away_ends_the_scope_with_its_task() {
    let seen = Seen::default();
    let stream = serve(application(&seen, layer(), echo)).await;
    let mut socket = connect(stream).await;
    echoed(&mut socket, "hello".to_owned()).await;
    drop(socket);
    assert_eq!(ended(&seen).await.1, Some(CancelReason::Ended));
}

#[tokio::test]
async fn a_websocket_that_the_server_drops_ends_the_scope_in_good_order() {
    let seen = Seen::default();
    let stream = serve(application(&seen, layer(), async |socket| drop(socket))).await;
    let _socket = connect(stream).await;
    assert_eq!(ended(&seen).await.1, Some(CancelReason::Ended));
}

/// Waits until the callback has told which scope it is in.
async fn current_in_callback(
    carried: bool,
) -> (Seen, WebSocketStream<TcpStream>, Option<ScopeRef>) {
    let seen = Seen::default();
    let (told, mut tells) = mpsc::channel(1);
    let callback = move |socket: WebSocket| async move {
        let task = taskscope::spawn(async { Scope::current() });
        told.send(task.await.unwrap()).await.unwrap();
        echo(socket).await;
    };
    let handler = {
        let seen = seen.clone();
        move |upgrade: WebSocketUpgrade| async move {
            note(&seen);
            if carried {
                upgrade.on_upgrade(taskscope::in_current_scope(callback))
            } else {
                upgrade.on_upgrade(callback)
            }
        }
    };
    let app = Router::new().route("/ws", any(handler)).layer(layer());
    let socket = connect(serve(app).await).await;
    let scope = tells.recv().await.unwrap();
    (seen, socket, scope)
}

#[tokio::test]
async fn a_carried_scope_is_current_in_a_websockets_callback() {
    let (seen, mut socket, scope) = current_in_callback(true).await;
    assert_eq!(scope.as_ref(), Some(&seen.lock().unwrap()[0]));
    echoed(&mut socket, "hello".to_owned()).await;
    assert!(scope.unwrap().ended().is_none());
    drop(socket);
    ended(&seen).await;
    // The control: axum's task does not know of it by itself, and goes on when the scope has ended with the response.
    let (seen, mut socket, scope) = current_in_callback(false).await;
    assert_eq!(scope, None);
    assert_eq!(ended(&seen).await.1, Some(CancelReason::Ended));
    echoed(&mut socket, "hello".to_owned()).await;
}

/// The carried guard keeps the scope open by itself, too.
#[tokio::test]
async fn a_carried_scope_stays_open_until_the_callback_has_ended() {
    let scope = Scope::new("request").at_end(AtEnd::Cancel);
    let token = scope.token();
    let (finish, finished) = oneshot::channel::<()>();
    let callback = scope
        .run(async { taskscope::in_current_scope(async |()| finished.await) })
        .await;
    drop(scope);
    let task = tokio::spawn(callback(()));
    assert!(!token.is_cancelled());
    finish.send(()).unwrap();
    task.await.unwrap().unwrap();
    assert!(token.is_cancelled());
}

/// An upgrade that the handler thinks better of.
#[tokio::test]
async fn an_upgrade_that_is_refused_ends_the_scope_and_tells_the_handlers_task() {
    let seen = Seen::default();
    let (failed, mut failures) = mpsc::channel(1);
    let handler = {
        let seen = seen.clone();
        move |upgrade: WebSocketUpgrade| async move {
            note(&seen);
            let _switching = upgrade
                .on_failed_upgrade(move |error: axum::Error| failed.try_send(error).unwrap())
                .on_upgrade(echo);
            StatusCode::FORBIDDEN
        }
    };
    let app = Router::new().route("/ws", any(handler)).layer(layer());
    let refused = tokio_tungstenite::client_async("ws://test/ws", serve(app).await).await;
    let Err(tungstenite::Error::Http(response)) = refused else {
        panic!("{refused:?}")
    };
    assert_eq!(response.status(), 403);
    assert_eq!(ended(&seen).await.1, Some(CancelReason::Ended));
    assert!(failures.recv().await.is_some());
}

/// A request that asks for an upgrade and is answered like any other.
#[tokio::test]
async fn a_connection_that_is_not_upgraded_goes_on_with_http() {
    let seen = Seen::default();
    let handler = {
        let seen = seen.clone();
        move || async move {
            note(&seen);
            "no"
        }
    };
    let app = Router::new().route("/", get(handler)).layer(layer());
    let mut stream = serve(app).await;
    for _ in 0..2 {
        let request =
            b"GET / HTTP/1.1\r\nhost: test\r\nconnection: upgrade\r\nupgrade: chat\r\n\r\n";
        stream.write_all(request).await.unwrap();
        let answer = read_until(&mut stream, "\r\n\r\nno").await;
        assert!(answer.starts_with("HTTP/1.1 200 OK"), "{answer}");
        assert_eq!(ended(&seen).await.1, Some(CancelReason::Ended));
    }
}

/// As the documentation of the layer says, for a handler that has no callback to wrap.
#[tokio::test]
async fn a_task_that_awaits_the_upgrade_itself_keeps_the_scope_by_a_guard() {
    let seen = Seen::default();
    let handler = {
        let seen = seen.clone();
        move |mut request: axum::extract::Request| async move {
            note(&seen);
            let upgrade = hyper::upgrade::on(&mut request);
            let scope = Scope::current().and_then(|scope| scope.guard()).unwrap();
            scope.clone().spawn(async move {
                let mut connection = TokioIo::new(upgrade.await.unwrap());
                let mut bytes = [0; 5];
                connection.read_exact(&mut bytes).await.unwrap();
                connection.write_all(&bytes).await.unwrap();
                drop(scope);
            });
            (
                StatusCode::SWITCHING_PROTOCOLS,
                [("connection", "upgrade"), ("upgrade", "chat")],
            )
        }
    };
    let app = Router::new().route("/", get(handler)).layer(layer());
    let mut stream = serve(app).await;
    let request = b"GET / HTTP/1.1\r\nhost: test\r\nconnection: upgrade\r\nupgrade: chat\r\n\r\n";
    stream.write_all(request).await.unwrap();
    read_until(&mut stream, "101 Switching Protocols").await;
    let scope = seen.lock().unwrap()[0].clone();
    assert!(scope.ended().is_none());
    stream.write_all(b"hello").await.unwrap();
    read_until(&mut stream, "hello").await;
    assert_eq!(ended(&seen).await.1, Some(CancelReason::Ended));
}

/// RFC 8441: the WebSocket is one stream of a connection, and its response is an ordinary 200.
#[tokio::test]
async fn a_websocket_over_http2_keeps_its_scope_open_too() {
    let seen = Seen::default();
    let address = listen(application(&seen, layer(), echo)).await;
    let stream = TcpStream::connect(address).await.unwrap();
    let executor = hyper_util::rt::TokioExecutor::new();
    let (mut client, connection) =
        hyper::client::conn::http2::handshake(executor, TokioIo::new(stream))
            .await
            .unwrap();
    tokio::spawn(connection);
    let mut socket = loop {
        let request = http::Request::connect("http://test/ws")
            .version(http::Version::HTTP_2)
            .extension(hyper::ext::Protocol::from_static("websocket"))
            .header("sec-websocket-version", "13")
            .body(axum::body::Body::empty())
            .unwrap();
        // Until the server's settings have arrived, the client does not know that it may.
        let Ok(response) = client.send_request(request).await else {
            tokio::task::yield_now().await;
            continue;
        };
        assert_eq!(response.status(), 200);
        let upgraded = hyper::upgrade::on(response).await.unwrap();
        break WebSocketStream::from_raw_socket(TokioIo::new(upgraded), Role::Client, None).await;
    };
    echoed(&mut socket, "hello".to_owned()).await;
    let scope = seen.lock().unwrap()[0].clone();
    assert_eq!(scope.name(), "CONNECT /ws");
    assert!(scope.ended().is_none());
    drop(socket);
    assert_eq!(ended(&seen).await.1, Some(CancelReason::Ended));
}

/// The task that finishes an upgrade, the connection and the callback are then on different
/// threads.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_websockets_at_once_keep_a_scope_each() {
    let seen = Seen::default();
    let address = listen(application(&seen, layer(), echo)).await;
    let clients = (0..64).map(|number| async move {
        let mut socket = connect(TcpStream::connect(address).await.unwrap()).await;
        echoed(&mut socket, format!("hello {number}")).await;
        socket
    });
    let sockets = futures::future::join_all(clients).await;
    let scopes = seen.lock().unwrap().clone();
    assert_eq!(scopes.len(), 64);
    assert!(scopes.iter().all(|scope| scope.ended().is_none()));
    drop(sockets);
    for scope in scopes {
        scope.token().cancelled().await;
        assert_eq!(scope.end_reason(), Some(CancelReason::Ended));
    }
}
