//! Clients that hold a connection and ask nothing, or half: they are cut off, and keep nobody out.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use rustix::process::{Resource, getrlimit, setrlimit};

use crate::client::{Sentence as _, exchange, get, whole};
use crate::{Served, my_turn, served, server};

/// Long enough for an honest client on a busy machine.
const SOON: Duration = Duration::from_millis(500);
/// So long that no test lives to see it.
const NEVER: Duration = Duration::from_secs(3600);

const INDEX: &str = "/debug/profile";

fn hasty() -> Served {
    served(taskprof::server().header_timeout(SOON).bind("127.0.0.1:0"))
}

fn with_room_for(connections: usize) -> Served {
    let built = taskprof::server()
        .header_timeout(NEVER)
        .max_connections(connections);
    served(built.bind("127.0.0.1:0"))
}

/// A thousand connections take more than a process may open by itself.
fn allow_files() {
    let mut files = getrlimit(Resource::Nofile);
    files.current = files.maximum;
    setrlimit(Resource::Nofile, files).unwrap();
}

fn connect(addr: SocketAddr, bytes: &str) -> TcpStream {
    let mut stream = TcpStream::connect(addr).unwrap();
    stream.write_all(bytes.as_bytes()).unwrap();
    stream
}

/// Waits for the end of the connection; gives what came before.
fn until_closed(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    match stream.read_to_end(&mut bytes) {
        Ok(_) => {}
        Err(e) => assert_eq!(e.kind(), ErrorKind::ConnectionReset),
    }
    String::from_utf8(bytes).unwrap()
}

/// One request on a connection that stays open; gives the status.
fn ask_again(stream: &mut TcpStream) -> u16 {
    stream
        .write_all(b"HEAD /debug/profile HTTP/1.1\r\nHost: localhost\r\n\r\n")
        .unwrap();
    let head = head(stream);
    head.split(' ').nth(1).unwrap().parse().unwrap()
}

/// Up to the empty line.
fn head(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    while !bytes.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).unwrap();
        bytes.push(byte[0]);
    }
    String::from_utf8(bytes).unwrap()
}

#[test]
fn a_client_that_sends_half_a_head_is_cut_off_and_others_are_answered_meanwhile() {
    let server = hasty();
    let addr = server.local_addr();
    let mut nothing = connect(addr, "");
    let mut half = connect(addr, "GET /debug/profile HTTP/1.1\r\nHost: loc");
    assert_eq!(get(addr, INDEX).status, 200);
    assert_eq!(until_closed(&mut nothing), "");
    assert_eq!(until_closed(&mut half), "");
}

// Each byte must not buy more time.
#[test]
fn a_client_that_sends_its_head_byte_by_byte_is_cut_off() {
    let server = hasty();
    let mut stream = connect(server.local_addr(), "GET /debug/profile HTTP/1.1\r\nX: ");
    let sent = (0..).find(|_| {
        std::thread::sleep(Duration::from_millis(20));
        stream.write_all(b"x").is_err()
    });
    assert!(sent.is_some());
}

#[test]
fn a_connection_that_asks_again_stays_and_one_that_has_asked_everything_is_closed() {
    let server = hasty();
    let mut stream = connect(server.local_addr(), "");
    for _ in 0..3 {
        assert_eq!(ask_again(&mut stream), 200);
    }
    assert_eq!(until_closed(&mut stream), "");
}

#[test]
fn a_body_that_does_not_come_is_given_up() {
    let server = hasty();
    let head =
        "POST /debug/profile/symbol HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\n";
    let mut half = connect(server.local_addr(), &format!("{head}num_"));
    let said = until_closed(&mut half);
    assert!(said.starts_with("HTTP/1.1 400 "), "{said}");
    // The control: the whole of it is answered.
    let answered = exchange(
        server.local_addr(),
        head.replace("\r\n\r\n", "\r\nConnection: close\r\n\r\n0x1+0x2+0")
            .as_bytes(),
    );
    assert_eq!(answered.status, 200);
}

#[test]
fn a_thousand_idle_connections_keep_nobody_out_and_the_oldest_are_closed() {
    allow_files();
    let server = with_room_for(100);
    let addr = server.local_addr();
    let mut idle: Vec<TcpStream> = (0..1000)
        .map(|n| connect(addr, if n % 2 == 0 { "" } else { "GET /half" }))
        .collect();
    assert_eq!(get(addr, INDEX).status, 200);
    for stream in &mut idle[..890] {
        assert_eq!(until_closed(stream), "");
    }
    // The youngest that has asked nothing is still there.
    assert_eq!(ask_again(&mut idle[998]), 200);
}

// Refused or not: nobody is left without an answer because others came at the same time.
#[test]
fn a_thousand_askers_at_once_all_get_an_answer() {
    const ASKERS: usize = 1000;
    allow_files();
    // Few places: without patience they would push each other out.
    let server = with_room_for(32);
    let addr = server.local_addr();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_io()
        .build()
        .unwrap();
    let statuses = runtime.block_on(async {
        let mut askers = tokio::task::JoinSet::new();
        for _ in 0..ASKERS {
            askers.spawn(async move {
                let stream = tokio::net::TcpStream::connect(addr).await.unwrap();
                talk(stream).await
            });
        }
        askers.join_all().await
    });
    for status in &statuses {
        assert!(["200", "429", "503"].contains(&&**status), "{status:?}");
    }
    // The control: it is not that nobody is let in.
    assert!(statuses.iter().any(|status| status == "200"));
}

/// Asks for something that is made in no time; gives the status.
async fn talk(stream: tokio::net::TcpStream) -> String {
    let request =
        b"HEAD /debug/profile/cpu HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    stream.writable().await.unwrap();
    assert_eq!(stream.try_write(request).unwrap(), request.len());
    let mut bytes = [0; 12];
    let mut read = 0;
    while read < bytes.len() {
        stream.readable().await.unwrap();
        match stream.try_read(&mut bytes[read..]) {
            Ok(0) => return "closed".to_owned(),
            Ok(n) => read += n,
            Err(e) if e.kind() == ErrorKind::WouldBlock => {}
            Err(e) => return e.to_string(),
        }
    }
    String::from_utf8_lossy(&bytes[9..]).into_owned()
}

#[test]
fn a_capture_takes_longer_than_every_limit_of_a_connection() {
    let _turn = my_turn();
    let built = taskprof::server().header_timeout(SOON).write_timeout(SOON);
    let server = served(built.bind("127.0.0.1:0"));
    assert_eq!(
        get(
            server.local_addr(),
            "/debug/profile/cpu?seconds=2&format=text"
        )
        .status,
        200
    );
}

#[test]
fn within_the_limit_idle_connections_stay() {
    let server = with_room_for(8);
    let mut idle: Vec<TcpStream> = (0..7).map(|_| connect(server.local_addr(), "")).collect();
    assert_eq!(get(server.local_addr(), INDEX).status, 200);
    for stream in &mut idle {
        assert_eq!(ask_again(stream), 200);
    }
}

#[test]
fn a_connection_that_is_being_answered_is_not_closed_and_the_next_one_is_told_to_come_back() {
    let server = with_room_for(1);
    let addr = server.local_addr();
    let mut busy = connect(
        addr,
        "POST /debug/profile/symbol HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\nContent-Length: 9\r\n\r\n",
    );
    // The event to wait for: somebody reads the body.
    assert!(head(&mut busy).starts_with("HTTP/1.1 100 "));

    let refused = get(addr, "/debug/profile/page/addresses");
    assert_eq!(refused.status, 503);
    assert_eq!(refused.header("retry-after"), Some("2"));
    assert_eq!(refused.header("cache-control"), Some("no-store"));
    assert_eq!(
        refused.sentence(),
        "every connection of this server is busy; ask again when one has ended"
    );
    // Also one that would stay.
    let mut stays = connect(addr, "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
    assert_eq!(whole(&mut stays).status, 503);
    // Places are kept for those who must not wait for others.
    for prompt in [INDEX, "/debug/profile/metrics", "/debug/pprof/metrics"] {
        assert_eq!(get(addr, prompt).status, 200, "{prompt}");
    }

    busy.write_all(b"0x1+0x2+0").unwrap();
    assert!(head(&mut busy).starts_with("HTTP/1.1 200 "));
    assert_eq!(get(addr, "/debug/profile/page/addresses").status, 200);
}

#[test]
fn a_head_that_is_too_long_is_refused() {
    let server = server();
    let ask = |path: usize, header: usize, headers: usize| {
        let mut request = format!(
            "GET /debug/profile/{} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n",
            "x".repeat(path)
        );
        request.push_str(&format!("X: {}\r\n", "x".repeat(header)));
        request.push_str(&"Y: y\r\n".repeat(headers));
        request.push_str("\r\n");
        let mut stream = TcpStream::connect(server.local_addr()).unwrap();
        // Not all of it may be taken.
        let _ = stream.write_all(request.as_bytes());
        let mut status = [0; 12];
        stream.read_exact(&mut status).unwrap();
        String::from_utf8_lossy(&status[9..]).into_owned()
    };
    assert_eq!(ask(1000, 30_000, 50), "404");
    assert_eq!(ask(1, 70_000, 1), "431");
    // An address as long as this may be refused as such.
    assert!(["414", "431"].contains(&&*ask(70_000, 1, 1)));
    assert_eq!(ask(1, 1, 200), "431");
}

#[test]
fn shutdown_closes_connections_whatever_they_wait_for() {
    let server = taskprof::server()
        .header_timeout(NEVER)
        .bind("127.0.0.1:0")
        .unwrap();
    let addr = server.local_addr();
    let mut idle = connect(addr, "");
    let mut half = connect(addr, "GET /debug");
    let mut asked = connect(addr, "");
    assert_eq!(ask_again(&mut asked), 200);
    server.shutdown();
    for stream in [&mut idle, &mut half, &mut asked] {
        assert_eq!(until_closed(stream), "");
    }
}
