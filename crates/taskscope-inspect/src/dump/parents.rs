//! The tasks of a dump that have spawned others of it, by their ids.

use crate::Name;

/// The tasks of a dump that have spawned others of it: see
/// [`HeldTasks::parents`](super::HeldTasks::parents).
#[derive(Debug, Clone)]
pub struct Parents(
    /// Sorted by id.
    pub(super) Vec<(u64, Option<Name>)>,
);

impl Parents {
    /// The name of the task with this id; the outer `None` if it is not in the dump, or has spawned
    /// none of it.
    #[must_use]
    pub fn name(&self, id: u64) -> Option<Option<&str>> {
        let at = self.0.binary_search_by_key(&id, |(id, _)| *id).ok()?;
        Some(self.0[at].1.as_deref())
    }
}
