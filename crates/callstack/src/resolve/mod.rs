//! From a code address to the functions it belongs to: `Modules::now().symbols(address)`.
//!
//! On 64-bit Linux by `addr2line`, one loader for every image ([`elf`]), kept for as long as it is needed
//! ([`debug_info`]); elsewhere by the `backtrace` crate ([`portable`]). No name is cached here.

#[cfg(all(target_os = "linux", target_pointer_width = "64"))]
mod debug_info;
#[cfg(all(target_os = "linux", target_pointer_width = "64"))]
mod elf;
#[cfg(all(target_os = "linux", target_pointer_width = "64"))]
mod files;
#[cfg(all(target_os = "linux", target_pointer_width = "64"))]
mod name;
#[cfg(not(all(target_os = "linux", target_pointer_width = "64")))]
mod portable;

#[cfg(all(target_os = "linux", target_pointer_width = "64"))]
pub(crate) use debug_info::{DebugInfo, release, release_idle};
#[cfg(all(target_os = "linux", target_pointer_width = "64"))]
pub(crate) use elf::Modules;
#[cfg(not(all(target_os = "linux", target_pointer_width = "64")))]
pub(crate) use portable::{Modules, release, release_idle};

/// What a lookup found.
pub(crate) enum Lookup {
    /// The address is in no module.
    Nowhere,
    /// The module's file could not be read now, for example because the process has no file descriptor left. Later it may.
    Unreadable,
    /// Innermost first; empty if the module has no symbol there.
    Symbols(Vec<crate::Symbol>),
}
