//! The memory of tasks that have ended goes back to the system, as it does without us. Two
//! measures, each burst in a process of its own:
//!
//! * What is resident after a burst of large tasks, with us and bare: a few megabytes more. A
//!   program of its own and not a test harness, because the heap of the main thread is the one that
//!   only shrinks at its top: one allocation of ours up there keeps everything below it.
//! * What is allocated and not freed after bursts of all kinds: no more than after the first. Not
//!   what is resident: names and the like are small pieces, which glibc keeps with us and without.

use std::alloc::{GlobalAlloc, Layout, System};
use std::env;
use std::future::Future;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use taskscope::{Builder, Scope, Tracked};
use tokio::runtime;
use tokio::sync::Notify;

const TASKS: usize = 20_000;

/// More than what is left of us after any of the bursts, and much less than the tasks' own memory.
const BOUND: usize = 16 << 20;

/// Bytes that may stay allocated after more bursts, and were not after the first: caches, and what
/// threads of the runtime leave.
const ALLOCATED: usize = 1 << 20;

/// Names the burst that a process is to measure.
const CHILD: &str = "TASKSCOPE_BURST";

/// Most of the time of each is waiting for memory to be given back, so nextest runs them beside
/// each other.
const TESTS: &[&str] = &[
    "resident_after_tasks",
    "resident_after_threads",
    "allocated_after_tasks",
    "allocated_after_named",
    "allocated_after_scopes",
    "allocated_after_deadlines",
    "allocated_after_tracked",
    "allocated_after_threads",
];

/// Bytes that are allocated and not freed.
static LIVE: AtomicUsize = AtomicUsize::new(0);

struct Counting;

// SAFETY: everything is passed on to the system's allocator.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        LIVE.fetch_add(layout.size(), Ordering::Relaxed);
        // SAFETY: as the caller promises.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, old: *mut u8, layout: Layout) {
        LIVE.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: as the caller promises.
        unsafe { System.dealloc(old, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

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

/// A task that keeps a buffer of the size of a connection's while it waits.
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
        match (kind, ours) {
            ("tasks", false) => all(|number| tokio::spawn(connection(number))).await,
            ("tasks", true) => all(|number| taskscope::spawn(connection(number))).await,
            ("named", true) => {
                all(|number| {
                    let named = Builder::new().name(name(number));
                    named.label("peer", "10.0.0.1").spawn(connection(number))
                })
                .await;
            }
            ("scopes", true) => {
                all(|number| {
                    let scope = Scope::new(name(number % 10));
                    let task = scope.spawn(connection(number));
                    // Ended before its scope: nothing is to be reported.
                    async move { (task.await, scope) }
                })
                .await;
            }
            ("tracked", true) => {
                all(|number| {
                    let held = Tracked::new("buffer", number);
                    let task = taskscope::spawn(connection(number));
                    async move { (task.await, held) }
                })
                .await;
            }
            ("deadlines", true) => {
                all(|number| {
                    let scope = Scope::new(name(number % 10)).timeout(Duration::from_secs(600));
                    let task = scope.spawn(connection(number));
                    async move { (task.await, scope) }
                })
                .await;
            }
            (other, _) => panic!("no burst of {other}"),
        }
    });
}

fn name(number: usize) -> Arc<str> {
    format!("connection {number}").into()
}

/// The least that `measure` says before it has said the same for a while. What is given back is
/// given back by a thread that looks once a second.
fn settled(measure: impl Fn() -> usize) -> usize {
    let patience = Instant::now() + Duration::from_secs(30);
    let (mut least, mut since) = (measure(), Instant::now());
    while Instant::now() < patience && since.elapsed() < Duration::from_secs(4) {
        thread::sleep(Duration::from_millis(50));
        let now = measure();
        if now + (64 << 10) < least {
            (least, since) = (now, Instant::now());
        }
    }
    least
}

/// Bytes that are resident when the bursts are over, and bytes that are allocated then and were not
/// after the first.
fn child(kind: &str, ours: bool) -> (usize, usize) {
    burst(kind, ours);
    let first = settled(|| LIVE.load(Ordering::Relaxed));
    burst(kind, ours);
    burst(kind, ours);
    let resident = settled(resident);
    let allocated = settled(|| LIVE.load(Ordering::Relaxed));
    (resident, allocated.saturating_sub(first))
}

fn run(kind: &str, ours: &str) -> (usize, usize) {
    let program = env::current_exe().expect("a path");
    let child = Command::new(program)
        .env(CHILD, format!("{kind} {ours}"))
        .output()
        .expect("a process");
    let text = String::from_utf8_lossy(&child.stdout);
    let numbers = text.lines().last().and_then(|line| line.split_once(' '));
    let numbers = numbers.and_then(|(one, two)| Some((one.parse().ok()?, two.parse().ok()?)));
    numbers.unwrap_or_else(|| panic!("{kind} {ours}: {child:?}"))
}

#[allow(clippy::print_stdout, reason = "a test without a harness")]
fn main() {
    if !cfg!(target_os = "linux") {
        return;
    }
    if let Ok(child_of) = env::var(CHILD) {
        let (kind, ours) = child_of.split_once(' ').expect("two words");
        let (resident, allocated) = child(kind, ours == "ours");
        println!("{resident} {allocated}");
        return;
    }
    testkit::harness::run(TESTS, |test| {
        let (measure, kind) = test.split_once("_after_").expect("one of the list");
        if measure == "resident" {
            // How much of its heap glibc gives back depends on which thread freed what last, which
            // differs by megabytes from run to run. Memory that we do not give back stays in all.
            let is_given_back = (0..3).any(|_| {
                let ((bare, _), (ours, _)) = (run(kind, "bare"), run(kind, "ours"));
                println!("{test}: {} KiB, bare {} KiB", ours >> 10, bare >> 10);
                ours <= bare + BOUND
            });
            assert!(is_given_back, "too much stays");
        } else {
            let (_, stays) = run(kind, "ours");
            println!("{test}: {} KiB", stays >> 10);
            assert!(stays <= ALLOCATED, "too much stays");
        }
    });
}
