//! Since when a task waits. A process of its own: a dump of all runtimes in another test would ask
//! these tasks, too.
#![cfg(feature = "enable")]

use std::sync::Arc;
use std::time::{Duration, Instant};

use taskscope::{DumpOptions, Stacks};
use testkit::until;
use tokio::runtime::{Builder, Handle, Runtime};
use tokio::sync::Notify;

const LONG: Duration = Duration::from_secs(600);

fn of(runtime: &Handle) -> DumpOptions {
    DumpOptions::new()
        .runtime(runtime.id())
        .deadline(LONG)
        .stall(LONG)
}

fn current_thread() -> Runtime {
    Builder::new_current_thread().enable_all().build().unwrap()
}

/// Lets everything that can run on a current-thread runtime run.
async fn settle() {
    for _ in 0..5 {
        tokio::task::yield_now().await;
    }
}

#[test]
fn a_wake_begins_a_new_wait_even_if_a_capture_shares_its_poll() {
    const WHILE: Duration = Duration::from_millis(200);
    for wakes in [false, true] {
        let runtime = current_thread();
        let notify = Arc::new(Notify::new());
        let _task = {
            let (_entered, notify) = (runtime.enter(), notify.clone());
            taskscope::spawn(async move {
                loop {
                    notify.notified().await;
                }
            })
        };
        runtime.block_on(settle());
        let since = || {
            let dump = of(runtime.handle()).stacks(Stacks::None).capture_blocking();
            (dump.tasks[0].state.name(), dump.tasks[0].state.since())
        };
        let idle = Instant::now();
        until(|| since().1 >= WHILE);
        let dumper = std::thread::spawn({
            let handle = runtime.handle().clone();
            move || of(&handle).capture_blocking()
        });
        // Nobody drives the runtime: what waits in its queue is the task that the dump has asked.
        until(|| runtime.metrics().global_queue_depth() > 0);
        assert_eq!(since().0, "idle", "being asked is not being woken");
        let before = Instant::now();
        if wakes {
            notify.notify_one();
        }
        while !dumper.is_finished() {
            runtime.block_on(settle());
        }
        let dump = dumper.join().unwrap();
        assert!(dump.tasks[0].trace.is_ok());
        let waited = idle.elapsed();
        let (state, since) = since();
        assert_eq!(state, "idle");
        if wakes {
            // The clock may be late on a busy machine.
            assert!(since <= before.elapsed() + WHILE / 2, "{since:?}");
        } else {
            // Two clocks; what a capture took is less than the difference.
            assert!(since + WHILE / 2 >= waited, "{since:?} of {waited:?}");
        }
    }
}

/// The wake that the dump left behind makes a poll without a mark.
#[test]
fn a_dump_that_gave_up_does_not_begin_a_new_wait_either() {
    const WHILE: Duration = Duration::from_millis(50);
    let runtime = current_thread();
    runtime.block_on(async { drop(taskscope::spawn(tokio::time::sleep(LONG))) });
    runtime.block_on(settle());
    let since = || {
        let dump = of(runtime.handle()).stacks(Stacks::None).capture_blocking();
        dump.tasks[0].state.since()
    };
    until(|| since() >= WHILE);
    let dump = of(runtime.handle())
        .stall(Duration::from_millis(1))
        .capture_blocking();
    assert_eq!(dump.missed.no_answer, 1);
    runtime.block_on(settle());
    assert!(since() >= WHILE, "nobody woke it");
}
