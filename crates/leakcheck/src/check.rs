//! The check: count, wait a bounded while for tasks that are just ending, then inspect the rest.
//!
//! A plain thread counts and waits, so no timer of the runtime is needed and the runtime goes on
//! running meanwhile. Between two counts the check yields to the runtime a fixed number of times:
//! on a machine where something else has the processors, time alone proves nothing. Tokio's paused
//! clock jumps ahead whenever a runtime has nothing to do, but not during a blocking call, so one
//! is kept running.
//!
//! Not here: what is found ([`crate::checker`]) and the words of the report ([`crate::report`]).

use std::future::Future;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use tokio::runtime::{Handle, LocalRuntime, Runtime, RuntimeFlavor};
use tokio::sync::oneshot;
use tokio::task;

use crate::checker::{Checker, Leftovers};
use crate::os::{AnnouncedCall, InternalThread};
use crate::{Leaks, Options};

/// How often a check yields before it tries anything slower: a task that has been joined is often
/// still being dropped.
const YIELDS: usize = 16;

/// The first and the longest pause between two counts while tasks settle.
const PAUSES: (Duration, Duration) = (Duration::from_micros(200), Duration::from_millis(10));

/// How often a check yields between two counts.
const YIELDS_BETWEEN: usize = 4;

/// How many counts a check takes before it says that tasks do not settle, each with yields before
/// it. An idle machine takes them in less than a tenth of a second.
const MIN_COUNTS: usize = 20;

/// On a busy machine, a check gives up after this many times the settle time, whatever its counts.
const PATIENCE: u32 = 10;

/// Checks that no task of the current runtime is left, with the default [`Options`].
///
/// # Errors
///
/// [`Leaks`], if tasks are left. A task that ends only because this check polls it for its stack,
/// although nothing had woken it, counts as left: without the check it would still be there
/// (verdict `lost wake-up`). So does one that an earlier dump has ended that way and that no check
/// has reported yet.
///
/// # Panics
///
/// Outside of a tokio runtime.
///
/// # Cancel safety
///
/// Dropping the future ends the check; its helper thread may finish the count that it has begun.
#[track_caller]
pub fn check() -> impl Future<Output = Result<(), Leaks>> + Send {
    check_with(Options::new())
}

/// Checks that nothing is left on the current runtime, with these [`Options`].
///
/// See [`check`] for errors, panics and cancel safety.
#[track_caller]
#[allow(clippy::missing_panics_doc, reason = "documented at `check`")]
pub fn check_with(options: Options) -> impl Future<Output = Result<(), Leaks>> + Send {
    let Ok(runtime) = Handle::try_current() else {
        panic!(
            "leakcheck: no tokio runtime here; call it inside the async test whose tasks are to be checked, or use `assert_none_in!`"
        )
    };
    run(runtime, options)
}

/// Checks that nothing is left on this runtime, from outside of async code.
///
/// # Errors
///
/// [`Leaks`], if tasks are left.
///
/// # Panics
///
/// Inside of a runtime, as `Runtime::block_on` does.
pub fn check_in(runtime: &Runtime, options: Options) -> Result<(), Leaks> {
    check_on(runtime, options)
}

/// Like [`check_in`], for any kind of runtime.
pub(crate) fn check_on(runtime: &impl Drive, options: Options) -> Result<(), Leaks> {
    runtime.block_on(run(runtime.handle().clone(), options))
}

/// A runtime that the calling thread can drive. `Handle::block_on` does not drive a runtime of one
/// thread.
pub(crate) trait Drive {
    fn handle(&self) -> &Handle;
    fn block_on<F: Future>(&self, future: F) -> F::Output;
}

impl Drive for Runtime {
    fn handle(&self) -> &Handle {
        self.handle()
    }

    fn block_on<F: Future>(&self, future: F) -> F::Output {
        self.block_on(future)
    }
}

impl Drive for LocalRuntime {
    fn handle(&self) -> &Handle {
        self.handle()
    }

    fn block_on<F: Future>(&self, future: F) -> F::Output {
        self.block_on(future)
    }
}

async fn run(runtime: Handle, options: Options) -> Result<(), Leaks> {
    let began = Instant::now();
    let mut checker = Checker::new(&runtime, options);
    for _ in 0..YIELDS {
        let left = checker.count_without_stacks();
        if checker.is_settled_without_stacks(&left) {
            return checker.finish(left, Duration::ZERO);
        }
        task::yield_now().await;
    }
    let _clock = (runtime.runtime_flavor() == RuntimeFlavor::CurrentThread)
        .then(|| StoppedClock::new(&runtime));
    let Some(helper) = Helper::start() else {
        // The system gives us no thread: judge at once, without stacks.
        let left = checker.count_without_stacks();
        return checker.finish(left, began.elapsed());
    };
    let mut pause = PAUSES.0;
    let mut counts = 0;
    loop {
        let (back, left) = helper.count(checker, Checker::count).await;
        checker = back;
        counts += 1;
        if checker.is_settled(&left) {
            return checker.finish(left, began.elapsed());
        }
        let settle = checker.options().settle;
        let waited = began.elapsed();
        let is_over = waited >= settle && (counts >= MIN_COUNTS || waited >= settle * PATIENCE);
        if is_over || (left.is_hopeless() && checker.is_quiet(counts >= MIN_COUNTS)) {
            let (checker, left) = helper.count(checker, Checker::inspect).await;
            return checker.finish(left, began.elapsed());
        }
        helper
            .pause(pause.min(settle.saturating_sub(waited).max(PAUSES.0)))
            .await;
        pause = (pause * 2).min(PAUSES.1);
        for _ in 0..YIELDS_BETWEEN {
            task::yield_now().await;
        }
    }
}

/// A thread for the parts of a check that block.
struct Helper(mpsc::Sender<Box<dyn FnOnce() + Send>>);

impl Helper {
    /// Starts the thread; `None` if the system gives us none.
    fn start() -> Option<Helper> {
        let (sender, receiver) = mpsc::channel::<Box<dyn FnOnce() + Send>>();
        let thread = thread::Builder::new().name("leakcheck".into());
        // It ends with the check.
        let started = thread.spawn(move || {
            let _internal = InternalThread::enter();
            receiver.iter().for_each(|job| job());
        });
        started.is_ok().then_some(Helper(sender))
    }

    async fn count(
        &self,
        mut checker: Checker,
        count: fn(&mut Checker) -> Leftovers,
    ) -> (Checker, Leftovers) {
        self.run(move || {
            let left = count(&mut checker);
            (checker, left)
        })
        .await
    }

    async fn pause(&self, pause: Duration) {
        self.run(move || thread::sleep(pause)).await;
    }

    async fn run<R: Send + 'static>(&self, job: impl FnOnce() -> R + Send + 'static) -> R {
        let (sender, receiver) = oneshot::channel();
        let job = Box::new(move || {
            // The receiver is gone if the check was cancelled.
            let _ = sender.send(job());
        });
        // The thread takes jobs as long as there is a sender, and a count does not panic.
        let _ = self.0.send(job);
        match receiver.await {
            Ok(result) => result,
            Err(_) => panic!("leakcheck: its own thread has ended, which is a bug in leakcheck"),
        }
    }
}

/// Keeps a paused clock where it is until dropped.
struct StoppedClock(
    #[expect(dead_code, reason = "its drop ends the blocking call")] mpsc::Sender<()>,
);

impl StoppedClock {
    fn new(runtime: &Handle) -> StoppedClock {
        let (sender, receiver) = mpsc::channel::<()>();
        let announced = AnnouncedCall::new(runtime);
        task::spawn_blocking(move || {
            let _internal = announced.enter();
            receiver.recv()
        });
        StoppedClock(sender)
    }
}
