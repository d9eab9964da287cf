//! The console's thread is there as long as its server.
//!
//! Threads are the process's, so this is the only test of its binary.
#![cfg(all(feature = "console", tokio_unstable, target_os = "linux"))]

use std::fs;
use std::thread;
use std::time::{Duration, Instant};

use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::registry;
use tracing_subscriber::util::SubscriberInitExt as _;

/// Waits until these are the names of taskprof's threads: a thread has its name only when it has
/// run, and is seen for a moment after its end.
fn await_threads(wanted: &[&str]) {
    let began = Instant::now();
    loop {
        let mut names: Vec<String> = fs::read_dir("/proc/self/task")
            .unwrap()
            .filter_map(|thread| fs::read_to_string(thread.unwrap().path().join("comm")).ok())
            .map(|name| name.trim_end().to_owned())
            .filter(|name| name.starts_with("taskprof"))
            .collect();
        names.sort_unstable();
        if names == wanted {
            return;
        }
        assert!(began.elapsed() < Duration::from_secs(60), "{names:?}");
        thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn the_thread_of_a_console_ends_with_its_server_and_without_a_console_there_is_none() {
    let with_console = ["taskprof-grpc", "taskprof-http"];
    let server = taskprof::serve("127.0.0.1:0").unwrap();
    await_threads(&["taskprof-http"]);
    server.shutdown();
    await_threads(&[]);

    let serve = || {
        let (layer, console) = taskprof::console::layer().unwrap();
        let installed = registry().with(layer).set_default();
        let server = taskprof::server().console(console).bind("127.0.0.1:0");
        (installed, server.unwrap())
    };
    let (_installed, server) = serve();
    await_threads(&with_console);
    server.shutdown();
    await_threads(&[]);
    // A drop does not wait, but ends it as well.
    let (_installed, server) = serve();
    await_threads(&with_console);
    drop(server);
    await_threads(&[]);
}
