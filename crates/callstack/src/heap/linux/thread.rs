//! The state of a thread: how many bytes are left until its next sample.
//!
//! It has no destructor and needs no initialisation, so it can be used from the first to the last
//! instruction of a thread, also while thread-locals are destroyed, and touching it allocates
//! nothing.

use std::cell::Cell;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use super::RATE;

/// While sampling is off, a thread checks after this many bytes whether it is on again.
const OFF_CHECK_BYTES: i64 = 64 << 10;

pub(super) struct State {
    /// Bytes until the next sample; not above 0 before the first allocation.
    left: Cell<i64>,
    /// The rate that `left` was drawn with; 0: none, as at the beginning or while sampling is off.
    rate: Cell<usize>,
    /// The state of xorshift; 0 before the first number.
    random: Cell<u64>,
    busy: Cell<bool>,
    /// Whether the next allocation is a probe of [`super::allocator_frames`].
    pub(super) probing: Cell<bool>,
}

thread_local! {
    static STATE: State = const {
        State {
            left: Cell::new(0),
            rate: Cell::new(0),
            random: Cell::new(0),
            busy: Cell::new(false),
            probing: Cell::new(false),
        }
    };
}

/// Set by the first allocation of the first thread.
static INSTALLED: AtomicBool = AtomicBool::new(false);

pub(in crate::heap) fn is_installed() -> bool {
    INSTALLED.load(Ordering::Relaxed)
}

/// Counts an allocation. True if [`super::allocated`] must be called for it.
#[inline(always)]
pub(in crate::heap) fn is_due(size: usize) -> bool {
    STATE.with(|state| {
        // An allocation is at most `isize::MAX` bytes, and the count is reset once it is below 0.
        let left = state.left.get().wrapping_sub(size as i64);
        state.left.set(left);
        left <= 0
    })
}

pub(super) fn with<T>(f: impl FnOnce(&State) -> T) -> T {
    STATE.with(f)
}

/// Makes the next allocation of this thread draw with the rate that is set then. That keeps sums
/// unbiased: the countdown has no memory.
pub(super) fn begin_anew() {
    STATE.with(State::begin_anew);
}

impl State {
    pub(super) fn begin_anew(&self) {
        self.rate.set(0);
        self.left.set(0);
    }

    /// Draws the next countdown, for an allocation that was due. Returns the rate that the
    /// allocation was sampled with, or `None` if it was not sampled.
    pub(super) fn next(&self, size: usize) -> Option<usize> {
        let wanted = RATE.load(Ordering::Relaxed);
        let drawn_with = self.rate.replace(wanted);
        if drawn_with == 0 {
            INSTALLED.store(true, Ordering::Relaxed);
        }
        if wanted == 0 {
            self.left.set(OFF_CHECK_BYTES);
            return None;
        }
        if drawn_with > 0 {
            self.left.set(self.draw(wanted));
            return Some(drawn_with);
        }
        // There was no countdown yet; this allocation is the first that counts.
        let left = self.draw(wanted).wrapping_sub(size as i64);
        if left > 0 {
            self.left.set(left);
            return None;
        }
        self.left.set(self.draw(wanted));
        Some(wanted)
    }

    /// A number of bytes, at least 1, from an exponential distribution with this mean.
    fn draw(&self, mean: usize) -> i64 {
        // In (0, 1]: 53 random bits.
        let uniform = ((self.random() >> 11) + 1) as f64 / (1_u64 << 53) as f64;
        // The cast saturates.
        ((-uniform.ln() * mean as f64).ceil() as i64).max(1)
    }

    fn random(&self) -> u64 {
        let mut x = self.random.get();
        if x == 0 {
            x = seed();
        }
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        self.random.set(x);
        x.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    /// Switches sampling off for this thread, until the guard is dropped. `None` if it is off
    /// already.
    pub(super) fn enter(&self) -> Option<BusyGuard<'_>> {
        (!self.busy.replace(true)).then(|| BusyGuard { busy: &self.busy })
    }
}

pub(super) struct BusyGuard<'a> {
    busy: &'a Cell<bool>,
}

impl Drop for BusyGuard<'_> {
    fn drop(&mut self) {
        self.busy.set(false);
    }
}

/// Different for every thread, and for every process that has random addresses; never 0.
fn seed() -> u64 {
    static THREADS: AtomicU64 = AtomicU64::new(0);
    let number = THREADS.fetch_add(1, Ordering::Relaxed);
    let address = (&raw const THREADS).addr() as u64;
    // One step of splitmix64, which makes very different numbers of similar ones.
    let mut x = address
        .rotate_left(32)
        .wrapping_add((number + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    (x ^ (x >> 31)) | 1
}
