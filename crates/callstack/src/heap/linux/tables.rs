//! The mapping that holds the tables. It is not made by the allocator, so the allocator can use it.
//!
//! # Invariant
//!
//! A [`Tables`] consists of atomic words only, all of which may be zero at the beginning, and is
//! never unmapped.

#![allow(unsafe_code)]

use std::ptr;
use std::sync::atomic::{AtomicPtr, Ordering};

use super::live::LiveTable;
use super::queue::Queue;
use super::stacks::Stacks;

#[repr(C)]
pub(super) struct Tables {
    pub(super) live: LiveTable,
    pub(super) queue: Queue,
    pub(super) stacks: Stacks,
}

static TABLES: AtomicPtr<Tables> = AtomicPtr::new(ptr::null_mut());

/// The tables, if there has been a sample.
pub(super) fn known() -> Option<&'static Tables> {
    // Acquire pairs with the release in `get`; there is nothing but zeros to be seen, though.
    let tables = TABLES.load(Ordering::Acquire);
    // SAFETY: null, or what `get` has mapped, which stays (module invariant).
    unsafe { tables.as_ref() }
}

/// The tables, mapped with the first call. `None` if there is no memory for them; the next call
/// tries again.
///
/// Takes no lock. If several threads are first, one mapping wins.
pub(super) fn get() -> Option<&'static Tables> {
    if let Some(tables) = known() {
        return Some(tables);
    }
    let size = size_of::<Tables>();
    // SAFETY: a new private mapping harms nothing.
    let mapped = unsafe {
        libc::mmap(
            ptr::null_mut(),
            size,
            libc::PROT_READ | libc::PROT_WRITE,
            libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE,
            -1,
            0,
        )
    };
    if mapped == libc::MAP_FAILED {
        return None;
    }
    // With huge pages, a single sample would take 2 MiB in each table. The result does not matter.
    // SAFETY: advice about the mapping that was just made.
    unsafe { libc::madvise(mapped, size, libc::MADV_NOHUGEPAGE) };
    let new = mapped.cast::<Tables>();
    let published =
        TABLES.compare_exchange(ptr::null_mut(), new, Ordering::AcqRel, Ordering::Acquire);
    if published.is_err() {
        // SAFETY: nobody has seen this mapping.
        unsafe { libc::munmap(mapped, size) };
    }
    known()
}
