//! What a connection is doing: how many things it is busy with, or since when with none.
//!
//! All of it happens on the server's one thread, so the lock is never waited for; it is there because futures have to be `Send`.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// The load of one connection.
#[derive(Debug, Clone)]
pub(super) struct Load {
    state: Arc<Mutex<State>>,
}

#[derive(Debug)]
struct State {
    busy_with: usize,
    /// When it became idle; of no meaning while it is busy.
    idle_since: Instant,
}

impl Load {
    /// A connection that is new and idle.
    pub(super) fn new() -> Self {
        Load {
            state: Arc::new(Mutex::new(State {
                busy_with: 0,
                idle_since: Instant::now(),
            })),
        }
    }

    /// Counts until it is dropped.
    pub(super) fn busy(&self) -> Busy {
        self.state().busy_with += 1;
        Busy(self.clone())
    }

    /// None while it is busy.
    pub(super) fn idle_for(&self) -> Option<Duration> {
        let state = self.state();
        (state.busy_with == 0).then(|| state.idle_since.elapsed())
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing panics while it is held.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One thing that a connection is busy with.
#[derive(Debug)]
pub(super) struct Busy(Load);

impl Drop for Busy {
    fn drop(&mut self) {
        let mut state = self.0.state();
        state.busy_with -= 1;
        state.idle_since = Instant::now();
    }
}
