//! Nobody is told of survivors, so no ended scope is remembered.

use std::sync::Weak;
use std::time::Duration;

use super::ScopeInner;

/// Nothing is reported, so nothing has to be remembered.
pub(super) fn ended(_: &Weak<ScopeInner>, _: Duration) -> bool {
    true
}
