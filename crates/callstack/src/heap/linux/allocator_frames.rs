//! The frames between the sampler and the code that allocates, known by their return addresses.
//!
//! They are found by trying: each entry of the allocator is called once, and the frames from the
//! sampler up to the caller are those of the allocator. Every allocation comes by the same calls,
//! so these frames have the same return addresses; a function that was inlined into its caller has
//! none and is not cut. Not here: the walk of a sample's stack ([`super::walkers`]).

#![allow(unsafe_code)]

use std::alloc::{self, Layout};
use std::hint::black_box;
use std::sync::OnceLock;

use super::{thread, walkers};
use crate::sync::Mutex;
use crate::unwind::registers::Registers;

static OWN: OnceLock<Vec<usize>> = OnceLock::new();

/// The result of the last probe: a stack address in the frame of the probe, and the frames up to
/// it.
static PROBE: Mutex<(usize, Vec<usize>)> = Mutex::new((0, Vec::new()));

/// Finds the frames, once in a process. Must not be called by the allocator.
pub(in crate::heap) fn prepare() {
    OWN.get_or_init(|| {
        // The inner allocator may do anything in here, but no lock of ours is held.
        let mut own: Vec<usize> = [probe_alloc, probe_zeroed, probe_realloc]
            .iter()
            .flat_map(|probe| found_by(*probe))
            .collect();
        own.sort_unstable();
        own.dedup();
        own
    });
}

/// The frames without those of the allocator at the leaf.
pub(super) fn cut(frames: Vec<usize>) -> Vec<usize> {
    let Some(own) = OWN.get() else {
        return frames;
    };
    let first = frames
        .iter()
        .position(|frame| own.binary_search(frame).is_err());
    match first {
        None | Some(0) => frames,
        Some(first) => frames[first..].to_vec(),
    }
}

/// Stores the frames of a probe. Called by the sampler during the allocation; there is room for
/// them.
pub(super) fn found(start: &Registers) {
    // This thread probes, and has released the lock, so nobody else holds it.
    let Some(mut probe) = PROBE.try_lock() else {
        return;
    };
    let (limit, out) = &mut *probe;
    let _ = walkers::with_stack(start, *limit, |frames, completeness| {
        if completeness == crate::Completeness::Complete && frames.len() <= out.capacity() {
            // The last frame is that of the probe.
            let allocator = frames.split_last().map_or(frames, |(_, rest)| rest);
            out.extend_from_slice(allocator);
        }
    });
}

fn set_probe(limit: usize) {
    let mut probe = PROBE.lock();
    *probe = (limit, Vec::with_capacity(crate::MAX_FRAMES));
}

fn found_by(probe: fn()) -> Vec<usize> {
    probe();
    thread::with(|state| state.probing.set(false));
    let mut probe = PROBE.lock();
    std::mem::take(&mut probe.1)
}

/// Makes the next allocation of this thread the probe.
fn arm() {
    thread::with(|state| {
        state.begin_anew();
        state.probing.set(true);
    });
}

fn layout() -> Layout {
    Layout::new::<[u64; 8]>()
}

#[inline(never)]
fn probe_alloc() {
    let local = 0_u8;
    set_probe((&raw const *black_box(&local)).addr());
    let layout = black_box(layout());
    arm();
    // SAFETY: the layout has a size; the memory is freed with the layout that it was allocated
    // with.
    unsafe {
        let memory = black_box(alloc::alloc(layout));
        if !memory.is_null() {
            alloc::dealloc(memory, layout);
        }
    }
}

#[inline(never)]
fn probe_zeroed() {
    let local = 0_u8;
    set_probe((&raw const *black_box(&local)).addr());
    let layout = black_box(layout());
    arm();
    // SAFETY: as in `probe_alloc`.
    unsafe {
        let memory = black_box(alloc::alloc_zeroed(layout));
        if !memory.is_null() {
            alloc::dealloc(memory, layout);
        }
    }
}

#[inline(never)]
fn probe_realloc() {
    let local = 0_u8;
    set_probe((&raw const *black_box(&local)).addr());
    let layout = black_box(layout());
    // SAFETY: as in `probe_alloc`; a failed `realloc` leaves the memory as it was, another one
    // gives new memory of the size that was asked for.
    unsafe {
        let memory = black_box(alloc::alloc(layout));
        if memory.is_null() {
            return;
        }
        arm();
        let larger = layout.size() * 2;
        let moved = black_box(alloc::realloc(memory, layout, larger));
        if moved.is_null() {
            alloc::dealloc(memory, layout);
        } else if let Ok(layout) = Layout::from_size_align(larger, layout.align()) {
            alloc::dealloc(moved, layout);
        }
    }
}
