//! The list of loaded modules, and the call that brings it up to date with the dynamic loader.
//!
//! Not here: how the loader is asked (`crate::loaded`).

use std::sync::Arc;

use crate::Module;

/// The executable mappings of the loaded modules, by address; the main program first.
///
/// The list is as of the last [`refresh`], and empty on platforms other than 64-bit Linux.
pub fn modules() -> Arc<[Module]> {
    #[cfg(all(target_os = "linux", target_pointer_width = "64"))]
    return Arc::clone(&crate::loaded::current().modules);
    #[cfg(not(all(target_os = "linux", target_pointer_width = "64")))]
    return Arc::new([]);
}

/// Brings the module list up to date with the dynamic loader. Call it before a series of captures.
///
/// If nothing was loaded or unloaded since the last call, this costs one call of the loader.
/// Otherwise the list is read again; if something was unloaded, all cached symbols except those of
/// the main program are forgotten.
///
/// # Limitations
///
/// Waits for the lock of the dynamic loader, so do not call it on a path that must not wait.
pub fn refresh() {
    #[cfg(all(target_os = "linux", target_pointer_width = "64"))]
    if crate::loaded::refresh() {
        crate::symbol::forget_libraries();
    }
}
