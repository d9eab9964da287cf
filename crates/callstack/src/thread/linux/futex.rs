//! Waits for a word to change: the standard library has nothing that a signal handler may wake.

#![allow(unsafe_code)]

use std::ptr;
use std::sync::atomic::AtomicU32;
use std::time::Duration;

/// Waits for [`wake`], for at most `timeout`, if the word is `expected`. May also return early.
pub(super) fn wait(word: &AtomicU32, expected: u32, timeout: Duration) {
    let timeout = libc::timespec {
        // Callers wait for milliseconds at a time.
        tv_sec: timeout.as_secs().min(i32::MAX as u64) as libc::time_t,
        tv_nsec: libc::c_long::from(timeout.subsec_nanos() as i32),
    };
    // SAFETY: the word and the timeout are valid for the call. Its result does not matter: the
    // caller reads the word.
    unsafe {
        libc::syscall(
            libc::SYS_futex,
            word.as_ptr(),
            libc::FUTEX_WAIT | libc::FUTEX_PRIVATE_FLAG,
            expected,
            &raw const timeout,
            ptr::null::<u32>(),
            0,
        );
    }
}

/// Wakes all threads that wait for the word. May be called by a signal handler; may change `errno`.
pub(super) fn wake(word: &AtomicU32) {
    // SAFETY: a futex is named by its address; the word is not accessed.
    unsafe {
        libc::syscall(
            libc::SYS_futex,
            word.as_ptr(),
            libc::FUTEX_WAKE | libc::FUTEX_PRIVATE_FLAG,
            i32::MAX,
        );
    }
}
