//! Ends: irregular ones, and that nothing stays.

use std::future::pending;
use std::time::Instant;

use taskscope::{DumpOptions, Scope, TaskKind, dump::RuntimeInfo, observe};
use tokio::runtime::Handle;
use tokio::task::{JoinSet, yield_now};

use crate::dumping::Dumping;
use crate::{LIMIT, builders, dump_of, parked, runtimes, tasks_of, until, until_gone, within};

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
        // The task that a call with a record spawned has the call as its parent, and its scope.
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
        // A plain task that the destructor of one of ours spawns on another runtime is not taken
        // for ours.
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
fn without_the_end_hook_tasks_are_counted_again_instead_of_piling_up() {
    for mut builder in builders() {
        observe(&mut builder).on_task_terminate(|_| {});
        let runtime = builder.build().unwrap();
        let scope = Scope::new("no end");
        let (future, begins) = parked();
        runtime.spawn(future);
        runtime.block_on(begins).unwrap();
        let _watched = taskscope::register_runtime(runtime.handle());
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
