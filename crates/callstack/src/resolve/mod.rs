//! From a code address to the functions it belongs to: `Modules::now().symbols(address)`.
//!
//! On 64-bit Linux by `addr2line`, one loader for every image ([`elf`]); elsewhere by the `backtrace` crate
//! ([`portable`]). Nothing is cached here except for open files.

#[cfg(all(target_os = "linux", target_pointer_width = "64"))]
mod elf;
#[cfg(all(target_os = "linux", target_pointer_width = "64"))]
mod name;
#[cfg(not(all(target_os = "linux", target_pointer_width = "64")))]
mod portable;

#[cfg(all(target_os = "linux", target_pointer_width = "64"))]
pub(crate) use elf::{DebugInfo, Modules};
#[cfg(not(all(target_os = "linux", target_pointer_width = "64")))]
pub(crate) use portable::Modules;

/// What a lookup found.
pub(crate) enum Lookup {
    /// The address is in no module.
    Nowhere,
    /// The module's file could not be read now, for example because the process has no file descriptor left. Later it may.
    Unreadable,
    /// Innermost first; empty if the module has no symbol there.
    Symbols(Vec<crate::Symbol>),
}
