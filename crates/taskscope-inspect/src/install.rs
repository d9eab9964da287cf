//! Registers the readers with the core: from the first task on they watch for long polls, and count
//! tasks now and then.

use std::sync::Once;

use crate::maintenance::{self, Job};
use crate::{census, growth, long_jobs, poll_sampler, sampling, watchdog};

/// Registers the readers with the core. Called again, it does nothing.
pub fn install() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        maintenance::add_job(Job {
            while_polled: watchdog::check,
            while_quiet: None,
        });
        maintenance::add_job(Job {
            while_polled: wake_if_due,
            while_quiet: Some(wake_if_census_is_due),
        });
        long_jobs::add(sampling::job);
        long_jobs::add(growth::job);
        long_jobs::add(census::job);
        poll_sampler::install(&sampling::TABLES);
    });
}

/// Wakes the thread of long jobs if it is time to count. Cheap: this is on the watch thread.
fn wake_if_due() {
    if growth::is_due() || census::is_due() {
        long_jobs::wake();
    }
}

/// Wakes the thread of long jobs for a census alone: while nobody polls, no spawn site grows.
fn wake_if_census_is_due() {
    if census::is_due() {
        long_jobs::wake();
    }
}
