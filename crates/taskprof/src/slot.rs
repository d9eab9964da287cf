//! One CPU capture at a time in the process: `SIGPROF` has one owner.
//!
//! ```text
//!          take                 abandon (future dropped)
//!   Free ────────▶ Taken(n) ──────────────────────────▶ Ending(n)
//!    ▲                │ free (capture thread)                │ free (capture thread)
//!    └────────────────┴──────────────────────────────────────┘
//! ```
//!
//! Who finds `Taken` is told that it is busy. Who finds `Ending` waits: nobody will read that capture any more, and its
//! sampler is being stopped this moment. So a client that goes away and asks again is not refused.
//! Not here: the sampler and its thread (`cpu.rs`).

use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use crate::error::Error;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Free,
    Taken(u64),
    Ending(u64),
}

struct Slot {
    /// The state, and the number of the last capture.
    state: Mutex<(State, u64)>,
    freed: Notify,
}

static SLOT: Slot = Slot {
    state: Mutex::new((State::Free, 0)),
    freed: Notify::const_new(),
};

impl Slot {
    fn lock(&self) -> MutexGuard<'_, (State, u64)> {
        // The state is a plain value that is never left half-written.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Takes the slot, after a capture that was abandoned has stopped; [`is_busy`](Error::is_busy) if one is running.
///
/// The two halves belong to the two sides of a capture: the thread that samples and the future that waits.
pub(crate) async fn take() -> Result<(Holder, Claim), Error> {
    loop {
        let freed = SLOT.freed.notified();
        tokio::pin!(freed);
        // Registered before the state is read, so that a `free` in between is not missed.
        freed.as_mut().enable();
        {
            let mut slot = SLOT.lock();
            match slot.0 {
                State::Free => {
                    let number = slot.1 + 1;
                    *slot = (State::Taken(number), number);
                    return Ok((Holder { number }, Claim { number }));
                }
                State::Taken(_) => return Err(Error::busy()),
                State::Ending(_) => {}
            }
        }
        freed.await;
    }
}

/// The sampling side: dropping it, after the sampler has stopped, frees the slot. Also when the thread panics.
#[derive(Debug)]
pub(crate) struct Holder {
    number: u64,
}

impl Drop for Holder {
    fn drop(&mut self) {
        let mut slot = SLOT.lock();
        if slot.0 == State::Taken(self.number) || slot.0 == State::Ending(self.number) {
            slot.0 = State::Free;
        }
        drop(slot);
        SLOT.freed.notify_waiters();
    }
}

/// The waiting side: dropping it says that nobody wants the result any more.
#[derive(Debug)]
pub(crate) struct Claim {
    number: u64,
}

impl Drop for Claim {
    fn drop(&mut self) {
        let mut slot = SLOT.lock();
        if slot.0 == State::Taken(self.number) {
            slot.0 = State::Ending(self.number);
        }
    }
}
