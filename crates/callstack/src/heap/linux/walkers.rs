//! The unwinders for walks within an allocation: a few for all threads.
//!
//! [`crate::capture`] has one for each thread, but that needs a thread-local with a destructor,
//! which an allocator must not have. An allocation that finds all of them in use goes without a
//! stack and is counted. So nothing waits, and one that was in use while the process forked is lost
//! to the child only.
//!
//! # Invariant
//!
//! Only the thread that has set `taken` touches the walker of a slot, and it clears `taken`
//! afterwards.
//!
//! The modules are those of the last snapshot. Before the first, only the main program is known,
//! which can be found without the loader's lock.
//!
//! Not here: the walk ([`crate::unwind`]).

#![allow(unsafe_code)]

use std::cell::UnsafeCell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};

use crate::unwind::fast::Walker;
use crate::unwind::registers::Registers;
use crate::unwind::window::room_below;
use crate::{Completeness, MAX_FRAMES, loaded, unwind};

const WALKERS: usize = 16;

/// How much of the thread's stack a walk needs, when a frame is new to it: 15 KiB, and 43 KiB
/// without optimisation.
const ROOM_TO_WALK: usize = if cfg!(debug_assertions) {
    64 << 10
} else {
    20 << 10
};
/// How much of the stack making a walker needs, which builds its cache there.
const ROOM_TO_MAKE: usize = 256 << 10;

struct Slot {
    taken: AtomicBool,
    walker: UnsafeCell<Option<Prepared>>,
}

struct Prepared {
    walker: Walker,
    /// Empty, with room for [`MAX_FRAMES`], except during a walk.
    frames: Vec<usize>,
}

// SAFETY: the cell is touched only by the one thread that has set `taken` (module invariant), and a
// walker may be used on any thread.
unsafe impl Sync for Slot {}

static SLOTS: [Slot; WALKERS] = [const {
    Slot {
        taken: AtomicBool::new(false),
        walker: UnsafeCell::new(None),
    }
}; WALKERS];

/// Gives a slot back.
struct SlotGuard(&'static Slot);

impl Drop for SlotGuard {
    fn drop(&mut self) {
        // Release: the next owner sees the walker as it was left.
        self.0.taken.store(false, Ordering::Release);
    }
}

/// Walks from the caller of the function that `start` belongs to, up to `limit`, and shows the
/// frames to `f`. `None` if there is no unwinder, or if too little of the thread's stack is left to
/// walk it. On a stack that is not the thread's own (a coroutine, a signal's) nobody knows how much
/// is left.
pub(super) fn with_stack<T>(
    start: &Registers,
    limit: usize,
    f: impl FnOnce(&[usize], Completeness) -> T,
) -> Option<T> {
    let room = room_below(start.sp).filter(|room| *room >= ROOM_TO_WALK)?;
    let slot = SLOTS.iter().find(|slot| {
        let take = slot
            .taken
            .compare_exchange(false, true, Ordering::Acquire, Ordering::Relaxed);
        take.is_ok()
    })?;
    let guard = SlotGuard(slot);
    // SAFETY: `taken` was false and is ours until the guard is dropped.
    let place = unsafe { &mut *guard.0.walker.get() };
    // Taken out, so that it is gone after a panic, and the next walk makes another one.
    let mut prepared = match place.take() {
        Some(prepared) if prepared.walker.generation() == loaded::generation() => prepared,
        // An outdated walker is better than none.
        stored if room >= ROOM_TO_MAKE => up_to_date(stored)?,
        stored => stored?,
    };
    let frames = &mut prepared.frames;
    let walker = &mut prepared.walker;
    // As in `unwind::fast::with`: sums over damaged tables can overflow, and debug builds panic
    // then.
    let walked = catch_unwind(AssertUnwindSafe(|| {
        unwind::walk_with(walker, start, limit, frames)
    }));
    let result = walked
        .ok()
        .map(|completeness| f(&prepared.frames, completeness))?;
    prepared.frames.clear();
    if room >= ROOM_TO_MAKE {
        prepared.walker.grow_if_crowded();
    }
    *place = Some(prepared);
    Some(result)
}

// Not inlined: its frame is 15 KiB, which a walk must not need.
#[cold]
#[inline(never)]
fn up_to_date(stored: Option<Prepared>) -> Option<Prepared> {
    if let Some(prepared) = stored {
        let Some((generation, unwinder)) = loaded::try_current_unwinder() else {
            return Some(prepared);
        };
        return Some(Prepared {
            walker: Walker::new(generation, unwinder),
            ..prepared
        });
    }
    let (generation, unwinder) = match loaded::try_current_unwinder() {
        Some(current) => current,
        None => (0, loaded::main_unwinder()?),
    };
    let walker = Walker::new(generation, unwinder);
    walker.is_usable().then(|| Prepared {
        walker,
        frames: Vec::with_capacity(MAX_FRAMES),
    })
}
