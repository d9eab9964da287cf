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
//! One waits; whoever comes after them is told that it is busy, also between the end of the abandoned capture and the moment
//! in which the one who waits goes on: nobody is overtaken.
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
    state: State,
    /// The number of the last capture.
    last: u64,
    /// Whether there is a [`Place`].
    awaited: bool,
}

static SLOT: Mutex<Slot> = Mutex::new(Slot {
    state: State::Free,
    last: 0,
    awaited: false,
});

static FREED: Notify = Notify::const_new();

fn lock() -> MutexGuard<'static, Slot> {
    // Plain values that are never left half-written.
    SLOT.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The right to the slot when it is free again. There is one at the most.
struct Place;

impl Drop for Place {
    fn drop(&mut self) {
        lock().awaited = false;
    }
}

/// Takes the slot, after a capture that was abandoned has stopped; [`is_busy`](Error::is_busy) if one is running.
///
/// The two halves belong to the two sides of a capture: the thread that samples and the future that waits.
pub(crate) async fn take() -> Result<(Holder, Claim), Error> {
    let mut place = None;
    loop {
        let freed = FREED.notified();
        tokio::pin!(freed);
        // Registered before the state is read, so that a `free` in between is not missed.
        freed.as_mut().enable();
        {
            let mut slot = lock();
            if slot.awaited && place.is_none() {
                return Err(Error::busy());
            }
            match slot.state {
                State::Free => {
                    slot.last += 1;
                    let number = slot.last;
                    slot.state = State::Taken(number);
                    return Ok((Holder { number }, Claim { number }));
                }
                State::Taken(_) => return Err(Error::busy()),
                State::Ending(_) if place.is_none() => {
                    slot.awaited = true;
                    place = Some(Place);
                }
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
        let mut slot = lock();
        if [State::Taken(self.number), State::Ending(self.number)].contains(&slot.state) {
            slot.state = State::Free;
        }
        drop(slot);
        FREED.notify_waiters();
    }
}

/// The waiting side: dropping it says that nobody wants the result any more.
#[derive(Debug)]
pub(crate) struct Claim {
    number: u64,
}

impl Drop for Claim {
    fn drop(&mut self) {
        let mut slot = lock();
        if slot.state == State::Taken(self.number) {
            slot.state = State::Ending(self.number);
        }
    }
}
