//! Tasks that are spawned with tokio's own functions, on runtimes whose hooks are set. Needs
//! `--cfg tokio_unstable`.
//!
//! Each irregularity of tokio's hooks is a test. One process, so everything is asked of one runtime
//! or one scope.

#![cfg(all(feature = "enable", tokio_unstable))]
#![allow(
    clippy::async_yields_async,
    reason = "a handle that leaves the runtime unawaited is what is tested"
)]

mod callbacks;
#[path = "../support/dumping.rs"]
mod dumping;
mod ends;
mod nested;
mod shown;

use std::future::{Future, pending};
use std::time::{Duration, Instant};

use taskscope::{Dump, DumpOptions, Scope, Stacks, TaskDump, observe};
use tokio::runtime::{Builder, Handle, Runtime};
use tokio::sync::oneshot;
use tokio::task::yield_now;

/// The longest wait for something that should come. Nothing waits for it to pass.
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
