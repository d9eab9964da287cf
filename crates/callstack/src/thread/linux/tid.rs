//! The kernel's numbers of this process and its threads.
//!
//! Not here: which signal is sent and when ([`super::signal`]).

#![allow(unsafe_code)]

use std::io;

use libc::c_int;

/// Whether there may be such a thread in this process; false means that there is none.
pub(super) fn exists(tid: u32) -> bool {
    // `EINVAL`: no thread can have this number.
    !matches!(tgkill(tid, 0), Err(libc::ESRCH | libc::EINVAL))
}

/// Sends a signal to a thread of this process, and returns the error number if that fails.
pub(super) fn tgkill(tid: u32, number: c_int) -> Result<(), c_int> {
    // SAFETY: no memory is involved. The ids of the process and of the thread must both match, so
    // no other thread gets it.
    let result = unsafe { libc::syscall(libc::SYS_tgkill, process(), tid, number) };
    if result == 0 {
        return Ok(());
    }
    Err(io::Error::last_os_error().raw_os_error().unwrap_or(0))
}

/// The id of this process. Not cached, because it is another one after a fork.
fn process() -> u32 {
    std::process::id()
}

/// The id of the calling thread. May be called by a signal handler.
pub(in crate::thread) fn current() -> u32 {
    // SAFETY: has no preconditions and cannot fail.
    unsafe { libc::syscall(libc::SYS_gettid) as u32 }
}
