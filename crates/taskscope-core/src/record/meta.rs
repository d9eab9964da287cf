//! The facts of a task's birth, and how it was declared.

use std::panic::Location;
use std::sync::Arc;

use super::Label;
use crate::{Name, Owner, ScopeInfo};

/// The facts of a task's birth, which never change.
#[derive(Debug)]
pub struct Meta {
    /// Where it was spawned.
    pub site: &'static Location<'static>,
    /// Tells the type of its future.
    pub future: fn() -> &'static str,
    /// The owner.
    pub scope: Option<Arc<dyn Owner>>,
    /// Raw ticks.
    pub spawned_at: u64,
    /// Tokio's id of the task that spawned this one; 0 if none of ours did.
    pub parent: u64,
}

impl Meta {
    /// The scope, for those who only read.
    #[must_use]
    pub fn scope_info(&self) -> Option<ScopeInfo> {
        let scope = self.scope.clone()?;
        Some(ScopeInfo::new(scope))
    }
}

/// How a task was declared when it was spawned: bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Traits(pub(super) u8);

impl Traits {
    /// Declared long-lived.
    pub const BACKGROUND: Traits = Traits(1);
    /// Spawned with `spawn_local`.
    pub const LOCAL: Traits = Traits(2);
    /// Never to be polled for a capture.
    pub const NO_CAPTURE: Traits = Traits(4);
    /// No task of a runtime, but a future that somebody else drives.
    pub const DRIVEN: Traits = Traits(8);
    /// A call on the blocking pool.
    pub const BLOCKING: Traits = Traits(16);
    /// Seen by the runtime's hooks; not spawned through this crate, so its wakers are not ours.
    pub const OBSERVED: Traits = Traits(32);
    /// A scope wants the means to abort it.
    pub const ABORTABLE: Traits = Traits(64);
    /// A sampler has met it: its facts are to be kept when it ends.
    pub(super) const SAMPLED: Traits = Traits(128);

    /// These and more, if `on`.
    pub fn with(self, more: Traits, on: bool) -> Traits {
        if on { Traits(self.0 | more.0) } else { self }
    }

    /// Whether it has all of these.
    pub fn has(self, all: Traits) -> bool {
        self.0 & all.0 == all.0
    }

    /// Whether tokio counts it among the tasks of a runtime.
    pub fn is_task(self) -> bool {
        self.0 & (Traits::DRIVEN.0 | Traits::BLOCKING.0) == 0
    }
}

/// A name and labels, as they go into a record's side table.
#[derive(Debug, Clone, Default)]
pub struct Tags {
    /// The name.
    pub name: Option<Name>,
    /// The labels, in the order in which they were set.
    pub labels: Vec<Label>,
}
