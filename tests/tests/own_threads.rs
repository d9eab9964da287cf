//! Threads of the profiler that stay with the process are no leak of a test; a server that was left
//! running is.
//!
//! They are the process's, so this is the only test of its binary.
#![cfg(target_os = "linux")]

use std::time::Duration;

use leakcheck::{Options, assert_none_in};
use tokio::runtime::Builder;

#[test]
fn a_capture_leaves_nothing_and_a_server_that_was_not_shut_down_is_left() {
    let runtime = Builder::new_current_thread().enable_all().build().unwrap();
    let options = Options::new().threads();
    let capture = taskprof::cpu().duration(Duration::from_millis(50));
    let profile = runtime.block_on(capture.capture()).unwrap();
    assert!(profile.period > 0);
    let ours = std::fs::read_dir("/proc/self/task").unwrap();
    let ours: Vec<String> = ours
        .filter_map(|thread| std::fs::read_to_string(thread.unwrap().path().join("comm")).ok())
        .filter(|name| name.starts_with("taskprof"))
        .collect();
    assert!(!ours.is_empty(), "what is said of them needs some");
    assert_none_in!(&runtime, options.clone());

    let server = taskprof::serve("127.0.0.1:0").unwrap();
    // With time to settle: a thread has its name only when it has run.
    let leaks = leakcheck::check_in(&runtime, options.clone()).unwrap_err();
    let names: Vec<&str> = leaks
        .threads()
        .iter()
        .map(|left| left.name.as_str())
        .collect();
    assert_eq!(names, ["taskprof-http"], "{leaks}");
    server.shutdown();
    assert_none_in!(&runtime, options);
}
