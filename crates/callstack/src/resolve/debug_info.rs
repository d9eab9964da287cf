//! The debug information of one image: opened by the first lookup, let go when nobody needs it, opened again.
//!
//! # Invariant
//!
//! What is open is used and dropped under the lock of its slot only, so a release waits for the lookup that is going on,
//! and a lookup after a release opens the files anew. That an image has nothing to read is remembered; that it could not
//! be read is not.
//!
//! Not here: what is read ([`super::elf`]), the names that were found, which are kept ([`crate::symbol`]).

use std::sync::{Mutex, MutexGuard, PoisonError, TryLockError};
use std::time::{Duration, Instant};

use super::Lookup;
use super::elf::Opened;
use crate::loaded::{self, Image};

/// So many lookups, and the index is made anew: it grows with each part of the program that is met for the first time.
const MOST_LOOKUPS: u32 = 4096;

/// The slot of one image.
#[derive(Default)]
pub(crate) struct DebugInfo(Mutex<State>);

#[derive(Default)]
enum State {
    #[default]
    Closed,
    /// Nothing to read.
    Nothing,
    Open {
        files: Box<Opened>,
        lookups: u32,
        last: Instant,
    },
}

impl std::fmt::Debug for DebugInfo {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("DebugInfo").finish_non_exhaustive()
    }
}

impl DebugInfo {
    /// The symbols at an address in the file of the image, which is the one that this slot belongs to.
    pub(super) fn symbols(&self, image: &Image, address: u64) -> Lookup {
        let mut state = lock(&self.0);
        if matches!(*state, State::Closed) {
            *state = match Opened::open(image) {
                Ok(Some(files)) => State::Open {
                    files: Box::new(files),
                    lookups: 0,
                    last: Instant::now(),
                },
                Ok(None) => State::Nothing,
                Err(_) => return Lookup::Unreadable,
            };
        }
        let State::Open {
            files,
            lookups,
            last,
        } = &mut *state
        else {
            return Lookup::Symbols(Vec::new());
        };
        let symbols = files.symbols(address);
        *lookups += 1;
        *last = Instant::now();
        if *lookups >= MOST_LOOKUPS {
            *state = State::Closed;
        }
        Lookup::Symbols(symbols)
    }

    /// Closes the files, if they are open. Waits for a lookup that is going on.
    fn close(&self) {
        let mut state = lock(&self.0);
        if matches!(*state, State::Open { .. }) {
            *state = State::Closed;
        }
    }

    /// Closes the files if nobody has looked anything up for so long. Does not wait: who holds the lock is looking up.
    fn close_if_idle(&self, idle: Duration) {
        let mut state = match self.0.try_lock() {
            Ok(state) => state,
            Err(TryLockError::Poisoned(state)) => state.into_inner(),
            Err(TryLockError::WouldBlock) => return,
        };
        if matches!(&*state, State::Open { last, .. } if last.elapsed() >= idle) {
            *state = State::Closed;
        }
    }
}

pub(crate) fn release() {
    for_each(DebugInfo::close);
}

pub(crate) fn release_idle(idle: Duration) {
    for_each(|debug| debug.close_if_idle(idle));
}

fn for_each(f: impl Fn(&DebugInfo)) {
    // Without a snapshot nothing is open; this is no reason to make one.
    if loaded::generation() > 0 {
        loaded::current()
            .images
            .iter()
            .for_each(|image| f(&image.debug));
    }
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    // A lookup that panicked in damaged debug information leaves nothing that a later one relies on.
    state.lock().unwrap_or_else(PoisonError::into_inner)
}
