//! A stack that is not the one of its thread, as a coroutine has.
#![allow(unreachable_pub)]

use std::mem::MaybeUninit;
use std::ptr;

use libc::{MAP_ANONYMOUS, MAP_PRIVATE, PROT_NONE, PROT_READ, PROT_WRITE};

const PAGE: usize = 64 << 10;
const STACK: usize = 16 * PAGE;

/// Runs `f` on a new stack between two pages that must not be touched.
pub fn on_another_stack(f: extern "C" fn()) {
    // SAFETY: a fresh mapping is used as the stack of a context, and outlives it: `swapcontext`
    // returns when `f` has returned.
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
