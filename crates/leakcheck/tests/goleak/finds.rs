//! `Find` and `VerifyNone`: what is found, how it is named, and when it is waited for.

use std::time::Duration;

use futures::FutureExt;
use leakcheck::Options;
use tokio::sync::oneshot;

use crate::support::{Blocked, FOREVER, blocked_until_told, found, hasty, is_clean};

/// `Find`: with nothing started, nothing is reported.
#[tokio::test]
async fn nothing_started_reports_nothing() {
    assert!(is_clean(hasty()).await);
    // The control: the same check with something started.
    let blocked = Blocked::start();
    assert!(!is_clean(hasty()).await);
    blocked.end().await;
}

/// `Find`: the report of a blocked task names its function and what created it.
#[tokio::test]
async fn a_blocked_task_is_named_with_its_function_and_its_creator() {
    let (line, blocked) = (line!(), Blocked::start());
    let leaks = found(hasty()).await;
    let text = leaks.to_string();
    let created = format!("goleak/finds.rs:{line}:");
    assert!(
        text.contains("spawned at") && text.contains(&created),
        "{text}"
    );
    assert!(
        text.contains("future     goleak::support::blocked_until_told"),
        "{text}"
    );
    let trace = leaks.dump().tasks[0].trace.as_ref().expect("it was asked");
    let frames = &trace.branches()[0].frames;
    let own = frames.last().expect("there is a frame");
    assert!(
        own.function.contains("goleak::support::blocked_until_told"),
        "{trace}"
    );
    assert!(text.contains("waiting for oneshot recv"), "{text}");
    blocked.end().await;
}

/// `Find`: after it has been unblocked, nothing is reported again.
#[tokio::test]
async fn what_was_unblocked_is_not_reported_again() {
    let blocked = Blocked::start();
    assert_eq!(found(hasty()).await.count(), 1);
    blocked.end().await;
    assert!(is_clean(hasty()).await);
}

/// `Find`, exactly one of several: the stacks of all that are left, and of no other.
#[tokio::test]
async fn five_blocked_tasks_are_five_and_nothing_else() {
    let blocked: Vec<_> = (0..5).map(|_| Blocked::start()).collect();
    let leaks = found(hasty()).await;
    assert_eq!((leaks.count(), leaks.untracked()), (5, 0), "{leaks}");
    for task in &leaks.dump().tasks {
        assert!(task.future.contains("blocked_until_told"), "{leaks}");
    }
    for blocked in blocked {
        blocked.end().await;
    }
    assert!(is_clean(hasty()).await);
}

/// `FindRetry`: a check without time to wait fails; one that waits succeeds with a task that ends
/// meanwhile.
#[tokio::test]
async fn a_task_that_ends_within_the_budget_is_no_leak() {
    let (tell, told) = oneshot::channel::<()>();
    let ending = taskscope::spawn(blocked_until_told(told));
    assert_eq!(found(hasty()).await.count(), 1);
    // The check is under way by then; should it not be, it is right all the same.
    let teller = std::thread::spawn(|| {
        std::thread::sleep(Duration::from_millis(20));
        drop(tell);
    });
    assert!(is_clean(Options::new().settle(FOREVER)).await);
    assert!(ending.is_finished());
    teller.join().expect("it only sleeps");
}

/// `FindRetry`, its control: a task that does not end within the budget is a leak.
#[tokio::test]
async fn a_task_that_does_not_end_within_the_budget_is_a_leak() {
    let blocked = Blocked::start();
    let settle = Duration::from_millis(30);
    let leaks = found(Options::new().settle(settle)).await;
    assert!(leaks.count() == 1 && leaks.waited() >= settle, "{leaks}");
    blocked.end().await;
}

/// `VerifyNone`: the test fails once for a leak, and goes on for none.
#[tokio::test]
async fn the_assertion_fails_for_a_leak_and_for_nothing_else() {
    let assertion = async || {
        let assertion = async { leakcheck::assert_none!(hasty()) };
        std::panic::AssertUnwindSafe(assertion).catch_unwind().await
    };
    assert!(assertion().await.is_ok());
    let blocked = Blocked::start();
    let panic = assertion().await.expect_err("something is left");
    let text = panic.downcast_ref::<String>().expect("the report");
    assert!(text.contains("blocked_until_told"), "{text}");
    blocked.end().await;
    assert!(assertion().await.is_ok());
}

/// `CurrentCreatedBy`: the function that spawned a task is not on the task's stack.
#[tokio::test]
async fn the_creator_is_not_on_the_stack() {
    fn creates_it() -> Blocked {
        Blocked::start()
    }
    let blocked = creates_it();
    let leaks = found(hasty()).await;
    let trace = leaks.dump().tasks[0].trace.as_ref().expect("it was asked");
    let frames = || trace.branches().iter().flat_map(|branch| &branch.frames);
    assert!(
        frames().any(|frame| frame.function.contains("blocked_until_told")),
        "{trace}"
    );
    assert!(
        !frames().any(|frame| frame.function.contains("creates_it")),
        "{trace}"
    );
    blocked.end().await;
}
