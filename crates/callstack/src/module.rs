//! The public list of loaded modules, and the call that brings everything up to date with the dynamic loader.

use std::sync::Arc;

/// One executable mapping of a loaded program or library.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Module {
    /// As the dynamic loader knows it; for the main program the real path.
    pub path: Arc<str>,
    /// First mapped address, a multiple of the page size.
    pub start: usize,
    /// First address after the mapping.
    pub end: usize,
    /// Offset of `start` in the file.
    pub file_offset: u64,
    /// What must be added to an address in the file, as `addr2line` and `nm` know it, to get the address in memory.
    pub base: usize,
    /// Lower-case hex of the GNU build id; empty if there is none.
    pub build_id: Arc<str>,
}

/// The executable mappings of the loaded modules, by address; the main program first.
///
/// As of the last [`refresh`]. Empty on platforms other than 64-bit Linux.
pub fn modules() -> Arc<[Module]> {
    #[cfg(all(target_os = "linux", target_pointer_width = "64"))]
    return Arc::clone(&crate::loaded::current().modules);
    #[cfg(not(all(target_os = "linux", target_pointer_width = "64")))]
    return Arc::new([]);
}

/// Brings the module list up to date with the dynamic loader. Call it before a series of captures.
///
/// If nothing was loaded or unloaded since the last call, this costs one question to the loader. Otherwise the list is
/// read again; if something was unloaded, all cached symbols except those of the main program are forgotten.
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
