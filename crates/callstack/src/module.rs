//! [`Module`]: one executable mapping of a loaded program or library.
//!
//! Not here: the list of all modules ([`crate::modules`]).

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
