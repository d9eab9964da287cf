//! The policy that aborts: who is aborted, and when.
#![cfg(feature = "enable")]
#![allow(
    clippy::async_yields_async,
    reason = "a handle is what the scope's future returns"
)]

use std::future::pending;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use taskscope::{AtEnd, CancelReason, JoinHandle, Scope};
use tokio::time::{self, Instant};

const GRACE: Duration = Duration::from_secs(5);

fn aborting(name: &str) -> Scope {
    Scope::new(name).at_end(AtEnd::Abort { grace: GRACE })
}

async fn is_aborted<T>(task: JoinHandle<T>) -> bool {
    task.await.err().is_some_and(|error| error.is_cancelled())
}

#[tokio::test(start_paused = true)]
async fn the_end_cancels_and_the_abort_comes_after_the_grace() {
    let scope = aborting("request");
    let token = scope.token();
    let obeys = scope.spawn(async move { token.cancelled().await });
    let deaf = scope.spawn(pending::<()>());
    let seen = scope.to_ref();
    let ended = Instant::now();
    drop(scope);
    obeys.await.unwrap();
    assert_eq!(ended.elapsed(), Duration::ZERO);
    assert_eq!(seen.cancellation().unwrap().reason, CancelReason::Ended);
    time::sleep(GRACE - Duration::from_millis(1)).await;
    assert!(!deaf.is_finished());
    assert!(is_aborted(deaf).await);
    assert_eq!(ended.elapsed(), GRACE);
}

#[tokio::test(start_paused = true)]
async fn the_tasks_of_scopes_below_are_aborted_and_no_others() {
    let above = Scope::new("above");
    let scope = above.child("request").at_end(AtEnd::Abort { grace: GRACE });
    let below = scope.child("query");
    let mut deaf = Vec::new();
    for owner in [&scope, &below] {
        deaf.push(owner.spawn(pending::<()>()));
        deaf.push(owner.run(async { taskscope::spawn(pending::<()>()) }).await);
    }
    let others = [
        above.spawn(pending::<()>()),
        taskscope::spawn(pending::<()>()),
    ];
    drop(scope);
    for task in deaf {
        assert!(is_aborted(task).await);
    }
    time::sleep(GRACE).await;
    assert!(others.iter().all(|task| !task.is_finished()));
}

#[tokio::test(start_paused = true)]
async fn without_the_policy_nobody_is_aborted() {
    for policy in [AtEnd::Report, AtEnd::Cancel] {
        let scope = Scope::new("request").at_end(policy);
        let task = scope.spawn(pending::<()>());
        drop(scope);
        time::sleep(2 * GRACE).await;
        assert!(!task.is_finished(), "{policy:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_grace_of_zero_aborts_at_once() {
    let scope = Scope::new("request").at_end(AtEnd::Abort {
        grace: Duration::ZERO,
    });
    let task = scope.spawn(pending::<()>());
    let ended = Instant::now();
    drop(scope);
    assert!(is_aborted(task).await);
    assert_eq!(ended.elapsed(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn who_is_spawned_after_the_end_gets_the_grace_and_after_the_abort_none() {
    let scope = aborting("request");
    let late = scope.to_ref();
    drop(scope);
    let ended = Instant::now();
    let first = late.spawn(pending::<()>());
    assert!(is_aborted(first).await);
    assert_eq!(ended.elapsed(), GRACE);
    let second = late.spawn(pending::<()>());
    assert!(is_aborted(second).await);
    assert_eq!(ended.elapsed(), GRACE);
}

#[tokio::test(start_paused = true)]
async fn the_task_that_ends_the_scope_is_not_aborted_by_it() {
    let scope = aborting("request");
    let guard = scope.clone();
    let ends = scope.spawn(async move {
        let _deaf = taskscope::spawn(pending::<()>());
        let left = guard.finish(GRACE * 2).await.is_ok();
        time::sleep(GRACE).await;
        left
    });
    drop(scope);
    assert!(ends.await.unwrap(), "the other one was aborted");
}

#[tokio::test(start_paused = true)]
async fn tasks_of_a_local_set_are_aborted_too() {
    let set = tokio::task::LocalSet::new();
    let scope = aborting("request");
    let task = set
        .run_until(scope.run(async { taskscope::spawn_local(pending::<()>()) }))
        .await;
    drop(scope);
    assert!(set.run_until(is_aborted(task)).await);
}

struct Counted(Arc<AtomicUsize>);

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

/// Guards, children and tasks come and go on all threads while the scope ends; whoever was spawned
/// is gone in the end.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_scope_that_ends_while_its_tasks_spawn_others_loses_none_of_them() {
    fn grow(scope: Scope, depth: u32, counts: Arc<[Arc<AtomicUsize>; 2]>) {
        let child = scope.child("part");
        counts[0].fetch_add(1, Ordering::SeqCst);
        let counted = Counted(counts[1].clone());
        let spawned = counts.clone();
        drop(child.clone().spawn(async move {
            let _counted = counted;
            for _ in 0..2 {
                if depth > 0 {
                    grow(child.child("deeper"), depth - 1, spawned.clone());
                }
                tokio::task::yield_now().await;
            }
            drop(child);
            pending::<()>().await;
        }));
    }
    for round in 0..20 {
        let counts = Arc::new([Arc::default(), Arc::default()]);
        let scope = Scope::new("root").at_end(AtEnd::Abort {
            grace: Duration::from_micros(100 * round),
        });
        let seen = scope.to_ref();
        for _ in 0..4 {
            grow(scope.clone(), 5, counts.clone());
        }
        drop(scope);
        seen.token().cancelled().await;
        loop {
            let [spawned, dropped] = &*counts;
            let dropped = dropped.load(Ordering::SeqCst);
            if dropped == spawned.load(Ordering::SeqCst) && seen.tasks() == 0 {
                break;
            }
            tokio::task::yield_now().await;
        }
    }
}
