//! Scopes: who owns a task, and what the end and the cancellation of the owner mean.
#![cfg(feature = "enable")]
#![allow(
    clippy::async_yields_async,
    reason = "a handle is what the scope's future returns"
)]

use std::future::pending;
use std::time::Duration;

use taskscope::{AtEnd, CancelReason, DumpOptions, Scope, Verdict};
use tokio::runtime::Handle;

async fn task_named(name: &str) -> taskscope::TaskDump {
    let dump = DumpOptions::new()
        .runtime(Handle::current().id())
        .capture()
        .await;
    dump.tasks
        .into_iter()
        .find(|task| task.name.as_deref() == Some(name))
        .unwrap()
}

fn current() -> Option<String> {
    Scope::current().map(|scope| scope.name().to_owned())
}

#[tokio::test]
async fn what_is_spawned_inside_a_scope_belongs_to_it_at_any_depth() {
    let scope = Scope::new("import");
    assert_eq!(current(), None);
    let deep = scope
        .run(async {
            assert_eq!(current().as_deref(), Some("import"));
            taskscope::spawn(async { taskscope::spawn(async { current() }).await.unwrap() })
                .await
                .unwrap()
        })
        .await;
    assert_eq!(deep.as_deref(), Some("import"));
    assert_eq!(current(), None);
    let from_plain = scope
        .run(async { tokio::spawn(async { current() }).await.unwrap() })
        .await;
    assert_eq!(
        from_plain, None,
        "a plain task has no record that could carry the scope"
    );
}

#[tokio::test]
async fn a_background_task_belongs_to_no_scope() {
    let scope = Scope::new("request");
    scope
        .run(async { drop(taskscope::background("reaper", pending::<()>())) })
        .await;
    tokio::task::yield_now().await;
    drop(scope);
    let task = task_named("reaper").await;
    assert!(task.scope.is_none() && task.background && !task.is_leak_suspect());
}

#[tokio::test]
async fn a_nested_scope_is_current_while_it_runs_and_the_outer_one_after() {
    let outer = Scope::new("outer");
    outer
        .run(async {
            let inner = Scope::new("inner");
            inner
                .run(async { assert_eq!(current().as_deref(), Some("inner")) })
                .await;
            assert_eq!(current().as_deref(), Some("outer"));
            // A task spawned for another scope does not see the spawner's.
            let other = inner.spawn(async { current() }).await.unwrap();
            assert_eq!(other.as_deref(), Some("inner"));
        })
        .await;
}

#[tokio::test]
async fn a_task_outlives_its_scope_when_the_last_guard_is_gone_and_not_before() {
    let scope = Scope::new("request")
        .label("id", "1")
        .label("peer", "local")
        .label("id", "2");
    let second = scope.clone();
    let (_open, closed) = tokio::sync::oneshot::channel::<()>();
    scope
        .run(async { drop(taskscope::spawn_named("survivor", closed)) })
        .await;
    tokio::task::yield_now().await;
    drop(scope);
    assert_eq!(task_named("survivor").await.verdict, Verdict::Idle);
    drop(second);
    let task = task_named("survivor").await;
    assert_eq!(task.verdict, Verdict::Outlived);
    assert!(task.is_leak_suspect());
    let scope = task.scope.unwrap();
    assert!(scope.ended().is_some());
    let labels: Vec<_> = scope
        .labels()
        .into_iter()
        .map(|(key, value)| format!("{key}={value}"))
        .collect();
    assert_eq!(labels, ["id=2", "peer=local"]);
}

#[tokio::test]
async fn a_task_of_an_open_child_outlives_the_parent_that_ended() {
    let parent = Scope::new("connection");
    let child = parent.child("request");
    child
        .run(async {
            drop(taskscope::spawn_named(
                "survivor",
                tokio::time::sleep(Duration::from_secs(600)),
            ));
        })
        .await;
    tokio::task::yield_now().await;
    assert_eq!(parent.to_ref().tasks(), 1);
    drop(parent);
    let task = task_named("survivor").await;
    assert_eq!(task.verdict, Verdict::Outlived);
    assert_eq!(task.scope.unwrap().parent().unwrap().name(), "connection");
}

#[tokio::test]
async fn cancelling_reaches_the_scopes_below_with_its_reason_and_not_those_above() {
    let parent = Scope::new("parent");
    let child = parent.child("child");
    let grandchild = child.child("grandchild");
    child.cancel(CancelReason::Shutdown);
    child.cancel(CancelReason::Explicit);
    assert!(child.token().is_cancelled() && grandchild.token().is_cancelled());
    assert!(!parent.token().is_cancelled());
    let reason = |scope: &Scope| {
        scope
            .to_ref()
            .cancelled()
            .map(|(reason, ago)| (reason, ago.is_some()))
    };
    assert_eq!(
        reason(&child),
        Some((CancelReason::Shutdown, true)),
        "the first reason is kept"
    );
    assert_eq!(reason(&grandchild), Some((CancelReason::Parent, true)));
    assert_eq!(reason(&parent), None);
    parent.token().as_inner().cancel();
    assert_eq!(reason(&parent), Some((CancelReason::Explicit, false)));
}

#[tokio::test]
async fn the_policy_decides_whether_the_end_cancels() {
    for (policy, cancelled) in [(AtEnd::Report, false), (AtEnd::Cancel, true)] {
        let scope = Scope::new("request").at_end(policy);
        let token = scope.token();
        drop(scope);
        assert_eq!(token.is_cancelled(), cancelled, "{policy:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn finish_waits_for_tasks_that_end_within_the_grace() {
    let scope = Scope::new("request");
    let _task = scope.spawn(tokio::time::sleep(Duration::from_secs(5)));
    let grandchild = scope.child("part");
    let _part = grandchild.spawn(tokio::time::sleep(Duration::from_secs(7)));
    drop(grandchild);
    let before = tokio::time::Instant::now();
    scope.finish(Duration::from_secs(10)).await.unwrap();
    assert_eq!(before.elapsed(), Duration::from_secs(7));
}

#[tokio::test]
async fn finish_names_the_survivors() {
    let scope = Scope::new("request");
    scope
        .run(async { drop(taskscope::spawn_named("survivor", pending::<()>())) })
        .await;
    let _other = taskscope::spawn(pending::<()>());
    tokio::task::yield_now().await;
    let survivors = scope.finish(Duration::from_millis(1)).await.unwrap_err();
    assert_eq!(
        survivors.to_string(),
        "scope \"request\" has ended and 1 task is still alive"
    );
    let task = &survivors.dump().tasks[0];
    assert_eq!(
        (task.name.as_deref(), task.verdict),
        (Some("survivor"), Verdict::Stuck)
    );
}

#[tokio::test]
async fn a_task_can_finish_the_scope_that_it_belongs_to() {
    let scope = Scope::new("request");
    let guard = scope.clone();
    let task = scope.spawn(async move { guard.finish(Duration::from_secs(600)).await.is_ok() });
    drop(scope);
    assert!(task.await.unwrap());
}

#[tokio::test]
async fn a_task_that_is_suspended_is_not_the_current_one() {
    let scope = Scope::new("request");
    let _task = scope.spawn(pending::<()>());
    tokio::task::yield_now().await;
    assert_eq!(current(), None);
    let _other = taskscope::spawn_named("other", pending::<()>());
    let other = task_named("other").await;
    assert!(other.scope.is_none() && other.parent.is_none());
}

#[tokio::test]
async fn a_task_is_in_its_own_scope_again_after_it_ran_in_another() {
    let (own, other) = (Scope::new("own"), Scope::new("other"));
    let task = own.spawn(async move {
        let inside = other.run(async { current() }).await;
        (inside, current())
    });
    let (inside, after) = task.await.unwrap();
    assert_eq!(
        (inside.as_deref(), after.as_deref()),
        (Some("other"), Some("own"))
    );
}

/// A `LocalSet` polls its tasks wherever it is polled itself.
#[tokio::test]
async fn a_local_task_is_in_its_own_scope_wherever_its_set_is_polled() {
    let (own, other) = (Scope::new("own"), Scope::new("other"));
    let set = tokio::task::LocalSet::new();
    let task = set
        .run_until(own.run(async {
            taskscope::spawn_local(async {
                tokio::task::yield_now().await;
                current()
            })
        }))
        .await;
    let (seen, beside) = other
        .run(async { futures::join!(set.run_until(task), async { current() }) })
        .await;
    assert_eq!(seen.unwrap().as_deref(), Some("own"));
    assert_eq!(beside.as_deref(), Some("other"));
}

#[tokio::test]
async fn a_dump_of_a_scope_has_its_tasks_and_those_below_and_no_others() {
    let scope = Scope::new("connection");
    let child = scope.child("request");
    let sibling = Scope::new("connection");
    for owner in [&scope, &child, &sibling] {
        drop(owner.spawn(pending::<()>()));
    }
    drop(taskscope::spawn(pending::<()>()));
    for (owner, count) in [(&scope, 2), (&child, 1), (&sibling, 1)] {
        let dump = DumpOptions::new().scope(&owner.to_ref()).capture().await;
        assert_eq!(dump.tasks.len(), count);
    }
}

#[tokio::test]
async fn finish_waits_for_all_other_tasks_although_the_caller_is_a_task_of_another_scope() {
    let scope = Scope::new("request");
    drop(scope.spawn(pending::<()>()));
    let elsewhere = Scope::new("elsewhere");
    let finished = elsewhere.spawn(async move {
        scope
            .finish(Duration::ZERO)
            .await
            .map_err(|left| left.dump().tasks.len())
    });
    assert_eq!(finished.await.unwrap(), Err(1));
}

#[tokio::test]
async fn a_task_that_finishes_its_own_scope_names_the_others_and_not_itself() {
    for grace in [Duration::ZERO, Duration::from_millis(1)] {
        let scope = Scope::new("request");
        let _other = scope
            .run(async { drop(taskscope::spawn_named("other", pending::<()>())) })
            .await;
        let guard = scope.clone();
        let finishes = scope.spawn(async move {
            let left = guard.finish(grace).await.unwrap_err();
            left.dump()
                .tasks
                .iter()
                .map(|task| task.name.clone())
                .collect::<Vec<_>>()
        });
        drop(scope);
        assert_eq!(finishes.await.unwrap(), [Some("other".into())], "{grace:?}");
    }
}

#[tokio::test]
async fn of_a_chain_of_scopes_the_first_end_and_the_first_cancellation_count() {
    const WHILE: Duration = Duration::from_millis(20);
    let parent = Scope::new("connection");
    let child = parent.child("request");
    let seen = child.to_ref();
    parent.cancel(CancelReason::Shutdown);
    child.cancel(CancelReason::Explicit);
    assert_eq!(
        seen.cancelled().map(|(reason, _)| reason),
        Some(CancelReason::Parent)
    );
    drop(parent);
    while seen.ended().unwrap() < WHILE {
        std::thread::yield_now();
    }
    drop(child);
    assert!(seen.ended().unwrap() >= WHILE);
}

#[tokio::test]
async fn the_current_scope_can_be_divided_and_a_part_of_an_ended_scope_has_ended() {
    let scope = Scope::new("request");
    let names = scope.run(async {
        let part = Scope::current().unwrap().child("part");
        let inner = part.to_ref().run(async { current() }).await;
        let task = Scope::current().unwrap().spawn(async { current() });
        (inner, task.await.unwrap())
    });
    let (inner, task) = names.await;
    assert_eq!(
        (inner.as_deref(), task.as_deref()),
        (Some("part"), Some("request"))
    );
    let seen = scope.to_ref();
    assert_eq!(seen.ended(), None);
    drop(scope);
    assert!(seen.child("late").to_ref().ended().is_some());
}

#[tokio::test]
async fn a_cancellation_reads_as_a_sentence_on_one_line() {
    let parent = Scope::new("con\nnection");
    let child = parent.child("request");
    parent.cancel(CancelReason::ClientGone);
    let text = |scope: &Scope| scope.to_ref().cancellation().unwrap().to_string();
    let (own, below) = (text(&parent), text(&child));
    assert!(
        own.starts_with("client gone, ") && own.ends_with(" ago"),
        "{own}"
    );
    let begin = r"parent (client gone of con\nnection), ";
    assert!(
        below.starts_with(begin) && below.ends_with(" ago"),
        "{below}"
    );
    let raw = Scope::new("raw");
    raw.token().as_inner().cancel();
    assert_eq!(text(&raw), "explicit");
}
