//! The tasks of a dump of nothing.

use std::ops::ControlFlow;

use super::{Dump, DumpOptions, NoMemory, Parents, TaskDump, collect};
use crate::ResourceDump;

/// The tasks of a dump that is under way: see [`DumpOptions::hold`].
#[derive(Debug)]
pub struct HeldTasks(DumpOptions);

impl HeldTasks {
    pub(super) fn new(options: DumpOptions) -> Result<HeldTasks, NoMemory> {
        Ok(HeldTasks(options))
    }

    /// None.
    #[must_use]
    pub fn len(&self) -> usize {
        0
    }

    /// True.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        true
    }

    /// None.
    #[must_use]
    pub fn resources(&self) -> &[ResourceDump] {
        &[]
    }

    /// None.
    #[must_use]
    pub fn task(&self, _: u64) -> Option<TaskDump> {
        None
    }

    /// None.
    #[must_use]
    pub fn at(&self, _: usize) -> Option<TaskDump> {
        None
    }

    /// A dump of nothing.
    pub fn capture(&mut self, _: &mut dyn FnMut(usize, TaskDump)) -> Dump {
        collect::collect(&self.0)
    }

    /// Does nothing.
    pub fn read(self, _: &mut dyn FnMut(TaskDump) -> ControlFlow<()>) {}

    /// None.
    ///
    /// # Errors
    ///
    /// Never.
    pub fn parents(&self) -> Result<Parents, NoMemory> {
        Ok(Parents(Vec::new()))
    }
}
