//! The thread that does for scopes what no runtime can be relied on to do: alarms that a blocked runtime leaves unanswered, and the reports of
//! survivors, which may take a while and run the application's `tracing` subscriber.
//!
//! It starts when something is to be done later, sleeps until then, and ends when nothing is left.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use super::{survivors, timer};

/// The name of the thread, as `top -H` shows it.
const NAME: &str = "taskscope-scope";

/// How long the thread stays when it has nothing to do.
const LINGER: Duration = Duration::from_secs(1);

/// The longest sleep. Nothing depends on it.
const LONGEST: Duration = Duration::from_secs(60 * 60);

struct State {
    running: bool,
    /// When it wakes by itself.
    wakes_at: Option<Instant>,
    /// When it was asked to look.
    asked: Option<Instant>,
}

static STATE: Mutex<State> = Mutex::new(State {
    running: false,
    wakes_at: None,
    asked: None,
});
static ASKED: Condvar = Condvar::new();

fn state() -> MutexGuard<'static, State> {
    STATE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Has the thread look at everything in this time, or earlier.
pub(super) fn look_in(time: Duration) {
    let at = Instant::now() + time.min(LONGEST);
    let mut state = state();
    state.asked = Some(state.asked.map_or(at, |asked| asked.min(at)));
    if !state.running {
        // Without a thread alarms are left to the runtimes; the next call tries again.
        let started = thread::Builder::new().name(NAME.into()).spawn(run);
        state.running = started.is_ok();
    } else if state.wakes_at.is_some_and(|wakes| at < wakes) {
        ASKED.notify_one();
    }
}

fn run() {
    loop {
        let next = [timer::look as fn() -> Option<Duration>, survivors::look]
            .into_iter()
            .filter_map(|look| catch_unwind(AssertUnwindSafe(look)).ok().flatten())
            .min();
        if !sleep(next) {
            return;
        }
    }
}

/// Sleeps until it is time. False: there was nothing to do for a while, and the thread counts as ended.
fn sleep(next: Option<Duration>) -> bool {
    let now = Instant::now();
    let next = next.map(|time| now + time.min(LONGEST));
    let mut state = state();
    loop {
        // What was asked for while the thread was busy has not been looked at.
        let due = [next, state.asked].into_iter().flatten().min();
        let now = Instant::now();
        let wake = due.unwrap_or(now + LINGER);
        if wake <= now {
            state.wakes_at = None;
            state.asked = None;
            return true;
        }
        state.wakes_at = Some(wake);
        let (again, timeout) = ASKED
            .wait_timeout(state, wake - now)
            .unwrap_or_else(PoisonError::into_inner);
        state = again;
        state.wakes_at = None;
        if timeout.timed_out() && due.is_none() && state.asked.is_none() {
            state.running = false;
            return false;
        }
    }
}
