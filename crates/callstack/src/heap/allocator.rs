//! [`Sampler`], the allocator that applications install: it forwards every call, and tells `linux`
//! what is allocated and freed.
//!
//! Not here: what is sampled and where samples are stored (`linux/`).

#![allow(unsafe_code)]

use std::alloc::{GlobalAlloc, Layout};

use super::linux;

/// A global allocator that forwards to another one and samples its allocations.
///
/// # Examples
///
/// ```
/// use callstack::heap::Sampler;
///
/// #[global_allocator]
/// static ALLOC: Sampler<std::alloc::System> = Sampler::new(std::alloc::System);
/// ```
///
/// # Overhead
///
/// A subtraction for an allocation and one read of a table of 1 MiB for a free: less than a
/// nanosecond for both. Every [`rate`](super::rate) bytes a sample is taken, which walks the stack:
/// about a microsecond. The tables are mapped with the first sample and take 17 MiB of addresses,
/// of which as much is in use as there are samples and stacks: 1 MiB or so for a small program,
/// never more than the 17.
///
/// # Limitations
///
/// Sees only what is allocated through it: no memory of C libraries, no mappings, no stacks. Memory
/// that is given to `realloc` counts as freed and allocated anew.
#[derive(Debug, Clone, Copy, Default)]
pub struct Sampler<A> {
    inner: A,
}

impl<A> Sampler<A> {
    /// Wraps `inner` and samples its allocations from the first one on.
    pub const fn new(inner: A) -> Self {
        Sampler { inner }
    }

    /// The allocator that does the work.
    pub const fn inner(&self) -> &A {
        &self.inner
    }
}

// SAFETY: every call is forwarded once, with the arguments that came, and its result is returned as
// it is. What is done besides touches none of that memory, does not unwind, and uses addresses only
// as numbers.
unsafe impl<A: GlobalAlloc> GlobalAlloc for Sampler<A> {
    #[inline]
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller keeps the contract of `alloc`.
        let memory = unsafe { self.inner.alloc(layout) };
        if linux::is_due(layout.size()) {
            linux::allocated(memory.addr(), layout.size());
        }
        memory
    }

    #[inline]
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller keeps the contract of `alloc_zeroed`.
        let memory = unsafe { self.inner.alloc_zeroed(layout) };
        if linux::is_due(layout.size()) {
            linux::allocated(memory.addr(), layout.size());
        }
        memory
    }

    #[inline]
    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        // Before the memory is given back: afterwards another thread may get the same address.
        if linux::may_be_sampled(memory.addr()) {
            linux::freed(memory.addr());
        }
        // SAFETY: the caller keeps the contract of `dealloc`.
        unsafe { self.inner.dealloc(memory, layout) }
    }

    #[inline]
    unsafe fn realloc(&self, memory: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        let address = memory.addr();
        let sampled = if linux::may_be_sampled(address) {
            linux::taken_out(address)
        } else {
            None
        };
        // SAFETY: the caller keeps the contract of `realloc`.
        let moved = unsafe { self.inner.realloc(memory, layout, new_size) };
        if moved.is_null() {
            if let Some(sampled) = sampled {
                linux::put_back(address, sampled);
            }
        } else if linux::is_due(new_size) {
            linux::allocated(moved.addr(), new_size);
        }
        moved
    }
}
