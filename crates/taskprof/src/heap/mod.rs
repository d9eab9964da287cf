//! Heap profiles: who allocates, and what is still held, by stack, task and route.
//!
//! A program that wants them has its allocator wrapped:
//!
//! ```
//! #[global_allocator]
//! static ALLOC: taskprof::heap::Sampler<std::alloc::System> =
//!     taskprof::heap::Sampler::new(std::alloc::System);
//! ```
//!
//! and then the sources [`heap`](crate::heap()) and [`allocs`](crate::allocs()) are there, under
//! these names and Go's, and dumps of tasks, reports of leaks, the page and the metrics say how
//! much memory is held by whom. One allocation in 512 KiB is sampled; [`set_rate`] changes that
//! while the program runs.
//!
//! A sample belongs to the task that was being polled when the memory was allocated, and to that
//! task's scope. It counts as held until it is freed, by whomever.
//!
//! Owned here: sums of samples by stack and owner (`table.rs`, and a thread that keeps them up to
//! date, `collector.rs`), the profile (`profile.rs`), memory that tasks and scopes hold
//! (`held.rs`). Not here: how an allocation is sampled ([`callstack::heap`]).

mod collector;
pub(crate) mod held;
mod profile;
mod table;

pub use callstack::heap::{DEFAULT_RATE, Sampler, is_installed, is_supported, rate};

pub(crate) use self::collector::start;
pub(crate) use self::profile::{COLUMNS, captured, ready};

/// Changes the mean distance between two samples, in bytes; 0 switches sampling off.
///
/// Estimates stay unbiased; other threads follow with their next sample. A small distance fills the
/// memory for samples sooner: at most 131,072 live ones are known, and the profile says how many
/// are not.
pub fn set_rate(bytes: usize) {
    callstack::heap::set_rate(bytes);
    collector::wake();
}

/// The error of a program without a sampler.
pub(crate) const NOT_INSTALLED: &str = "no heap sampler is installed in this process, so there is no profile of allocations; add \
     #[global_allocator] static ALLOC: taskprof::heap::Sampler<std::alloc::System> = taskprof::heap::Sampler::new(std::alloc::System); \
     to the program (any allocator can be in it)";

/// The error of a child that was forked and runs no other program.
pub(crate) const FORKED: &str = "this process was forked from one whose allocations are added up, and has no thread that does so; \
     a program that it executes can be looked at";

/// The error on other platforms.
pub(crate) const NOT_SUPPORTED: &str =
    "allocations are sampled only on 64-bit Linux on x86 and ARM, so there is no profile of them";
