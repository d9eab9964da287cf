//! Ends of all kinds: panics in a poll and in a destructor, and the future that takes a spurious
//! poll for an event.

use std::future::{Future, pending, poll_fn};
use std::panic::panic_any;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::task::{Context, Poll};

use tokio::runtime::Runtime;

use crate::times::times;
use crate::ways::{Account, End, current_thread, dump_of, every_way, tasks_of, two_workers, until};

struct PanicsInDrop;

impl Drop for PanicsInDrop {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            panic_any("in drop");
        }
    }
}

#[test]
fn a_panic_in_any_poll_is_the_tasks_own() {
    every_way(|way| {
        for last in 1..=times(20) {
            let mut polls = 0;
            let task = way.spawn(poll_fn(move |cx| {
                polls += 1;
                if polls >= last {
                    panic_any("in poll");
                }
                cx.waker().wake_by_ref();
                Poll::<()>::Pending
            }));
            assert_eq!(way.end(task), End::Panicked("in poll".into()));
        }
    });
}

#[test]
fn a_panic_in_a_destructor_is_the_tasks_own_whatever_it_ended_by() {
    every_way(|way| {
        let begun = Arc::new(AtomicU32::new(0));
        let (ready, aborted) = {
            let begins = begun.clone();
            let guard = PanicsInDrop;
            let ready = way.spawn(async {
                tokio::task::yield_now().await;
                drop(guard);
            });
            let aborted = way.spawn(async move {
                let _guard = PanicsInDrop;
                begins.fetch_add(1, Ordering::Relaxed);
                pending::<()>().await;
            });
            (ready, aborted)
        };
        way.drive_until(|| begun.load(Ordering::Relaxed) == 1);
        aborted.abort();
        assert_eq!(way.end(ready), End::Panicked("in drop".into()));
        assert_eq!(way.end(aborted), End::Panicked("in drop".into()));
    });
}

#[test]
fn destructors_that_panic_while_a_runtime_ends_leave_no_records() {
    every_way(|way| {
        let begun = Arc::new(AtomicUsize::new(0));
        let count = times(20);
        for _ in 0..count {
            let begins = begun.clone();
            let _detached = way.spawn(async move {
                let _guard = PanicsInDrop;
                begins.fetch_add(1, Ordering::Relaxed);
                pending::<()>().await;
            });
        }
        way.drive_until(|| begun.load(Ordering::Relaxed) == count);
        // The runtime is dropped when the way is.
    });
}

/// Breaks the contract: takes the second poll for the event that it waits for. On a runtime that
/// polls nothing without a wake it waits for ever, so this is the one thing that a dump may change.
/// See `Limitations` of [`taskscope::spawn`].
struct TakesAPollForAnEvent {
    polls: u32,
    panics: bool,
    /// Kept, or no dump could have it polled.
    waker: Option<std::task::Waker>,
}

impl Future for TakesAPollForAnEvent {
    type Output = u32;
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<u32> {
        self.polls += 1;
        self.waker = Some(cx.waker().clone());
        match self.polls {
            1 => Poll::Pending,
            _ if self.panics => panic_any("polled without a wake"),
            polls => Poll::Ready(polls),
        }
    }
}

fn spawned(runtime: &Runtime, panics: bool) -> taskscope::JoinHandle<u32> {
    let _entered = runtime.enter();
    taskscope::spawn(TakesAPollForAnEvent {
        polls: 0,
        panics,
        waker: None,
    })
}

#[test]
fn a_future_that_is_ready_when_polled_once_more_ends_in_the_dump() {
    let account = Account::open();
    let runtime = two_workers();
    let task = spawned(&runtime, false);
    until(|| tasks_of(runtime.handle())[0].state.name() == "idle");
    let seen = dump_of(runtime.handle());
    // It may be seen on its way out, and then as running.
    assert!(seen.iter().all(|task| task.state.name() == "running"));
    assert_eq!(runtime.block_on(task).unwrap(), 2);
    account.settle(0);
}

#[test]
fn a_future_that_panics_when_polled_once_more_fails_as_its_own_task_and_the_dump_goes_on() {
    let account = Account::open();
    let runtime = two_workers();
    let task = spawned(&runtime, true);
    let other = {
        let _entered = runtime.enter();
        taskscope::spawn(tokio::time::sleep(std::time::Duration::from_secs(600)))
    };
    let idle = |task: &taskscope::TaskDump| task.state.name() == "idle";
    until(|| tasks_of(runtime.handle()).iter().all(idle));
    let seen: Vec<_> = dump_of(runtime.handle()).into_iter().filter(idle).collect();
    assert_eq!(seen.len(), 1);
    assert!(seen[0].trace.is_ok());
    assert!(runtime.block_on(task).unwrap_err().is_panic());
    drop((other, runtime));
    account.settle(0);
}

/// The control: without a dump it waits.
#[test]
fn such_a_future_waits_for_ever_when_nobody_takes_a_dump() {
    let account = Account::open();
    let runtime = current_thread();
    let task = spawned(&runtime, false);
    runtime.block_on(async {
        for _ in 0..times(1000) {
            tokio::task::yield_now().await;
        }
    });
    assert_eq!(tasks_of(runtime.handle())[0].polls, 1);
    assert!(!task.is_finished());
    drop((task, runtime));
    account.settle(0);
}
