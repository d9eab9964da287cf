//! No records.

/// Records that exist, and those that somebody refers to.
pub(crate) fn counts() -> (usize, usize) {
    (0, 0)
}
