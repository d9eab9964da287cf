//! The user's own callbacks go on as without us.

use std::future::pending;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::{Command, ExitStatus};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use taskscope::{Observe, Scope};
use tokio::runtime::{Builder, Runtime};
use tokio::task::yield_now;

use crate::{builders, parked, tasks_of, until, within};

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

/// Spawns one task on such a runtime and returns its outcome, as text.
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
                "callbacks::a_panic_in_a_poll_hook_of_a_worker_aborts_with_us_as_without",
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
