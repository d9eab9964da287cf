//! A global allocator that samples: which stacks allocate, how much, and how much of it is still
//! held.
//!
//! [`Sampler`] forwards every call to the allocator that it wraps. Each thread counts down the
//! bytes that it allocates from a random number whose mean is [`rate`]; the allocation at which the
//! count runs out is sampled. So every byte has the same chance, whatever the size of its
//! allocation (Poisson sampling), and [`Weight`] makes an unbiased estimate of each sample. Sampled
//! memory is remembered by its address until it is freed.
//!
//! ```
//! use callstack::heap;
//!
//! #[global_allocator]
//! static ALLOC: heap::Sampler<std::alloc::System> = heap::Sampler::new(std::alloc::System);
//!
//! heap::set_rate(1); // Every allocation; a test can wait for no chance.
//! let held = vec![0_u8; 1 << 20];
//! heap::set_rate(heap::DEFAULT_RATE);
//!
//! # if heap::is_supported() {
//! let mut bytes = 0;
//! heap::live(&mut |sample| bytes += sample.weight.bytes());
//! assert!(bytes >= 1 << 20);
//! # }
//! # drop(held);
//! ```
//!
//! Only on 64-bit Linux on x86 and ARM; elsewhere [`Sampler`] only forwards, and [`is_supported`]
//! is false.

// This file owns the public types; `linux` owns the countdown, the tables and the walk. Not here:
// names of addresses (`crate::symbolize`), profiles, tasks.
mod allocator;
#[cfg(all(
    target_os = "linux",
    target_pointer_width = "64",
    any(target_arch = "x86_64", target_arch = "aarch64")
))]
mod linux;
#[cfg(not(all(
    target_os = "linux",
    target_pointer_width = "64",
    any(target_arch = "x86_64", target_arch = "aarch64")
)))]
#[path = "unsupported.rs"]
mod linux;
mod samples;
mod weight;

pub use allocator::Sampler;
pub use samples::{Allocated, DEFAULT_RATE, Dropped, Frames, Label, Live, QUEUE, StackId};
pub use weight::Weight;

/// Changes the mean distance between two samples, in bytes; 0 switches sampling off.
///
/// The calling thread takes the new rate at once, every other one at its next sample, or after 64
/// KiB if sampling was off. Each sample is weighed with the rate that it was taken at, so sums stay
/// unbiased. Samples that are held stay known while sampling is off.
pub fn set_rate(bytes: usize) {
    linux::set_rate(bytes);
}

/// The mean distance between two samples, in bytes; 0: off. [`DEFAULT_RATE`] unless [`set_rate`]
/// has changed it.
#[must_use]
pub fn rate() -> usize {
    linux::rate()
}

/// Whether this platform can sample allocations.
#[must_use]
pub fn is_supported() -> bool {
    linux::SUPPORTED
}

/// Whether memory has been allocated through a [`Sampler`] in this process.
#[must_use]
pub fn is_installed() -> bool {
    linux::is_installed()
}

/// Sets the function that gives the label of a sample. Without one it is `[0, 0]`.
///
/// The function is called during an allocation, on any thread, also in signal handlers and while
/// thread-locals are being destroyed: it must take no lock, must not panic, and if it allocates,
/// that is not sampled.
pub fn set_label(label: fn() -> Label) {
    linux::set_label(label);
}

/// Brings the stacks' modules up to date and learns the allocator's own frames, so that they can be
/// cut off.
///
/// To be called before [`frames`]. Until the first call, stacks are walked through the main program
/// only: an allocation must not wait for the loader's lock.
pub fn prepare() {
    crate::refresh();
    linux::prepare();
}

/// Takes every sample that was made since the last call out of the queue. Each sample is shown
/// once.
pub fn drain(each: &mut dyn FnMut(Allocated)) {
    linux::drain(each);
}

/// Shows the weight, by stack, of samples that found the queue of [`drain`] full. It only grows.
pub fn unlabelled(each: &mut dyn FnMut(StackId, Weight)) {
    linux::unlabelled(each);
}

/// Shows every sampled allocation that is held. One that is freed meanwhile may be shown or not.
pub fn live(each: &mut dyn FnMut(Live)) {
    linux::live(each);
}

/// The addresses of a stack.
#[must_use]
pub fn frames(stack: StackId) -> Frames {
    linux::frames(stack)
}

/// How many samples were dropped, by reason.
#[must_use]
pub fn dropped() -> Dropped {
    linux::dropped()
}
