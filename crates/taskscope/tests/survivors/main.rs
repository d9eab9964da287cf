//! Survivors of a scope: each is reported once, whoever does it.
#![cfg(feature = "enable")]

mod log;

use std::future::pending;
use std::time::Duration;

use taskscope::{AtEnd, SURVIVOR_REPORT_DELAY, Scope, spawn_named};
use tokio::sync::oneshot;
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

use crate::log::{Fields, Log, listening, lives};

/// Spawns a task that stays alive until the sender is dropped.
async fn lives_until_told(scope: &Scope, name: &'static str) -> oneshot::Sender<()> {
    let (stop, stopped) = oneshot::channel::<()>();
    scope.run(async { drop(spawn_named(name, stopped)) }).await;
    tokio::task::yield_now().await;
    stop
}

#[tokio::test]
async fn whoever_is_alive_a_while_after_the_end_is_reported_although_nobody_asks() {
    let (log, listening) = listening();
    let scope = Scope::new("GET /orders/{id}");
    lives(&scope, "survivor").await;
    lives(&scope, "other").await;
    let id = taskscope::DumpOptions::new()
        .scope(&scope.to_ref())
        .stacks(taskscope::Stacks::None)
        .capture_blocking()
        .tasks[0]
        .id;
    drop(scope);
    // The one of the moment when the scope ended is told.
    drop(listening);
    log.until("other").await;
    let told = log.told();
    assert_eq!(told.len(), 2);
    let fields = &told[0];
    assert_eq!(fields["task.id"], id.to_string());
    assert_eq!(fields["task.name"], "survivor");
    assert_eq!(fields["scope"], "GET /orders/{id}");
    assert_eq!(fields["verdict"], "outlived");
    assert!(fields["loc.file"].ends_with("tests/survivors/log.rs"));
    assert!(fields["age_ms"].parse::<u128>().unwrap() >= SURVIVOR_REPORT_DELAY.as_millis());
}

#[tokio::test]
async fn whoever_ends_in_time_is_not_reported_and_nobody_twice() {
    let (log, _listening) = listening();
    let scope = Scope::new("request");
    let stop = lives_until_told(&scope, "just in time").await;
    drop(scope);
    drop(stop);
    let parent = Scope::new("connection");
    let child = parent.child("request");
    lives(&child, "survivor").await;
    drop(child);
    log.until_all().await;
    drop(parent);
    log.until_all().await;
    let mut names = log.names();
    names.sort();
    names.dedup();
    assert_eq!(names, ["fence", "survivor"]);
    assert_eq!(
        log.names()
            .iter()
            .filter(|name| *name == "survivor")
            .count(),
        1
    );
}

#[tokio::test]
async fn a_survivor_of_a_child_that_is_open_is_reported_when_the_parent_ends() {
    let (log, _listening) = listening();
    let parent = Scope::new("connection");
    let child = parent.child("request");
    lives(&child, "survivor").await;
    drop(parent);
    log.until("survivor").await;
    assert_eq!(log.told()[0]["scope"], "connection");
    drop(child);
    log.until_all().await;
    assert_eq!(log.names(), ["survivor", "fence"]);
}

#[tokio::test]
async fn what_finish_has_reported_is_not_reported_again() {
    let (log, _listening) = listening();
    let parent = Scope::new("connection");
    let child = parent.child("request");
    lives(&child, "survivor").await;
    let named = |left: taskscope::Survivors| {
        let names = left.dump().tasks.iter().map(|task| task.name.clone());
        names
            .map(|name| name.unwrap().to_string())
            .collect::<Vec<_>>()
    };
    let left = child.finish(Duration::ZERO).await.unwrap_err();
    assert_eq!(named(left), ["survivor"]);
    let left = parent.finish(Duration::from_millis(1)).await.unwrap_err();
    assert_eq!(named(left), ["survivor"], "it is still there");
    log.until_all().await;
    assert_eq!(log.names(), ["survivor", "fence"]);
    assert!(log.told()[0]["waits_for"].contains("sleep"));
}

#[tokio::test]
async fn while_somebody_waits_for_its_tasks_a_scope_is_not_reported() {
    let (log, _listening) = listening();
    let scope = Scope::new("request");
    let stop = lives_until_told(&scope, "slow").await;
    let finishes = tokio::spawn(scope.finish(Duration::from_secs(600)));
    tokio::task::yield_now().await;
    log.until_all().await;
    drop(stop);
    finishes.await.unwrap().unwrap();
    assert_eq!(log.names(), ["fence"]);
}

#[tokio::test]
async fn who_is_spawned_in_a_scope_that_has_ended_is_reported_too() {
    let (log, _listening) = listening();
    let scope = Scope::new("request");
    let late = scope.to_ref();
    drop(scope);
    log.until_all().await;
    // By itself, and by a task that was reported before.
    for name in ["late", "later"] {
        let sleeps = tokio::time::sleep(Duration::from_secs(600));
        late.run(async { drop(spawn_named(name, sleeps)) }).await;
        log.until(name).await;
    }
    log.until_all().await;
    assert_eq!(log.names(), ["fence", "late", "later", "fence"]);
}

#[tokio::test]
async fn a_finish_that_is_given_up_leaves_the_survivors_to_be_reported() {
    let (log, _listening) = listening();
    let scope = Scope::new("request");
    lives(&scope, "survivor").await;
    let mut finish = Box::pin(scope.finish(Duration::from_secs(600)));
    assert!(futures::poll!(finish.as_mut()).is_pending());
    drop(finish);
    log.until("survivor").await;
    log.until_all().await;
    assert_eq!(log.names(), ["survivor", "fence"]);
}

#[tokio::test]
async fn a_task_that_ignores_the_end_of_its_scope_is_reported_as_that() {
    let (log, _listening) = listening();
    let scope = Scope::new("request").at_end(AtEnd::Cancel);
    lives(&scope, "deaf").await;
    let token = scope.token();
    scope
        .run(async {
            drop(spawn_named("slow", async move {
                token.cancelled().await;
                tokio::time::sleep(Duration::from_secs(600)).await;
            }));
        })
        .await;
    tokio::task::yield_now().await;
    drop(scope);
    log.until("slow").await;
    for (name, verdict) in [("deaf", "cancel ignored"), ("slow", "cancel slow")] {
        let told = log.told();
        let is_told = |it: &Fields| it["task.name"] == name && it["verdict"] == verdict;
        assert!(told.iter().any(is_told), "{told:?}");
    }
}

#[tokio::test]
async fn a_subscriber_that_panics_keeps_nobody_else_s_reports_back() {
    struct Panics(Log);
    impl Subscriber for Panics {
        fn enabled(&self, metadata: &Metadata<'_>) -> bool {
            self.0.enabled(metadata)
        }
        fn event(&self, event: &Event<'_>) {
            self.0.event(event);
            // Without the panic hook, which takes seconds for a stack that nobody reads.
            std::panic::resume_unwind(Box::new("on purpose"));
        }
        fn new_span(&self, _: &Attributes<'_>) -> Id {
            Id::from_u64(1)
        }
        fn record(&self, _: &Id, _: &Record<'_>) {}
        fn record_follows_from(&self, _: &Id, _: &Id) {}
        fn enter(&self, _: &Id) {}
        fn exit(&self, _: &Id) {}
    }
    let (bad, log) = (Log::default(), Log::default());
    let panics = tracing::subscriber::set_default(Panics(bad.clone()));
    let scope = Scope::new("request");
    lives(&scope, "one").await;
    lives(&scope, "two").await;
    drop(scope);
    drop(panics);
    let _listening = log.listen();
    log.until_all().await;
    assert_eq!(bad.names().len(), 2);
}

#[test]
fn a_scope_whose_tasks_died_with_their_runtime_is_not_reported() {
    let (log, _listening) = listening();
    let runtime = || {
        tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap()
    };
    let dies = runtime();
    dies.block_on(async {
        let scope = Scope::new("request");
        scope
            .run(async { drop(spawn_named("gone", pending::<()>())) })
            .await;
        drop(scope);
    });
    drop(dies);
    runtime().block_on(log.until_all());
    assert_eq!(log.names(), ["fence"]);
}

#[tokio::test(start_paused = true)]
async fn a_paused_clock_stands_still_while_survivors_are_looked_at() {
    let scope = Scope::new("request");
    lives(&scope, "survivor").await;
    let before = tokio::time::Instant::now();
    let left = scope.finish(Duration::from_secs(1)).await.unwrap_err();
    assert_eq!(before.elapsed(), Duration::from_secs(1));
    assert_eq!(left.dump().tasks[0].wait_reason().to_string(), "sleep");
}
