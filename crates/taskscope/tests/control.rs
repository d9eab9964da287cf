//! Scopes, tokens and layers do the same with the feature `enable` and without it: a program does
//! not depend on a diagnostic's switch.

use std::future::pending;
use std::time::Duration;

use taskscope::{AtEnd, Builder, CancelReason, Scope};
use tokio::sync::oneshot;

fn current() -> Option<String> {
    Scope::current().map(|scope| scope.name().to_owned())
}

#[tokio::test]
async fn the_current_scope_is_that_of_run_and_of_tasks_that_the_scope_spawned() {
    let scope = Scope::new("scope");
    assert_eq!(
        scope.run(async { current() }).await.as_deref(),
        Some("scope")
    );
    let inner = scope.child("inner");
    let task = scope.spawn(async move {
        tokio::task::yield_now().await;
        let within = inner.run(async { current() }).await;
        (current(), within)
    });
    let (own, within) = task.await.unwrap();
    assert_eq!(
        (own.as_deref(), within.as_deref()),
        (Some("scope"), Some("inner"))
    );
    let call = Builder::new().scope(scope.to_ref()).spawn_blocking(current);
    assert_eq!(call.await.unwrap().as_deref(), Some("scope"));
    // The documented difference: without `enable`, plain spawns inherit nothing.
    let plain = scope.run(async { taskscope::spawn(async { current() }).await });
    let inherited = cfg!(feature = "enable").then_some("scope");
    assert_eq!(plain.await.unwrap().as_deref(), inherited);
    assert_eq!(current(), None);
}

#[tokio::test]
async fn a_cancelled_scope_ends_its_tasks_with_a_reason() {
    let scope = Scope::new("above");
    let below = scope.child("below");
    let token = below.token();
    let task = below.spawn(async move { token.cancelled().await });
    scope.cancel(CancelReason::Shutdown);
    task.await.unwrap();
    let seen = below.to_ref().cancellation().unwrap();
    assert_eq!(
        (seen.reason, seen.root),
        (CancelReason::Parent, CancelReason::Shutdown)
    );
    assert!(seen.ago.is_some());
}

#[tokio::test(start_paused = true)]
async fn a_deadline_cancels_by_the_clock_of_the_runtime() {
    let scope = Scope::new("request").timeout(Duration::from_secs(5));
    let began = tokio::time::Instant::now();
    scope.token().cancelled().await;
    assert_eq!(began.elapsed().as_secs(), 5);
    assert_eq!(
        scope.to_ref().cancelled().unwrap().0,
        CancelReason::Deadline
    );
}

#[tokio::test(start_paused = true)]
async fn finish_waits_for_the_tasks_of_the_scope() {
    let scope = Scope::new("scope");
    let task = scope.spawn(tokio::time::sleep(Duration::from_secs(1)));
    assert_eq!(scope.to_ref().tasks(), 1);
    let seen = scope.to_ref();
    scope.finish(Duration::from_secs(10)).await.unwrap();
    assert!(task.is_finished());
    assert_eq!(seen.tasks(), 0);
    assert_eq!(seen.end_reason(), Some(CancelReason::Ended));
}

#[tokio::test(start_paused = true)]
async fn finish_says_how_many_are_left() {
    let scope = Scope::new("scope");
    let tasks = [scope.spawn(pending::<()>()), scope.spawn(pending::<()>())];
    let survivors = scope.finish(Duration::from_secs(1)).await.unwrap_err();
    let text = survivors.to_string();
    assert!(text.ends_with("2 tasks are still alive"), "{text}");
    assert_eq!(survivors.count(), 2);
    tasks.iter().for_each(|task| task.abort());
}

#[tokio::test]
async fn a_task_may_finish_its_own_scope() {
    let scope = Scope::new("scope");
    let finishing = scope.clone();
    let task = scope.spawn(async move { finishing.finish(Duration::ZERO).await.is_ok() });
    drop(scope);
    assert!(task.await.unwrap());
}

#[tokio::test(start_paused = true)]
async fn tasks_are_aborted_at_the_end_of_their_scope() {
    let scope = Scope::new("scope").at_end(AtEnd::Abort {
        grace: Duration::from_secs(1),
    });
    let task = scope.child("below").spawn(pending::<()>());
    let blind = taskscope::spawn(pending::<()>());
    drop(scope);
    assert!(task.await.unwrap_err().is_cancelled());
    assert!(!blind.is_finished());
}

#[tokio::test]
async fn a_task_that_ends_its_own_scope_is_not_aborted() {
    let scope = Scope::new("scope").at_end(AtEnd::Abort {
        grace: Duration::ZERO,
    });
    let (sender, receiver) = oneshot::channel::<Scope>();
    let other = scope.spawn(pending::<()>());
    let task = scope.spawn(async move {
        drop(receiver.await);
        tokio::task::yield_now().await;
        "went on"
    });
    sender.send(scope).unwrap();
    assert_eq!(task.await.unwrap(), "went on");
    assert!(other.await.unwrap_err().is_cancelled());
}

#[tokio::test]
async fn a_panic_leaves_the_scope_in_order() {
    let scope = Scope::new("scope");
    let task = scope.spawn(async { panic!("on purpose") });
    assert!(task.await.unwrap_err().is_panic());
    assert_eq!(scope.to_ref().tasks(), 0);
    assert_eq!(current(), None);
}

#[test]
fn a_spawn_that_panics_is_not_counted() {
    let scope = Scope::new("scope");
    let outside = std::panic::catch_unwind(|| scope.spawn(async {}));
    assert!(outside.is_err());
    assert_eq!(scope.to_ref().tasks(), 0);
}

#[cfg(feature = "tower")]
#[tokio::test]
async fn a_request_has_a_scope_and_hands_its_deadline_on() {
    use std::convert::Infallible;
    use std::sync::Arc;

    use axum::http::{Request, Response};
    use taskscope::{DeadlineHeader, ForwardDeadlineLayer, ScopeLayer};
    use tower::{Layer, ServiceExt, service_fn};

    let forwarded = service_fn(|request: Request<()>| async move {
        let header = request.headers().get("x-request-timeout").cloned();
        Ok::<_, Infallible>(Response::new(header))
    });
    let handler = service_fn(move |_: Request<()>| async move {
        let client = ForwardDeadlineLayer::new(DeadlineHeader::Request).layer(forwarded);
        let header = client.oneshot(Request::new(())).await?.into_body();
        let text = format!("{:?} {}", current(), header.is_some());
        let response = Response::builder().header("x-seen", text);
        Ok::<_, Infallible>(response.body(String::new()).unwrap())
    });
    let service = ScopeLayer::new()
        .route(|_| Some(Arc::from("/orders")))
        .default_timeout(Duration::from_secs(60))
        .layer(handler);
    let response = service.oneshot(Request::new(())).await.unwrap();
    assert_eq!(response.headers()["x-seen"], r#"Some("GET /orders") true"#);
    assert_eq!(current(), None);
}
