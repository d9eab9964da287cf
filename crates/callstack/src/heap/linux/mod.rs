//! Sampling on 64-bit Linux.
//!
//! # Invariants
//!
//! * Nothing on the way of an allocation or a free waits: no lock is taken, and all that is shared
//!   are atomic words, most of them in one mapping of their own ([`tables`]). So signal handlers,
//!   forked children, threads that end and threads that are stopped half-way harm nobody.
//! * The walk of a stack ([`walkers`]) allocates from the inner allocator, with sampling off for
//!   this thread ([`thread`]), while no table is half-changed.
//! * An address is in the table of live samples only between the return of the inner allocation and
//!   the call of the inner deallocation. So nobody puts in, or takes out, an address that somebody
//!   else is putting in or taking out: that would be a use of memory after it was freed, by the
//!   program.
//! * Every table is bounded; a sample without room is counted ([`super::Dropped`]).
//!
//! Not here: the allocator itself (`heap/allocator.rs`).

mod allocator_frames;
mod filter;
mod live;
mod queue;
mod sample;
mod stacks;
mod tables;
mod thread;
mod walkers;

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

pub(super) use allocator_frames::prepare;
pub(super) use filter::may_be_sampled;
pub(super) use sample::{allocated, freed, put_back, set_label, taken_out};
pub(super) use thread::{is_due, is_installed};

use super::samples::{Allocated, DEFAULT_RATE, Dropped, Frames, Live, StackId};
use super::weight::Weight;
use crate::Completeness;

pub(super) const SUPPORTED: bool = true;

static RATE: AtomicUsize = AtomicUsize::new(DEFAULT_RATE);

// The fields of `Dropped`.
static NESTED: AtomicU64 = AtomicU64::new(0);
static NO_TABLES: AtomicU64 = AtomicU64::new(0);
static NO_PLACE: AtomicU64 = AtomicU64::new(0);
static NO_STACK: AtomicU64 = AtomicU64::new(0);
static NO_ROOM_FOR_STACK: AtomicU64 = AtomicU64::new(0);
static NO_LABEL: AtomicU64 = AtomicU64::new(0);

fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

pub(super) fn set_rate(bytes: usize) {
    RATE.store(bytes, Ordering::Relaxed);
    thread::begin_anew();
}

pub(super) fn rate() -> usize {
    RATE.load(Ordering::Relaxed)
}

pub(super) fn drain(each: &mut dyn FnMut(Allocated)) {
    let Some(tables) = tables::known() else {
        return;
    };
    // Bounded, so that draining comes to an end although other threads go on allocating.
    for _ in 0..queue::PLACES {
        let Some(event) = tables.queue.pop() else {
            return;
        };
        each(event);
    }
}

pub(super) fn unlabelled(each: &mut dyn FnMut(StackId, Weight)) {
    if let Some(tables) = tables::known() {
        tables.stacks.unlabelled(each);
    }
}

pub(super) fn live(each: &mut dyn FnMut(Live)) {
    if let Some(tables) = tables::known() {
        tables.live.for_each(each);
    }
}

pub(super) fn frames(stack: StackId) -> Frames {
    let nothing = Frames {
        addresses: Vec::new(),
        completeness: Completeness::Broken,
    };
    let Some(tables) = tables::known() else {
        return nothing;
    };
    let Some((all, completeness)) = tables.stacks.frames(stack) else {
        return nothing;
    };
    Frames {
        addresses: allocator_frames::cut(all),
        completeness,
    }
}

pub(super) fn dropped() -> Dropped {
    let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
    Dropped {
        nested: read(&NESTED),
        no_tables: read(&NO_TABLES),
        no_place: read(&NO_PLACE),
        no_stack: read(&NO_STACK),
        no_room_for_stack: read(&NO_ROOM_FOR_STACK),
        no_label: read(&NO_LABEL),
    }
}
