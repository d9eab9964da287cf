//! A task inherits the runtime of the task that spawned it, and its first poll puts that right.

use std::future::pending;

use taskscope::JoinHandle;
use tokio::runtime::{Builder, Runtime};

use crate::support::{named, until};

fn one_worker() -> Runtime {
    Builder::new_multi_thread()
        .worker_threads(1)
        .build()
        .unwrap()
}

fn runtime_of(name: &str) -> Option<String> {
    let task = named(name).filter(|task| task.polls > 0)?;
    Some(task.runtime.to_string())
}

/// Spawned by a task of `here`, where `there` has been entered.
fn spawned_by_a_task(here: &Runtime, there: &Runtime, name: &'static str) -> JoinHandle<()> {
    let entered = there.handle().clone();
    let spawns = taskscope::spawn_on(here.handle(), async move {
        let _there = entered.enter();
        taskscope::spawn_named(name, pending::<()>())
    });
    here.block_on(spawns).unwrap()
}

#[test]
fn a_task_spawned_where_another_runtime_was_entered_is_shown_on_that_one() {
    let (here, there) = (one_worker(), one_worker());
    let _task = spawned_by_a_task(&here, &there, "elsewhere");
    let runtime = until(|| runtime_of("elsewhere"));
    assert_eq!(runtime, there.handle().id().to_string());

    // The control, where nothing was entered.
    let _task = spawned_by_a_task(&here, &here, "at home");
    let runtime = until(|| runtime_of("at home"));
    assert_eq!(runtime, here.handle().id().to_string());
}

/// A worker may have last looked up a runtime that is not its own.
#[test]
fn also_on_a_worker_that_has_just_spawned_something_on_the_first_runtime() {
    let (here, there) = (one_worker(), one_worker());
    let back = here.handle().clone();
    let looks_up = taskscope::spawn_on(there.handle(), async move {
        drop(taskscope::spawn_on(&back, pending::<()>()));
    });
    there.block_on(looks_up).unwrap();
    let _task = spawned_by_a_task(&here, &there, "on a worker that looked up");
    let runtime = until(|| runtime_of("on a worker that looked up"));
    assert_eq!(runtime, there.handle().id().to_string());
}
