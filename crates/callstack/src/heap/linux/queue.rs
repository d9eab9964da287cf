//! The queue of samples that wait to be added up: bounded, with many writers and many readers that
//! never wait.
//!
//! Every place has a turn number. A writer may fill place `n % PLACES` for the `n`th event if its
//! turn is `n`, and sets it to `n + 1`; a reader may take it then, and sets it to `n + PLACES`.
//! Stored is the turn less the place's index, so that a queue of zeros is an empty one. A writer
//! that is stopped half-way holds up the readers at its place, and nobody else; the queue fills
//! then, and events go where [`super::stacks`] counts them. Not here: samples that are held
//! ([`super::live`]).

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use crate::heap::samples::{Allocated, QUEUE, StackId};
use crate::heap::weight::Weight;

/// A power of two. At the default rate some seconds of a program that allocates gigabytes in each.
pub(super) const PLACES: usize = QUEUE;

#[repr(C)]
struct Place {
    turn: AtomicUsize,
    stack: AtomicU64,
    label: [AtomicU64; 2],
    weight: [AtomicU64; 2],
}

#[repr(C)]
pub(super) struct Queue {
    /// Events that were put in so far. On a line of its own: writers and readers do not disturb
    /// each other.
    written: Counter,
    read: Counter,
    places: [Place; PLACES],
}

#[repr(C, align(64))]
struct Counter(AtomicUsize);

impl Queue {
    /// False if it is full.
    pub(super) fn push(&self, event: Allocated) -> bool {
        let mut number = self.written.0.load(Ordering::Relaxed);
        loop {
            let index = number % PLACES;
            let place = &self.places[index];
            // Acquire: the reader before has read what it took.
            let turn = place.turn.load(Ordering::Acquire).wrapping_add(index);
            if turn == number {
                let next = number.wrapping_add(1);
                match self.written.0.compare_exchange_weak(
                    number,
                    next,
                    Ordering::Relaxed,
                    Ordering::Relaxed,
                ) {
                    Ok(_) => {
                        place.write(event);
                        // Release: who sees the turn sees the event.
                        place
                            .turn
                            .store(next.wrapping_sub(index), Ordering::Release);
                        return true;
                    }
                    Err(now) => number = now,
                }
            } else if (turn.wrapping_sub(number) as isize) < 0 {
                return false;
            } else {
                number = self.written.0.load(Ordering::Relaxed);
            }
        }
    }

    pub(super) fn pop(&self) -> Option<Allocated> {
        let mut number = self.read.0.load(Ordering::Relaxed);
        loop {
            let index = number % PLACES;
            let place = &self.places[index];
            let turn = place.turn.load(Ordering::Acquire).wrapping_add(index);
            let next = number.wrapping_add(1);
            if turn == next {
                match self.read.0.compare_exchange_weak(
                    number,
                    next,
                    Ordering::Relaxed,
                    Ordering::Relaxed,
                ) {
                    Ok(_) => {
                        let event = place.read();
                        let free = number.wrapping_add(PLACES).wrapping_sub(index);
                        place.turn.store(free, Ordering::Release);
                        return Some(event);
                    }
                    Err(now) => number = now,
                }
            } else if (turn.wrapping_sub(next) as isize) < 0 {
                return None;
            } else {
                number = self.read.0.load(Ordering::Relaxed);
            }
        }
    }
}

impl Place {
    fn write(&self, event: Allocated) {
        self.stack
            .store(u64::from(event.stack.0), Ordering::Relaxed);
        for (to, word) in self.label.iter().zip(event.label) {
            to.store(word, Ordering::Relaxed);
        }
        for (to, word) in self.weight.iter().zip(event.weight.to_words()) {
            to.store(word, Ordering::Relaxed);
        }
    }

    fn read(&self) -> Allocated {
        let words =
            |from: &[AtomicU64; 2]| [0, 1].map(|at: usize| from[at].load(Ordering::Relaxed));
        Allocated {
            stack: StackId(self.stack.load(Ordering::Relaxed) as u32),
            label: words(&self.label),
            weight: Weight::from_words(words(&self.weight)),
        }
    }
}
