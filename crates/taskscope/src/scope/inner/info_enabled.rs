//! Facts of a scope for those who only read, such as dumps: its answers to `taskscope-core`'s
//! questions.

use std::any::Any;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use taskscope_core::scope_info::ScopeFacts;
use tokio::time::Instant;

pub use taskscope_core::{Cancellation, ScopeInfo};

use super::{ScopeInner, ago};
use crate::backend::CancelReason;

impl ScopeInner {
    /// The scope that tells these facts. `None`: it is not one of this crate.
    pub(crate) fn of_facts(scope: &dyn ScopeFacts) -> Option<&ScopeInner> {
        let scope: &dyn Any = scope;
        scope.downcast_ref()
    }

    /// The scope, for those who only read.
    pub(crate) fn info(self: Arc<ScopeInner>) -> ScopeInfo {
        ScopeInfo::new(self)
    }

    /// The scope that a reader was shown. `None`: it is not one of this crate.
    pub(crate) fn of_info(info: &ScopeInfo) -> Option<Arc<ScopeInner>> {
        let scope: Arc<dyn Any + Send + Sync> = info.facts().clone();
        scope.downcast().ok()
    }

    /// Whether a reader was shown this very scope.
    pub(crate) fn is_shown_by(&self, info: &ScopeInfo) -> bool {
        std::ptr::addr_eq(self, Arc::as_ptr(info.facts()))
    }

    /// Why it was cancelled, where that began, and how long ago.
    pub(crate) fn cancellation(&self) -> Option<Cancellation> {
        let (reason, ago) = self.cancelled()?;
        let (root, cause) = self.cause()?;
        let scope = root.this.upgrade()?.info();
        Some(Cancellation::new(reason, cause.reason, scope, ago))
    }
}

impl ScopeFacts for ScopeInner {
    fn name(&self) -> &Arc<str> {
        &self.name
    }

    fn labels(&self) -> Vec<(Arc<str>, Arc<str>)> {
        ScopeInner::labels(self)
    }

    fn parent(&self) -> Option<Arc<dyn ScopeFacts>> {
        let parent = self.parent.clone()?;
        Some(parent)
    }

    fn contains(&self, scope: &dyn ScopeFacts) -> bool {
        ScopeInner::of_facts(scope).is_some_and(|scope| self.is_above(scope))
    }

    fn is_within(&self, name: &str) -> bool {
        self.chain().any(|scope| &*scope.name == name)
    }

    fn age(&self) -> Duration {
        ScopeInner::age(self)
    }

    fn ended(&self) -> Option<Duration> {
        ScopeInner::ended(self)
    }

    fn has_ended(&self) -> bool {
        self.chain()
            .any(|scope| scope.ended_at.load(Ordering::Acquire) != 0)
    }

    fn end_reason(&self) -> Option<CancelReason> {
        ScopeInner::end_reason(self)
    }

    fn cancelled(&self) -> Option<(CancelReason, Option<Duration>)> {
        ScopeInner::cancelled(self)
    }

    fn cancelled_for(&self) -> Option<Duration> {
        self.cause().map(|(_, cause)| ago(cause.at))
    }

    fn cancellation(self: Arc<Self>) -> Option<Cancellation> {
        ScopeInner::cancellation(&self)
    }

    fn deadline(&self) -> Option<Instant> {
        ScopeInner::deadline(self)
    }

    fn remaining(&self) -> Option<Duration> {
        ScopeInner::remaining(self)
    }

    fn tasks(&self) -> usize {
        ScopeInner::tasks(self)
    }

    fn request(&self) -> Option<u64> {
        ScopeInner::request(self)
    }
}
