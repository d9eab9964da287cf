//! The server: loopback only, errors at once, gone when dropped.

use std::io::ErrorKind;
use std::net::{TcpListener, TcpStream};
use std::time::{Duration, Instant};

use crate::client::get;
use crate::server;

#[test]
fn an_address_that_others_can_reach_is_refused_with_the_reason() {
    for addr in ["0.0.0.0:0", "[::]:0", "192.0.2.1:0"] {
        let error = taskprof::serve(addr).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput, "{addr}");
        assert_eq!(
            error.to_string(),
            format!(
                "taskprof does not listen on {addr}: it is not a loopback address, and allow_remote() and bearer_token(..) are \
                 missing on taskprof::server(); use 127.0.0.1 or [::1], or nest taskprof::router() behind your own access control"
            )
        );
    }
}

#[test]
fn an_address_in_use_is_an_error_at_once() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = taken.local_addr().unwrap();
    let error = taskprof::serve(addr).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::AddrInUse);
    let text = error.to_string();
    assert!(
        text.starts_with(&format!("taskprof cannot listen on {addr}: ")),
        "{text}"
    );
}

#[test]
fn the_root_leads_to_the_index() {
    let server = server();
    let answer = get(server.local_addr(), "/");
    assert_eq!(answer.status, 307);
    assert_eq!(answer.header("location"), Some("/debug/profile"));
}

#[test]
fn a_server_that_is_dropped_closes_its_port() {
    let server = taskprof::serve("127.0.0.1:0").unwrap();
    let addr = server.local_addr();
    assert_eq!(get(addr, "/debug/profile").status, 200);
    drop(server);
    let dropped = Instant::now();
    // The event to wait for is that nobody answers.
    while TcpStream::connect(addr).is_ok() {
        assert!(
            dropped.elapsed() < Duration::from_secs(20),
            "the port is still open"
        );
        std::thread::yield_now();
    }
}

#[test]
fn after_shutdown_the_port_is_free() {
    let server = taskprof::serve("127.0.0.1:0").unwrap();
    let addr = server.local_addr();
    server.shutdown();
    TcpListener::bind(addr).unwrap();
}

// `serve` and the guard make and drop a runtime: that must not happen on a thread of the caller's.
#[tokio::test]
async fn a_server_can_be_started_and_dropped_inside_a_runtime() {
    let server = taskprof::serve("127.0.0.1:0").unwrap();
    assert_eq!(get(server.local_addr(), "/debug/profile").status, 200);
    drop(server);
    assert!(taskprof::serve("0.0.0.0:0").is_err());
}
