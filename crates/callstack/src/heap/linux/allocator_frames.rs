//! The frames between the sampler and whoever allocates, known by their return addresses.
//!
//! They are found by trying: each entry of the allocator is called once, and the stack from the sampler up to the caller is
//! the machinery. Every allocation comes by the same calls, so they have the same return addresses; what was inlined into
//! its caller has none and is not cut.

#![allow(unsafe_code)]

use std::alloc::{self, Layout};
use std::hint::black_box;
use std::sync::OnceLock;

use super::{thread, walkers};
use crate::sync::Mutex;
use crate::unwind::registers::Registers;

static OWN: OnceLock<Vec<usize>> = OnceLock::new();

/// What the last probe has found: a stack address in the frame of the probe, and the frames up to it.
static PROBE: Mutex<(usize, Vec<usize>)> = Mutex::new((0, Vec::new()));

/// Once for the process. Not to be called by the allocator.
pub(in crate::heap) fn prepare() {
    OWN.get_or_init(|| {
        // A stranger's `GlobalAlloc` could do anything in here, but nobody holds a lock of ours.
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

/// For the sampler, during the allocation of a probe. Whoever probes has room for the frames.
pub(super) fn found(start: &Registers) {
    // Nobody else can hold it: who probes is this thread, and it has let go.
    let Some(mut probe) = PROBE.try_lock() else {
        return;
    };
    let (limit, out) = &mut *probe;
    let _ = walkers::with_stack(start, *limit, |frames, completeness| {
        if completeness == crate::Completeness::Complete && frames.len() <= out.capacity() {
            // The last one is that of the probe.
            let machinery = frames.split_last().map_or(frames, |(_, rest)| rest);
            out.extend_from_slice(machinery);
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

/// The next allocation of this thread is the probe's.
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
    // SAFETY: the layout has a size; the memory is freed with the layout that it was allocated with.
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
    // SAFETY: as in `probe_alloc`; a failed `realloc` leaves the memory as it was, another one gives new memory of the size
    // that was asked for.
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
