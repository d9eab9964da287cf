//! The activity of a connection: how many things it is busy with, or since when with none, and
//! whether its client keeps pace.
//!
//! All of it happens on the server's one thread, so the lock is never waited for; it is there
//! because futures have to be `Send`. Not here: what follows from it (`connections.rs`,
//! `idle_timeout.rs`).

use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

#[cfg(feature = "console")]
use super::limits::Limits;
use crate::sync::lock;

/// Bytes by which a client's pace is measured.
const PACE: usize = 64 * 1024;

/// The activity of one connection.
#[derive(Debug, Clone)]
pub(super) struct Activity {
    state: Arc<Mutex<State>>,
}

#[derive(Debug)]
struct State {
    busy_with: usize,
    /// When it became idle; of no meaning while it is busy.
    idle_since: Instant,
    /// Whether bytes wait for the client to take some.
    client_is_due: bool,
    /// When the client had last taken [`PACE`] bytes while some waited, and how many since.
    paced: Option<(Instant, usize)>,
    /// Chunks of answers that the client has not taken yet, each with its number, and since when.
    #[cfg(feature = "console")]
    handed: Vec<(u64, Instant)>,
    /// Number of the last chunk.
    #[cfg(feature = "console")]
    chunks: u64,
}

impl Activity {
    /// A connection that is new and idle.
    pub(super) fn new() -> Self {
        Activity {
            state: Arc::new(Mutex::new(State {
                busy_with: 0,
                idle_since: Instant::now(),
                client_is_due: false,
                paced: None,
                #[cfg(feature = "console")]
                handed: Vec::new(),
                #[cfg(feature = "console")]
                chunks: 0,
            })),
        }
    }

    /// Counts as one thing that the connection is busy with, until it is dropped.
    pub(super) fn busy(&self) -> BusyGuard {
        self.state().busy_with += 1;
        BusyGuard(self.clone())
    }

    /// Time since the connection became idle; `None` while it is busy.
    pub(super) fn idle_for(&self) -> Option<Duration> {
        let state = self.state();
        (state.busy_with == 0).then(|| state.idle_since.elapsed())
    }

    /// Notes that the client has not taken what is to be written.
    pub(super) fn waits_for_client(&self) {
        let mut state = self.state();
        state.client_is_due = true;
        state.paced.get_or_insert_with(|| (Instant::now(), 0));
    }

    /// Notes that the client has taken this many bytes.
    pub(super) fn client_has_taken(&self, bytes: usize) {
        let mut state = self.state();
        state.client_is_due = false;
        if let Some((_, taken)) = &mut state.paced {
            *taken += bytes;
            if *taken >= PACE {
                state.paced = None;
            }
        }
    }

    /// Time that the client has been taking the next [`PACE`] bytes. `None` while it is not the
    /// client that is waited for.
    pub(super) fn slow_for(&self) -> Option<Duration> {
        let state = self.state();
        let (since, _) = state.paced.filter(|_| state.client_is_due)?;
        Some(since.elapsed())
    }

    /// Notes that a chunk of an answer is the client's to take, until the guard is dropped.
    #[cfg(feature = "console")]
    pub(super) fn hand_over(&self) -> ChunkGuard {
        let mut state = self.state();
        state.chunks += 1;
        let number = state.chunks;
        state.handed.push((number, Instant::now()));
        drop(state);
        ChunkGuard {
            activity: self.clone(),
            number,
        }
    }

    /// Time by which the client has to act; `None` if it is not the client that is waited for.
    #[cfg(feature = "console")]
    pub(super) fn due(&self, limits: &Limits) -> Option<Instant> {
        let state = self.state();
        if state.busy_with == 0 {
            return Some(state.idle_since + limits.header_timeout);
        }
        let oldest = state.handed.iter().map(|(_, since)| *since).min();
        oldest.map(|since| since + limits.write_timeout)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }
}

/// One thing that a connection is busy with.
#[derive(Debug)]
pub(super) struct BusyGuard(Activity);

impl Drop for BusyGuard {
    fn drop(&mut self) {
        let mut state = self.0.state();
        state.busy_with -= 1;
        state.idle_since = Instant::now();
        if state.busy_with == 0 {
            state.paced = None;
        }
    }
}

/// One chunk that the client has to take.
#[cfg(feature = "console")]
#[derive(Debug)]
pub(super) struct ChunkGuard {
    activity: Activity,
    number: u64,
}

#[cfg(feature = "console")]
impl Drop for ChunkGuard {
    fn drop(&mut self) {
        let number = self.number;
        self.activity
            .state()
            .handed
            .retain(|(other, _)| *other != number);
    }
}
