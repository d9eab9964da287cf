//! The thread for alarms of scopes that no runtime answers in time: there is none, it has no
//! timers, or its workers are blocked.
//!
//! It starts when an alarm is set, sleeps until it is time, and ends when none is left. It does
//! nothing else, so that it comes in time; what it wakes are tasks that wait for a token.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Condvar, Mutex, MutexGuard};
use std::thread;
use std::time::{Duration, Instant};

use crate::sync::{lock, wait_timeout};

/// How long the thread stays when it has nothing to do.
const LINGER: Duration = Duration::from_secs(1);

/// The longest sleep. Nothing depends on it.
const LONGEST: Duration = Duration::from_secs(60 * 60);

/// A thread that is there when it is needed.
pub(super) struct AlarmThread {
    /// The thread's name, as `top -H` shows it.
    name: &'static str,
    /// Does what is due. Returns how long it may look away; `None`: until it is called.
    look: fn() -> Option<Duration>,
    state: Mutex<State>,
    asked: Condvar,
}

struct State {
    running: bool,
    /// When it wakes by itself.
    wakes_at: Option<Instant>,
    /// When it was asked to look.
    asked: Option<Instant>,
}

impl AlarmThread {
    pub(super) const fn new(name: &'static str, look: fn() -> Option<Duration>) -> AlarmThread {
        AlarmThread {
            name,
            look,
            state: Mutex::new(State {
                running: false,
                wakes_at: None,
                asked: None,
            }),
            asked: Condvar::new(),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }

    /// Has the thread look in this time, or earlier.
    pub(super) fn look_in(&'static self, time: Duration) {
        let at = Instant::now() + time.min(LONGEST);
        let mut state = self.state();
        state.asked = Some(state.asked.map_or(at, |asked| asked.min(at)));
        if !state.running {
            // If the system has no thread to give, the next call tries again.
            let thread = thread::Builder::new().name(self.name.into());
            state.running = thread.spawn(|| self.run()).is_ok();
        } else if state.wakes_at.is_some_and(|wakes| at < wakes) {
            self.asked.notify_one();
        }
    }

    fn run(&self) {
        loop {
            let next = catch_unwind(AssertUnwindSafe(self.look)).ok().flatten();
            if !self.sleep(next) {
                return;
            }
        }
    }

    /// Sleeps until it is time. False: there was nothing to do for a while, and the thread counts
    /// as ended.
    fn sleep(&self, next: Option<Duration>) -> bool {
        let next = next.map(|time| Instant::now() + time.min(LONGEST));
        let mut state = self.state();
        loop {
            // Requests that came while the thread was busy have not been looked at.
            let due = [next, state.asked].into_iter().flatten().min();
            let now = Instant::now();
            let wake = due.unwrap_or(now + LINGER);
            if wake <= now {
                state.asked = None;
                return true;
            }
            state.wakes_at = Some(wake);
            let (again, timed_out) = wait_timeout(&self.asked, state, wake - now);
            state = again;
            state.wakes_at = None;
            if timed_out && due.is_none() && state.asked.is_none() {
                state.running = false;
                return false;
            }
        }
    }
}
