//! `allow`: a number of tasks is known to be left. Users of goleak count these themselves.

use crate::support::{Blocked, FOREVER, Untracked, found, hasty, is_clean};

#[tokio::test]
async fn as_many_as_are_allowed_pass_and_one_more_fails() {
    let mut blocked = vec![Blocked::start(), Blocked::start()];
    assert!(!is_clean(hasty().allow(1, "known")).await);
    assert!(is_clean(hasty().allow(2, "known")).await);
    assert!(is_clean(hasty().allow(3, "known")).await);
    blocked.push(Blocked::start());
    // All of them are reported: nobody knows which is the one too many.
    assert_eq!(found(hasty().allow(2, "known")).await.count(), 3);
    for blocked in blocked {
        blocked.end().await;
    }
}

#[tokio::test]
async fn tracked_and_untracked_tasks_count_alike() {
    let (tracked, untracked) = (Blocked::start(), Untracked::start());
    assert!(!is_clean(hasty().allow(1, "known")).await);
    assert!(is_clean(hasty().allow(2, "known")).await);
    tracked.end().await;
    untracked.end().await;
}

#[tokio::test]
async fn what_is_ignored_does_not_count() {
    let (known, other) = (Blocked::named("known"), Blocked::start());
    assert!(is_clean(hasty().ignore_name("known", "why").allow(1, "one more")).await);
    let third = Blocked::start();
    assert!(!is_clean(hasty().ignore_name("known", "why").allow(1, "one more")).await);
    for blocked in [known, other, third] {
        blocked.end().await;
    }
}

/// With an hour to settle this test would not end if the check waited for tasks that may stay.
#[tokio::test]
async fn what_is_allowed_is_not_waited_for() {
    let blocked = Blocked::start();
    assert!(!is_clean(hasty()).await);
    assert!(is_clean(hasty().allow(1, "known").settle(FOREVER)).await);
    blocked.end().await;
}

#[tokio::test]
async fn untracked_tasks_can_be_allowed_without_the_tracked_ones() {
    let untracked = [Untracked::start(), Untracked::start()];
    assert!(!is_clean(hasty().allow_untracked(1, "a library's")).await);
    let options = || hasty().allow_untracked(2, "a library's");
    assert!(is_clean(options()).await);
    assert!(is_clean(options().settle(FOREVER)).await);
    let tracked = Blocked::start();
    let leaks = found(options()).await;
    assert_eq!((leaks.count(), leaks.untracked()), (1, 0), "{leaks}");
    tracked.end().await;
    // Several libraries add up.
    let two = hasty()
        .allow_untracked(1, "a library's")
        .allow_untracked(1, "another's");
    assert!(is_clean(two.clone().deny_unused()).await);
    let third = Untracked::start();
    assert_eq!(found(two).await.untracked(), 1);
    for untracked in untracked.into_iter().chain([third]) {
        untracked.end().await;
    }
    assert!(
        !is_clean(options().deny_unused()).await,
        "by now the rule matches nothing"
    );
}
