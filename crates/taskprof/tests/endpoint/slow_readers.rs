//! Clients that ask for a large answer and hardly read it: they are in nobody's way.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use rustix::net::sockopt::set_socket_recv_buffer_size;
use rustix::process::{Resource, getrlimit, setrlimit};

use crate::client::get;
use crate::{Served, served};

/// Time for any answer on a busy machine, and much less than a slow client takes.
const PROMPTLY: Duration = Duration::from_secs(120);

/// Timeout with which nobody is cut off because time has passed.
const NEVER: Duration = Duration::from_secs(3600);

const LARGE: &str = "tasks?debug=2&stacks=none&name=slowly+read";

/// Spawns tasks whose list does not fit into the buffers of a connection.
fn tasks() -> tokio::runtime::Runtime {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap();
    let _context = runtime.enter();
    for _ in 0..10_000 {
        drop(
            taskscope::Builder::new()
                .name("slowly read")
                .background()
                .spawn(std::future::pending::<()>()),
        );
    }
    drop(_context);
    runtime
}

/// A client that has asked, and that takes a byte now and then.
fn slow(addr: SocketAddr) -> TcpStream {
    let mut stream = TcpStream::connect(addr).unwrap();
    set_socket_recv_buffer_size(&stream, 4096).unwrap();
    write!(
        stream,
        "GET /debug/profile/{LARGE} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    )
    .unwrap();
    stream
}

/// Everybody else is answered while so many read slowly.
fn others_are_answered(addr: SocketAddr, clients: usize) {
    let limit = getrlimit(Resource::Nofile);
    setrlimit(
        Resource::Nofile,
        rustix::process::Rlimit {
            current: limit.maximum,
            ..limit
        },
    )
    .unwrap();
    let mut slow: Vec<TcpStream> = Vec::new();
    for at in 0..clients {
        let mut stream = self::slow(addr);
        // The first ones are being answered before the next ask. Otherwise the next would be told
        // that too many answers are being made.
        if at % 8 == 0 {
            assert_eq!(stream.read(&mut [0]).unwrap(), 1);
        }
        slow.push(stream);
    }
    for round in 0..2 {
        for stream in &mut slow {
            stream.set_nonblocking(true).unwrap();
            // Nothing is there yet, or it had to go.
            let _ = stream.read(&mut [0]);
        }
        for (path, must_be_first) in [
            ("/metrics", true),
            ("", true),
            ("/tasks?debug=1&stacks=none&name=nobody", false),
            ("/tasks?debug=2&stacks=none&name=nobody", false),
            ("/tasks?format=folded&stacks=none&name=nobody", false),
        ] {
            let asked = Instant::now();
            loop {
                let answer = get(addr, &format!("/debug/profile{path}"));
                if answer.status == 200 {
                    break;
                }
                // While the slow ones are still being begun.
                assert!(!must_be_first, "{path}: {}", answer.text());
                assert!([429, 503].contains(&answer.status), "{path}");
                assert!(asked.elapsed() < PROMPTLY, "{path}, round {round}");
                std::thread::sleep(Duration::from_millis(20));
            }
            assert!(asked.elapsed() < PROMPTLY, "{path}: {:?}", asked.elapsed());
        }
    }
    // The control: they still read.
    let mut reads = slow.iter().map(|stream| stream.peek(&mut [0]));
    assert!(reads.any(|peeked| peeked.is_ok_and(|bytes| bytes > 0)));
    // One that reads gets all of it, at the expense of those who do not.
    let asked = Instant::now();
    let whole = loop {
        let answer = get(addr, &format!("/debug/profile/{LARGE}"));
        if answer.status == 200 {
            break answer;
        }
        assert!([429, 503].contains(&answer.status));
        assert!(asked.elapsed() < PROMPTLY);
        std::thread::sleep(Duration::from_millis(50));
    };
    assert!(whole.body.len() > 1_000_000, "{}", whole.body.len());
}

#[test]
fn sixteen_slow_readers_of_a_server_keep_nobody_out() {
    let _tasks = tasks();
    let server: Served = served(taskprof::server().write_timeout(NEVER).bind("127.0.0.1:0"));
    others_are_answered(server.local_addr(), 16);
}

#[test]
fn two_hundred_slow_readers_of_a_server_with_few_places_keep_nobody_out() {
    let _tasks = tasks();
    let server: Served = served(
        taskprof::server()
            .write_timeout(NEVER)
            .max_connections(40)
            .bind("127.0.0.1:0"),
    );
    others_are_answered(server.local_addr(), 200);
}

#[test]
fn slow_readers_of_a_router_keep_nobody_out() {
    for clients in [16, 200] {
        let runtime = tasks();
        let app: axum::Router = axum::Router::new().nest("/debug/profile", taskprof::router());
        let listener = runtime
            .block_on(tokio::net::TcpListener::bind("127.0.0.1:0"))
            .unwrap();
        let addr = listener.local_addr().unwrap();
        runtime.spawn(async { axum::serve(listener, app).await });
        others_are_answered(addr, clients);
        runtime.shutdown_background();
    }
}
