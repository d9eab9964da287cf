//! The one switch of this crate: what a task carries with the feature `enable` (`enabled.rs`) and without it (`disabled.rs`).
//!
//! Everything else of the write side is written once, against the names below. Not here: what is known of a scope, which differs, too
//! (`scope/inner/`); what tools read, which is not there at all without `enable`.

#[cfg(not(feature = "enable"))]
pub(crate) mod disabled;
#[cfg(feature = "enable")]
pub(crate) mod enabled;

use tokio::task::{AbortHandle, Id, JoinHandle};

#[cfg(not(feature = "enable"))]
use self::disabled as chosen;
#[cfg(feature = "enable")]
use self::enabled as chosen;

pub(crate) use self::chosen::{
    Attached, Declared, Owner, Record, Registered, ScopeGuard, TaskRef, bounded_name, clock,
    current_scope, enter_scope, launch, note_token_look, with_current,
};
pub use self::chosen::{CancelReason, Instrumented, Name, RuntimeGuard, register_runtime};

/// A handle of a task that has just been spawned.
pub(crate) trait Spawned {
    #[cfg_attr(
        not(feature = "enable"),
        expect(dead_code, reason = "no record to note it in")
    )]
    fn id(&self) -> Id;

    fn abort_handle(&self) -> AbortHandle;
}

impl<T> Spawned for JoinHandle<T> {
    fn id(&self) -> Id {
        JoinHandle::id(self)
    }

    fn abort_handle(&self) -> AbortHandle {
        JoinHandle::abort_handle(self)
    }
}

impl Spawned for AbortHandle {
    fn id(&self) -> Id {
        AbortHandle::id(self)
    }

    fn abort_handle(&self) -> AbortHandle {
        self.clone()
    }
}
