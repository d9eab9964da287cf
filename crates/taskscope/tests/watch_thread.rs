//! A blocked worker among 300,000 tasks: the stack of its thread is taken in time, however long it
//! takes to count the tasks.
//!
//! In a program of its own: the watchdog, the census and sampling are the whole process's.
#![cfg(feature = "enable")]

use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use taskscope::{Builder, DumpOptions, Stacks, Watchdog, census, dump::State, sampling};

const TASKS: usize = 300_000;
const ROUNDS: usize = 9;
const THRESHOLD: Duration = Duration::from_millis(50);
const IN_TIME: Duration = Duration::from_millis(50);

/// Blocks a worker in a poll, and tells how long after the beginning of that poll its stack was
/// taken, by the report.
fn stack_taken_after(runtime: &tokio::runtime::Runtime) -> Duration {
    let (release, blocked) = mpsc::channel::<()>();
    let task = Builder::new()
        .name("blocked")
        .spawn_on(runtime.handle(), async move {
            // Until the other end is gone.
            let _ = blocked.recv();
        });
    let begun = Instant::now();
    let after = loop {
        assert!(
            begun.elapsed() < Duration::from_secs(30),
            "no stack is taken"
        );
        // A stack that the watch thread has taken tells nobody: it is read again and again.
        thread::sleep(Duration::from_millis(5));
        let dump = DumpOptions::new().named("blocked").stacks(Stacks::None);
        let dump = dump.capture_blocking();
        let task = dump.tasks.first();
        let taken = task.and_then(|task| match (&task.state, &task.long_poll) {
            (State::Running { since, .. }, Some(poll)) => Some(since.saturating_sub(poll.ago)),
            _ => None,
        });
        if let Some(after) = taken {
            break after;
        }
    };
    drop(release);
    runtime.block_on(task).unwrap();
    after
}

#[test]
fn the_stack_of_a_blocked_worker_among_many_tasks_is_taken_in_time() {
    Watchdog::new().threshold(THRESHOLD).install().unwrap();
    census::start();
    sampling::start();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .build()
        .unwrap();
    for _ in 0..TASKS {
        drop(taskscope::spawn_on(
            runtime.handle(),
            std::future::pending::<()>(),
        ));
    }
    let mut delays: Vec<Duration> = (0..ROUNDS).map(|_| stack_taken_after(&runtime)).collect();
    delays.sort_unstable();
    let median = delays[ROUNDS / 2];
    // The machine may be busy with something else now and then, but not most of the time.
    assert!(median < THRESHOLD + IN_TIME, "{delays:?}");
    let counted = census::take();
    assert!(counted.tasks() >= TASKS, "{counted:?}");
    assert_eq!(own_threads(), ["taskscope-count", "taskscope-watch"]);
    runtime.shutdown_background();
}

/// The names of the threads that this crate has started, as the kernel shows them.
fn own_threads() -> Vec<String> {
    let threads = std::fs::read_dir("/proc/self/task").unwrap();
    let names = threads.filter_map(|thread| {
        let name = std::fs::read_to_string(thread.ok()?.path().join("comm")).ok()?;
        Some(name.trim_end().to_owned())
    });
    let mut own: Vec<String> = names.filter(|name| name.starts_with("taskscope")).collect();
    own.sort_unstable();
    own
}
