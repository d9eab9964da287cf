//! Everything that one writes against, called once in every way, with the feature `enable` and
//! without it: a signature that differs does not compile.
//!
//! Not here: what it does (`control.rs`, and the other tests), names for readers, which are there
//! with `enable` alone.
#![expect(
    clippy::let_underscore_future,
    clippy::type_complexity,
    reason = "it is a list of signatures"
)]

use std::borrow::Cow;
use std::future::{pending, ready};
use std::sync::Arc;
use std::time::Duration;

#[cfg(feature = "hyper")]
use taskscope::TaskExecutor;
use taskscope::{
    AtEnd, Builder, CancelReason, Cancellation, InSet, Instrumented, JoinHandle, JoinSet, Name,
    RuntimeGuard, Scope, ScopeInfo, ScopeRef, Survivors, Token, Tracked,
    scope::{InCurrentScope, Run},
    token::{
        Cancelled, CancelledOwned, DropGuard, DropGuardRef, RunUntilCancelled,
        RunUntilCancelledOwned,
    },
};
use tokio::runtime::Handle;
use tokio::task::{AbortHandle, JoinError, LocalSet};
use tokio_util::sync::CancellationToken;

#[tokio::test]
async fn sets() {
    let (handle, local) = (Handle::current(), LocalSet::new());
    let mut set: JoinSet<u8> = JoinSet::new();
    let _: AbortHandle = set.spawn(ready(1));
    let _: AbortHandle = set.spawn_on(ready(2), &handle);
    let _: AbortHandle = set.spawn_local_on(ready(3), &local);
    let _: AbortHandle = set.spawn_blocking(|| 4);
    let _: AbortHandle = set.spawn_blocking_on(|| 5, &handle);
    let into: InSet<'_, u8> = Builder::new().name("in a set").in_set(&mut set);
    into.spawn(ready(6));
    Builder::new().in_set(&mut set).spawn_on(ready(7), &handle);
    Builder::new()
        .in_set(&mut set)
        .spawn_local_on(ready(8), &local);
    Builder::new().in_set(&mut set).spawn_blocking(|| 9);
    Builder::new()
        .in_set(&mut set)
        .spawn_blocking_on(|| 10, &handle);
    local.run_until(async { set.spawn_local(ready(11)) }).await;
    assert_eq!((set.len(), set.is_empty()), (11, false));
    local
        .run_until(async {
            assert!(set.join_next().await.is_some_and(|ended| ended.is_ok()));
            assert!(set.join_next_with_id().await.is_some());
            std::future::poll_fn(|cx| set.poll_join_next(cx)).await;
            std::future::poll_fn(|cx| set.poll_join_next_with_id(cx)).await;
            let _ = (set.try_join_next(), set.try_join_next_with_id());
        })
        .await;
    let rest = set.len();
    assert_eq!(local.run_until(set.join_all()).await.len(), rest);

    let mut set: JoinSet<()> = JoinSet::new();
    set.spawn(pending());
    set.detach_all();
    set.spawn(pending());
    set.abort_all();
    set.shutdown().await;

    let task = Builder::new().spawn_local_on(&local, ready(1));
    assert_eq!(local.run_until(task).await.ok(), Some(1));
    let call = Builder::new().spawn_blocking_on(&handle, || 2);
    assert_eq!(call.await.ok(), Some(2));
    // A runtime of its own must not be made or dropped in another.
    let elsewhere = std::thread::spawn(|| {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .build_local(Default::default())
            .unwrap();
        let task = Builder::new().spawn_local_on_runtime(&runtime, ready(3));
        runtime.block_on(task).ok()
    });
    assert_eq!(elsewhere.join().unwrap(), Some(3));
    #[cfg(feature = "hyper")]
    let _: [TaskExecutor; 2] = [TaskExecutor::new("connection"), Builder::new().executor()];
}

#[tokio::test]
async fn spawning() {
    let handle = Handle::current();
    let all: Vec<JoinHandle<u8>> = vec![
        taskscope::spawn(async { 1 }),
        taskscope::spawn_named("named", async { 1 }),
        taskscope::background("background", async { 1 }),
        taskscope::spawn_on(&handle, async { 1 }),
        taskscope::spawn_blocking(|| 1),
        Builder::new().spawn(async { 1 }),
        Builder::default().spawn_on(&handle, async { 1 }),
        Builder::new().spawn_blocking(|| 1),
    ];
    for mut task in all {
        let _: bool = task.is_finished();
        let _: tokio::task::Id = task.id();
        let _: AbortHandle = task.abort_handle();
        let result: Result<u8, JoinError> = (&mut task).await;
        assert_eq!(result.ok(), Some(1));
    }
    let task = taskscope::spawn(pending::<()>());
    task.abort();
    let inner: tokio::task::JoinHandle<()> = task.into_inner();
    assert!(inner.await.is_err());
    let future: Instrumented<_> = taskscope::instrument(ready(2));
    assert_eq!(future.await, 2);
    let scope = Scope::new("builder");
    let built = Builder::new()
        .name(String::from("name"))
        .label("key", "value")
        .background()
        .no_capture()
        .scope(scope.to_ref());
    let future: Instrumented<_> = built.instrument(async { 3 });
    assert_eq!(future.await, 3);
    // On a thread of its own: what is not `Send` stays out of this future.
    let local = tokio::task::spawn_blocking(move || {
        handle.block_on(LocalSet::new().run_until(async {
            let one = taskscope::spawn_local(ready(1)).await;
            let other = Builder::new().spawn_local(ready(1)).await;
            one.ok() == other.ok()
        }))
    });
    assert!(local.await.is_ok_and(|same| same));
}

#[tokio::test]
async fn scopes() {
    let scope: Scope = Scope::new("scope")
        .label("key", "value")
        .at_end(AtEnd::Abort {
            grace: Duration::ZERO,
        })
        .timeout(Duration::from_secs(60))
        .deadline(tokio::time::Instant::now() + Duration::from_secs(30));
    let child: Scope = scope.child("child").at_end(AtEnd::Cancel);
    let _: (&str, Scope) = (child.name(), child.clone());
    let seen: ScopeRef = child.to_ref();
    let run: Run<_> = child.run(async { Scope::current() });
    assert_eq!(run.await, Some(seen.clone()));
    let run: Run<_> = seen.run(ready(1));
    run.await;
    let _: JoinHandle<()> = scope.spawn(async {});
    let _: JoinHandle<()> = seen.spawn(async {});
    let _: (&str, Vec<(Arc<str>, Arc<str>)>) = (seen.name(), seen.labels());
    let _: (Option<ScopeRef>, Option<Scope>, Scope) =
        (seen.parent(), seen.guard(), seen.child("grandchild"));
    let _: (Option<tokio::time::Instant>, Option<Duration>) = (seen.deadline(), seen.remaining());
    let _: usize = seen.tasks();
    child.cancel(CancelReason::Explicit);
    seen.cancel(CancelReason::Shutdown);
    let _: Option<(CancelReason, Option<Duration>)> = seen.cancelled();
    let cancellation: Option<Cancellation> = seen.cancellation();
    let cancellation = cancellation.expect("it was cancelled");
    assert_eq!(cancellation.reason, CancelReason::Explicit);
    assert_eq!(cancellation.root, CancelReason::Explicit);
    let _: Option<Duration> = cancellation.ago;
    let info: ScopeInfo = cancellation.scope;
    let _: (&str, Vec<(Arc<str>, Arc<str>)>, Duration) = (info.name(), info.labels(), info.age());
    let _: (Option<ScopeInfo>, Option<Duration>) = (info.parent(), info.ended());
    let _: (Option<CancelReason>, Option<Cancellation>) = (info.end_reason(), info.cancellation());
    let _: Option<(CancelReason, Option<Duration>)> = info.cancelled();
    let _: (Option<tokio::time::Instant>, Option<Duration>) = (info.deadline(), info.remaining());
    let _: (usize, Option<u64>) = (info.tasks(), info.request());
    assert_eq!(info, seen);
    assert_eq!(seen, info);
    let same: ScopeInfo = (&seen).into();
    assert_eq!(same, info);
    assert_eq!(ScopeRef::try_from(&info).ok(), Some(seen.clone()));
    let callback = scope.run(async { taskscope::in_current_scope(async |one: u8| one) });
    let carry: InCurrentScope<_> = callback.await(1);
    assert_eq!(carry.await, 1);
    drop(child);
    let _: (Option<Duration>, Option<CancelReason>) = (seen.ended(), seen.end_reason());
    let _ = [
        CancelReason::Deadline,
        CancelReason::Ended,
        CancelReason::ClientGone,
        CancelReason::Parent,
    ];
    assert_eq!(AtEnd::default(), AtEnd::Report);

    let scope = Scope::new("left");
    let left = scope.spawn(pending::<()>());
    let result: Result<(), Survivors> = scope.finish(Duration::from_millis(1)).await;
    let survivors = result.expect_err("a task is left");
    assert_eq!(survivors.count(), 1);
    assert!(survivors.to_string().contains("1 task is still alive"));
    left.abort();
}

#[tokio::test]
async fn tokens() {
    let token: Token = Token::new();
    let child = token.child_token();
    let _: (bool, Option<ScopeRef>, &CancellationToken) =
        (token.is_cancelled(), token.scope(), token.as_inner());
    let run: RunUntilCancelled<'_, _> = token.run_until_cancelled(ready(1));
    assert_eq!(run.await, Some(1));
    let run: RunUntilCancelledOwned<_> = token.clone().run_until_cancelled_owned(ready(1));
    assert_eq!(run.await, Some(1));
    let guard: DropGuardRef<'_> = token.drop_guard_ref();
    let _: &Token = guard.token();
    let _: &Token = guard.disarm();
    let guard: DropGuard = token.clone().drop_guard();
    let _: &Token = guard.token();
    let _: Token = guard.disarm();
    token.cancel();
    let cancelled: Cancelled<'_> = token.cancelled();
    cancelled.await;
    let cancelled: CancelledOwned = child.clone().cancelled_owned();
    cancelled.await;
    let _: CancellationToken = child.into_inner();
    let scope = Scope::new("token");
    let _: (Token, Token) = (scope.token(), scope.to_ref().token());
}

#[test]
fn resources() {
    let mut tracked: Tracked<Vec<u8>> = taskscope::track("buffer", vec![1]);
    tracked.push(2);
    assert_eq!(tracked.len(), 2);
    assert_eq!(tracked.into_inner(), [1, 2]);
    let _ = format!("{:?}", Tracked::new("number", 1));
}

#[test]
fn a_name_is_made_of_every_kind_of_text() {
    let names: [Name; 4] = [
        "name".into(),
        String::from("name").into(),
        Arc::<str>::from("name").into(),
        Cow::Borrowed("name").into(),
    ];
    for name in names {
        let _: &str = name.as_str();
        assert_eq!(format!("{name} {name:?}"), "name \"name\"");
        assert_eq!(name.len(), 4);
    }
}

#[tokio::test]
async fn a_runtime_is_registered() {
    let guard: RuntimeGuard = taskscope::register_runtime(&Handle::current());
    drop(guard.clone());
}

#[cfg(feature = "tower")]
mod layer {
    use axum::http::{HeaderName, Request, Response};
    use taskscope::{
        DeadlineHeader, ForwardDeadlineLayer, ScopeLayer,
        layer::{ForwardDeadline, LayerStats, ScopeBody, ScopeFuture, ScopeService},
    };
    use tower::{Layer, Service, ServiceExt, service_fn};

    use super::*;

    #[tokio::test]
    async fn layers_and_their_types() {
        let scope = Scope::new("server");
        let layer: ScopeLayer = ScopeLayer::new()
            .at_end(AtEnd::Cancel)
            .parent(&scope.to_ref())
            .route(|request| Some(request.uri.path().into()))
            .request_id_header(HeaderName::from_static("x-id"))
            .answer_request_id()
            .deadline_header(DeadlineHeader::Grpc)
            .deadline_header(DeadlineHeader::Request)
            .max_timeout(Duration::from_secs(60))
            .default_timeout(Duration::from_secs(30));
        let mut service: ScopeService<_> = layer.layer(service_fn(answer));
        let ready = service.ready().await.expect("always ready");
        let future: ScopeFuture<_> = ready.call(Request::new(String::new()));
        let response: Response<ScopeBody<String>> = future.await.expect("never fails");
        assert!(response.headers().contains_key("x-id"));
        let stats: LayerStats = layer.stats();
        let _: [u64; 3] = [
            stats.malformed_deadlines,
            stats.capped_deadlines,
            stats.refused_request_ids,
        ];
        let forward: ForwardDeadlineLayer = ForwardDeadlineLayer::new(DeadlineHeader::Request);
        let client: ForwardDeadline<_> = forward.layer(service_fn(answer));
        let answered = client.oneshot(Request::new(String::new())).await;
        assert!(answered.is_ok());
        let _: HeaderName = DeadlineHeader::Grpc.name();
        let _: Option<Duration> = DeadlineHeader::Grpc.parse("1S");
        let _: String = DeadlineHeader::Grpc.format(Duration::from_secs(1));
    }

    async fn answer(_: Request<String>) -> Result<Response<String>, std::convert::Infallible> {
        Ok(Response::new(String::new()))
    }
}
