//! Deadlines: when a scope's token fires by itself, and by whose clock.

mod support;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Barrier, mpsc};
use std::thread;
use std::time::Duration;

use futures::executor::block_on;
use support::{current_thread, multi_thread};
use taskscope::{CancelReason, Scope, Token};
use tokio::time::{self, Instant};

const SECOND: Duration = Duration::from_secs(1);
const HOUR: Duration = Duration::from_secs(3600);

fn reason(scope: &Scope) -> Option<CancelReason> {
    scope.to_ref().cancellation().map(|it| it.reason)
}

/// Waits on a plain thread, without any runtime's help.
fn wait(token: &Token) {
    block_on(token.cancelled());
}

#[tokio::test(start_paused = true)]
async fn at_its_deadline_a_scope_is_cancelled_and_every_scope_below_can_tell_why() {
    let began = Instant::now();
    let connection = Scope::new("connection").timeout(5 * SECOND);
    let request = connection.child("request");
    let query = request.child("query");
    let elsewhere = Scope::new("elsewhere");
    query.token().cancelled().await;
    assert_eq!(began.elapsed(), 5 * SECOND);
    assert_eq!(reason(&connection), Some(CancelReason::Deadline));
    for below in [&request, &query] {
        let seen = below.to_ref().cancellation().unwrap();
        assert_eq!(
            (seen.reason, seen.root),
            (CancelReason::Parent, CancelReason::Deadline)
        );
        assert_eq!(seen.scope, connection.to_ref());
        assert!(seen.ago.unwrap() < HOUR);
    }
    assert_eq!(reason(&elsewhere), None);
}

#[tokio::test(start_paused = true)]
async fn a_deadline_can_only_get_shorter() {
    let parent = Scope::new("parent")
        .timeout(5 * SECOND)
        .timeout(60 * SECOND);
    let longer = parent.child("longer").timeout(60 * SECOND);
    let shorter = parent
        .child("shorter")
        .timeout(4 * SECOND)
        .timeout(3 * SECOND);
    let left = |scope: &Scope| scope.to_ref().remaining().unwrap();
    assert_eq!(left(&parent), 5 * SECOND);
    assert_eq!(left(&longer), 5 * SECOND);
    assert_eq!(left(&shorter), 3 * SECOND);
    shorter.token().cancelled().await;
    assert_eq!(
        (left(&shorter), left(&parent)),
        (Duration::ZERO, 2 * SECOND)
    );
    assert_eq!(reason(&shorter), Some(CancelReason::Deadline));
    assert_eq!(reason(&parent), None);
    longer.token().cancelled().await;
    assert_eq!(reason(&longer), Some(CancelReason::Parent));
    assert_eq!(
        shorter.to_ref().cancellation().unwrap().reason,
        CancelReason::Deadline,
        "the first one stays"
    );
}

#[tokio::test(start_paused = true)]
async fn a_deadline_of_the_parent_that_comes_later_holds_for_the_child_too() {
    let parent = Scope::new("parent");
    let child = parent.child("child").timeout(60 * SECOND);
    let parent = parent.timeout(SECOND);
    assert_eq!(child.to_ref().remaining(), Some(SECOND));
    assert_eq!(parent.to_ref().deadline(), child.to_ref().deadline());
}

#[tokio::test(start_paused = true)]
async fn deadlines_in_any_order_fire_each_at_its_own_time() {
    let began = Instant::now();
    let scopes: Vec<_> = (0..100)
        .map(|at| {
            let after = Duration::from_millis(1 + (50 + at * 37) % 101);
            (after, Scope::new("part").timeout(after))
        })
        .collect();
    let waits = scopes.iter().map(|(after, scope)| async move {
        scope.token().cancelled().await;
        assert_eq!(began.elapsed(), *after);
    });
    futures::future::join_all(waits).await;
}

#[tokio::test(start_paused = true)]
async fn the_first_of_two_deadlines_that_is_taken_back_does_not_delay_the_second() {
    let began = Instant::now();
    let first = Scope::new("first").timeout(SECOND);
    let second = Scope::new("second").timeout(2 * SECOND);
    drop(first);
    second.token().cancelled().await;
    assert_eq!(began.elapsed(), 2 * SECOND);
}

#[tokio::test(start_paused = true)]
async fn a_deadline_beyond_what_timers_reach_fires_at_its_time() {
    let began = Instant::now();
    let scope = Scope::new("far").timeout(72 * HOUR);
    scope.token().cancelled().await;
    assert_eq!(began.elapsed(), 72 * HOUR);
    let never = Scope::new("never").timeout(Duration::MAX);
    assert_eq!(never.to_ref().deadline(), None);
}

#[tokio::test]
async fn a_deadline_that_has_passed_cancels_at_once() {
    for scope in [
        Scope::new("zero").timeout(Duration::ZERO),
        Scope::new("now").deadline(Instant::now()),
    ] {
        assert_eq!(reason(&scope), Some(CancelReason::Deadline));
        assert_eq!(scope.to_ref().remaining(), Some(Duration::ZERO));
    }
}

#[tokio::test(start_paused = true)]
async fn a_scope_that_was_cancelled_before_keeps_its_reason_at_the_deadline() {
    let scope = Scope::new("request").timeout(SECOND);
    scope.cancel(CancelReason::ClientGone);
    time::sleep(2 * SECOND).await;
    assert_eq!(reason(&scope), Some(CancelReason::ClientGone));
    let late = Scope::new("late");
    late.cancel(CancelReason::Shutdown);
    let late = late.timeout(SECOND);
    time::sleep(2 * SECOND).await;
    assert_eq!(reason(&late), Some(CancelReason::Shutdown));
}

#[tokio::test(start_paused = true)]
async fn a_task_that_outlives_its_scope_still_meets_the_deadline() {
    let scope = Scope::new("request").timeout(SECOND);
    let token = scope.token();
    let task = scope.spawn(async move { token.cancelled().await });
    let seen = scope.to_ref();
    drop(scope);
    task.await.unwrap();
    assert_eq!(seen.cancellation().unwrap().reason, CancelReason::Deadline);
}

#[tokio::test]
async fn a_clock_that_is_paused_after_the_deadline_was_set_is_honoured() {
    let scope = Scope::new("request").timeout(HOUR);
    time::pause();
    // The clock jumps from timer to timer, and the deadline is one of them.
    time::sleep(HOUR + SECOND).await;
    assert_eq!(reason(&scope), Some(CancelReason::Deadline));
}

#[test]
fn real_time_does_not_fire_a_deadline_of_a_paused_clock() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .start_paused(true)
        .build()
        .unwrap();
    let paused = runtime.block_on(async { Scope::new("paused").timeout(SECOND / 100) });
    // Late enough for the thread to have looked after the other.
    let control = Scope::new("real").timeout(SECOND / 2);
    wait(&control.token());
    assert_eq!(reason(&paused), None);
    runtime.block_on(paused.token().cancelled());
    assert_eq!(reason(&paused), Some(CancelReason::Deadline));
}

#[test]
fn a_deadline_outside_of_any_runtime_fires() {
    let began = std::time::Instant::now();
    let scope = Scope::new("batch").timeout(SECOND / 50);
    wait(&scope.child("part").token());
    assert!(began.elapsed() >= SECOND / 50);
    assert_eq!(reason(&scope), Some(CancelReason::Deadline));
}

#[test]
fn a_deadline_in_a_runtime_without_timers_fires_and_tokio_complains_once() {
    static COMPLAINTS: AtomicUsize = AtomicUsize::new(0);
    let before = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        if info.to_string().contains("timers are disabled") {
            COMPLAINTS.fetch_add(1, Ordering::SeqCst);
        } else {
            before(info);
        }
    }));
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    runtime.block_on(async {
        for _ in 0..3 {
            let scope = Scope::new("request").timeout(SECOND / 50);
            scope.token().cancelled().await;
            assert_eq!(reason(&scope), Some(CancelReason::Deadline));
        }
    });
    assert_eq!(COMPLAINTS.load(Ordering::SeqCst), 1);
}

#[test]
fn while_every_worker_is_blocked_the_deadline_fires_all_the_same() {
    let runtime = multi_thread();
    let blocked = Arc::new(Barrier::new(3));
    let (release, released) = mpsc::channel::<()>();
    let released = Arc::new(std::sync::Mutex::new(released));
    let scope = runtime.block_on(async { Scope::new("request").timeout(SECOND / 50) });
    let own = runtime.spawn(async { time::sleep(SECOND / 50).await });
    for _ in 0..2 {
        let (blocked, released) = (blocked.clone(), released.clone());
        runtime.spawn(async move {
            blocked.wait();
            let _ = released.lock().unwrap().recv();
        });
    }
    blocked.wait();
    wait(&scope.token());
    assert_eq!(reason(&scope), Some(CancelReason::Deadline));
    assert!(!own.is_finished(), "the control: nothing runs there");
    drop(release);
}

#[test]
fn after_the_end_of_its_runtime_a_deadline_counts_by_the_real_clock() {
    for runtime in [current_thread(), multi_thread()] {
        let soon = runtime.block_on(async { Scope::new("soon").timeout(SECOND / 5) });
        let late = runtime.block_on(async { Scope::new("late").timeout(HOUR) });
        drop(runtime);
        assert_eq!(reason(&soon), None, "the end of a runtime is no deadline");
        wait(&soon.token());
        assert_eq!(reason(&soon), Some(CancelReason::Deadline));
        assert_eq!(reason(&late), None);
    }
}

#[test]
fn a_deadline_that_is_set_on_a_runtime_that_has_ended_fires() {
    let runtime = multi_thread();
    let handle = runtime.handle().clone();
    drop(runtime);
    let _inside = handle.enter();
    let scope = Scope::new("late").timeout(SECOND / 50);
    wait(&scope.token());
    assert_eq!(reason(&scope), Some(CancelReason::Deadline));
}

#[test]
fn a_deadline_needs_no_task_and_holds_no_runtime() {
    for scope_survives in [false, true] {
        let owned_by_runtime = Arc::new(());
        let seen = Arc::downgrade(&owned_by_runtime);
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .on_thread_park(move || drop(owned_by_runtime.clone()))
            .build()
            .unwrap();
        let scope = runtime.block_on(async {
            let scope = Scope::new("request").timeout(HOUR);
            assert_eq!(scope.to_ref().remaining().unwrap().as_secs(), 3599);
            scope
        });
        assert_eq!(runtime.metrics().num_alive_tasks(), 0);
        let kept = scope_survives.then_some(scope);
        drop(runtime);
        // The thread that looks after deadlines may be looking at this very moment.
        while seen.strong_count() > 0 {
            thread::yield_now();
        }
        drop(kept);
    }
}

#[tokio::test(start_paused = true)]
async fn a_task_without_budget_can_set_a_deadline() {
    let began = Instant::now();
    let scope = tokio::spawn(async {
        while tokio::task::coop::has_budget_remaining() {
            tokio::task::consume_budget().await;
        }
        Scope::new("request").timeout(SECOND)
    });
    let scope = scope.await.unwrap();
    scope.token().cancelled().await;
    assert_eq!(began.elapsed(), SECOND);
}

#[test]
fn a_cancellation_at_the_moment_of_the_deadline_has_one_reason_for_ever() {
    let runtime = multi_thread();
    for round in 0..300_u32 {
        let scope = runtime.block_on(async { Scope::new("request").timeout(SECOND / 1000) });
        let child = scope.child("part");
        let (seen, below) = (scope.to_ref(), child.to_ref());
        let other = thread::spawn(move || {
            // Around the moment when the timer fires, a bit earlier or later each time.
            let at = seen.deadline().unwrap() + Duration::from_micros(u64::from(round * 10));
            while Instant::now() < at {
                std::hint::spin_loop();
            }
            seen.cancel(CancelReason::ClientGone);
        });
        wait(&child.token());
        let first = below.cancellation().unwrap();
        assert!(matches!(
            first.root,
            CancelReason::Deadline | CancelReason::ClientGone
        ));
        other.join().unwrap();
        let later = below.cancellation().unwrap();
        assert_eq!((first.reason, first.root), (later.reason, later.root));
        assert_eq!(reason(&scope), Some(later.root));
    }
}

/// Thread-locals are dropped when tokio's own are gone.
#[test]
fn a_scope_can_end_with_its_thread() {
    thread_local! {
        static KEPT: std::cell::RefCell<Option<Scope>> = const { std::cell::RefCell::new(None) };
    }
    let runtime = current_thread();
    runtime.block_on(async { time::pause() });
    let handle = runtime.handle().clone();
    let (done, is_done) = mpsc::channel();
    let thread = thread::spawn(move || {
        KEPT.with(|_| ());
        let _inside = handle.enter();
        let grace = SECOND / 50;
        let scope = Scope::new("thread").at_end(taskscope::AtEnd::Abort { grace });
        let part = scope.child("part").timeout(HOUR);
        let task = scope.spawn(async move {
            let _part = part;
            std::future::pending::<()>().await;
        });
        KEPT.set(Some(scope));
        done.send(task).unwrap();
    });
    thread.join().unwrap();
    let task = is_done.recv().unwrap();
    let aborted = runtime.block_on(task).unwrap_err();
    assert!(aborted.is_cancelled());
}
