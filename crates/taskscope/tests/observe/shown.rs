//! Tasks spawned with tokio's own functions, as a dump shows them.

use std::future::pending;
use std::sync::mpsc;
use std::time::Instant;

use taskscope::{DumpOptions, Scope, Stacks, TaskKind, Verdict, WaitKind, dump::NoTrace, observe};
use tokio::runtime::{Builder, Handle, LocalOptions};
use tokio::sync::oneshot;
use tokio::task::{JoinSet, LocalSet, yield_now};
use tokio_util::task::TaskTracker;

use crate::{LIMIT, builders, dump_of, parked, runtimes, tasks_of, until, until_gone, within};

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
        let _watched = taskscope::register_runtime(runtime.handle());
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
            let long = taskscope::verdict::BLOCKING_THRESHOLD / 2;
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
