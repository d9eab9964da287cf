//! hyper and hyper-util.

use std::convert::Infallible;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Empty, Full};
use hyper::body::Incoming;
use hyper::client::conn::{http1 as client, http2 as client2};
use hyper::server::conn::{http1 as server, http2 as server2};
use hyper::service::service_fn;
use hyper_util::client::legacy::Client;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
use tokio::net::{TcpListener, TcpStream};

use crate::pool::busy_pool;
use crate::row::{LONG, rows};

type Handshaken = (client::SendRequest<Empty<Bytes>>, DuplexStream);

/// A connection in memory whose other end is silent; the task that drives it runs.
async fn connected() -> Handshaken {
    let (one, other) = duplex(1 << 16);
    let (sender, connection) = client::handshake(TokioIo::new(one)).await.unwrap();
    drop(tokio::spawn(connection));
    (sender, other)
}

async fn tcp() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let one = TcpStream::connect(listener.local_addr().unwrap())
        .await
        .unwrap();
    let (other, _) = listener.accept().await.unwrap();
    (one, other)
}

fn request() -> Request<Empty<Bytes>> {
    Request::new(Empty::new())
}

async fn hello(_: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    Ok(Response::new(Full::from("hello")))
}

async fn never(_: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    std::future::pending().await
}

/// A connection in memory whose other end answers the first request with the head of a response.
async fn answered() -> client::SendRequest<Empty<Bytes>> {
    let (sender, mut other) = connected().await;
    drop(tokio::spawn(async move {
        other.read_u8().await.unwrap();
        other.write_all(HEAD).await.unwrap();
        std::future::pending::<()>().await;
    }));
    sender
}

async fn reads(request: Request<Incoming>) -> Result<Response<Full<Bytes>>, hyper::Error> {
    request.into_body().collect().await?;
    Ok(Response::new(Full::default()))
}

/// The head of a response with a body that does not come.
const HEAD: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n";

rows! {
    waiting_for_a_response: "hyper response" = {
        let (mut sender, other) = connected().await;
        (other, async move { let _ = sender.send_request(request()).await; })
    };
    trying_to_send_a_request: "hyper response" = {
        let (mut sender, other) = connected().await;
        (other, async move { let _ = sender.try_send_request(request()).await; })
    };
    waiting_for_a_connection_to_take_a_request: "hyper ready" = {
        let (mut sender, other) = connected().await;
        let response = sender.send_request(request());
        ((response, other), async move { let _ = sender.ready().await; })
    };
    waiting_for_a_frame_of_a_body: "hyper body" = {
        let mut sender = answered().await;
        ((), async move {
            let mut response = sender.send_request(request()).await.unwrap();
            let _ = response.body_mut().frame().await;
        })
    };
    collecting_a_body: "hyper body" = {
        let mut sender = answered().await;
        ((), async move {
            let response = sender.send_request(request()).await.unwrap();
            let _ = response.into_body().collect().await;
        })
    };
    an_idle_connection_of_a_client: "hyper dispatch | hyper peer closed" = {
        let (one, other) = tcp().await;
        let (sender, connection) = client::handshake::<_, Empty<Bytes>>(TokioIo::new(one)).await.unwrap();
        ((sender, other), connection)
    };
    a_connection_of_a_client_that_waits_for_a_response: "hyper response | hyper request cancelled" = {
        let (one, other) = tcp().await;
        let (mut sender, connection) = client::handshake(TokioIo::new(one)).await.unwrap();
        let response = sender.send_request(request());
        ((sender, response, other), connection)
    };
    an_idle_connection_of_a_server: "hyper request" = {
        let (one, other) = tcp().await;
        (other, server::Builder::new().serve_connection(TokioIo::new(one), service_fn(hello)))
    };
    a_connection_of_a_server_between_requests: "hyper request" = {
        let (one, mut other) = tcp().await;
        other.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
        (other, server::Builder::new().serve_connection(TokioIo::new(one), service_fn(hello)))
    };
    a_connection_of_any_protocol: "hyper request" = {
        let (one, other) = tcp().await;
        let server = hyper_util::server::conn::auto::Builder::new(TokioExecutor::new());
        (other, async move {
            let _ = server.serve_connection(TokioIo::new(one), service_fn(hello)).await;
        })
    };
    a_connection_whose_handler_does_not_answer: "hyper peer closed" = {
        let (one, mut other) = tcp().await;
        other.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
        (other, server::Builder::new().serve_connection(TokioIo::new(one), service_fn(never)))
    };
    a_connection_whose_body_nobody_reads: "hyper body reader" = {
        let (one, mut other) = tcp().await;
        let (mut sender, connection) = client::handshake(TokioIo::new(one)).await.unwrap();
        other.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 9000000\r\n\r\n").await.unwrap();
        let writer = tokio::spawn(async move { let _ = other.write_all(&[0; 9_000_000]).await; });
        let response = tokio::spawn(async move { sender.send_request(request()).await });
        ((response, writer), connection)
    };
    waiting_for_an_upgrade: "hyper upgrade" = {
        let (one, mut other) = tcp().await;
        let (tx, mut rx) = tokio::sync::mpsc::unbounded_channel();
        let service = service_fn(move |request| {
            tx.send(hyper::upgrade::on(request)).unwrap();
            std::future::pending::<Result<Response<Full<Bytes>>, Infallible>>()
        });
        let connection = server::Builder::new().serve_connection(TokioIo::new(one), service);
        drop(tokio::spawn(connection.with_upgrades()));
        other.write_all(b"GET / HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n").await.unwrap();
        (other, rx.recv().await.unwrap())
    };
    // The name is looked up meanwhile, which needs the pool of threads.
    waiting_for_a_connection_of_a_pool: "dns lookup | hyper pool checkout" = {
        let client: Client<_, Empty<Bytes>> = Client::builder(TokioExecutor::new()).build_http();
        let request = Request::get("http://localhost/").body(Empty::new()).unwrap();
        (busy_pool(), client.request(request))
    };
    a_server_that_limits_the_time_for_a_head: "hyper request | timeout" = {
        let (one, mut other) = tcp().await;
        other.write_all(b"GET").await.unwrap();
        let mut server = server::Builder::new();
        server.timer(TokioTimer::new()).header_read_timeout(LONG);
        (other, server.serve_connection(TokioIo::new(one), service_fn(hello)))
    };
    a_connection_that_waits_for_a_body: "hyper body | hyper body | hyper body reader" = {
        let (one, mut other) = tcp().await;
        other.write_all(b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 5\r\n\r\n").await.unwrap();
        (other, server::Builder::new().serve_connection(TokioIo::new(one), service_fn(reads)))
    };
    waiting_for_a_response_in_http2: "hyper response" = {
        let (one, other) = duplex(1 << 16);
        let handshake = client2::handshake::<_, _, Empty<Bytes>>(TokioExecutor::new(), TokioIo::new(one));
        let (mut sender, connection) = handshake.await.unwrap();
        drop(tokio::spawn(connection));
        (other, async move { let _ = sender.send_request(request()).await; })
    };
    waiting_for_a_frame_of_a_body_in_http2: "hyper body" = {
        let (one, other) = duplex(1 << 16);
        let handshake = client2::handshake::<_, _, Empty<Bytes>>(TokioExecutor::new(), TokioIo::new(one));
        let (mut sender, connection) = handshake.await.unwrap();
        drop(tokio::spawn(connection));
        drop(tokio::spawn(async move {
            let mut server = ::h2::server::handshake(other).await.unwrap();
            let (_, mut response) = server.accept().await.unwrap().unwrap();
            let _body = response.send_response(Response::new(()), false).unwrap();
            while server.accept().await.is_some() {}
        }));
        ((), async move {
            let mut response = sender.send_request(request()).await.unwrap();
            let _ = response.body_mut().frame().await;
        })
    };
    a_connection_of_a_server_in_http2: "hyper request | h2 send queue" = {
        let (one, other) = duplex(1 << 16);
        drop(tokio::spawn(async move {
            let (_sender, connection) = ::h2::client::handshake(other).await.unwrap();
            let _ = connection.await;
        }));
        let server = server2::Builder::new(TokioExecutor::new());
        ((), server.serve_connection(TokioIo::new(one), service_fn(hello)))
    };
}
