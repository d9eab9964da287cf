//! Single waits and polls of a future that is polled by hand, as sampling counts them. In a process
//! of its own with few polls, so that every one is chosen.
#![cfg(feature = "enable")]
#![allow(missing_docs, reason = "tests")]

use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::thread::sleep;
use std::time::{Duration, Instant};

use taskscope::sampling::{self, Activity};
use taskscope::{Builder, DumpOptions, Instrumented, Stacks};

/// Longer than the clock's resolution, shorter than what is long.
const SHORT: Duration = Duration::from_millis(5);
const LONGER: Duration = Duration::from_millis(60);

#[derive(Clone, Default)]
struct Leaf {
    waker: Arc<Mutex<Option<Waker>>>,
    wakes_itself: bool,
    /// Polls with a waker that was not the one before.
    changes: Arc<AtomicU64>,
    /// How long each poll takes.
    takes: Duration,
}

impl Future for Leaf {
    type Output = ();
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let before = self.waker.lock().unwrap().replace(cx.waker().clone());
        if before.is_some_and(|before| !before.will_wake(cx.waker())) {
            self.changes.fetch_add(1, Ordering::Relaxed);
        }
        sleep(self.takes);
        if self.wakes_itself {
            cx.waker().wake_by_ref();
        }
        Poll::Pending
    }
}

struct ByHand {
    leaf: Leaf,
    future: Pin<Box<Instrumented<Leaf>>>,
}

impl ByHand {
    #[track_caller]
    fn new(leaf: Leaf) -> ByHand {
        ByHand::built(Builder::new(), leaf)
    }

    #[track_caller]
    fn built(builder: Builder, leaf: Leaf) -> ByHand {
        sampling::start();
        let mut by_hand = ByHand {
            leaf: leaf.clone(),
            future: Box::pin(builder.instrument(leaf)),
        };
        // In this poll the thread learns that sampling is on; all later ones are chosen.
        by_hand.poll();
        by_hand
    }

    fn poll(&mut self) {
        let cx = &mut Context::from_waker(Waker::noop());
        assert!(self.future.as_mut().poll(cx).is_pending());
    }

    fn wake(&self) {
        let waker = self.leaf.waker.lock().unwrap().clone();
        waker.unwrap().wake();
    }
}

/// How often and for how long, in all rows of that line.
fn told(line: u32, activity: Activity) -> (u64, Duration) {
    let rows = sampling::report().rows.into_iter();
    rows.filter(|row| row.site.line() == line && row.activity == activity)
        .fold((0, Duration::ZERO), |(count, time), row| {
            (count + row.count, time + row.time)
        })
}

#[test]
fn a_wait_ends_with_the_wake_and_from_then_on_the_task_is_scheduled() {
    let mut task = ByHand::new(Leaf::default());
    let line = line!() - 1;
    let begun = Instant::now();
    for _ in 0..10 {
        sleep(SHORT);
        task.wake();
        sleep(LONGER);
        task.poll();
    }
    let lived = begun.elapsed();
    let (waits, waited) = told(line, Activity::Waiting);
    let (_, scheduled) = told(line, Activity::Scheduled);
    assert!((9..=11).contains(&waits), "{waits}");
    assert!(waited < scheduled, "{waited:?} {scheduled:?}");
    // And nothing is told twice: what is not long, not by looks.
    let all = waited + scheduled + told(line, Activity::Running).1;
    assert!(all < lived + lived / 2, "{all:?} of {lived:?}");
}

#[test]
fn a_poll_that_nobody_woke_neither_ends_a_wait_nor_begins_one() {
    let mut task = ByHand::new(Leaf::default());
    let line = line!() - 1;
    task.wake();
    task.poll();
    let begun = Instant::now();
    for _ in 0..10 {
        task.poll();
        sleep(SHORT);
    }
    task.wake();
    let waited_for = begun.elapsed();
    task.poll();
    drop(task);
    let (waits, waited) = told(line, Activity::Waiting);
    // It, and the one after it, and perhaps the first of all.
    assert!((2..=3).contains(&waits), "{waits}");
    assert!(waited > waited_for / 2, "{waited:?} of {waited_for:?}");
}

#[test]
fn a_task_that_was_woken_in_its_own_poll_does_not_wait() {
    let leaf = Leaf {
        wakes_itself: true,
        ..Leaf::default()
    };
    let mut task = ByHand::new(leaf);
    let line = line!() - 1;
    for _ in 0..10 {
        task.poll();
    }
    let (polls, _) = told(line, Activity::Running);
    assert!(polls >= 10, "{polls}");
    assert_eq!(told(line, Activity::Waiting).0, 0);
}

#[test]
fn a_wait_ends_when_the_task_is_dropped() {
    let mut task = ByHand::new(Leaf::default());
    let line = line!() - 1;
    task.wake();
    task.poll();
    sleep(LONGER);
    drop(task);
    let (waits, waited) = told(line, Activity::Waiting);
    assert!(waits >= 1);
    assert!(waited > LONGER / 2, "{waited:?}");
}

#[test]
fn a_wait_that_goes_on_is_in_the_report_from_its_beginning() {
    let mut task = ByHand::new(Leaf::default());
    let line = line!() - 1;
    task.wake();
    task.poll();
    // After each poll that was chosen it waits, and after the last one still.
    let (polls, _) = told(line, Activity::Running);
    assert!(polls >= 1);
    assert_eq!(told(line, Activity::Waiting).0, polls);
}

#[test]
fn a_task_that_may_not_be_captured_is_polled_with_its_own_waker_and_its_waits_are_told() {
    let changes = [Builder::new(), Builder::new().no_capture()].map(|builder| {
        let mut task = ByHand::built(builder, Leaf::default());
        for _ in 0..10 {
            task.wake();
            task.poll();
        }
        task.leaf.changes.load(Ordering::Relaxed)
    });
    assert!(changes[0] >= 9, "{changes:?}");
    assert_eq!(changes[1], 0);
    let line = line!() - 9;
    assert!(told(line, Activity::Waiting).0 >= 9);
}

#[test]
fn the_time_of_a_chosen_poll_is_busy_time_once() {
    let begun = Instant::now();
    let leaf = Leaf {
        takes: LONGER,
        ..Leaf::default()
    };
    let mut task = ByHand::new(leaf);
    let line = line!() - 1;
    for _ in 0..5 {
        task.wake();
        task.poll();
    }
    let lived = begun.elapsed();
    let dump = DumpOptions::new().stacks(Stacks::None).capture_blocking();
    let task = dump.tasks.iter().find(|task| task.site.line() == line);
    let busy = task.unwrap().busy;
    assert!(busy > lived / 2 && busy < lived + lived / 2, "{busy:?}");
    let (_, ran) = told(line, Activity::Running);
    assert!(ran > lived / 2 && ran < lived + lived / 2, "{ran:?}");
}
