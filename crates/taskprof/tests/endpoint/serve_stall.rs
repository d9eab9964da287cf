//! Clients that ask for much and read nothing.

use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::{Duration, Instant};

use taskprof::UnixServer;

use crate::client::whole;

/// So many that their list does not fit into the buffers of a socket.
const TASKS: usize = 5000;

/// Answers are admitted so many at a time; more askers than that who read nothing would keep everybody else out.
const MANY: usize = 200;

/// The first one that is long enough to make so many stall before one of them is cut off: how long is the machine's business.
const LIMITS: [Duration; 3] = [
    Duration::from_secs(8),
    Duration::from_secs(32),
    Duration::from_secs(128),
];

fn ask(path: &Path) -> UnixStream {
    let mut stream = UnixStream::connect(path).unwrap();
    stream
        .write_all(
            b"GET /debug/profile/tasks?debug=2&stacks=none&name=stalled HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
        )
        .unwrap();
    stream
}

/// The beginning of the answer, which has begun by then.
fn status(stream: &mut UnixStream) -> String {
    let mut line = [0; 12];
    stream.read_exact(&mut line).unwrap();
    String::from_utf8_lossy(&line[9..]).into_owned()
}

fn server(name: &str, limit: Duration) -> UnixServer {
    let path = std::env::temp_dir().join(format!("taskprof-{}-{name}.sock", std::process::id()));
    taskprof::server()
        .write_timeout(limit)
        .bind_unix(path)
        .unwrap()
}

fn tasks() -> tokio::runtime::Runtime {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .build()
        .unwrap();
    let _context = runtime.enter();
    for _ in 0..TASKS {
        drop(
            taskscope::Builder::new()
                .name("stalled")
                .background()
                .spawn(std::future::pending::<()>()),
        );
    }
    drop(_context);
    runtime
}

/// Asks and does not read, until nobody else is admitted. None: those who came first are gone before that.
fn fill(server: &UnixServer) -> Option<Vec<UnixStream>> {
    let mut stalled = Vec::new();
    for _ in 0..MANY {
        let mut stream = ask(server.path());
        match &*status(&mut stream) {
            "200" => stalled.push(stream),
            "429" => return Some(stalled),
            other => panic!("{other}"),
        }
    }
    None
}

#[test]
fn a_client_that_never_reads_is_cut_off_and_the_thread_that_writes_for_it_ends() {
    let _tasks = tasks();
    let filled = LIMITS.into_iter().find_map(|limit| {
        let server = server("stall", limit);
        fill(&server).map(|stalled| (server, stalled, limit))
    });
    let (server, mut stalled, limit) = filled.unwrap_or_else(|| panic!("{MANY} were admitted"));
    // A place is free again when the thread that wrote has ended: that is the event to wait for.
    let asked = Instant::now();
    while status(&mut ask(server.path())) != "200" {
        assert!(
            asked.elapsed() < limit + Duration::from_secs(60),
            "nobody is cut off"
        );
        std::thread::yield_now();
    }
    let mut rest = Vec::new();
    // The part that was on its way, and then an end that is none: the last piece of a chunked body is missing.
    let _ = stalled[0].read_to_end(&mut rest);
    assert!(!rest.ends_with(b"\r\n0\r\n\r\n"));
    server.shutdown();
}

#[test]
fn a_client_that_pauses_within_the_limit_gets_everything() {
    let _tasks = tasks();
    let server = server("pause", Duration::from_secs(3600));
    let mut stalled = fill(&server).unwrap();
    for stream in &mut stalled {
        let mut rest = Vec::new();
        stream.read_to_end(&mut rest).unwrap();
        assert!(rest.ends_with(b"\r\n0\r\n\r\n"));
    }
    let answer = whole(&mut ask(server.path()));
    assert_eq!(answer.status, 200);
    assert!(answer.body.len() > 500_000, "{}", answer.body.len());
    server.shutdown();
}
