//! The memory of tasks that have ended goes back to the system, as it does without us: what stays beside what tokio leaves is a few megabytes.
//!
//! A program of its own and not a test harness, because the heap of the main thread is the one that only shrinks at its top: one allocation of
//! ours up there keeps everything below it. Each burst runs in a process of its own, once with us and once bare.

use std::env;
use std::future::Future;
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use taskscope::{Builder, Scope};
use tokio::runtime;
use tokio::sync::Notify;

const TASKS: usize = 20_000;

/// More than what is left of us after any of the bursts, and much less than the tasks' own memory.
const BOUND: usize = 16 << 20;

static GO: Notify = Notify::const_new();
static WAITING: AtomicUsize = AtomicUsize::new(0);

/// Bytes of this process that are in memory.
fn resident() -> usize {
    let statm = std::fs::read_to_string("/proc/self/statm").expect("this is Linux");
    let pages: usize = statm
        .split(' ')
        .nth(1)
        .and_then(|pages| pages.parse().ok())
        .expect("a number");
    pages * 4096
}

/// As large as a connection's buffer.
async fn connection(number: usize) -> usize {
    let buffer = [number as u8; 4096];
    let go = GO.notified();
    WAITING.fetch_add(1, Ordering::Relaxed);
    go.await;
    buffer.iter().map(|byte| usize::from(*byte)).sum()
}

async fn all<H: Future>(spawn: impl Fn(usize) -> H) {
    let handles: Vec<H> = (0..TASKS).map(spawn).collect();
    while WAITING.load(Ordering::Relaxed) < TASKS {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    WAITING.store(0, Ordering::Relaxed);
    tokio::task::yield_now().await;
    GO.notify_waiters();
    for handle in handles {
        handle.await;
    }
}

/// One of many threads, with tasks of its own.
fn threads(ours: bool) {
    let one = move || {
        let runtime = runtime::Builder::new_current_thread()
            .build()
            .expect("a runtime");
        runtime.block_on(async {
            let work = |number: usize| async move { vec![number as u8; 4096].len() };
            for number in 0..40 {
                let done = if ours {
                    taskscope::spawn(work(number)).await
                } else {
                    tokio::spawn(work(number)).await
                };
                assert_eq!(done.expect("no panic"), 4096);
            }
        });
    };
    let all: Vec<_> = (0..500).map(|_| thread::spawn(one)).collect();
    for thread in all {
        thread.join().expect("no panic");
    }
}

fn burst(kind: &str, ours: bool) {
    if kind == "threads" {
        return threads(ours);
    }
    let runtime = runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a runtime");
    runtime.block_on(async {
        match kind {
            _ if !ours => all(|number| tokio::spawn(connection(number))).await,
            "tasks" => all(|number| taskscope::spawn(connection(number))).await,
            "named" => {
                all(|number| {
                    let named = Builder::new().name(format!("connection {number}"));
                    named.label("peer", "10.0.0.1").spawn(connection(number))
                })
                .await;
            }
            "scopes" => {
                all(|number| {
                    let scope = Scope::new(format!("GET /orders/{}", number % 10));
                    scope.spawn(connection(number))
                })
                .await;
            }
            other => panic!("no burst of {other}"),
        }
    });
}

/// Bytes that are resident when the bursts are over, and no fewer.
fn child(kind: &str, ours: bool) -> usize {
    for _ in 0..3 {
        burst(kind, ours);
    }
    // Ours is given back by a thread that looks once a second.
    let patience = Instant::now() + Duration::from_secs(20);
    let (mut least, mut since) = (resident(), Instant::now());
    while Instant::now() < patience && since.elapsed() < Duration::from_secs(4) {
        thread::sleep(Duration::from_millis(50));
        let now = resident();
        if now + (256 << 10) < least {
            (least, since) = (now, Instant::now());
        }
    }
    least
}

fn run(kind: &str, ours: &str) -> usize {
    let program = env::current_exe().expect("a path");
    let child = Command::new(program)
        .args([kind, ours])
        .output()
        .expect("a process");
    let text = String::from_utf8_lossy(&child.stdout);
    let last = text.lines().last().and_then(|line| line.parse().ok());
    last.unwrap_or_else(|| panic!("{kind} {ours}: {child:?}"))
}

#[allow(clippy::print_stdout, reason = "a test without a harness")]
fn main() {
    if !cfg!(target_os = "linux") {
        return;
    }
    let arguments: Vec<String> = env::args().skip(1).collect();
    if let [kind, ours @ ("ours" | "bare")] =
        &arguments.iter().map(String::as_str).collect::<Vec<_>>()[..]
    {
        println!("{}", child(kind, *ours == "ours"));
        return;
    }
    let mut failed = false;
    for kind in ["tasks", "named", "scopes", "threads"] {
        let (bare, ours) = (run(kind, "bare"), run(kind, "ours"));
        let verdict = if ours <= bare + BOUND { "ok" } else { "FAILED" };
        println!(
            "memory after a burst of {kind}: {} KiB, bare {} KiB ... {verdict}",
            ours >> 10,
            bare >> 10
        );
        failed |= ours > bare + BOUND;
    }
    assert!(!failed, "more than {} KiB stay", BOUND >> 10);
}
