//! From a code address to the functions it belongs to: `Modules::now().symbols(address)`.
//!
//! On 64-bit Linux by `addr2line`, one loader for every image ([`elf`]), on a thread of its own
//! that ends when it is idle ([`reader`]); elsewhere by the `backtrace` crate ([`portable`]).
//!
//! Not here: the cache of symbols ([`crate::symbol`]).

#[cfg(all(target_os = "linux", target_pointer_width = "64"))]
mod elf;
#[cfg(all(target_os = "linux", target_pointer_width = "64"))]
mod files;
#[cfg(all(target_os = "linux", target_pointer_width = "64"))]
mod modules;
#[cfg(all(target_os = "linux", target_pointer_width = "64"))]
mod name;
#[cfg(not(all(target_os = "linux", target_pointer_width = "64")))]
mod portable;
#[cfg(all(target_os = "linux", target_pointer_width = "64"))]
mod reader;
#[cfg(all(target_os = "linux", target_pointer_width = "64"))]
mod release_memory;

#[cfg(all(target_os = "linux", target_pointer_width = "64"))]
pub(crate) use modules::Modules;
#[cfg(not(all(target_os = "linux", target_pointer_width = "64")))]
pub(crate) use portable::{Modules, release};
#[cfg(all(target_os = "linux", target_pointer_width = "64"))]
pub(crate) use reader::release;

/// The result of a lookup.
pub(crate) enum Lookup {
    /// The address is in no module.
    Nowhere,
    /// The module's file cannot be read now, for example because the process has no file descriptor
    /// left. A later lookup may succeed.
    Unreadable,
    /// Innermost first; empty if the module has no symbol there.
    Symbols(Vec<RawSymbol>),
}

/// A symbol as it was read, before equal texts are shared.
#[derive(Debug, Default)]
pub(crate) struct RawSymbol {
    pub(crate) name: Option<String>,
    pub(crate) file: Option<String>,
    pub(crate) line: Option<u32>,
    pub(crate) column: Option<u32>,
    pub(crate) inlined: bool,
}
