//! Reads the clocks of the system and of threads, in nanoseconds.

#![allow(unsafe_code)]

use libc::{clockid_t, timespec};

/// Reads a clock; 0 if it cannot be read, because its thread has ended for example.
/// Async-signal-safe; may change `errno`.
pub(super) fn read(clock: clockid_t) -> u64 {
    let mut time = timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: `time` has room for the answer.
    if unsafe { libc::clock_gettime(clock, &raw mut time) } != 0 {
        return 0;
    }
    (time.tv_sec as u64)
        .wrapping_mul(1_000_000_000)
        .wrapping_add(time.tv_nsec as u64)
}

/// The clock of a thread's processor time (`CPUCLOCK_PERTHREAD_MASK | CPUCLOCK_SCHED` of the
/// kernel).
pub(super) fn of_thread(tid: u32) -> clockid_t {
    (!(tid as clockid_t) << 3) | 4 | 2
}
