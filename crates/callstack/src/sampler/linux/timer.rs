//! POSIX timers on the processor clock of one thread.
//!
//! Not here: which threads have one ([`super::registry`]).

#![allow(unsafe_code)]

use std::io;
use std::mem::MaybeUninit;

use libc::{c_int, itimerspec, sigevent, timespec};

use super::clock;

/// A timer of the kernel, by the kernel's own number. The C library's functions would wrap it.
pub(super) struct Timer(c_int);

impl Timer {
    /// Makes a timer that sends `signal` to its thread. `value` is in each of its signals.
    pub(super) fn new(tid: u32, signal: c_int, value: u64) -> io::Result<Timer> {
        // SAFETY: an all-zero event is a valid value; what matters is set below.
        let mut event: sigevent = unsafe { MaybeUninit::zeroed().assume_init() };
        event.sigev_notify = libc::SIGEV_THREAD_ID;
        event.sigev_signo = signal;
        event.sigev_value.sival_ptr = std::ptr::without_provenance_mut(value as usize);
        event.sigev_notify_thread_id = tid as c_int;
        let mut timer: c_int = 0;
        // SAFETY: the event is valid for the call, and `timer` has room for the number.
        let result = unsafe {
            libc::syscall(
                libc::SYS_timer_create,
                clock::of_thread(tid),
                &raw const event,
                &raw mut timer,
            )
        };
        if result == 0 {
            Ok(Timer(timer))
        } else {
            Err(io::Error::last_os_error())
        }
    }

    /// Starts the timer. The first period may be different from the others.
    pub(super) fn set(&self, first: u64, period: u64) {
        let time = |nanos: u64| timespec {
            tv_sec: (nanos / 1_000_000_000) as libc::time_t,
            tv_nsec: (nanos % 1_000_000_000) as libc::c_long,
        };
        let times = itimerspec {
            it_interval: time(period),
            it_value: time(first),
        };
        // SAFETY: a timer of ours; the times are valid for the call, and the old ones are not asked
        // for.
        unsafe {
            libc::syscall(
                libc::SYS_timer_settime,
                self.0,
                0,
                &raw const times,
                std::ptr::null_mut::<itimerspec>(),
            )
        };
    }
}

impl Drop for Timer {
    fn drop(&mut self) {
        // SAFETY: a timer of ours, deleted once. In a forked child there is none with this number,
        // or it is not there at all.
        unsafe { libc::syscall(libc::SYS_timer_delete, self.0) };
    }
}
