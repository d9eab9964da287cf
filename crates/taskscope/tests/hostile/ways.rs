//! The ways in which each hostile future is run, and the account of the records at the end of each.

use std::future::Future;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use taskscope::{DumpOptions, Stacks, TaskDump};
use tokio::runtime::{Builder, Handle, Runtime};
use tokio::task::JoinHandle;

#[path = "../support/dumping.rs"]
mod dumping;

use self::dumping::Dumping;

/// Whether frames have no names: Miri has no machine code, so there are no addresses that could be
/// looked up.
pub(crate) const NAMELESS: bool = cfg!(miri);

/// Only a test that fails waits for so long.
const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) use testkit::until;

/// One test at a time: each counts all records of the process.
pub(crate) struct Account {
    _turn: MutexGuard<'static, ()>,
    before: usize,
}

impl Account {
    pub(crate) fn open() -> Account {
        static TURN: Mutex<()> = Mutex::new(());
        let turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
        let before = taskscope::stats().records_in_use;
        Account {
            _turn: turn,
            before,
        }
    }

    /// Records that have come into use and are still.
    pub(crate) fn owed(&self) -> usize {
        taskscope::stats().records_in_use - self.before
    }

    /// All records are back but so many. A worker may take a moment to let go of the last waker.
    #[track_caller]
    pub(crate) fn settle(&self, owed: usize) {
        until(|| self.owed() == owed);
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Spawner {
    Tokio,
    Taskscope,
    /// And dumps are taken meanwhile.
    TaskscopeDumped,
    /// And polls are sampled meanwhile: all of them, until there are many.
    TaskscopeSampled,
}

/// How a task has ended.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum End<T> {
    Ready(T),
    Panicked(String),
    Cancelled,
}

/// A runtime and a spawn function.
pub(crate) struct Way {
    spawner: Spawner,
    pub(crate) runtime: Runtime,
}

impl Way {
    pub(crate) fn spawn<F>(&self, future: F) -> JoinHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        let _entered = self.runtime.enter();
        match self.spawner {
            Spawner::Tokio => tokio::spawn(future),
            _ => taskscope::spawn(future).into_inner(),
        }
    }

    pub(crate) fn end<T>(&self, task: JoinHandle<T>) -> End<T> {
        match self.runtime.block_on(task) {
            Ok(output) => End::Ready(output),
            Err(error) if error.is_cancelled() => End::Cancelled,
            Err(error) => End::Panicked(match error.into_panic().downcast::<&str>() {
                Ok(text) => (*text).to_owned(),
                Err(_) => "no text".to_owned(),
            }),
        }
    }

    /// Lets the tasks run until this holds.
    #[track_caller]
    pub(crate) fn drive_until(&self, mut condition: impl FnMut() -> bool) {
        until(|| {
            self.runtime.block_on(tokio::task::yield_now());
            condition()
        });
    }
}

/// Runs a test on both kinds of runtime, with tokio's spawn, with ours, and with ours while dumps
/// are taken or polls sampled. In the end every record must have come back.
#[track_caller]
pub(crate) fn every_way(test: impl Fn(&Way)) {
    let account = Account::open();
    for runtime in [current_thread, two_workers] {
        for spawner in [
            Spawner::Tokio,
            Spawner::Taskscope,
            Spawner::TaskscopeDumped,
            Spawner::TaskscopeSampled,
        ] {
            let sampling = (spawner == Spawner::TaskscopeSampled).then(Sampling::begin);
            let runtime = runtime();
            let dumping = (spawner == Spawner::TaskscopeDumped).then(|| {
                let options = DumpOptions::new().runtime(runtime.handle().id());
                Dumping::begin(options.stall(Duration::from_millis(5)))
            });
            test(&Way { spawner, runtime });
            drop((dumping, sampling));
            account.settle(0);
        }
    }
}

/// Sampling is on until this is dropped. The account sees to it that there is one at a time.
struct Sampling;

impl Sampling {
    fn begin() -> Sampling {
        assert!(taskscope::sampling::start());
        Sampling
    }
}

impl Drop for Sampling {
    fn drop(&mut self) {
        taskscope::sampling::stop();
    }
}

pub(crate) fn current_thread() -> Runtime {
    Builder::new_current_thread().enable_time().build().unwrap()
}

pub(crate) fn two_workers() -> Runtime {
    Builder::new_multi_thread()
        .worker_threads(2)
        .enable_time()
        .build()
        .unwrap()
}

/// The tasks of a runtime, oldest first, without asking them for anything.
pub(crate) fn tasks_of(runtime: &Handle) -> Vec<TaskDump> {
    let options = DumpOptions::new().runtime(runtime.id());
    options.stacks(Stacks::None).capture_blocking().tasks
}

/// The same with stacks, which the runtime's workers, or another thread, must provide.
pub(crate) fn dump_of(runtime: &Handle) -> Vec<TaskDump> {
    let options = DumpOptions::new().runtime(runtime.id());
    options
        .deadline(PATIENCE)
        .stall(PATIENCE)
        .capture_blocking()
        .tasks
}
