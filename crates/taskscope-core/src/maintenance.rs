//! The one thread of this crate that is there while tasks run: it keeps the coarse clock and does
//! what must be done now and then.
//!
//! It starts with the first task that has a record, and sleeps while no such task is being polled.
//! It never waits for a lock that is held while user code runs, and a panic in one of its chores
//! does not stop the clock. Not here: what the chores are.
//!
//! Circle: `clock.rs` and this thread are the two sides of one protocol: whoever reads a clock that
//! is asleep wakes the thread, and the thread moves the clock and puts it to sleep.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread::{self, Thread};
use std::time::Duration;

use crate::{attribution, clock, pool, sweep, threads};

/// The name of the thread, as `top -H` shows it.
pub(crate) const NAME: &str = "taskscope-watch";

/// Ticks of the clock between two looks for polls that take too long.
const WATCH: u32 = 8;
/// Ticks of the clock between two looks at whether anybody polls.
const LOOK: u32 = 64;
/// Ticks of the clock between two looks at memory that no task needs: about a second.
const TRIM: u32 = 16 * LOOK;
/// Looks without any poll before the thread sleeps.
const QUIET_LOOKS: u32 = 4;
/// How long it sleeps at the most: a poll that began at the very moment when it fell asleep must
/// not be overlooked for ever.
const LONGEST_IDLE: Duration = Duration::from_secs(1);

/// A job that another crate wants done now and then. It must be short: what takes long wakes a
/// thread of its own.
#[derive(Debug, Clone, Copy)]
pub struct Job {
    /// Done every `WATCH` ticks of the clock while tasks are polled.
    pub while_polled: fn(),
    /// Done about once a second while nobody polls.
    pub while_quiet: Option<fn()>,
}

static JOBS: Mutex<Vec<Job>> = Mutex::new(Vec::new());

/// Adds a job, for ever.
pub fn add_job(job: Job) {
    jobs().push(job);
}

fn jobs() -> MutexGuard<'static, Vec<Job>> {
    JOBS.lock().unwrap_or_else(PoisonError::into_inner)
}

fn each_job(of: impl Fn(&Job) -> Option<fn()>) {
    // Not under the lock.
    let mut at = 0;
    while let Some(job) = jobs().get(at).copied() {
        if let Some(job) = of(&job) {
            run_job(job);
        }
        at += 1;
    }
}

/// `None` if the system would not give us a thread.
static THREAD: OnceLock<Option<Thread>> = OnceLock::new();

/// Starts or wakes the thread. False if there is none.
pub fn wake() -> bool {
    let thread = THREAD.get_or_init(|| {
        attribution::label_heap_samples();
        let started = thread::Builder::new().name(NAME.into()).spawn(run);
        started.ok().map(|handle| handle.thread().clone())
    });
    if let Some(thread) = thread {
        thread.unpark();
    }
    thread.is_some()
}

fn run() {
    let mut polls = 0;
    let mut quiet = 0;
    let mut tick = 0_u32;
    loop {
        // A range would end in a panic after 50 days, where overflow is checked, and with it the
        // clock.
        tick = tick.wrapping_add(1);
        thread::park_timeout(clock::RESOLUTION);
        clock::advance();
        if tick.is_multiple_of(WATCH) {
            each_job(|job| Some(job.while_polled));
        }
        if !tick.is_multiple_of(LOOK) {
            continue;
        }
        run_job(sweep::tables);
        if tick.is_multiple_of(TRIM) {
            run_job(pool::trim);
        }
        let now = threads::polls();
        quiet = if now == polls && !threads::any_polls() {
            quiet + 1
        } else {
            0
        };
        polls = now;
        if quiet >= QUIET_LOOKS {
            idle();
            quiet = 0;
        }
    }
}

/// Until somebody reads the clock.
fn idle() {
    clock::fall_asleep();
    while clock::is_asleep() {
        thread::park_timeout(LONGEST_IDLE);
        run_job(sweep::tables);
        run_job(pool::trim);
        each_job(|job| job.while_quiet);
        if threads::any_polls() {
            // A poll that began just before: nobody would wake us for it.
            return;
        }
    }
}

/// A job that panics is a bug of ours, and no reason to stop the clock of the whole process.
fn run_job(job: fn()) {
    let _ = catch_unwind(AssertUnwindSafe(job));
}
