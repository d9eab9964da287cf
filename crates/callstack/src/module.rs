//! [`Module`]: one executable mapping of a loaded program or library.
//!
//! Not here: the list of all modules ([`crate::modules`]).

use std::sync::Arc;

/// One executable mapping of a loaded program or library.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Module {
    /// The dynamic loader's name for the file; for the main program its real path.
    pub path: Arc<str>,
    /// First mapped address, a multiple of the page size.
    pub start: usize,
    /// First address after the mapping.
    pub end: usize,
    /// Offset of `start` in the file.
    pub file_offset: u64,
    /// The address in memory less the address in the file, as `addr2line` and `nm` know it.
    pub base: usize,
    /// Lower-case hex of the GNU build id; empty if there is none.
    pub build_id: Arc<str>,
}
