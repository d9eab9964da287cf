//! Makes pages of memory the machine's own before a measurement that needs them.
//!
//! The host of a virtual machine may take free pages back. Whoever touches such a page next waits
//! for the hypervisor, much longer than for the kernel. That depends on what ran before, and is no
//! cost of what is measured here. To touch the memory when the process starts is not enough: it may
//! be gone again when a million tasks have been spawned.

use std::ptr;
use std::time::{Duration, Instant};

use rustix::mm::{MapFlags, ProtFlags, mmap_anonymous, munmap};

/// Twice the memory that a dump needs for each task.
const BYTES_EACH: usize = 1024;

/// The smallest that there is. Where pages are larger, each is touched a few times.
const PAGE: usize = 4096;

/// How long it takes to touch new memory, in milliseconds a megabyte.
pub(crate) struct Touched {
    pub(crate) first: f64,
    pub(crate) second: f64,
}

/// Touches as much memory as a dump of so many tasks needs, and gives it back, twice: only the
/// first time can be the host's.
pub(crate) fn fetch(tasks: u64) -> Touched {
    let bytes = tasks as usize * BYTES_EACH;
    let per_megabyte = |took: Duration| took.as_secs_f64() * 1e3 / (bytes as f64 / 1e6);
    Touched {
        first: per_megabyte(touch(bytes)),
        second: per_megabyte(touch(bytes)),
    }
}

/// How long it takes to touch so many bytes of new memory.
fn touch(bytes: usize) -> Duration {
    let protection = ProtFlags::READ | ProtFlags::WRITE;
    // SAFETY: the kernel chooses an address where nothing is yet.
    let start = unsafe { mmap_anonymous(ptr::null_mut(), bytes, protection, MapFlags::PRIVATE) }
        .expect("there is memory")
        .cast::<u8>();
    let began = Instant::now();
    for at in (0..bytes).step_by(PAGE) {
        // SAFETY: within the mapping, which may be written, and which nobody else knows of.
        unsafe { start.add(at).write_volatile(1) };
    }
    let took = began.elapsed();
    // SAFETY: the whole mapping and nothing else; no reference into it was ever made.
    unsafe { munmap(start.cast(), bytes) }.expect("a mapping can be given back");
    took
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory;

    #[test]
    fn what_was_touched_is_given_back() {
        const BYTES: usize = 64 << 20;
        let before = memory::resident();
        memory::reset_peak();
        touch(BYTES);
        assert!(memory::peak_resident() >= before + BYTES as u64 * 9 / 10);
        assert!(memory::resident() < before + BYTES as u64 / 10);
    }
}
