//! A task whose wake-up was lost: sampling leaves it alone, and a dump that ends it by its poll
//! says so. In a process of its own: what sampling polls is switched here.
#![cfg(feature = "enable")]
#![allow(missing_docs, reason = "tests")]

use std::future::poll_fn;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Poll, Waker};
use std::time::Duration;

use taskscope::sampling::{self, Activity};
use taskscope::{DumpOptions, JoinHandle, Stacks, TaskDump, Verdict, lost_wakeups};
use testkit::until;
use tokio::runtime::Runtime;

/// One at a time: a dump polls all tasks.
fn turn() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

fn runtime() -> Runtime {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap()
}

/// A flag that a task waits for, and its waker. To set it without the waker loses the wake-up.
#[derive(Default)]
struct Flag {
    set: AtomicBool,
    waker: Mutex<Option<Waker>>,
    polls: AtomicU64,
}

impl Flag {
    fn waker(&self) -> Option<Waker> {
        self.waker.lock().unwrap().clone()
    }
}

/// A task that waits for the flag, once it does.
#[track_caller]
fn waits_for(runtime: &Runtime, name: &'static str, flag: &Arc<Flag>) -> JoinHandle<()> {
    let theirs = Arc::clone(flag);
    let _in_runtime = runtime.enter();
    let task = taskscope::spawn_named(
        name,
        poll_fn(move |cx| {
            theirs.polls.fetch_add(1, Ordering::SeqCst);
            *theirs.waker.lock().unwrap() = Some(cx.waker().clone());
            match theirs.set.load(Ordering::SeqCst) {
                true => Poll::Ready(()),
                false => Poll::Pending,
            }
        }),
    );
    until(|| {
        flag.waker().is_some()
            && named(Stacks::None, name).is_some_and(|t| t.state.name() == "idle")
    });
    task
}

fn named(stacks: Stacks, name: &str) -> Option<TaskDump> {
    let dump = DumpOptions::new().stacks(stacks).capture_blocking();
    let mut tasks = dump.tasks.into_iter();
    tasks.find(|task| task.name.as_deref() == Some(name))
}

/// For how long tasks that were spawned in this line have been seen to wait.
fn waited(line: u32) -> Duration {
    let rows = sampling::report().rows.into_iter();
    let rows = rows.filter(|row| {
        row.site.line() == line && row.site.file() == file!() && row.activity == Activity::Waiting
    });
    rows.map(|row| row.time).sum()
}

#[test]
fn sampling_does_not_heal_a_lost_wake_up_unless_it_is_told_to_poll() {
    let _turn = turn();
    let runtime = runtime();
    let flag = Arc::new(Flag::default());
    let line = line!() + 1;
    let task = waits_for(&runtime, "hangs", &flag);
    // Now, so that its wait is not known.
    sampling::stop();
    sampling::start();
    let polls = flag.polls.load(Ordering::SeqCst);
    flag.set.store(true, Ordering::SeqCst);
    // Looked at again and again.
    until(|| waited(line) > 5 * sampling::LONG_STRETCH);
    assert!(!task.is_finished());
    assert_eq!(flag.polls.load(Ordering::SeqCst), polls);
    // The control.
    sampling::poll_long_waits(true);
    until(|| task.is_finished());
    sampling::poll_long_waits(false);
    assert!(flag.polls.load(Ordering::SeqCst) > polls);
}

#[test]
fn the_stack_of_a_long_wait_is_taken_in_the_next_poll_that_the_task_gets() {
    let _turn = turn();
    // Waits from before are not known.
    let runtime = runtime();
    let flag = Arc::new(Flag::default());
    let line = line!() + 1;
    let task = waits_for(&runtime, "waits", &flag);
    sampling::start();
    until(|| waited(line) > 2 * sampling::LONG_STRETCH);
    let polls = flag.polls.load(Ordering::SeqCst);
    flag.waker().unwrap().wake();
    until(|| flag.polls.load(Ordering::SeqCst) > polls);
    until(|| {
        let rows = sampling::report().rows;
        rows.iter().any(|row| {
            row.site.line() == line
                && row.trace.is_ok()
                && !row.earlier
                && row.time > 2 * sampling::LONG_STRETCH
        })
    });
    flag.set.store(true, Ordering::SeqCst);
    flag.waker().unwrap().wake();
    runtime.block_on(task).unwrap();
}

#[test]
fn a_task_that_a_dump_has_ended_by_its_poll_is_kept_as_a_lost_wake_up() {
    let _turn = turn();
    // A dump does not poll a task whose last poll was captured, as sampling does with some.
    sampling::stop();
    let runtime = runtime();
    let (lost, woken) = (Arc::new(Flag::default()), Arc::new(Flag::default()));
    let task = waits_for(&runtime, "lost", &lost);
    let other = waits_for(&runtime, "woken", &woken);
    let before = lost_wakeups::count();
    lost.set.store(true, Ordering::SeqCst);
    assert!(
        named(Stacks::None, "lost").is_some(),
        "nothing has polled it"
    );
    // The other one is polled, too, and goes on waiting.
    until(|| {
        assert!(named(Stacks::Fresh, "woken").is_some());
        task.is_finished()
    });
    assert_eq!(lost_wakeups::count(), before + 1);
    let kept = lost_wakeups::take(|task| task.name.as_deref() == Some("lost"));
    let [kept] = &kept[..] else {
        panic!("{kept:?}");
    };
    assert_eq!(kept.verdict, Verdict::LostWakeup);
    assert_eq!(kept.state.name(), "idle");
    assert!(lost_wakeups::take(|_| true).is_empty(), "it was taken");

    // The control: one that ends as it should.
    woken.set.store(true, Ordering::SeqCst);
    woken.waker().unwrap().wake();
    let _ = DumpOptions::new().capture_blocking();
    runtime.block_on(other).unwrap();
    let _ = DumpOptions::new().capture_blocking();
    assert_eq!(lost_wakeups::count(), before + 1);
}
