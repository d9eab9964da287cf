//! Threads of this crate: each has a name of at most 15 bytes, and a nice value above the
//! application's.
//!
//! A nice value that is 5 above the program's: where processors are free nothing changes; where a
//! thread of the application wakes on ours, it does not wait for the end of our time slice, and a
//! program that takes all processors leaves us a third of what it leaves a thread of its own. More
//! would keep answers from coming while the application spins. Not here: how many there are
//! (`cpu_permit.rs`, `http/admission.rs`).

use std::io;
use std::thread::{Builder, JoinHandle};

use rustix::process::{getpid, getpriority_process, setpriority_process};

use crate::error::Error;

/// Added to the program's nice value, which is that of its first thread: ours are started by
/// threads of ours, too.
const NICER: i32 = 5;

/// Starts a thread of this name.
pub(crate) fn spawn(
    name: &str,
    work: impl FnOnce() + Send + 'static,
) -> io::Result<JoinHandle<()>> {
    Builder::new().name(name.to_owned()).spawn(move || {
        // On Linux this is about the calling thread. Nothing keeps one from asking for less.
        if let Ok(program) = getpriority_process(Some(getpid())) {
            let _ = setpriority_process(None, program + NICER);
        }
        work();
    })
}

/// The error of a thread that could not be started.
pub(crate) fn not_started(name: &str, error: io::Error) -> Error {
    Error::sampler(format!("the thread {name} could not be started")).caused_by(error)
}
