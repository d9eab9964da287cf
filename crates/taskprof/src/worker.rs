//! A thread that does one job after the other, and stays.
//!
//! A new thread for each job would do, but for memory: glibc's allocator gives each thread one of
//! up to eight arenas a processor and keeps in it what was freed, and what a sampler's tables or
//! debug information take is tens of megabytes. Threads that come and go leave that behind in one
//! arena after the other; one that stays leaves it once. Idle, it costs a stack of which two pages
//! are used. Not here: the order of jobs (`cpu_permit.rs`), how a job is awaited (`offload.rs`).

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Mutex, mpsc};

use crate::error::Error;
use crate::fork;

type Job = Box<dyn FnOnce() + Send>;

/// The thread, started with its first job.
pub(crate) struct Worker {
    name: &'static str,
    jobs: Mutex<Option<mpsc::Sender<Job>>>,
}

impl Worker {
    pub(crate) const fn new(name: &'static str) -> Worker {
        Worker {
            name,
            jobs: Mutex::new(None),
        }
    }

    /// Runs a job after those before it. A panic in it harms no other job; its result has to tell.
    ///
    /// # Errors
    ///
    /// If the thread could not be started, or is another process's.
    pub(crate) fn run(&self, job: impl FnOnce() + Send + 'static) -> Result<(), Error> {
        fork::check()?;
        let mut jobs = crate::sync::lock(&self.jobs);
        let sender = match &*jobs {
            Some(sender) => sender,
            None => {
                let (sender, receiver) = mpsc::channel::<Job>();
                crate::thread::spawn(self.name, move || {
                    for job in receiver {
                        // Nothing that it has left half-done is seen by another one.
                        let _ = catch_unwind(AssertUnwindSafe(job));
                    }
                })
                .map_err(|e| crate::thread::not_started(self.name, e))?;
                jobs.insert(sender)
            }
        };
        // The receiver is there for ever: panics are caught.
        let _ = sender.send(Box::new(job));
        Ok(())
    }
}
