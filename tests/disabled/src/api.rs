//! Every public name of taskscope, used once, and every way to call it. Compiled and run with the feature `enable` and without it: whatever has one
//! signature here and another there does not compile.
//!
//! `tests/names.rs` checks that nothing is forgotten.

use std::collections::HashMap;
use std::future::{Future, pending, ready};
use std::panic::Location;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use http::{HeaderName, Request, Response};
use taskscope::{
    Age, AtEnd, BLOCKING_THRESHOLD, Branch, Builder, CANCEL_GRACE, CENSUS_PERIOD, CENSUS_RUNTIMES,
    CENSUSES, CancelReason, Cancellation, Cancelled, CancelledOwned, Carry, Census,
    DEFAULT_DEADLINE, DEFAULT_STALL, DeadlineHeader, DropGuard, DropGuardRef, Dump, DumpOptions,
    ENDED_SCOPES, ForwardDeadline, ForwardDeadlineLayer, Frame, GROWTH_MIN_SAMPLES, GROWTH_PERIOD,
    GROWTH_SAMPLES, Group, HeldTasks, Holder, HolderState, InSet, Instrumented, JoinHandle,
    JoinSet, LISTED, LayerStats, Listed, LongPoll, MAX_BRANCHES, MAX_REQUEST_ID, Missed, Name,
    NoMemory, NoTrace, OneLine, Parents, Plain, Quoted, ResourceDump, Run, RunUntilCancelled,
    RunUntilCancelledOwned, RuntimeGuard, RuntimeInfo, RuntimeLoad, SETTLE, SPINNING_RATE, Scope,
    ScopeBody, ScopeFuture, ScopeInfo, ScopeLayer, ScopeRef, ScopeService, SiteGrowth, SpawnTree,
    Stack, Stacks, State, Stats, Survivors, TaskDump, TaskExecutor, TaskKind, ThreadInfo, Token,
    Trace, Tracked, Verdict, WaitKind, WaitReason, Watchdog, WatchdogError, WorkerLoad,
};
#[cfg(tokio_unstable)]
use taskscope::{Observe, observe};
use taskscope::{attribution, census, heap, sampling, text};
use tokio::runtime::{Handle, Id, RuntimeFlavor};
use tokio::task::{AbortHandle, JoinError, LocalSet};
use tokio_util::sync::CancellationToken;
use tower::{Layer, Service, ServiceExt, service_fn};

/// Runs everything that can be run. In a multi-threaded runtime with timers.
pub async fn everything() {
    assert_eq!(
        Handle::current().runtime_flavor(),
        RuntimeFlavor::MultiThread
    );
    constants();
    spawning().await;
    scopes().await;
    tokens().await;
    resources();
    words();
    runtimes();
    // A `LocalSet` cannot be sent.
    std::thread::spawn(|| {
        let runtime = tokio::runtime::Builder::new_multi_thread().build().unwrap();
        runtime.block_on(sets());
    })
    .join()
    .unwrap();
    layers().await;
    dumps().await;
    sampled();
    attributed();
    counted();
    watching();
}

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
    let _: [TaskExecutor; 2] = [TaskExecutor::new("connection"), Builder::new().executor()];

    let dump = taskscope::dump().await;
    let tree: SpawnTree<'_> = dump.tree();
    for root in tree.roots() {
        assert!(
            tree.task(root.id).is_some() && tree.ancestors(root).count() <= tree.walk().count()
        );
        assert!(tree.children(root.id).count() <= dump.tasks.len());
    }
}

fn constants() {
    let _: [Duration; 7] = [
        BLOCKING_THRESHOLD,
        CANCEL_GRACE,
        DEFAULT_DEADLINE,
        DEFAULT_STALL,
        GROWTH_PERIOD,
        SETTLE,
        CENSUS_PERIOD,
    ];
    let _: [usize; 8] = [
        CENSUS_RUNTIMES,
        CENSUSES,
        ENDED_SCOPES,
        GROWTH_MIN_SAMPLES,
        GROWTH_SAMPLES,
        LISTED,
        MAX_BRANCHES,
        MAX_REQUEST_ID,
    ];
    let _: f64 = SPINNING_RATE;
}

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
    let _: (ScopeInfo, Option<Duration>) = (cancellation.scope, cancellation.ago);
    let callback = scope.run(async { taskscope::carry(async |one: u8| one) });
    let carry: Carry<_> = callback.await(1);
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
    let _: (&Dump, heap::Held) = (survivors.dump(), survivors.held());
    assert!(survivors.to_string().contains("1 task is still alive"));
    left.abort();
}

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

fn resources() {
    let mut tracked: Tracked<Vec<u8>> = taskscope::track("buffer", vec![1]);
    tracked.push(2);
    assert_eq!(tracked.len(), 2);
    assert_eq!(tracked.into_inner(), [1, 2]);
    let _ = format!("{:?}", Tracked::new("number", 1));
    let kinds: Vec<String> = ResourceDump::kinds([]);
    assert!(kinds.is_empty());
}

fn texts() {
    use std::io::Write as _;
    let name = "a\u{200b}";
    assert!(text::is_hidden('\n') && !text::is_hidden('n'));
    assert_eq!(text::plain(name), "a\\u{200b}");
    assert_eq!(text::read_plain(&text::plain(name)).as_deref(), Some(name));
    assert_eq!(text::json(name), "a\\u200b");
    assert_eq!(text::lines("a\n\r"), "a\n\\r");
    assert_eq!(text::bounded(name, text::MAX_NAME), name);
    assert_eq!(text::bounded_end(name, text::MAX_PATH), name);
    let mut escaped = String::new();
    text::write_escape(&mut escaped, '\n').unwrap();
    assert_eq!(escaped, "\\n");
    let mut out = Vec::new();
    write!(text::Guard::lines(&mut out), "{name}").unwrap();
    write!(text::Guard::json(&mut out), "{name}").unwrap();
    assert_eq!(out, b"a\\u{200b}a\\u200b");
    // Cut everywhere.
    let long: Name = "x".repeat(1000).into();
    assert!(long.chars().count() <= text::MAX_NAME);
}

fn words() {
    let name: Name = "name".into();
    let _: &str = name.as_str();
    let _ = format!(
        "{} {} {} {} {}",
        Age(Duration::ZERO),
        Plain("text"),
        OneLine("text"),
        Quoted("text"),
        Listed(&["one"])
    );
    texts();
    for verdict in Verdict::ALL {
        let _: [&str; 3] = [verdict.name(), verdict.meaning(), verdict.advice()];
    }
    for kind in WaitKind::ALL {
        let _: (&str, bool) = (kind.name(), kind.ends_trace());
    }
    let _ = [
        TaskKind::Task,
        TaskKind::Local,
        TaskKind::Blocking,
        TaskKind::Driven,
        TaskKind::Observed,
    ]
    .map(TaskKind::name);
    let _ = [
        HolderState::Alive,
        HolderState::Gone,
        HolderState::Untracked,
    ];
    let _ = [
        NoTrace::Running,
        NoTrace::NoAnswer,
        NoTrace::NoWaker,
        NoTrace::NotAsked,
        NoTrace::NotAllowed,
        NoTrace::Call,
        NoTrace::Observed,
    ];
}

fn runtimes() {
    let guard: RuntimeGuard = taskscope::register_runtime(&Handle::current());
    drop(guard.clone());
    let stats: Stats = taskscope::stats();
    let _: [usize; 6] = [
        stats.records,
        stats.records_in_use,
        stats.record_bytes,
        stats.scope_alarms,
        stats.scopes_ended,
        stats.resources,
    ];
    let _: u64 = stats.scopes_unreported;
    stats.runtimes.iter().for_each(runtime);
    #[cfg(tokio_unstable)]
    {
        let mut builder = tokio::runtime::Builder::new_current_thread();
        let builder = observe(&mut builder);
        let _: &mut tokio::runtime::Builder = Observe::new()
            .on_task_spawn(|_| {})
            .on_before_task_poll(|_| {})
            .on_after_task_poll(|_| {})
            .on_task_terminate(|_| {})
            .install(builder);
    }
}

fn runtime(info: &RuntimeInfo) {
    let _: (Id, u64, &Option<Arc<str>>) = (info.id, info.number, &info.name);
    let _: (&'static str, usize) = (info.flavor, info.workers);
    let _: (usize, usize, &Handle) = (info.tracked, info.untracked, info.handle());
}

async fn layers() {
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
        .default_timeout(Duration::from_secs(30))
        .plain_upgrades();
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

async fn dumps() {
    let scope = Scope::new("dumped");
    let left = scope.spawn(pending::<()>());
    let options: DumpOptions = DumpOptions::new()
        .deadline(Duration::from_secs(1))
        .stall(Duration::from_millis(100))
        .stacks(Stacks::Fresh)
        .stacks(Stacks::None)
        .stacks(Stacks::Cached)
        .scope(&scope.to_ref())
        .scope_named("dumped")
        .named("nobody")
        .verdict(Verdict::Idle)
        .min_age(Duration::ZERO)
        .limit(10)
        .runtime(Handle::current().id());
    dump(&options.clone().capture().await);
    dump(&options.clone().capture_blocking());
    dump(&taskscope::dump().await);
    let held: Result<HeldTasks, NoMemory> = options.hold();
    if let Ok(mut held) = held {
        let _: (usize, bool, &[ResourceDump]) = (held.len(), held.is_empty(), held.resources());
        let parents: Parents = held
            .parents()
            .unwrap_or_else(|why| panic!("{why}: {}", why.tasks()));
        let _: Option<Option<&str>> = parents.name(1);
        dump(&held.capture(&mut |_: usize, _: TaskDump| {}));
        let _: (Option<TaskDump>, Option<TaskDump>) = (held.task(1), held.at(0));
        held.read(&mut |_: TaskDump| std::ops::ControlFlow::Continue(()));
    }
    left.abort();
    taskscope::sample_growth();
    let sites: Vec<SiteGrowth> = taskscope::growth();
    for site in sites {
        let _: (&Location<'_>, Vec<(Duration, usize)>) = (site.site, site.samples.clone());
        let _: (usize, usize, bool) = (site.alive(), site.grew_by(), site.only_grows());
    }
}

fn dump(dump: &Dump) {
    let _: (SystemTime, Duration, usize) = (dump.taken_at, dump.took, dump.left_out);
    let missed: Missed = dump.missed;
    let _: [usize; 7] = [
        missed.running,
        missed.no_answer,
        missed.no_waker,
        missed.not_asked,
        missed.not_allowed,
        missed.observed,
        missed.total(),
    ];
    dump.runtimes.iter().for_each(runtime);
    dump.tasks.iter().for_each(task);
    dump.resources.iter().for_each(resource);
    for group in dump.groups() {
        let group: Group<'_> = group;
        let _: (&TaskDump, Vec<Name>, Vec<Arc<str>>) =
            (group.oldest(), group.names(), group.scopes());
        assert!(!group.tasks.is_empty());
    }
    let _: HashMap<u64, Vec<&ResourceDump>> = dump.holdings();
    let _: usize = dump.untracked();
}

fn task(task: &TaskDump) {
    let _: (u64, TaskKind, &Option<Name>) = (task.id, task.kind, &task.name);
    let _: (&[(Arc<str>, Arc<str>)], Verdict, bool) = (&task.labels, task.verdict, task.background);
    let _: (&Option<ScopeInfo>, Option<Duration>) = (&task.scope, task.scope_ended);
    let _: &Option<Box<Cancellation>> = &task.scope_cancelled;
    let _: Option<(Duration, Duration)> = task.token_polled;
    let _: (&Location<'_>, &str) = (task.site, task.future);
    let _: (u64, Option<u64>, Duration, Duration) =
        (task.runtime, task.parent, task.age, task.busy);
    let _: (u64, u64, Option<Duration>) = (task.polls, task.wakers, task.detached);
    let _: (u32, u32) = (task.branches_dropped, task.branches_cut);
    let _: (String, bool) = (task.activity(), task.is_leak_suspect());
    let state: &State = &task.state;
    let _: (&str, Duration) = (state.name(), state.since());
    if let State::Running { thread, .. } = state {
        let thread: &Option<Box<ThreadInfo>> = thread;
        let _ = thread.as_ref().map(|thread| (&thread.name, thread.os_id));
    }
    let reason: WaitReason = task.wait_reason();
    let _: (Vec<WaitKind>, Vec<Arc<str>>, bool) =
        (reason.kinds, reason.functions, reason.needs_debug_info);
    let shown: &Result<Arc<Trace>, NoTrace> = &task.trace;
    let _ = shown.as_ref().map(|found| trace(found));
    let long_poll: &Option<Box<LongPoll>> = &task.long_poll;
    if let Some(poll) = long_poll {
        let _: (Duration, Duration, bool) = (poll.ago, poll.lasted, poll.over);
        let _: &Result<Arc<Trace>, Arc<str>> = &poll.trace;
    }
}

fn trace(trace: &Trace) {
    let stack: &Arc<Stack> = trace.stack();
    let _: (&[usize], u64, usize) = (stack.frames(), stack.id(), stack.branches().count());
    let _: (usize, usize) = (stack.symbols().len(), stack.branch_symbols().len());
    let _: (WaitReason, bool) = (trace.wait_reason(), trace.is_cut());
    for branch in trace.branches() {
        let branch: &Branch = branch;
        let frames: &[Frame] = &branch.frames;
        let _: &WaitReason = &branch.wait;
        for frame in frames {
            let _: (&str, &Option<Arc<str>>) = (&frame.function, &frame.file);
            let _: (Option<u32>, bool) = (frame.line, frame.has_symbol);
            let _: Option<&str> = frame.short_file();
        }
    }
}

fn resource(resource: &ResourceDump) {
    let _: (&str, &Location<'_>, Duration) = (resource.kind, resource.site, resource.age);
    let _: (&Option<ScopeInfo>, Option<Duration>) = (&resource.scope, resource.scope_ended);
    let holders: [&Option<Holder>; 2] = [&resource.acquired_by, &resource.last_used_by];
    for holder in holders.into_iter().flatten() {
        let _: (u64, &Option<Name>) = (holder.task, &holder.name);
        let _: (Option<&Location<'_>>, HolderState) = (holder.spawned, holder.state);
    }
    let _: (Duration, bool) = (resource.unused_for, resource.is_leak_suspect());
}

fn attributed() {
    let key: attribution::TaskKey = attribution::current();
    assert_eq!(attribution::TaskKey::from_words(key.to_words()), key);
    assert!(key.is_none() && key == attribution::TaskKey::NONE);
    let facts: Option<Arc<attribution::TaskFacts>> = attribution::facts(key);
    if let Some(facts) = facts {
        let _: (u64, TaskKind, &str, bool) = (facts.id, facts.kind, facts.future, facts.ended);
        let _: (Option<&Name>, &Location<'_>) = (facts.name.as_ref(), facts.site);
        let _: (&[(Arc<str>, Arc<str>)], Option<&ScopeInfo>) =
            (&facts.labels, facts.scope.as_ref());
    }
    let _: usize = attribution::MAX_ENDED;
    heap::attribute();
    let held: Option<HashMap<u64, heap::Held>> = heap::held_by_task();
    assert_eq!(held, None);
    let held = heap::Held::new(1, 1.0);
    let _: (u64, u64, bool) = (held.bytes(), held.objects(), held.is_nothing());
}

fn sampled() {
    let _: (Duration, u32, usize) = (
        sampling::LONG_STRETCH,
        sampling::POLLS_PER_SECOND,
        sampling::MAX_ROWS,
    );
    let _: (bool, bool, Duration) = (sampling::start(), sampling::is_on(), sampling::sampled());
    sampling::poll_long_waits(false);
    let all: sampling::Histograms = sampling::histograms();
    for one in [all.waiting, all.scheduled, all.running] {
        let one: sampling::Histogram = one;
        let buckets: Vec<(Duration, u64)> = one.buckets;
        assert!(buckets.len() <= sampling::BOUNDS.len().max(sampling::COARSE_BOUNDS.len()));
    }
    let one = sampling::Histogram::default();
    let _: (u64, u64, Duration) = (one.count(), one.above, one.sum);
    let losses: sampling::Losses = sampling::dropped();
    let _: [u64; 3] = [losses.rows, losses.histograms, losses.without_room];
    let report: sampling::Report = sampling::report();
    let _: (Duration, [u64; 2], u64) = (report.sampled, report.one_in, report.lost);
    for row in report.rows {
        let row: sampling::Row = row;
        let _: bool = row.activity == sampling::Activity::Waiting && row.background && !row.earlier;
        let _: (&Location<'_>, &str, Option<Arc<str>>) = (row.site, row.future, row.scope);
        let _: (u64, Duration) = (row.count, row.time);
        if let Ok(waits) = &row.trace {
            trace(waits);
        }
    }
    let _: bool = sampling::stop();
}

fn counted() {
    let lost: Vec<taskscope::TaskDump> = taskscope::lost_wakeups::take(|task| task.background);
    let _: (usize, u64, usize) = (
        lost.len(),
        taskscope::lost_wakeups::count(),
        taskscope::lost_wakeups::MAX_KEPT,
    );
    let _: [bool; 2] = [census::start(), census::is_on()];
    let mut all: Vec<Census> = census::history();
    all.push(census::take());
    let mut names = census::ScopeNames::new(10);
    let breakdown: census::Breakdown = census::take_by_scope(&mut names);
    let kinds: Vec<(&str, usize)> = census::resources();
    let _: (&[Arc<str>], Vec<RuntimeInfo>) = (names.names(), breakdown.runtimes.clone());
    for (_, counts) in breakdown.scopes() {
        let counts: &census::Counts = counts;
        let state = census::Counts::STATES[0];
        assert!(counts.in_state(state, Verdict::Idle) <= counts.of(Verdict::Idle));
    }
    let [all_of_them, none, others] = [breakdown.all, breakdown.without_scope, breakdown.others];
    assert!(all_of_them.tasks() >= none.tasks() + others.suspects() && kinds.len() < 10);
    all.push(breakdown.census);
    for census in all {
        let _: (SystemTime, Duration, Duration) = (census.taken_at, census.ago, census.took);
        let _: [usize; 5] = [
            census.of(Verdict::Outlived),
            census.tasks(),
            census.suspects,
            census.untracked,
            census.runtimes_left_out,
        ];
        for runtime in census.runtimes {
            let runtime: RuntimeLoad = runtime;
            let _: (u64, Option<Arc<str>>, &str) = (runtime.number, runtime.name, runtime.flavor);
            let _: [usize; 3] = [runtime.tracked, runtime.untracked, runtime.global_queue];
            let _: Duration = runtime.over;
            for worker in runtime.workers {
                let worker: WorkerLoad = worker;
                let _: (Option<f64>, bool, u64) = (worker.busy, worker.in_one_poll, worker.parks);
            }
        }
    }
    let _: bool = census::stop();
}

fn watching() {
    let watchdog: Watchdog = Watchdog::new()
        .threshold(BLOCKING_THRESHOLD)
        .signal(10)
        .stacks(false);
    let installed: Result<(), WatchdogError> = watchdog.install();
    assert!(installed.is_ok());
}

/// What must be `Send` in both ways.
pub fn is_send() -> impl Future<Output = ()> + Send {
    everything()
}
