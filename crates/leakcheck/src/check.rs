//! The check: look, wait a bounded while for what is just ending, look closely.
//!
//! The waiting is done by a plain thread, so it needs no timer of the runtime, and the runtime goes on running
//! meanwhile. Tokio's paused clock jumps ahead whenever a runtime has nothing to do; it does not while
//! a blocking call is under way, so one is kept under way.
//! Not here: the words of the report.

use std::collections::HashMap;
use std::future::Future;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use taskscope::{Dump, DumpOptions, RuntimeGuard, Stacks, TaskDump, Verdict};
use tokio::runtime::{Handle, RuntimeFlavor};
use tokio::sync::oneshot;
use tokio::task;

use crate::{Leaks, Options};

/// Turns that other tasks get before anything slower is tried: a task that has been joined is often still
/// being put away.
const TURNS: usize = 16;

/// Pauses between two looks while tasks settle: they grow from the first to the second.
const PAUSES: (Duration, Duration) = (Duration::from_micros(200), Duration::from_millis(10));

/// Looks for tasks of the current runtime that are alive and should not be. The default [`Options`].
///
/// # Errors
///
/// [`Leaks`], if there are any.
///
/// # Panics
///
/// Outside of a tokio runtime.
///
/// # Cancel safety
///
/// Dropping the future ends the check; a helper thread may look on for up to the settle time.
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
            "leakcheck: no tokio runtime here; call it inside the async test whose tasks are to be checked"
        )
    };
    run(runtime, options)
}

async fn run(runtime: Handle, options: Options) -> Result<(), Leaks> {
    let look = Look::new(&runtime);
    for _ in 0..TURNS {
        if look.quick().is_clean() {
            return Ok(());
        }
        task::yield_now().await;
    }
    let _clock = (runtime.runtime_flavor() == RuntimeFlavor::CurrentThread).then(ClockStopped::new);
    let (sender, receiver) = oneshot::channel();
    let settled = look.clone();
    let helper = thread::Builder::new()
        .name("leakcheck".into())
        .spawn(move || {
            // The receiver is gone if the check was cancelled.
            let _ = sender.send(settled.settle(&options));
        });
    if helper.is_ok()
        && let Ok(result) = receiver.await
    {
        return result;
    }
    // No thread to be had: no waiting and no stacks, but a verdict.
    look.quick().into_result(Duration::ZERO)
}

/// Keeps a paused clock where it is, until dropped.
struct ClockStopped(
    #[expect(dead_code, reason = "its drop ends the blocking call")] mpsc::Sender<()>,
);

impl ClockStopped {
    fn new() -> ClockStopped {
        let (sender, receiver) = mpsc::channel::<()>();
        task::spawn_blocking(move || receiver.recv());
        ClockStopped(sender)
    }
}

/// Where to look, and whom to leave out.
#[derive(Clone)]
struct Look {
    runtime: Handle,
    _watched: RuntimeGuard,
    /// The caller's own task, if it is in one.
    caller: Option<task::Id>,
}

impl Look {
    fn new(runtime: &Handle) -> Look {
        Look {
            runtime: runtime.clone(),
            _watched: taskscope::watch(runtime),
            caller: task::try_id(),
        }
    }

    fn dump(&self) -> DumpOptions {
        DumpOptions::new().runtime(self.runtime.id())
    }

    /// What is left, without asking any task.
    fn quick(&self) -> Left {
        Left::new(
            self.dump().stacks(Stacks::None).capture_blocking(),
            self.caller,
        )
    }

    /// Waits, on a plain thread, until nothing is left, or the time is up, or waiting is of no use.
    fn settle(&self, options: &Options) -> Result<(), Leaks> {
        let started = Instant::now();
        let mut pause = PAUSES.0;
        loop {
            let left = self.quick();
            if left.is_clean() {
                return Ok(());
            }
            if started.elapsed() >= options.settle || left.is_hopeless() {
                let waited = started.elapsed();
                return Left::new(self.dump().capture_blocking(), self.caller).into_result(waited);
            }
            thread::sleep(pause.min(options.settle.saturating_sub(started.elapsed())));
            pause = (pause * 2).min(PAUSES.1);
        }
    }
}

/// Tasks that should not be alive.
struct Left {
    dump: Dump,
    untracked: usize,
}

impl Left {
    fn new(mut dump: Dump, caller: Option<task::Id>) -> Left {
        let caller = caller.map(|id| id.to_string());
        let is_caller =
            |task: &TaskDump| caller.as_ref().is_some_and(|id| *id == task.id.to_string());
        let mut untracked = dump.untracked();
        if caller.is_some() && !dump.tasks.iter().any(is_caller) {
            // The caller's own task has no record.
            untracked = untracked.saturating_sub(1);
        }
        // The tasks that the caller was spawned by wait for it, or have ended.
        let parents: HashMap<u64, Option<u64>> = dump
            .tasks
            .iter()
            .map(|task| (task.id, task.parent))
            .collect();
        let caller = dump.tasks.iter().find(|task| is_caller(task));
        let own: Vec<u64> = std::iter::successors(caller.map(|task| task.id), |id| {
            parents.get(id).copied().flatten()
        })
        .collect();
        dump.tasks
            .retain(|task| !task.background && !own.contains(&task.id));
        Left { dump, untracked }
    }

    fn is_clean(&self) -> bool {
        self.dump.tasks.is_empty() && self.untracked == 0
    }

    /// Nothing that is left can ever end by itself.
    fn is_hopeless(&self) -> bool {
        self.untracked == 0
            && self
                .dump
                .tasks
                .iter()
                .all(|task| task.verdict == Verdict::Stuck)
    }

    fn into_result(self, waited: Duration) -> Result<(), Leaks> {
        if self.is_clean() {
            Ok(())
        } else {
            Err(Leaks::new(self.dump, self.untracked, waited))
        }
    }
}
