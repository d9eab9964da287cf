//! Nobody is told of survivors, so no ended scope is remembered.

use std::sync::Arc;
use std::time::Duration;

use super::ScopeInner;

pub(super) fn counts() -> (usize, u64) {
    (0, 0)
}

/// Nothing is reported, so nothing has to be remembered.
pub(super) fn ended(_: &Arc<ScopeInner>, _: Duration) -> bool {
    true
}
