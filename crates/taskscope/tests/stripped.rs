//! A dump of a program without symbols: this one, stripped, runs again and prints.
#![cfg(all(feature = "enable", target_os = "linux", target_arch = "x86_64"))]
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "tests"
)]

use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use taskscope::DumpOptions;
use tokio::sync::{Notify, Semaphore, mpsc, oneshot};

/// Set in the copy that prints.
const COPY: &str = "TASKSCOPE_TEST_STRIPPED";

/// Prints the wait of each task, and the functions of its stack.
async fn print() {
    let (_sender, mut receiver) = mpsc::channel::<u8>(1);
    let (_value, valued) = oneshot::channel::<u8>();
    let (semaphore, notify) = (Arc::new(Semaphore::new(0)), Arc::new(Notify::new()));
    let tasks = [
        taskscope::spawn_named("receives", async move {
            let _ = receiver.recv().await;
        }),
        taskscope::spawn_named("expects", async move { drop(valued.await) }),
        taskscope::spawn_named("acquires", {
            let semaphore = semaphore.clone();
            async move { drop(semaphore.acquire().await) }
        }),
        taskscope::spawn_named("notified", {
            let notify = notify.clone();
            async move { notify.notified().await }
        }),
        taskscope::spawn_named("sleeps", tokio::time::sleep(Duration::from_secs(600))),
        taskscope::spawn_named("joins", async {
            drop(tokio::spawn(std::future::pending::<()>()).await);
        }),
    ];
    let dump = loop {
        tokio::task::yield_now().await;
        let dump = DumpOptions::new().capture().await;
        if dump.tasks.len() == tasks.len() && dump.tasks.iter().all(|task| task.trace.is_ok()) {
            break dump;
        }
    };
    for task in &dump.tasks {
        println!(
            "TASK {}: {}",
            task.name.as_deref().unwrap(),
            task.wait_reason()
        );
        for branch in task.trace.as_ref().unwrap().branches() {
            for frame in &branch.frames {
                println!("FRAME {}", frame.function);
            }
        }
    }
}

/// Strips a copy of this program with this option, runs it, and returns its output.
fn printed_by(option: &str) -> String {
    let test = std::thread::current().name().unwrap().to_owned();
    let copy = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("copy-{test}"));
    let whole = std::env::current_exe().unwrap();
    let stripped = Command::new("strip")
        .args([option, "-o"])
        .args([&copy, &whole])
        .status();
    assert!(stripped.unwrap().success());
    let output = Command::new(copy)
        .args(["--exact", "--nocapture", &test])
        .env(COPY, "1")
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// In the copy, prints and returns true.
fn is_copy() -> bool {
    let is_copy = std::env::var_os(COPY).is_some();
    if is_copy {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(print());
    }
    is_copy
}

#[test]
fn waits_are_told_by_the_addresses_of_tokios_functions() {
    if is_copy() {
        return;
    }
    let printed = printed_by("--strip-all");
    for expected in [
        "TASK receives: mpsc recv",
        "TASK acquires: semaphore acquire (needs debug = 1)",
        "TASK notified: notify (needs debug = 1)",
        "TASK sleeps: sleep (needs debug = 1)",
        "TASK joins: join (needs debug = 1)",
    ] {
        assert!(
            printed.lines().any(|line| line == expected),
            "{expected}: {printed}"
        );
    }
    // Generic, and so nobody's that we could know.
    let expects = printed
        .lines()
        .find(|line| line.contains("expects"))
        .unwrap();
    assert!(expects.starts_with("TASK expects: other: "), "{expects}");
    assert!(expects.ends_with(" (needs debug = 1)"), "{expects}");
}

#[test]
fn a_stack_begins_above_our_own_functions() {
    if is_copy() {
        return;
    }
    let printed = printed_by("--strip-all");
    let whole = std::env::current_exe().unwrap();
    let offsets: Vec<&str> = printed
        .lines()
        .filter_map(|line| line.strip_prefix("FRAME ")?.split_once('+'))
        .map(|(_, offset)| offset)
        .collect();
    assert!(offsets.len() > 5, "{printed}");
    let named = Command::new("addr2line")
        .args(["-f", "-C", "-e"])
        .arg(whole)
        .args(&offsets)
        .output()
        .unwrap();
    let named = String::from_utf8(named.stdout).unwrap();
    assert!(named.contains("stripped::print::"), "{named}");
    for own in [
        "taskscope_core::capture",
        "taskscope_core::record",
        "callstack::",
    ] {
        let of_own = |line: &str| line.trim_start_matches('<').starts_with(own);
        assert!(!named.lines().any(of_own), "{own}: {named}");
    }
}

#[test]
fn with_a_symbol_table_names_are_told_and_waits_as_far_as_they_go() {
    if is_copy() {
        return;
    }
    let printed = printed_by("--strip-debug");
    assert!(printed.contains("TASK receives: mpsc recv\n"), "{printed}");
    assert!(
        printed.contains("TASK expects: oneshot recv\n"),
        "{printed}"
    );
    assert!(
        printed.contains("TASK acquires: semaphore acquire (needs debug = 1)\n"),
        "{printed}"
    );
    assert!(!printed.contains("FRAME copy"), "{printed}");
}
