//! No records: nothing to sample.

use super::Report;

pub(super) fn start() -> bool {
    false
}

pub(super) fn stop() -> bool {
    false
}

pub(super) fn is_on() -> bool {
    false
}

pub(super) fn report() -> Report {
    Report::default()
}
