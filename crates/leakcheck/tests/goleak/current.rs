//! `IgnoreCurrent`: a baseline covers the tasks that were alive when it was taken, and no others.

use leakcheck::Baseline;

use crate::support::{Blocked, Untracked, found, hasty, is_clean};

/// `IgnoreCurrent`: a task that was alive before is ignored.
#[tokio::test]
async fn a_task_alive_before_is_ignored() {
    let before = Blocked::start();
    assert!(is_clean(hasty().ignore_current("it was here before")).await);
    // The control.
    assert_eq!(found(hasty()).await.count(), 1);
    before.end().await;
}

/// `IgnoreCurrent`: a task that was born after is not.
#[tokio::test]
async fn a_task_born_after_is_not_ignored() {
    assert!(is_clean(hasty()).await);
    let before = Blocked::named("before");
    assert_eq!(found(hasty()).await.count(), 1);
    let options = hasty().ignore_current("it was here before");
    assert!(is_clean(options.clone()).await);
    let after = Blocked::named("after");
    let leaks = found(options.clone()).await;
    assert_eq!(leaks.count(), 1, "{leaks}");
    assert_eq!(leaks.dump().tasks[0].name.as_deref(), Some("after"));
    after.end().await;
    assert!(is_clean(options).await);
    before.end().await;
}

/// `IgnoreCurrent`: the options are made when they are made, not when they are used.
#[tokio::test]
async fn what_counts_is_when_the_baseline_was_taken() {
    let (early, blocked) = (Baseline::take(), Blocked::start());
    let late = Baseline::take();
    assert_eq!(found(hasty().ignore(&early, "none")).await.count(), 1);
    assert!(is_clean(hasty().ignore(&late, "it was here before")).await);
    // Several add up.
    let both = hasty()
        .ignore(&late, "it was here before")
        .ignore(&early, "none");
    assert!(is_clean(both).await);
    blocked.end().await;
}

/// `IgnoreCurrent`: a task that gets the place in memory of one that was alive before is not taken
/// for it.
#[tokio::test]
async fn a_task_with_the_record_of_one_in_the_baseline_is_found() {
    let before: Vec<_> = (0..5).map(|_| Blocked::start()).collect();
    let options = hasty().ignore_current("they were here before");
    assert!(is_clean(options.clone()).await);
    for blocked in before {
        blocked.end().await;
    }
    for _ in 0..5 {
        let after = Blocked::start();
        assert_eq!(found(options.clone()).await.count(), 1);
        after.end().await;
        assert!(is_clean(hasty()).await);
    }
}

/// Tasks that can only be counted: as many are ignored as there were.
#[tokio::test]
async fn untracked_tasks_alive_before_are_ignored_by_number() {
    let before = Untracked::start();
    let options = hasty().ignore_current("it was here before");
    assert!(is_clean(options.clone()).await);
    let after = Untracked::start();
    let leaks = found(options.clone()).await;
    assert_eq!((leaks.count(), leaks.untracked()), (1, 1), "{leaks}");
    after.end().await;
    assert!(is_clean(options).await);
    before.end().await;
}

/// A baseline of one runtime says nothing about the untracked tasks of another.
#[test]
fn untracked_tasks_of_another_runtime_are_not_ignored() {
    let runtime = || {
        tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap()
    };
    let (one, other) = (runtime(), runtime());
    let before = one.block_on(async {
        let _left = Untracked::start();
        Baseline::take()
    });
    // Its task has ended with its sender, but not been put away: nothing has run since.
    other.block_on(async {
        let left = Untracked::start();
        let leaks = found(hasty().ignore(&before, "of the other runtime")).await;
        assert_eq!(leaks.untracked(), 1, "{leaks}");
        let now = Baseline::take();
        assert!(is_clean(hasty().ignore(&now, "it was here before")).await);
        left.end().await;
    });
}

/// A baseline that was taken outside of a runtime knows the tracked tasks of all of them.
#[test]
fn a_baseline_can_be_taken_outside_of_a_runtime() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    let blocked = runtime.block_on(async { Blocked::start() });
    let before = Baseline::take();
    let options = hasty().ignore(&before, "it was here before");
    leakcheck::assert_none_in!(&runtime, options.clone());
    let after = runtime.block_on(async { Blocked::start() });
    let leaks = leakcheck::check_in(&runtime, options).expect_err("one was not here before");
    assert_eq!(leaks.count(), 1, "{leaks}");
    runtime.block_on(async {
        after.end().await;
        blocked.end().await;
    });
}
