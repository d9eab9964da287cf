//! A server with a console: HTTP/2 and HTTP/1 on one port, and every limit for both.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use axum::body::Bytes;
use axum::http::{Method, Request, StatusCode, Version};
use h2::client::{Connection, SendRequest};
use h2::{Ping, RecvStream, SendStream};
use taskprof::ServerBuilder;
use tokio::task::JoinHandle;
use tracing::subscriber::DefaultGuard;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

use crate::client::get;
use crate::{Served, served};

/// A short limit, long enough for an honest client on a busy machine.
const SOON: Duration = Duration::from_millis(500);
/// A limit that no test reaches.
const NEVER: Duration = Duration::from_secs(3600);
/// The time after which a test has waited in vain.
const PATIENCE: Duration = Duration::from_secs(60);

const INDEX: &str = "/debug/profile";
/// A path that is not among those that are answered in any case.
const CMDLINE: &str = "/debug/profile/cmdline";
const PREFACE: &str = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const WATCH: &str = "/rs.tokio.console.instrument.Instrument/WatchUpdates";

/// A server with a console, and the layer that this needs.
struct WithConsole {
    server: Served,
    _installed: DefaultGuard,
}

impl WithConsole {
    fn local_addr(&self) -> SocketAddr {
        self.server.local_addr()
    }
}

fn with_console(builder: ServerBuilder) -> WithConsole {
    let (layer, console) = taskprof::console::layer().unwrap();
    let installed = tracing_subscriber::registry().with(layer).set_default();
    WithConsole {
        server: served(builder.console(console).bind("127.0.0.1:0")),
        _installed: installed,
    }
}

fn hasty() -> WithConsole {
    with_console(taskprof::server().header_timeout(SOON))
}

fn with_room_for(connections: usize) -> WithConsole {
    with_console(
        taskprof::server()
            .header_timeout(NEVER)
            .max_connections(connections),
    )
}

fn connect(addr: SocketAddr, bytes: &str) -> TcpStream {
    let mut stream = TcpStream::connect(addr).unwrap();
    stream.write_all(bytes.as_bytes()).unwrap();
    stream
}

/// Waits for the end of the connection; says how much came before.
fn until_closed(stream: &mut TcpStream) -> usize {
    let mut bytes = Vec::new();
    match stream.read_to_end(&mut bytes) {
        Ok(_) => {}
        Err(e) => assert_eq!(e.kind(), ErrorKind::ConnectionReset),
    }
    bytes.len()
}

/// One HTTP/2 connection.
struct Client {
    requests: SendRequest<Bytes>,
    connection: JoinHandle<Result<(), h2::Error>>,
}

async fn handshake(
    addr: SocketAddr,
    builder: &h2::client::Builder,
) -> (SendRequest<Bytes>, Connection<tokio::net::TcpStream, Bytes>) {
    let stream = tokio::net::TcpStream::connect(addr).await.unwrap();
    builder.handshake(stream).await.unwrap()
}

impl Client {
    async fn new(addr: SocketAddr) -> Self {
        let (requests, connection) = handshake(addr, &h2::client::Builder::new()).await;
        Client {
            requests,
            connection: tokio::spawn(connection),
        }
    }

    /// Asks, and gives what comes back, and where a body can be sent.
    async fn send(
        &mut self,
        request: Request<()>,
        is_all: bool,
    ) -> Result<(h2::client::ResponseFuture, SendStream<Bytes>), h2::Error> {
        std::future::poll_fn(|cx| self.requests.poll_ready(cx)).await?;
        self.requests.send_request(request, is_all)
    }

    async fn ask(&mut self, request: Request<()>) -> Result<(StatusCode, Vec<u8>), h2::Error> {
        let (response, _) = self.send(request, true).await?;
        let response = response.await?;
        let status = response.status();
        Ok((status, read(response.into_body()).await?))
    }

    async fn get(&mut self, path: &str) -> StatusCode {
        let (status, _) = self.ask(request("localhost", path)).await.unwrap();
        status
    }
}

async fn read(mut body: RecvStream) -> Result<Vec<u8>, h2::Error> {
    let mut bytes = Vec::new();
    while let Some(piece) = body.data().await {
        let piece = piece?;
        bytes.extend_from_slice(&piece);
        body.flow_control().release_capacity(piece.len())?;
    }
    Ok(bytes)
}

fn request(host: &str, path: &str) -> Request<()> {
    let uri = format!("http://{host}{path}");
    Request::builder().uri(uri).body(()).unwrap()
}

/// A request that is answered until its client goes away.
fn watch() -> Request<()> {
    let mut request = request("localhost", WATCH);
    *request.method_mut() = Method::POST;
    let grpc = "application/grpc".parse().unwrap();
    request.headers_mut().insert("content-type", grpc);
    request
}

/// The message of no bytes, as gRPC frames it.
const NOTHING: Bytes = Bytes::from_static(&[0; 5]);

/// Asks for updates; they begin when this returns.
async fn attach(client: &mut Client) -> RecvStream {
    let (response, mut body) = client.send(watch(), false).await.unwrap();
    body.send_data(NOTHING, true).unwrap();
    let response = response.await.unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    let mut updates = response.into_body();
    updates.data().await.unwrap().unwrap();
    updates
}

#[tokio::test]
async fn the_pages_answer_over_both_protocols_and_so_do_their_errors() {
    let server = with_console(taskprof::server());
    let addr = server.local_addr();
    let mut client = Client::new(addr).await;
    assert_eq!(client.get(INDEX).await, 200);
    let list = "/debug/profile/tasks?debug=1";
    let (status, body) = client.ask(request("localhost", list)).await.unwrap();
    assert_eq!(status, 200);
    assert!(body.starts_with(b"tasks: "));
    assert_eq!(client.get("/debug/profile/tasks?debug=9").await, 400);
    assert_eq!(client.get("/nothing").await, 404);
    let mut wrong = request("localhost", INDEX);
    *wrong.method_mut() = Method::DELETE;
    assert_eq!(client.ask(wrong).await.unwrap().0, 405);
    assert_eq!(get(addr, INDEX).status, 200);
}

#[tokio::test]
async fn without_a_console_there_is_no_http_2() {
    let server = crate::server();
    let mut stream = connect(server.local_addr(), PREFACE);
    // Not even settings.
    assert_eq!(until_closed(&mut stream), 0);
}

#[tokio::test]
async fn a_client_that_sends_nothing_or_half_is_cut_off_and_others_are_answered_meanwhile() {
    let server = hasty();
    let addr = server.local_addr();
    let head = "GET /debug/profile HTTP/1.1\r\nHost: loc";
    let mut halves: Vec<TcpStream> = ["", "P", &PREFACE[..23], head]
        .into_iter()
        .map(|half| connect(addr, half))
        .collect();
    // HTTP/2 from here on: the server says its settings.
    let mut preface = connect(addr, PREFACE);
    let settings = "\0\0\0\x04\0\0\0\0\0";
    let mut settled = connect(addr, &format!("{PREFACE}{settings}"));
    // The head of a request that is never whole: END_HEADERS is not set.
    let half_headers = "\0\0\x01\x01\x01\0\0\0\x01";
    let mut half = connect(addr, &format!("{PREFACE}{settings}{half_headers}"));
    assert_eq!(get(addr, INDEX).status, 200);
    assert_eq!(Client::new(addr).await.get(INDEX).await, 200);
    for stream in &mut halves {
        assert_eq!(until_closed(stream), 0);
    }
    for stream in [&mut preface, &mut settled, &mut half] {
        assert!(until_closed(stream) > 0);
    }
}

// Each byte must not buy more time.
#[test]
fn a_preface_that_comes_byte_by_byte_is_cut_off() {
    let server = with_console(taskprof::server().header_timeout(SOON));
    let mut stream = connect(server.local_addr(), "");
    let began = Instant::now();
    for byte in PREFACE.bytes() {
        std::thread::sleep(SOON / 10);
        if stream.write_all(&[byte]).is_err() {
            break;
        }
    }
    // Whole, it would have had settings for an answer.
    assert_eq!(until_closed(&mut stream), 0, "{:?}", began.elapsed());
}

#[tokio::test]
async fn a_connection_that_asks_again_stays_and_pings_alone_do_not_keep_one() {
    // Longer than this thread has to wait for a processor.
    let limit = 4 * SOON;
    let server = with_console(taskprof::server().header_timeout(limit));
    let (requests, mut connection) =
        handshake(server.local_addr(), &h2::client::Builder::new()).await;
    let mut pings = connection.ping_pong().unwrap();
    let mut client = Client {
        requests,
        connection: tokio::spawn(connection),
    };
    let pinging = tokio::spawn(async move { while pings.ping(Ping::opaque()).await.is_ok() {} });
    let asked = Instant::now();
    while asked.elapsed() < limit + SOON {
        assert_eq!(client.get(INDEX).await, 200);
    }
    pinging.await.unwrap();
    let _ = client.connection.await.unwrap();
}

#[tokio::test]
async fn a_body_that_does_not_come_is_given_up() {
    let server = hasty();
    let mut client = Client::new(server.local_addr()).await;
    let post = || {
        let mut post = request("localhost", "/debug/profile/symbol");
        *post.method_mut() = Method::POST;
        post
    };
    let (response, mut body) = client.send(post(), false).await.unwrap();
    body.send_data(Bytes::from_static(b"num_"), false).unwrap();
    assert_eq!(response.await.unwrap().status(), 400);
    // The control: the whole of it is answered.
    let mut client = Client::new(server.local_addr()).await;
    let (response, mut body) = client.send(post(), false).await.unwrap();
    let whole = Bytes::from_static(b"0x1+0x2+0");
    body.send_data(whole, true).unwrap();
    assert_eq!(response.await.unwrap().status(), 200);
}

#[tokio::test]
async fn a_head_that_is_too_long_is_refused() {
    let server = with_console(taskprof::server());
    let mut client = Client::new(server.local_addr()).await;
    let with_header = |length: usize| {
        let mut request = request("localhost", INDEX);
        let value = "x".repeat(length).parse().unwrap();
        request.headers_mut().insert("x", value);
        request
    };
    assert_eq!(client.ask(with_header(30_000)).await.unwrap().0, 200);
    match client.ask(with_header(70_000)).await {
        Ok((status, _)) => assert_eq!(status, 431),
        // So long that the connection is not worth keeping.
        Err(e) => assert!(e.is_remote() || e.is_io(), "{e}"),
    }
}

#[tokio::test]
async fn a_connection_has_so_many_requests_at_a_time_and_no_more() {
    let server = with_console(taskprof::server());
    let mut client = Client::new(server.local_addr()).await;
    let _updates = attach(&mut client).await;
    assert_eq!(client.requests.current_max_send_streams(), 16);
}

#[tokio::test]
async fn a_thousand_idle_connections_keep_nobody_out() {
    let server = with_room_for(20);
    let addr = server.local_addr();
    let mut idle: Vec<TcpStream> = (0..100)
        .map(|n| connect(addr, if n % 2 == 0 { PREFACE } else { "PRI *" }))
        .collect();
    assert_eq!(Client::new(addr).await.get(INDEX).await, 200);
    assert_eq!(get(addr, INDEX).status, 200);
    for stream in &mut idle[..78] {
        until_closed(stream);
    }
}

#[tokio::test]
async fn a_client_that_watches_keeps_its_place_and_the_next_one_is_told_to_come_back() {
    let server = with_room_for(1);
    let addr = server.local_addr();
    let mut watching = Client::new(addr).await;
    let mut updates = attach(&mut watching).await;

    let refused = tokio::task::spawn_blocking(move || get(addr, CMDLINE));
    let refused = refused.await.unwrap();
    assert_eq!(refused.status, 503);
    let mut second = Client::new(addr).await;
    assert_eq!(second.get(CMDLINE).await, 503);
    // Still there, and still able to ask for more.
    assert_eq!(watching.get(CMDLINE).await, 200);
    updates.data().await.unwrap().unwrap();

    drop(updates);
    drop(watching);
    let began = Instant::now();
    while Client::new(addr).await.get(CMDLINE).await != 200 {
        assert!(began.elapsed() < PATIENCE);
    }
}

#[tokio::test]
async fn watching_takes_longer_than_every_limit_of_a_connection() {
    let builder = taskprof::server().header_timeout(SOON).write_timeout(SOON);
    let server = with_console(builder);
    let mut client = Client::new(server.local_addr()).await;
    let mut updates = attach(&mut client).await;
    let began = Instant::now();
    while began.elapsed() < 4 * SOON {
        let update = updates.data().await.unwrap().unwrap();
        updates
            .flow_control()
            .release_capacity(update.len())
            .unwrap();
    }
}

/// Spawns tasks whose list does not fit into the window of the client below.
fn tasks() -> Vec<taskscope::JoinHandle<()>> {
    (0..4000)
        .map(|_| {
            taskscope::Builder::new()
                .name("listed-over-http2")
                .background()
                .spawn(std::future::pending::<()>())
        })
        .collect()
}

// At the socket nothing is to be seen of it: that is read all the time.
#[tokio::test]
async fn a_client_that_allows_no_more_of_its_answer_is_cut_off_and_a_slow_one_is_not() {
    const LIST: &str = "/debug/profile/tasks?debug=2&stacks=none&name=listed-over-http2";
    let tasks = tasks();
    let limit = 8 * SOON;
    let server = with_console(taskprof::server().write_timeout(limit));
    let addr = server.local_addr();
    let mut narrow = h2::client::Builder::new();
    narrow.initial_window_size(20_000);
    let client = async || {
        let (requests, connection) = handshake(addr, &narrow).await;
        Client {
            requests,
            connection: tokio::spawn(connection),
        }
    };
    let mut stalled = client().await;
    let (response, _) = stalled
        .send(request("localhost", LIST), true)
        .await
        .unwrap();
    let mut never_read = response.await.unwrap().into_body();
    // Its other requests do not help it.
    let error = loop {
        match stalled.ask(request("localhost", INDEX)).await {
            Ok((status, _)) => assert_eq!(status, 200),
            Err(error) => break error,
        }
    };
    assert!(error.is_io() || error.is_go_away(), "{error}");
    let mut came = 0;
    while let Some(Ok(piece)) = never_read.data().await {
        came += piece.len();
    }
    assert!(came <= 20_000, "{came}");

    // The control: little at a time, with pauses that are short, and longer than the limit in all.
    let mut slow = client().await;
    let (response, _) = slow.send(request("localhost", LIST), true).await.unwrap();
    let mut body = response.await.unwrap().into_body();
    let (mut came, mut pauses) = (Vec::new(), 0);
    while let Some(piece) = body.data().await {
        let piece = piece.unwrap();
        if pauses < 24 {
            pauses += 1;
            tokio::time::sleep(limit / 16).await;
        }
        came.extend_from_slice(&piece);
        body.flow_control().release_capacity(piece.len()).unwrap();
    }
    assert_eq!(pauses, 24, "{}", came.len());
    drop(tasks);
}

#[tokio::test]
async fn a_peer_that_answers_no_ping_loses_its_place_and_one_that_does_keeps_it() {
    let limit = 4 * SOON;
    let builder = taskprof::server()
        .header_timeout(NEVER)
        .write_timeout(limit)
        .max_connections(1);
    let server = with_console(builder);
    let addr = server.local_addr();
    let index = async || {
        let got = tokio::task::spawn_blocking(move || get(addr, CMDLINE)).await;
        got.unwrap().status
    };
    let (requests, mut connection) = handshake(addr, &h2::client::Builder::new()).await;
    let mut client = Client {
        requests,
        connection: tokio::spawn(async { Ok(()) }),
    };
    // This task drives the connection, as everything else here: only while it is polled.
    let updates = tokio::select! {
        _ = &mut connection => panic!("it ended"),
        updates = attach(&mut client) => updates,
    };
    // A client that leaves its updates unread is cut off for that. With `tokio_unstable`, the tasks
    // of this loop are in them.
    let mut watching = Box::pin(async { tokio::join!(connection, read(updates)) });
    let began = Instant::now();
    while began.elapsed() < 3 * limit {
        let status = tokio::select! {
            (ended, _) = &mut watching => panic!("it ended: {ended:?}"),
            status = index() => status,
        };
        assert_eq!(status, 503);
    }
    let began = Instant::now();
    while index().await != 200 {
        assert!(began.elapsed() < PATIENCE);
    }
}

#[tokio::test]
async fn the_authority_has_to_be_one_that_is_answered_to() {
    let server = with_console(taskprof::server().allowed_host("app.example.com"));
    let mut client = Client::new(server.local_addr()).await;
    for (host, status) in [
        ("localhost", 200),
        ("localhost:6060", 200),
        ("127.0.0.1:6060", 200),
        ("[::1]", 200),
        ("app.example.com", 200),
        ("evil.example", 403),
        ("evil.localhost:6060", 403),
        ("10.0.0.1", 403),
    ] {
        for path in [INDEX, WATCH] {
            let (got, _) = client.ask(request(host, path)).await.unwrap();
            // A GET of the service may fail for reasons of its own; only 403 matters.
            let is_let_in = got != 403;
            assert_eq!(is_let_in, status == 200, "{host}{path}: {got}");
        }
    }
    // Both, and only one of them good.
    for (authority, host) in [("evil.example", "localhost"), ("localhost", "evil.example")] {
        let mut request = request(authority, INDEX);
        request.headers_mut().insert("host", host.parse().unwrap());
        assert_eq!(client.ask(request).await.unwrap().0, 403);
    }
    // None.
    let mut nowhere = Request::builder().uri(INDEX).body(()).unwrap();
    *nowhere.version_mut() = Version::HTTP_11;
    let (status, said) = client.ask(nowhere).await.unwrap();
    assert_eq!(status, 400, "{}", String::from_utf8_lossy(&said));
}

#[tokio::test]
async fn a_page_of_another_site_is_refused_over_http_2_as_well() {
    let server = with_console(taskprof::server());
    let mut client = Client::new(server.local_addr()).await;
    for (origin, status) in [
        ("http://localhost:6060", 200),
        ("http://localhost:6061", 403),
        ("http://evil.example", 403),
    ] {
        let mut request = request("localhost:6060", INDEX);
        request
            .headers_mut()
            .insert("origin", origin.parse().unwrap());
        assert_eq!(client.ask(request).await.unwrap().0, status, "{origin}");
    }
}

// A capture that nobody waits for would go on for five minutes, and there are at most 32 of them.
#[tokio::test]
async fn a_capture_ends_when_its_client_resets_it_or_goes_away() {
    const MOST: usize = 32;
    let server = with_console(taskprof::server());
    let addr = server.local_addr();
    let long = || request("localhost", "/debug/profile/leaks?seconds=300");
    for resets in [true, false] {
        let (mut clients, mut asked) = (Vec::new(), Vec::new());
        for _ in 0..MOST / 16 {
            let mut client = Client::new(addr).await;
            for _ in 0..16 {
                asked.push(client.send(long(), true).await.unwrap());
            }
            clients.push(client);
        }
        // The event to wait for: nobody else is let in.
        let mut other = Client::new(addr).await;
        let brief = "/debug/profile/leaks?seconds=1";
        let began = Instant::now();
        while other.get(brief).await != 429 {
            assert!(began.elapsed() < PATIENCE);
            // It had come before one of them, which was turned away.
            let mut client = Client::new(addr).await;
            asked.push(client.send(long(), true).await.unwrap());
            clients.push(client);
        }
        if resets {
            for (_, stream) in &mut asked {
                stream.send_reset(h2::Reason::CANCEL);
            }
        }
        for client in &clients {
            if !resets {
                client.connection.abort();
            }
        }
        if !resets {
            drop((asked, clients));
        }
        let began = Instant::now();
        while other.get(brief).await != 200 {
            assert!(began.elapsed() < PATIENCE);
        }
    }
}

#[tokio::test]
async fn shutdown_closes_connections_whatever_they_wait_for() {
    let server = with_console(taskprof::server().header_timeout(NEVER));
    let addr = server.local_addr();
    let mut half = connect(addr, &PREFACE[..10]);
    let mut idle = connect(addr, PREFACE);
    let mut watching = Client::new(addr).await;
    let mut updates = attach(&mut watching).await;
    drop(server);
    assert_eq!(until_closed(&mut half), 0);
    until_closed(&mut idle);
    while let Some(Ok(_)) = updates.data().await {}
    let _ = watching.connection.await.unwrap();
}
