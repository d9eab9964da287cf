//! Clients that ask for much and read nothing.

use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::{Duration, Instant};

use taskprof::UnixServer;

use crate::client::whole;

/// Number of tasks: their list does not fit into the buffers of a socket.
const TASKS: usize = 5000;

/// Number of clients that read nothing: more than answers are made at a time.
const MANY: usize = 20;

/// Write timeout, long enough to make so many stall before one is cut off, on a slow machine.
const LIMIT: Duration = Duration::from_secs(8);

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

/// Asks and does not read.
fn stall(server: &UnixServer) -> Vec<UnixStream> {
    (0..MANY)
        .map(|_| {
            let mut stream = ask(server.path());
            assert_eq!(status(&mut stream), "200");
            stream
        })
        .collect()
}

/// Threads that write an answer.
fn writers() -> usize {
    let threads = std::fs::read_dir("/proc/self/task").unwrap();
    threads
        .filter_map(|thread| std::fs::read_to_string(thread.ok()?.path().join("comm")).ok())
        .filter(|name| name.trim_end() == "taskprof-write")
        .count()
}

#[test]
fn a_client_that_never_reads_is_cut_off_and_the_thread_that_writes_for_it_ends() {
    let _tasks = tasks();
    let server = server("stall", LIMIT);
    let mut stalled = stall(&server);
    let asked = Instant::now();
    // Writers of other tests are counted, too: they come and go, and none of them stays.
    while writers() > 0 {
        assert!(
            asked.elapsed() < 10 * LIMIT + Duration::from_secs(60),
            "nobody is cut off"
        );
        std::thread::sleep(Duration::from_millis(10));
    }
    for stream in &mut stalled {
        let mut rest = Vec::new();
        // The part that was on its way comes, but the last piece of the chunked body is missing.
        let _ = stream.read_to_end(&mut rest);
        assert!(!rest.ends_with(b"\r\n0\r\n\r\n"));
    }
    server.shutdown();
}

#[test]
fn a_client_that_pauses_within_the_limit_gets_everything() {
    let _tasks = tasks();
    let server = server("pause", Duration::from_secs(3600));
    let mut stalled = stall(&server);
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
