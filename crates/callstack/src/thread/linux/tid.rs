//! The kernel's numbers of this process and its threads.
//!
//! Not here: which signal is sent and when ([`super::signal`]).

#![allow(unsafe_code)]

use std::io;

use libc::c_int;

/// False if there is surely no such thread in this process.
pub(super) fn exists(tid: u32) -> bool {
    // `EINVAL`: not a number of a thread at all.
    !matches!(tgkill(tid, 0), Err(libc::ESRCH | libc::EINVAL))
}

/// Sends a signal to a thread of this process, and returns the error number if that fails.
pub(super) fn tgkill(tid: u32, number: c_int) -> Result<(), c_int> {
    // SAFETY: no memory is involved. The numbers of the process and of the thread must both match, so nobody else is hit.
    let result = unsafe { libc::syscall(libc::SYS_tgkill, process(), tid, number) };
    if result == 0 {
        return Ok(());
    }
    Err(io::Error::last_os_error().raw_os_error().unwrap_or(0))
}

/// Not kept: it is another one after a fork.
fn process() -> u32 {
    std::process::id()
}

/// May be called by a signal handler.
pub(in crate::thread) fn current() -> u32 {
    // SAFETY: has no preconditions and cannot fail.
    unsafe { libc::syscall(libc::SYS_gettid) as u32 }
}
