//! Takes a sample, and forgets it when its memory is freed.
//!
//! Not here: which allocations are due ([`super::thread`]), and the tables ([`super::tables`]).

use std::sync::atomic::{AtomicPtr, Ordering};
use std::{mem, ptr};

use super::live::Entry;
use super::{NESTED, NO_LABEL, NO_PLACE, NO_STACK, NO_TABLES, count};
use super::{allocator_frames, filter, stacks, tables, thread, walkers};
use crate::heap::samples::{Allocated, Label};
use crate::heap::weight::Weight;
use crate::unwind::registers::Registers;

/// The function that gives the label, a `fn() -> Label`; null if none was set.
static LABEL: AtomicPtr<()> = AtomicPtr::new(ptr::null_mut());

pub(in crate::heap) fn set_label(label: fn() -> Label) {
    LABEL.store(label as *mut (), Ordering::Relaxed);
}

#[allow(unsafe_code)]
fn label() -> Label {
    let function = LABEL.load(Ordering::Relaxed);
    if function.is_null() {
        return [0, 0];
    }
    // SAFETY: not null, so `set_label` has stored it, and it was such a function there.
    let function = unsafe { mem::transmute::<*mut (), fn() -> Label>(function) };
    function()
}

/// Samples an allocation that was due. A null address is one that failed.
#[cold]
#[inline(never)]
pub(in crate::heap) fn allocated(address: usize, size: usize) {
    let start = Registers::here();
    sample(&start, address, size);
}

fn sample(start: &Registers, address: usize, size: usize) {
    thread::with(|state| {
        if state.probing.replace(false) {
            let busy = state.enter();
            allocator_frames::found(start);
            drop(busy);
            state.begin_anew();
            return;
        }
        let Some(rate) = state.next(size) else {
            return;
        };
        if address == 0 {
            return;
        }
        let Some(_busy) = state.enter() else {
            return count(&NESTED);
        };
        let Some(tables) = tables::get() else {
            return count(&NO_TABLES);
        };
        let stack = walkers::with_stack(start, usize::MAX, |frames, completeness| {
            tables.stacks.intern(frames, completeness)
        });
        let stack = stack.unwrap_or_else(|| {
            count(&NO_STACK);
            stacks::NONE
        });
        let entry = Entry {
            stack,
            label: label(),
            weight: Weight::of(size, rate),
        };
        let event = Allocated {
            stack,
            label: entry.label,
            weight: entry.weight,
        };
        if !tables.queue.push(event) {
            count(&NO_LABEL);
            tables.stacks.add_unlabelled(stack, entry.weight);
        }
        put(tables, address, entry);
    });
}

fn put(tables: &tables::Tables, address: usize, entry: Entry) {
    if tables.live.put(address, entry) {
        filter::add(address);
    } else {
        count(&NO_PLACE);
    }
}

/// Forgets the sample of memory that is about to be freed, if there is one.
#[cold]
#[inline(never)]
pub(in crate::heap) fn freed(address: usize) {
    let _ = taken_out(address);
}

/// Like [`freed`], for memory that may yet stay: returns the sample.
#[cold]
#[inline(never)]
pub(in crate::heap) fn taken_out(address: usize) -> Option<Entry> {
    let entry = tables::known()?.live.take(address)?;
    filter::remove(address);
    Some(entry)
}

/// Puts a sample back whose memory has stayed.
#[cold]
#[inline(never)]
pub(in crate::heap) fn put_back(address: usize, entry: Entry) {
    if let Some(tables) = tables::known() {
        put(tables, address, entry);
    }
}
