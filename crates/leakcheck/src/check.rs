//! The check: look, wait a bounded while for what is just ending, look closely.
//!
//! A plain thread looks and waits, so no timer of the runtime is needed, and the runtime goes on running meanwhile. Between two looks the runtime gets
//! some turns, which are counted: on a machine where something else has the processors, time alone says nothing. Tokio's
//! paused clock jumps ahead whenever a runtime has nothing to do; it does not while a blocking call is under way, so one is kept under way.
//! Not here: what is found ([`crate::field`]); the words of the report.

use std::future::Future;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use tokio::runtime::{Handle, LocalRuntime, Runtime, RuntimeFlavor};
use tokio::sync::oneshot;
use tokio::task;

use crate::field::{Field, Left};
use crate::os::{Announced, Own};
use crate::{Leaks, Options};

/// Turns that other tasks get before anything slower is tried: a task that has been joined is often still
/// being put away.
const TURNS: usize = 16;

/// Pauses between two looks while tasks settle: they grow from the first to the second.
const PAUSES: (Duration, Duration) = (Duration::from_micros(200), Duration::from_millis(10));

/// Turns between two looks.
const TURNS_BETWEEN: usize = 4;

/// Looks that a check takes at least before it says that tasks do not settle, each with turns before it. An idle machine makes them in
/// less than a tenth of a second.
const LOOKS: usize = 20;

/// How many times the settle time a check takes at most to come to its looks.
const PATIENCE: u32 = 10;

/// Looks for tasks of the current runtime that are alive and should not be. The default [`Options`].
///
/// # Errors
///
/// [`Leaks`], if there are any. A task that ends only because this check polls it for its stack, although nothing had woken it, is one: without the check it would still
/// be there (verdict `lost wake-up`). So is one that an earlier dump has ended that way and nobody has been told of.
///
/// # Panics
///
/// Outside of a tokio runtime.
///
/// # Cancel safety
///
/// Dropping the future ends the check; a helper thread may finish its look.
#[track_caller]
pub fn check() -> impl Future<Output = Result<(), Leaks>> + Send {
    check_with(Options::new())
}

/// Looks for tasks of the current runtime that are alive and should not be.
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

/// The same from outside of async code, for this runtime.
///
/// # Errors
///
/// [`Leaks`], if there are any.
///
/// # Panics
///
/// Inside of a runtime, as `Runtime::block_on` does.
pub fn check_in(runtime: &Runtime, options: Options) -> Result<(), Leaks> {
    check_on(runtime, options)
}

/// The same for any kind of runtime.
pub(crate) fn check_on(runtime: &impl Drive, options: Options) -> Result<(), Leaks> {
    runtime.block_on(run(runtime.handle().clone(), options))
}

/// What a runtime does whose thread is the caller's. `Handle::block_on` does not drive one of a single thread.
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
    let mut field = Field::new(&runtime, options);
    for _ in 0..TURNS {
        let left = field.glance();
        if field.is_settled_at_a_glance(&left) {
            return field.conclude(left, Duration::ZERO);
        }
        task::yield_now().await;
    }
    let _clock = (runtime.runtime_flavor() == RuntimeFlavor::CurrentThread)
        .then(|| ClockStopped::new(&runtime));
    let Some(helper) = Helper::start() else {
        // No thread to be had: no waiting and no stacks, but a verdict.
        let left = field.glance();
        return field.conclude(left, began.elapsed());
    };
    let mut pause = PAUSES.0;
    let mut looks = 0;
    loop {
        let (back, left) = helper.look(field, Field::look).await;
        field = back;
        looks += 1;
        if field.is_settled(&left) {
            return field.conclude(left, began.elapsed());
        }
        let settle = field.options().settle;
        let waited = began.elapsed();
        let is_over = waited >= settle && (looks >= LOOKS || waited >= settle * PATIENCE);
        if is_over || (left.is_hopeless() && field.is_quiet(looks >= LOOKS)) {
            let (field, left) = helper.look(field, Field::look_closely).await;
            return field.conclude(left, began.elapsed());
        }
        helper
            .pause(pause.min(settle.saturating_sub(waited).max(PAUSES.0)))
            .await;
        pause = (pause * 2).min(PAUSES.1);
        for _ in 0..TURNS_BETWEEN {
            task::yield_now().await;
        }
    }
}

/// A thread that does what would block.
struct Helper(mpsc::Sender<Box<dyn FnOnce() + Send>>);

impl Helper {
    /// `None`: the system gives us no thread.
    fn start() -> Option<Helper> {
        let (sender, receiver) = mpsc::channel::<Box<dyn FnOnce() + Send>>();
        let thread = thread::Builder::new().name("leakcheck".into());
        // It ends with the check.
        let started = thread.spawn(move || {
            let _own = Own::here();
            receiver.iter().for_each(|job| job());
        });
        started.is_ok().then_some(Helper(sender))
    }

    async fn look(&self, mut field: Field, look: fn(&mut Field) -> Left) -> (Field, Left) {
        self.run(move || {
            let left = look(&mut field);
            (field, left)
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
        // The thread waits for jobs as long as there is a sender, and a look does not panic.
        let _ = self.0.send(job);
        match receiver.await {
            Ok(result) => result,
            Err(_) => panic!("leakcheck: its own thread has ended, which is a bug in leakcheck"),
        }
    }
}

/// Keeps a paused clock where it is, until dropped.
struct ClockStopped(
    #[expect(dead_code, reason = "its drop ends the blocking call")] mpsc::Sender<()>,
);

impl ClockStopped {
    fn new(runtime: &Handle) -> ClockStopped {
        let (sender, receiver) = mpsc::channel::<()>();
        let announced = Announced::new(runtime);
        task::spawn_blocking(move || {
            let _own = announced.here();
            receiver.recv()
        });
        ClockStopped(sender)
    }
}
