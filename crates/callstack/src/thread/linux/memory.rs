//! Copies a stack whose end is not known, from a signal handler.
//!
//! The kernel copies ([`libc::process_vm_readv`] on this process) and stops where nothing is
//! mapped. So the bounds of the stack need not be known, and it may be any stack: that of the
//! thread, of a coroutine, or an alternate one. There is no lock, no allocation and no fault.
//!
//! Not here: which part is copied ([`super::handler`], [`super::blocked`]).

#![allow(unsafe_code)]

use super::tid;

/// How much the kernel maps at once; larger pieces would not be faster.
const PIECE: usize = 64 << 10;
/// The smallest page.
const PAGE: usize = 4096;

/// Copies memory of this process from `start` up to `end`, or up to where it cannot be read, and
/// returns how many bytes. May be called by a signal handler; may change `errno`.
///
/// # Safety
///
/// `into` must be valid for writes of `end - start` bytes.
pub(crate) unsafe fn copy(start: usize, end: usize, into: *mut u8) -> usize {
    let tid = tid::current() as libc::pid_t;
    let mut at = start;
    let mut piece = PIECE;
    while at < end {
        // Up to the next boundary, so that a readable page is not refused because of the one after
        // it.
        let stop = end.min((at | (piece - 1)).saturating_add(1));
        let local = libc::iovec {
            iov_base: into.wrapping_add(at - start).cast(),
            iov_len: stop - at,
        };
        let remote = libc::iovec {
            iov_base: std::ptr::without_provenance_mut(at),
            iov_len: stop - at,
        };
        // SAFETY: writes at most `end - start` bytes from `into` on, by the contract of this
        // function. What is read need not be valid: the kernel checks.
        let copied =
            unsafe { libc::process_vm_readv(tid, &raw const local, 1, &raw const remote, 1, 0) };
        match usize::try_from(copied) {
            Ok(copied @ 1..) => at += copied,
            // Not even one page can be read.
            _ if piece == PAGE => break,
            _ => piece = PAGE,
        }
    }
    at - start
}

/// Copies memory of this process from `start` on, as much as has room and can be read, and returns
/// how many words.
pub(super) fn copy_into(start: usize, into: &mut [u64]) -> usize {
    let end = start.saturating_add(size_of_val(into));
    // SAFETY: there is room for `end - start` bytes, and any bytes are words.
    let copied = unsafe { copy(start, end, into.as_mut_ptr().cast()) };
    copied / size_of::<u64>()
}

/// Copies bytes of this process from `start` on, as many as have room and can be read, and returns
/// how many.
pub(super) fn copy_bytes(start: usize, into: &mut [u8]) -> usize {
    // SAFETY: there is room for `into.len()` bytes.
    unsafe { copy(start, start.saturating_add(into.len()), into.as_mut_ptr()) }
}

/// Whether the system lets this process copy its own memory.
pub(crate) fn can_be_copied() -> bool {
    let original = 0x5eed_u64;
    let mut copied = 0_u64;
    let start = (&raw const original).expose_provenance();
    // SAFETY: `copied` is as large as `original`.
    let len = unsafe { copy(start, start + size_of::<u64>(), (&raw mut copied).cast()) };
    len == size_of::<u64>() && copied == original
}

/// The thread pointer. If it is near the stack pointer, the stack ends below it: the C library
/// keeps its own data of a thread on top of the stack that it has mapped. Only saves copying what
/// lies behind.
#[cfg(target_arch = "x86_64")]
pub(crate) fn thread_pointer() -> usize {
    let pointer: usize;
    // SAFETY: the ABI demands that the first word that `fs` points to is its own address.
    unsafe {
        std::arch::asm!(
            "mov {}, fs:0",
            out(reg) pointer,
            options(nostack, preserves_flags, readonly),
        );
    }
    pointer
}

/// The thread pointer. If it is near the stack pointer, the stack ends below it: the C library
/// keeps its own data of a thread on top of the stack that it has mapped. Only saves copying what
/// lies behind.
#[cfg(target_arch = "aarch64")]
pub(crate) fn thread_pointer() -> usize {
    let pointer: usize;
    // SAFETY: only reads a register.
    unsafe {
        std::arch::asm!(
            "mrs {}, tpidr_el0",
            out(reg) pointer,
            options(nostack, preserves_flags, nomem),
        );
    }
    pointer
}

#[cfg(test)]
mod tests {
    use std::ptr;

    use super::{PAGE, can_be_copied, copy};

    /// Three pages; the last one must not be read.
    fn with_a_hole(test: impl FnOnce(usize)) {
        // SAFETY: a fresh mapping of its own; unmapped after the test.
        unsafe {
            let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
            let access = libc::PROT_READ | libc::PROT_WRITE;
            // As large as the largest page, so that a hole can be made on any machine.
            let page = libc::sysconf(libc::_SC_PAGESIZE) as usize;
            let memory = libc::mmap(ptr::null_mut(), 3 * page, access, flags, -1, 0);
            assert_ne!(memory, libc::MAP_FAILED);
            memory.cast::<u8>().write_bytes(7, 2 * page);
            let hole = memory.byte_add(2 * page);
            assert_eq!(libc::mprotect(hole, page, libc::PROT_NONE), 0);
            test(hole.addr());
            libc::munmap(memory, 3 * page);
        }
    }

    #[test]
    fn a_copy_ends_where_nothing_can_be_read() {
        with_a_hole(|hole| {
            let mut into = vec![0_u8; 4 * PAGE];
            let start = hole - 100;
            // SAFETY: there is room.
            let copied = unsafe { copy(start, start + into.len(), into.as_mut_ptr()) };
            assert_eq!(copied, 100);
            assert!(into[..100].iter().all(|&byte| byte == 7));
            assert!(into[100..].iter().all(|&byte| byte == 0));
            // SAFETY: as above.
            let copied = unsafe { copy(hole, hole + 8, into.as_mut_ptr()) };
            assert_eq!(copied, 0);
        });
    }

    #[test]
    fn a_copy_ends_where_it_is_told_to() {
        with_a_hole(|hole| {
            let mut into = vec![0_u8; 2 * PAGE];
            let start = hole - PAGE - 24;
            // SAFETY: there is room.
            let copied = unsafe { copy(start, hole - 8, into.as_mut_ptr()) };
            assert_eq!(copied, PAGE + 16);
            assert_eq!(into[copied - 1..=copied], [7, 0]);
        });
    }

    #[test]
    fn this_process_may_copy_its_own_memory() {
        assert!(can_be_copied());
    }
}
