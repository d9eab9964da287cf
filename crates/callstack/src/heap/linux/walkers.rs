//! What a stack is walked with within an allocation: a few unwinders for all threads.
//!
//! Not one for each thread, as [`crate::capture`] has it: that needs a thread-local with a destructor, which an allocator
//! must not have. Who finds all of them in use goes without a stack and is counted; so nobody waits, and one that was in
//! use while the process forked is lost to the child and to nobody else.
//!
//! # Invariant
//!
//! Only who has set `taken` touches the walker of a slot, and clears it afterwards.
//!
//! The modules are those of the last snapshot that somebody else has made; before the first, only the main program, which
//! can be found without the loader's lock.

#![allow(unsafe_code)]

use std::cell::UnsafeCell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};

use crate::unwind::fast::Walker;
use crate::unwind::registers::Registers;
use crate::unwind::window::room_below;
use crate::{Completeness, MAX_FRAMES, loaded, unwind};

const WALKERS: usize = 16;

/// A walk needs so much of the thread's stack, when a frame is new to it: 15 KiB, and 43 KiB without optimisation.
const ROOM_TO_WALK: usize = if cfg!(debug_assertions) {
    64 << 10
} else {
    20 << 10
};
/// And making a walker, which builds its cache there.
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

// SAFETY: the cell is touched only by the one thread that has set `taken` (module invariant), and a walker may be used on
// any thread.
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
        // Release: the next one finds the walker as it was left.
        self.0.taken.store(false, Ordering::Release);
    }
}

/// Walks from the caller of the function that `start` belongs to, up to `limit`, and shows the frames to `f`.
/// `None` if there is no unwinder, or if too little of the thread's stack is left to walk it. On a stack that is not the
/// thread's own (a coroutine, a signal's) nobody knows how much is left.
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
    // Taken out: after a panic it is gone, and the next one makes another.
    let mut prepared = match place.take() {
        Some(prepared) if prepared.walker.generation() == loaded::generation() => prepared,
        // An old one is better than none.
        kept if room >= ROOM_TO_MAKE => up_to_date(kept)?,
        kept => kept?,
    };
    let frames = &mut prepared.frames;
    let walker = &mut prepared.walker;
    // As in `unwind::fast::with`: sums over damaged tables can overflow, and debug builds panic then.
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

// Not inlined: its frame is 15 KiB, which others must not pay for.
#[cold]
#[inline(never)]
fn up_to_date(kept: Option<Prepared>) -> Option<Prepared> {
    if let Some(prepared) = kept {
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
