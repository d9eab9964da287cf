//! The end of a runtime: futures are dropped, handles say cancelled, nothing new begins.

use std::future::pending;
use std::sync::{Arc, Barrier};
use std::time::Duration;

use futures::executor::block_on;
use tokio::runtime::{Handle, Runtime};
use tokio::sync::oneshot;

use crate::table::{Joined, Lab, RUNTIMES, Setting, with_a_runtime};

/// A task that waits for ever and has been polled.
fn waiting(lab: &Lab, runtime: &Runtime) -> Joined<()> {
    let (begun, begins) = oneshot::channel();
    let future = lab.loud("future");
    let _entered = runtime.enter();
    let task = lab.spawn(async move {
        let _future = future;
        begun.send(()).unwrap();
        pending::<()>().await;
    });
    runtime.block_on(begins).unwrap();
    task
}

#[test]
fn the_futures_of_waiting_tasks_are_dropped() {
    let ends: [fn(Runtime); 3] = [
        drop,
        |runtime| runtime.shutdown_timeout(Duration::from_secs(60)),
        Runtime::shutdown_background,
    ];
    for end in ends {
        let expected = ["future dropped", "true"];
        with_a_runtime(RUNTIMES, &expected, |lab, runtime| {
            let task = waiting(lab, &runtime);
            end(runtime);
            // After `shutdown_background`, when the worker has come to it.
            lab.say(block_on(task).unwrap_err().is_cancelled());
        });
    }
}

#[test]
fn a_task_that_was_never_polled_is_dropped_without_a_poll() {
    with_a_runtime(
        &[Setting::CurrentThread],
        &["future dropped", "true"],
        |lab, runtime| {
            let (says, future) = (lab.clone(), lab.loud("future"));
            let task = {
                let _entered = runtime.enter();
                lab.spawn(async move {
                    let _future = future;
                    says.say("polled");
                })
            };
            drop(runtime);
            lab.say(block_on(task).unwrap_err().is_cancelled());
        },
    );
}

#[test]
fn a_task_that_was_woken_is_dropped_without_another_poll() {
    with_a_runtime(
        &[Setting::CurrentThread],
        &["future dropped", "true"],
        |lab, runtime| {
            let (go, going) = oneshot::channel::<()>();
            let (begun, begins) = oneshot::channel();
            let (says, future) = (lab.clone(), lab.loud("future"));
            let task = {
                let _entered = runtime.enter();
                lab.spawn(async move {
                    let _future = future;
                    begun.send(()).unwrap();
                    going.await.unwrap();
                    says.say("polled");
                })
            };
            runtime.block_on(begins).unwrap();
            go.send(()).unwrap();
            drop(runtime);
            lab.say(block_on(task).unwrap_err().is_cancelled());
        },
    );
}

#[test]
fn a_task_spawned_on_a_runtime_that_is_gone_is_dropped_at_once() {
    with_a_runtime(
        RUNTIMES,
        &["future dropped", "true", "true"],
        |lab, runtime| {
            let handle = runtime.handle().clone();
            drop(runtime);
            let _entered = handle.enter();
            let (says, future) = (lab.clone(), lab.loud("future"));
            let task = lab.spawn(async move {
                let _future = future;
                says.say("polled");
            });
            lab.say(task.is_finished());
            lab.say(block_on(task).unwrap_err().is_cancelled());
        },
    );
}

#[test]
fn a_destructor_that_spawns_while_the_runtime_ends_gets_a_cancelled_task() {
    struct Spawns(Lab, std::sync::mpsc::Sender<Joined<()>>);
    impl Drop for Spawns {
        fn drop(&mut self) {
            self.0.say(Handle::try_current().is_ok());
            let future = self.0.loud("future");
            let says = self.0.clone();
            let task = self.0.spawn(async move {
                let _future = future;
                says.say("polled");
            });
            self.1.send(task).unwrap();
        }
    }
    with_a_runtime(
        RUNTIMES,
        &["true", "future dropped", "true"],
        |lab, runtime| {
            let (sender, spawned) = std::sync::mpsc::channel();
            let (begun, begins) = oneshot::channel();
            let spawns = Spawns(lab.clone(), sender);
            let _task = {
                let _entered = runtime.enter();
                lab.spawn(async move {
                    let _spawns = spawns;
                    begun.send(()).unwrap();
                    pending::<()>().await;
                })
            };
            runtime.block_on(begins).unwrap();
            drop(runtime);
            let spawned = spawned.recv().unwrap();
            lab.say(block_on(spawned).unwrap_err().is_cancelled());
        },
    );
}

#[test]
fn a_task_in_the_middle_of_a_poll_ends_that_poll() {
    with_a_runtime(
        &[Setting::OneWorker],
        &["shut down", "poll ends", "future dropped", "true"],
        |lab, runtime| {
            let barrier = Arc::new(Barrier::new(2));
            let (says, future, meet) = (lab.clone(), lab.loud("future"), barrier.clone());
            let task = {
                let _entered = runtime.enter();
                lab.spawn(async move {
                    let _future = future;
                    meet.wait();
                    meet.wait();
                    says.say("poll ends");
                    pending::<()>().await;
                })
            };
            barrier.wait();
            runtime.shutdown_background();
            lab.say("shut down");
            barrier.wait();
            lab.say(block_on(task).unwrap_err().is_cancelled());
        },
    );
}

#[test]
fn a_local_set_that_is_dropped_drops_its_tasks() {
    with_a_runtime(
        &[Setting::LocalSet],
        &["future dropped", "true"],
        |lab, runtime| {
            let set = tokio::task::LocalSet::new();
            let mut spawned = None;
            set.block_on(&runtime, async {
                let (begun, begins) = oneshot::channel();
                let future = lab.loud("future");
                spawned = Some(lab.spawn(async move {
                    let _future = future;
                    begun.send(()).unwrap();
                    pending::<()>().await;
                }));
                begins.await.unwrap();
            });
            let task = spawned.unwrap();
            drop(set);
            lab.say(block_on(task).unwrap_err().is_cancelled());
        },
    );
}
