//! Platforms on which nothing can be sampled: every start fails.
//!
//! Not here: 64-bit Linux (`linux/`).

use super::{Collected, Options, Sample, StartError, ThreadTime};

/// Never exists.
pub(super) enum Running {}

pub(super) fn start(_: Options) -> Result<Running, StartError> {
    Err(StartError::NotSupported)
}

impl Running {
    pub(super) fn set_hz(&mut self, _: u32) {
        match *self {}
    }

    pub(super) fn collect(&mut self, _: &mut dyn FnMut(Sample<'_>)) -> Collected {
        match *self {}
    }

    pub(super) fn threads(&self) -> Vec<ThreadTime> {
        match *self {}
    }
}

pub(super) fn thread_started() {}
