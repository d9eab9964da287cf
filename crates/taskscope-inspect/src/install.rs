//! What the readers do by themselves, from the first task on: they look for long polls, and count tasks now and then.

use std::sync::Once;

use crate::maintenance::{self, Job};
use crate::{long_jobs, poll_sampler, sampling, watchdog};

/// Has the core call the readers when it is time. Called again, it does nothing.
pub fn install() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        maintenance::add_job(Job {
            while_polled: watchdog::look,
            while_quiet: None,
        });
        maintenance::add_job(Job {
            while_polled: long_jobs::look,
            while_quiet: Some(long_jobs::look_while_quiet),
        });
        poll_sampler::install(&sampling::TABLES);
    });
}
