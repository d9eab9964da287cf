//! The table of stacks: every distinct stack that has allocated, for as long as the process runs.
//!
//! # Protocol
//!
//! A slot is found by the stack's 64-bit hash; two stacks with equal hashes count as one. A thread
//! that finds a slot free sets the hash by compare and swap, takes words for the frames from the
//! end of those in use, writes them, and then stores where they are. Until then, and for ever if
//! the thread is killed in between, the stack is known and its frames are not.
//!
//! Not here: samples ([`super::live`], [`super::queue`]).

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use super::count;
use crate::Completeness;
use crate::heap::samples::StackId;
use crate::heap::weight::Weight;

/// Distinct stacks; a power of two. A program that is done starting up has some thousand.
const SLOTS: usize = 1 << 15;
/// The most slots that are tried for one stack.
const PROBES: usize = 64;
/// Addresses of all of them together: 8 MiB.
const WORDS: usize = 1 << 20;

/// For samples whose stack could not be taken.
pub(super) const NONE: StackId = StackId(SLOTS as u32);
/// For samples whose stack had no room.
pub(super) const NO_ROOM: StackId = StackId(SLOTS as u32 + 1);

#[repr(C)]
struct Slot {
    /// 0: free.
    hash: AtomicU64,
    /// [`Frames`] as a word; 0: not written yet.
    frames: AtomicU64,
    /// The weight of samples that had no room in the queue.
    unlabelled: [AtomicU64; 2],
}

#[repr(C)]
pub(super) struct Stacks {
    slots: [Slot; SLOTS + 2],
    words_used: AtomicUsize,
    words: [AtomicUsize; WORDS],
}

/// The place of a stack's frames.
struct Frames {
    start: usize,
    len: usize,
    completeness: Completeness,
}

impl Frames {
    fn to_word(&self) -> u64 {
        let completeness = match self.completeness {
            Completeness::Complete => 1,
            Completeness::Truncated => 2,
            Completeness::Broken => 3,
        };
        (self.start as u64) << 32 | (self.len as u64) << 8 | completeness
    }

    fn from_word(word: u64) -> Option<Self> {
        Some(Frames {
            start: (word >> 32) as usize,
            len: (word as u32 >> 8) as usize,
            completeness: match word as u8 {
                1 => Completeness::Complete,
                2 => Completeness::Truncated,
                3 => Completeness::Broken,
                _ => return None,
            },
        })
    }
}

/// Never 0.
fn hash(frames: &[usize]) -> u64 {
    let mut hash = frames.len() as u64;
    for &frame in frames {
        hash = (hash.rotate_left(5) ^ frame as u64).wrapping_mul(0x517c_c1b7_2722_0a95);
        hash ^= hash >> 32;
    }
    hash.max(1)
}

impl Stacks {
    /// The stack with these frames; [`NO_ROOM`] if it is new and there is none.
    pub(super) fn intern(&self, frames: &[usize], completeness: Completeness) -> StackId {
        let hash = hash(frames);
        for probe in 0..PROBES {
            let at = (hash as usize).wrapping_add(probe) % SLOTS;
            let slot = &self.slots[at];
            match slot
                .hash
                .compare_exchange(0, hash, Ordering::Relaxed, Ordering::Relaxed)
            {
                Ok(_) => {
                    self.write(slot, frames, completeness);
                    return StackId(at as u32);
                }
                Err(there) if there == hash => return StackId(at as u32),
                Err(_) => {}
            }
        }
        count(&super::NO_ROOM_FOR_STACK);
        NO_ROOM
    }

    fn write(&self, slot: &Slot, frames: &[usize], completeness: Completeness) {
        let start = self.words_used.fetch_add(frames.len(), Ordering::Relaxed);
        let Some(words) = start
            .checked_add(frames.len())
            .and_then(|end| self.words.get(start..end))
        else {
            // The stack stays without frames, and so do all new ones.
            self.words_used.store(WORDS, Ordering::Relaxed);
            count(&super::NO_ROOM_FOR_STACK);
            return;
        };
        for (word, &frame) in words.iter().zip(frames) {
            word.store(frame, Ordering::Relaxed);
        }
        let word = Frames {
            start,
            len: frames.len(),
            completeness,
        };
        // Release: a thread that sees the place sees the frames.
        slot.frames.store(word.to_word(), Ordering::Release);
    }

    pub(super) fn frames(&self, stack: StackId) -> Option<(Vec<usize>, Completeness)> {
        let slot = self.slots.get(stack.0 as usize)?;
        let frames = Frames::from_word(slot.frames.load(Ordering::Acquire))?;
        let words = self.words.get(frames.start..frames.start + frames.len)?;
        let addresses = words.iter().map(|word| word.load(Ordering::Relaxed));
        Some((addresses.collect(), frames.completeness))
    }

    /// Counts a sample that nobody will drain.
    pub(super) fn add_unlabelled(&self, stack: StackId, weight: Weight) {
        if let Some(slot) = self.slots.get(stack.0 as usize) {
            for (sum, word) in slot.unlabelled.iter().zip(weight.to_words()) {
                sum.fetch_add(word, Ordering::Relaxed);
            }
        }
    }

    pub(super) fn unlabelled(&self, each: &mut dyn FnMut(StackId, Weight)) {
        for (at, slot) in self.slots.iter().enumerate() {
            let [bytes, parts] = &slot.unlabelled;
            let words = [bytes, parts].map(|sum| sum.load(Ordering::Relaxed));
            if words != [0, 0] {
                each(StackId(at as u32), Weight::from_words(words));
            }
        }
    }
}
