#![doc = include_str!("../README.md")]
#![deny(unsafe_code)]

mod capture;
mod completeness;
mod function;
pub mod heap;
mod module;
mod modules;
pub mod sampler;
mod stack;
mod symbol;
mod sync;
pub mod thread;
mod trim;

// The implementation, by platform. All unsafe code is in `loaded::dl`, in
// `resolve::release_memory`, in `unwind`, in `thread`, in `sampler` and in `heap`.
#[cfg(all(target_os = "linux", target_pointer_width = "64"))]
mod loaded;
mod resolve;
mod unwind;

pub use capture::{capture, capture_with};
pub use completeness::{Completeness, MAX_FRAMES};
pub use function::function_start;
pub use module::Module;
pub use modules::{modules, refresh};
pub use stack::Stack;
pub use symbol::{MAX_CACHED_ADDRESSES, Symbol, release_debug_info, symbolize};
pub use trim::{Group, group, trim, trim_leaf, trim_root};
pub use unwind::UnwinderKind;
