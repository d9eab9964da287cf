#![doc = include_str!("../README.md")]
#![deny(unsafe_code)]

mod capture;
mod function;
pub mod heap;
mod module;
pub mod sampler;
mod stack;
mod symbol;
pub mod thread;
mod trim;

// How the above is done, by platform. All unsafe code is in `loaded::dl`, in `resolve::give_back`, in `unwind`, in `thread`,
// in `sampler` and in `heap`.
#[cfg(all(target_os = "linux", target_pointer_width = "64"))]
mod loaded;
mod resolve;
mod unwind;

pub use capture::{Completeness, MAX_FRAMES, capture, capture_with};
pub use function::function_start;
pub use module::{Module, modules, refresh};
pub use stack::Stack;
pub use symbol::{MAX_CACHED_ADDRESSES, Symbol, release_debug_info, symbolize};
pub use trim::{Group, group, trim, trim_leaf, trim_root};
pub use unwind::UnwinderKind;
