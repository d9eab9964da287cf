//! Tasks that are spawned with tokio's own functions, on runtimes whose hooks are set. Needs `--cfg tokio_unstable`.
//!
//! Each irregularity of tokio's hooks is a test. One process, so everything is asked of one runtime or one scope.

#![cfg(tokio_unstable)]
#![allow(
    clippy::async_yields_async,
    reason = "a handle that leaves the runtime unawaited is what is tested"
)]

#[path = "support/dumping.rs"]
mod dumping;

use std::future::{Future, pending};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::{Command, ExitStatus};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::time::{Duration, Instant};

use taskscope::{
    Dump, DumpOptions, NoTrace, Observe, RuntimeInfo, Scope, Stacks, TaskDump, TaskKind, Verdict,
    WaitKind, observe,
};
use tokio::runtime::{Builder, Handle, LocalOptions, Runtime};
use tokio::sync::oneshot;
use tokio::task::{JoinSet, LocalSet, yield_now};
use tokio_util::task::TaskTracker;

use crate::dumping::Dumping;

/// For what never comes. Nothing waits for it to pass.
const LIMIT: Duration = Duration::from_secs(20);

fn builders() -> [Builder; 2] {
    let mut one = Builder::new_current_thread();
    let mut two = Builder::new_multi_thread();
    one.enable_all();
    two.enable_all().worker_threads(2);
    [one, two]
}

/// A runtime of each kind, observed.
fn runtimes() -> [Runtime; 2] {
    builders().map(|mut builder| observe(&mut builder).build().unwrap())
}

fn dump_of(runtime: &Handle) -> Dump {
    let options = DumpOptions::new().stacks(Stacks::None);
    options.runtime(runtime.id()).capture_blocking()
}

fn tasks_of(runtime: &Handle) -> Vec<TaskDump> {
    dump_of(runtime).tasks
}

/// Runs `f` for this scope, on no runtime.
fn within<R>(scope: &Scope, f: impl FnOnce() -> R) -> R {
    futures::executor::block_on(scope.run(async { f() }))
}

/// Polls tasks of the runtime until it is so. The bound is there to fail, not to wait for.
fn until(runtime: &Runtime, what: &str, is_so: impl Fn() -> bool) {
    let began = Instant::now();
    while !is_so() {
        assert!(began.elapsed() < LIMIT, "never: {what}");
        runtime.block_on(yield_now());
        std::thread::yield_now();
    }
}

fn until_gone(runtime: &Runtime) {
    until(runtime, "no task is left", || {
        tasks_of(runtime.handle()).is_empty()
    });
}

/// A future that says when it has been polled, and then waits for ever.
fn parked() -> (impl Future<Output = ()> + Send, oneshot::Receiver<()>) {
    let (begun, begins) = oneshot::channel();
    let future = async move {
        begun.send(()).unwrap();
        pending::<()>().await;
    };
    (future, begins)
}

#[test]
fn a_plain_task_is_shown_with_everything_but_its_stack() {
    for runtime in runtimes() {
        let (future, begins) = parked();
        let line = line!() + 1;
        let task = runtime.spawn(future);
        runtime.block_on(begins).unwrap();
        until(&runtime, "it is suspended", || {
            tasks_of(runtime.handle())[0].state.name() == "idle"
        });
        let dump = DumpOptions::new()
            .runtime(runtime.handle().id())
            .capture_blocking();
        let [shown] = &dump.tasks[..] else {
            panic!("{dump:?}")
        };
        assert_eq!(shown.id.to_string(), task.id().to_string());
        assert_eq!(shown.kind, TaskKind::Observed);
        assert_eq!((shown.site.file(), shown.site.line()), (file!(), line));
        assert_eq!((shown.polls, shown.parent), (1, None));
        assert!(shown.age >= shown.state.since(), "{shown:?}");
        assert_eq!(shown.trace.as_ref().unwrap_err(), &NoTrace::Observed);
        assert_eq!(shown.wait_reason().kinds, [WaitKind::Unknown]);
        // Nothing holds its waker, which nobody can know.
        assert_eq!(shown.verdict, Verdict::Idle);
        assert_eq!((dump.missed.observed, dump.untracked()), (1, 0));
        assert_eq!(dump.runtimes[0].tracked, 1);
        task.abort();
        until_gone(&runtime);
    }
}

#[test]
fn on_a_runtime_without_hooks_a_plain_task_is_only_counted() {
    for mut builder in builders() {
        let runtime = builder.build().unwrap();
        let _watched = taskscope::watch(runtime.handle());
        let (future, begins) = parked();
        runtime.spawn(future);
        runtime.block_on(begins).unwrap();
        let dump = dump_of(runtime.handle());
        assert_eq!((dump.tasks.len(), dump.untracked()), (0, 1));
    }
}

#[test]
fn polls_and_busy_time_are_counted_and_a_long_poll_is_blocking() {
    for runtime in runtimes() {
        let (go_on, wait) = mpsc::channel::<()>();
        let (awake, wakes) = oneshot::channel::<()>();
        let scope = Scope::new("blocker");
        let task = within(&scope, || {
            runtime.spawn(async move {
                for _ in 0..4 {
                    yield_now().await;
                }
                wait.recv().unwrap();
                wakes.await.unwrap();
            })
        });
        let options = DumpOptions::new()
            .stacks(Stacks::None)
            .scope(&scope.to_ref());
        let watcher = std::thread::spawn(move || {
            let began = Instant::now();
            loop {
                let blocking = options.clone().capture_blocking().tasks.remove(0);
                if blocking.verdict == Verdict::Blocking || began.elapsed() > LIMIT {
                    go_on.send(()).unwrap();
                    return blocking;
                }
                std::thread::yield_now();
            }
        });
        runtime.block_on(async {
            while !watcher.is_finished() {
                yield_now().await;
            }
        });
        let blocking = watcher.join().unwrap();
        assert_eq!(blocking.verdict, Verdict::Blocking);
        assert_eq!((blocking.polls, blocking.state.name()), (5, "running"));
        until(&runtime, "the poll has ended", || {
            let task = &tasks_of(runtime.handle())[0];
            // Its wait began when that poll ended.
            let long = taskscope::BLOCKING_THRESHOLD / 2;
            task.verdict == Verdict::Idle
                && task.busy >= long
                && task.state.since() + long <= task.age
        });
        awake.send(()).unwrap();
        runtime.block_on(task).unwrap();
        until_gone(&runtime);
    }
}

#[test]
fn tasks_of_a_join_set_and_of_a_tracker_are_shown() {
    for runtime in runtimes() {
        let (set, tracker) = runtime.block_on(async {
            let (mut set, tracker) = (JoinSet::new(), TaskTracker::new());
            set.spawn(pending::<()>());
            tracker.spawn(pending::<()>());
            (set, tracker)
        });
        until(&runtime, "both are shown", || {
            let dump = dump_of(runtime.handle());
            dump.tasks.len() == 2 && dump.untracked() == 0
        });
        assert!(
            tasks_of(runtime.handle())
                .iter()
                .all(|task| task.site.file() == file!())
        );
        drop(set);
        assert_eq!(tracker.len(), 1);
        until(&runtime, "one is left", || {
            tasks_of(runtime.handle()).len() == 1
        });
    }
}

#[test]
fn what_an_observed_task_spawns_has_it_as_parent() {
    for runtime in runtimes() {
        let parent = runtime.spawn(async {
            tokio::spawn(pending::<()>());
            taskscope::spawn(pending::<()>());
            pending::<()>().await;
        });
        until(&runtime, "three are polled", || {
            let tasks = tasks_of(runtime.handle());
            tasks.iter().filter(|task| task.polls > 0).count() == 3
        });
        let parents = tasks_of(runtime.handle()).into_iter().map(|task| {
            let parent = task.parent.map(|id| id.to_string());
            (task.kind, parent)
        });
        let id = Some(parent.id().to_string());
        let expected = [
            (TaskKind::Observed, None),
            (TaskKind::Observed, id.clone()),
            (TaskKind::Task, id),
        ];
        assert_eq!(parents.collect::<Vec<_>>(), expected);
    }
}

#[test]
fn a_task_that_a_library_spawns_for_a_request_belongs_to_the_request() {
    /// As hyper's client does it.
    fn connect() -> tokio::task::JoinHandle<()> {
        tokio::spawn(async {
            tokio::spawn(pending::<()>()).await.unwrap();
        })
    }
    for runtime in runtimes() {
        let request = Scope::new("GET /orders/{id}");
        let scope = request.to_ref();
        let connection = runtime.block_on(request.run(async { connect() }));
        until(&runtime, "driver and child belong to it", || {
            scope.tasks() == 2
        });
        drop(request);
        until(&runtime, "both have outlived it", || {
            let tasks = tasks_of(runtime.handle());
            tasks.len() == 2
                && tasks.iter().all(|task| {
                    task.verdict == Verdict::Outlived
                        && task.is_leak_suspect()
                        && task
                            .scope
                            .as_ref()
                            .is_some_and(|of| of.name() == scope.name())
                })
        });
        connection.abort();
        until(&runtime, "the child is left", || scope.tasks() == 1);
        drop(runtime);
        assert_eq!(scope.tasks(), 0);
    }
}

#[test]
fn our_own_tasks_are_shown_once_and_as_ours() {
    for runtime in runtimes() {
        let handle = runtime.handle().clone();
        runtime.block_on(async {
            taskscope::spawn(pending::<()>());
            taskscope::spawn_on(&handle, pending::<()>());
            taskscope::Builder::new()
                .name("named")
                .spawn(pending::<()>());
            yield_now().await;
        });
        let dump = dump_of(&handle);
        assert!(dump.tasks.iter().all(|task| task.kind == TaskKind::Task));
        assert_eq!((dump.tasks.len(), dump.untracked()), (3, 0));
        assert_eq!(dump.missed.observed, 0);
        // Nobody takes a spawn that no hook saw for the next one.
        let unseen = Builder::new_current_thread().build().unwrap();
        taskscope::spawn_on(unseen.handle(), pending::<()>());
        runtime.spawn(pending::<()>());
        until(&runtime, "the plain one is shown", || {
            tasks_of(&handle).len() == 4
        });
    }
}

#[test]
fn in_a_local_runtime_local_tasks_are_shown_once() {
    let mut builder = Builder::new_current_thread();
    let runtime = observe(&mut builder)
        .build_local(LocalOptions::default())
        .unwrap();
    runtime.block_on(async {
        taskscope::spawn_local(pending::<()>());
        tokio::task::spawn_local(pending::<()>());
        yield_now().await;
        let dump = dump_of(&Handle::current());
        let kinds: Vec<TaskKind> = dump.tasks.iter().map(|task| task.kind).collect();
        assert_eq!(kinds, [TaskKind::Local, TaskKind::Observed]);
        assert_eq!(dump.untracked(), 0);
    });
}

#[test]
fn tasks_of_a_local_set_are_neither_shown_nor_mixed_up() {
    for runtime in runtimes() {
        let local = LocalSet::new();
        runtime.block_on(local.run_until(async {
            tokio::task::spawn_local(async { tokio::spawn(pending::<()>()) })
                .await
                .unwrap();
            taskscope::spawn_local(pending::<()>());
            tokio::task::spawn_local(pending::<()>());
            yield_now().await;
            let shown = tasks_of(&Handle::current());
            let mut kinds: Vec<&str> = shown.iter().map(|task| task.kind.name()).collect();
            kinds.sort_unstable();
            // Ours, and the one that went to the runtime.
            assert_eq!(kinds, ["local", "observed"]);
        }));
        drop(local);
        until(&runtime, "one is left", || {
            tasks_of(runtime.handle()).len() == 1
        });
    }
}

#[test]
fn blocking_calls_and_files_end_without_having_been_spawned_and_leave_nothing() {
    for runtime in runtimes() {
        runtime.block_on(async {
            for _ in 0..1_000 {
                tokio::task::spawn_blocking(|| {}).await.unwrap();
            }
            tokio::fs::read(file!().rsplit('/').next().unwrap_or("none"))
                .await
                .unwrap_err();
            taskscope::spawn_blocking(|| {}).await.unwrap();
        });
        let (task, begins) = parked();
        runtime.spawn(task);
        runtime.block_on(begins).unwrap();
        let dump = dump_of(runtime.handle());
        assert_eq!((dump.tasks.len(), dump.untracked()), (1, 0));
    }
}

#[test]
fn a_blocking_call_can_spawn_a_task() {
    for runtime in runtimes() {
        let scope = Scope::new("blocking");
        runtime.block_on(async {
            let spawns = || drop(tokio::spawn(pending::<()>()));
            tokio::task::spawn_blocking(spawns).await.unwrap();
            scope
                .run(async { taskscope::spawn_blocking(spawns) })
                .await
                .await
                .unwrap();
        });
        until(&runtime, "both are shown", || {
            tasks_of(runtime.handle()).len() == 2
        });
        let tasks = tasks_of(runtime.handle());
        assert_eq!(tasks[0].parent, None);
        // Of a call with a record, its scope and itself.
        assert!(tasks[1].parent.is_some() && tasks[1].scope.is_some());
    }
}

#[test]
fn a_task_spawned_on_a_runtime_that_has_shut_down_leaves_nothing() {
    /// Spawns one more when it is dropped.
    struct Spawns(Handle);
    impl Drop for Spawns {
        fn drop(&mut self) {
            self.0.spawn(pending::<()>());
        }
    }
    for (dead, alive) in runtimes().into_iter().zip(runtimes()) {
        let handle = dead.handle().clone();
        drop(dead);
        let scope = Scope::new("too late");
        within(&scope, || {
            for _ in 0..100 {
                handle.spawn(pending::<()>());
                taskscope::spawn_on(&handle, pending::<()>());
                let again = Spawns(handle.clone());
                handle.spawn(async move { drop(again) });
                let again = Spawns(handle.clone());
                taskscope::spawn_on(&handle, async move { drop(again) });
            }
        });
        assert_eq!(scope.to_ref().tasks(), 0);
        // A plain task that the destructor of one of ours spawns on another runtime is not taken for ours.
        within(&scope, || {
            let elsewhere = Spawns(alive.handle().clone());
            taskscope::spawn_on(&handle, async move { drop(elsewhere) });
        });
        assert_eq!(scope.to_ref().tasks(), 1);
        let dump = DumpOptions::new().scope(&scope.to_ref()).capture_blocking();
        assert_eq!(dump.tasks[0].kind, TaskKind::Observed);
    }
}

#[test]
fn tasks_spawned_while_the_runtime_shuts_down_leave_nothing() {
    for _ in 0..50 {
        for runtime in runtimes() {
            let scope = Scope::new("in between");
            // Keeps the hooks.
            let handle = runtime.handle().clone();
            // Spawned on other threads, while this one shuts the runtime down.
            let spawners = [(); 2].map(|()| {
                let (handle, scope) = (handle.clone(), scope.to_ref());
                std::thread::spawn(move || {
                    futures::executor::block_on(scope.run(async {
                        for _ in 0..200 {
                            handle.spawn(pending::<()>());
                        }
                    }));
                })
            });
            drop(runtime);
            for spawner in spawners {
                spawner.join().unwrap();
            }
            assert_eq!(scope.to_ref().tasks(), 0);
        }
    }
}

#[test]
fn the_end_comes_after_the_join_and_every_record_goes_back() {
    for runtime in runtimes() {
        let scope = Scope::new("many");
        let before = taskscope::stats();
        for _ in 0..100 {
            runtime.block_on(scope.run(async {
                let tasks: Vec<_> = (0..100)
                    .map(|nth| {
                        tokio::spawn(async move {
                            yield_now().await;
                            assert!(nth % 10 != 0, "some panic");
                        })
                    })
                    .collect();
                for task in tasks {
                    let _ = task.await;
                }
            }));
        }
        until(&runtime, "all are gone", || scope.to_ref().tasks() == 0);
        until_gone(&runtime);
        // Other tests of this process have records, too, but not one for each of these tasks.
        let after = taskscope::stats();
        assert!(
            after.records_in_use < before.records_in_use + 5_000,
            "{after:?}"
        );
    }
}

#[test]
fn an_idle_task_that_is_aborted_is_gone() {
    for runtime in runtimes() {
        let (future, begins) = parked();
        let task = runtime.spawn(future);
        runtime.block_on(begins).unwrap();
        assert_eq!(tasks_of(runtime.handle()).len(), 1);
        task.abort();
        assert!(runtime.block_on(task).unwrap_err().is_cancelled());
        until_gone(&runtime);
    }
}

#[test]
fn tasks_end_with_their_runtime_polled_or_not() {
    for runtime in runtimes() {
        let scope = Scope::new("with the runtime");
        let (future, begins) = parked();
        within(&scope, || runtime.spawn(future));
        runtime.block_on(begins).unwrap();
        within(&scope, || runtime.spawn(pending::<()>()));
        assert_eq!(scope.to_ref().tasks(), 2);
        let id = runtime.handle().id();
        drop(runtime);
        assert_eq!(scope.to_ref().tasks(), 0);
        // Nor do we keep the runtime's handle.
        let known = |info: &RuntimeInfo| info.id == id;
        let began = Instant::now();
        while taskscope::stats().runtimes.iter().any(known) {
            assert!(began.elapsed() < LIMIT, "it is known");
        }
    }
}

#[test]
fn polls_of_one_runtime_inside_a_task_of_another_are_told_apart() {
    let [inner, outer] = runtimes();
    let (inner_handle, outer_handle) = (inner.handle().clone(), outer.handle().clone());
    let parent = outer.spawn(async move {
        tokio::task::block_in_place(|| {
            inner.block_on(async {
                let inside = tokio::spawn(async { drop(tokio::spawn(pending::<()>())) });
                inside.await.unwrap();
            });
        });
        tokio::spawn(pending::<()>());
        inner
    });
    let id: u64 = parent.id().to_string().parse().unwrap();
    let inner = outer.block_on(parent).unwrap();
    until(&outer, "one is left", || {
        tasks_of(&outer_handle).len() == 1 && tasks_of(&inner_handle).len() == 1
    });
    assert_eq!(tasks_of(&outer_handle)[0].parent, Some(id));
    assert!(tasks_of(&inner_handle)[0].parent.is_some_and(|of| of != id));
    drop(inner);
}

#[test]
fn a_task_spawned_from_another_runtime_is_on_its_own_from_the_first_poll_on() {
    // Two runtimes of the same builder share the hooks.
    for mut builder in builders() {
        observe(&mut builder);
        let [one, other] = [builder.build().unwrap(), builder.build().unwrap()];
        let (future, begins) = parked();
        one.block_on(async { other.handle().spawn(future) });
        other.block_on(begins).unwrap();
        let shown = dump_of(other.handle());
        assert_eq!((shown.tasks.len(), shown.untracked()), (1, 0));
        assert_eq!(tasks_of(one.handle()).len(), 0);
    }
}

/// Counts the calls of each callback.
type Counts = Arc<[AtomicUsize; 4]>;

fn count(counts: &Counts, which: usize) -> impl Fn() + Send + Sync + 'static {
    let counts = counts.clone();
    move || {
        counts[which].fetch_add(1, Ordering::Relaxed);
    }
}

#[test]
fn the_users_callbacks_are_called_as_often_as_without_us() {
    let run = |mut builder: Builder| {
        let runtime = builder.build().unwrap();
        runtime.block_on(async {
            tokio::spawn(async { yield_now().await }).await.unwrap();
            taskscope::spawn(async {}).await.unwrap();
            tokio::task::spawn_blocking(|| {}).await.unwrap();
        });
        drop(runtime);
    };
    let [bare, observed]: [Vec<usize>; 2] = [false, true].map(|with_us| {
        let counts = Counts::default();
        for mut builder in builders() {
            let call = [0, 1, 2, 3].map(|which| count(&counts, which));
            let [spawn, before, after, terminate] = call;
            if with_us {
                Observe::new()
                    .on_task_spawn(move |_| spawn())
                    .on_before_task_poll(move |_| before())
                    .on_after_task_poll(move |_| after())
                    .on_task_terminate(move |_| terminate())
                    .install(&mut builder);
            } else {
                builder
                    .on_task_spawn(move |_| spawn())
                    .on_before_task_poll(move |_| before())
                    .on_after_task_poll(move |_| after())
                    .on_task_terminate(move |_| terminate());
            }
            run(builder);
        }
        counts
            .iter()
            .map(|count| count.load(Ordering::Relaxed))
            .collect()
    });
    assert_eq!(observed, bare);
    assert!(bare.iter().all(|count| *count > 0), "{bare:?}");
}

#[test]
fn a_callback_may_spawn_and_what_it_spawns_is_shown() {
    for mut builder in builders() {
        let once = Mutex::new(Some(()));
        Observe::new()
            .on_task_spawn(move |_| {
                let first = once.lock().unwrap().take();
                if first.is_some() {
                    tokio::spawn(pending::<()>());
                }
            })
            .install(&mut builder);
        let runtime = builder.build().unwrap();
        runtime.block_on(async { taskscope::spawn(pending::<()>()) });
        until(&runtime, "ours and the other are shown", || {
            let mut kinds: Vec<_> = tasks_of(runtime.handle())
                .iter()
                .map(|task| task.kind.name())
                .collect();
            kinds.sort_unstable();
            kinds == ["observed", "task"]
        });
    }
}

/// The hooks that a callback can panic in.
const HOOKS: [&str; 4] = ["spawn", "before", "after", "terminate"];

/// A runtime with a callback that panics, bare or through us.
fn panicking(mut builder: Builder, hook: &str, with_us: bool) -> Runtime {
    let panics = |_: &tokio::runtime::TaskMeta<'_>| panic!("a callback of the user");
    if with_us {
        let us = Observe::new();
        match hook {
            "spawn" => us.on_task_spawn(panics),
            "before" => us.on_before_task_poll(panics),
            "after" => us.on_after_task_poll(panics),
            _ => us.on_task_terminate(panics),
        }
        .install(&mut builder);
    } else {
        match hook {
            "spawn" => builder.on_task_spawn(panics),
            "before" => builder.on_before_task_poll(panics),
            "after" => builder.on_after_task_poll(panics),
            _ => builder.on_task_terminate(panics),
        };
    }
    builder.build().unwrap()
}

/// What comes of one task with such a runtime.
fn outcome(runtime: &Runtime) -> String {
    let outcome = catch_unwind(AssertUnwindSafe(|| {
        runtime.block_on(async { tokio::spawn(async { 7 }).await.ok() })
    }));
    format!("{:?}", outcome.ok())
}

#[test]
fn a_panic_in_a_users_callback_has_the_same_outcome_as_without_us() {
    for hook in HOOKS {
        let [one_thread, _] = builders();
        let observed = panicking(one_thread, hook, true);
        let [one_thread, _] = builders();
        let bare = panicking(one_thread, hook, false);
        assert_eq!(outcome(&observed), outcome(&bare), "{hook}");
        // Nor is it taken for the task that this thread goes on polling.
        let scope = Scope::new("after a panic");
        let plain = Builder::new_current_thread().build().unwrap();
        within(&scope, || {
            taskscope::spawn_on(plain.handle(), pending::<()>())
        });
        assert_eq!(tasks_of(plain.handle())[0].parent, None, "{hook}");
    }
    for hook in ["spawn", "terminate"] {
        let [_, threads] = builders();
        let observed = outcome(&panicking(threads, hook, true));
        let [_, threads] = builders();
        assert_eq!(
            observed,
            outcome(&panicking(threads, hook, false)),
            "{hook}"
        );
    }
}

#[test]
fn a_panic_in_a_poll_hook_of_a_worker_aborts_with_us_as_without() {
    const CHILD: &str = "TASKSCOPE_TEST_PANICKING_HOOK";
    if let Ok(which) = std::env::var(CHILD) {
        let (hook, with_us) = which.split_once(' ').unwrap();
        let [_, threads] = builders();
        outcome(&panicking(threads, hook, with_us == "true"));
        return;
    }
    let child = |hook: &str, with_us: bool| -> ExitStatus {
        Command::new(std::env::current_exe().unwrap())
            .args([
                "--exact",
                "a_panic_in_a_poll_hook_of_a_worker_aborts_with_us_as_without",
            ])
            .env(CHILD, format!("{hook} {with_us}"))
            .output()
            .unwrap()
            .status
    };
    for hook in ["before", "after"] {
        let (bare, observed) = (child(hook, false), child(hook, true));
        assert!(!bare.success());
        assert_eq!(bare, observed, "{hook}");
    }
    assert!(child("terminate", true).success());
}

#[test]
fn a_panic_in_the_users_end_callback_keeps_no_record() {
    for builder in builders() {
        let runtime = panicking(builder, "terminate", true);
        let (future, begins) = parked();
        runtime.spawn(future);
        runtime.block_on(begins).unwrap();
        let scope = Scope::new("panicking end");
        runtime.block_on(scope.run(async { tokio::spawn(async {}).await.unwrap() }));
        until(&runtime, "it is gone", || scope.to_ref().tasks() == 0);
        // It was told, and not found out by counting: then none would be shown.
        assert_eq!(tasks_of(runtime.handle()).len(), 1);
    }
}

#[test]
fn without_the_end_hook_tasks_are_counted_again_instead_of_piling_up() {
    for mut builder in builders() {
        observe(&mut builder).on_task_terminate(|_| {});
        let runtime = builder.build().unwrap();
        let scope = Scope::new("no end");
        let (future, begins) = parked();
        runtime.spawn(future);
        runtime.block_on(begins).unwrap();
        let _watched = taskscope::watch(runtime.handle());
        until(&runtime, "none is shown and one counted", || {
            runtime.block_on(scope.run(async { tokio::spawn(async {}).await.unwrap() }));
            // Which looks for entries that are nobody's.
            let _ = taskscope::stats();
            let dump = dump_of(runtime.handle());
            dump.tasks.is_empty() && dump.untracked() == 1
        });
        assert_eq!(scope.to_ref().tasks(), 0);
    }
}

#[test]
fn dumps_during_churn_see_whole_tasks_and_nothing_stays() {
    for runtime in runtimes() {
        let scope = Scope::new("churn");
        let dumping = Dumping::begin(DumpOptions::new());
        runtime.block_on(scope.run(async {
            for _ in 0..200 {
                let mut tasks = JoinSet::new();
                for nth in 0..20 {
                    tasks.spawn(async move {
                        yield_now().await;
                        if nth % 2 == 0 {
                            taskscope::spawn(yield_now()).await.unwrap();
                        } else {
                            tokio::spawn(yield_now()).await.unwrap();
                        }
                    });
                }
                tasks.join_next().await;
                tasks.abort_all();
                while tasks.join_next().await.is_some() {}
            }
        }));
        drop(dumping);
        until(&runtime, "all are gone", || scope.to_ref().tasks() == 0);
        until_gone(&runtime);
    }
}
