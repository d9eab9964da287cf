//! Code that runs on another stack than the one of its thread, as coroutines and `stacker` do.
#![cfg(all(target_os = "linux", target_env = "gnu", target_pointer_width = "64"))]
#![allow(clippy::unwrap_used)]

mod support;

use std::cell::{Cell, RefCell};
use std::hint::black_box;
use std::mem::MaybeUninit;
use std::ptr;

use callstack::{Completeness, Stack, capture};
use libc::{MAP_ANONYMOUS, MAP_PRIVATE, PROT_NONE, PROT_READ, PROT_WRITE};
use support::names;

const PAGE: usize = 64 << 10;
const STACK: usize = 16 * PAGE;

thread_local! {
    /// Where the thread itself is, and what was captured on the other stack.
    static OUTSIDE: Cell<usize> = const { Cell::new(0) };
    static TRACES: RefCell<Vec<(Completeness, Vec<usize>)>> = const { RefCell::new(Vec::new()) };
}

/// Runs `f` on a new stack between two pages that must not be touched.
fn on_another_stack(f: extern "C" fn()) {
    // SAFETY: a fresh mapping is used as the stack of a context, and outlives it: `swapcontext` returns when `f` has
    // returned.
    unsafe {
        let memory = libc::mmap(
            ptr::null_mut(),
            STACK + 2 * PAGE,
            PROT_NONE,
            MAP_PRIVATE | MAP_ANONYMOUS,
            -1,
            0,
        );
        assert_ne!(memory, libc::MAP_FAILED);
        let stack = memory.byte_add(PAGE);
        assert_eq!(libc::mprotect(stack, STACK, PROT_READ | PROT_WRITE), 0);
        let mut here = MaybeUninit::<libc::ucontext_t>::zeroed();
        let mut there = MaybeUninit::<libc::ucontext_t>::zeroed();
        assert_eq!(libc::getcontext(there.as_mut_ptr()), 0);
        let context = &mut *there.as_mut_ptr();
        context.uc_stack.ss_sp = stack;
        context.uc_stack.ss_size = STACK;
        context.uc_link = here.as_mut_ptr();
        libc::makecontext(there.as_mut_ptr(), f, 0);
        assert_eq!(libc::swapcontext(here.as_mut_ptr(), there.as_ptr()), 0);
        libc::munmap(memory, STACK + 2 * PAGE);
    }
}

extern "C" fn coroutine() {
    let limit = 0_u8;
    for limit in [&raw const limit as usize, OUTSIDE.get(), usize::MAX] {
        leaf(limit);
    }
    black_box(limit);
}

#[inline(never)]
fn leaf(limit: usize) {
    let mut frames = Vec::new();
    let end = capture(limit, &mut frames);
    TRACES.with_borrow_mut(|traces| traces.push((end, frames)));
}

#[test]
fn only_frames_that_are_surely_on_the_same_stack_are_walked() {
    let outside = 0_u8;
    OUTSIDE.set(&raw const outside as usize);
    on_another_stack(coroutine);
    let traces = TRACES.take();
    let traces: Vec<_> = traces
        .into_iter()
        .map(|(end, frames)| (end, Stack::intern(&frames).symbols()))
        .collect();
    let seen: Vec<_> = traces
        .iter()
        .map(|(end, symbols)| (*end, names(symbols)))
        .collect();
    let leaf = vec!["foreign_stack::leaf"];
    assert_eq!(
        seen[0],
        (
            Completeness::Complete,
            vec!["foreign_stack::leaf", "foreign_stack::coroutine"]
        )
    );
    assert_eq!(seen[1], (Completeness::Broken, leaf.clone()));
    assert_eq!(seen[2], (Completeness::Broken, leaf));
}
