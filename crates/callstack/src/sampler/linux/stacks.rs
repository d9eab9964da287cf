//! Finds the part of a thread's own stack that can be read for as long as the thread lives.
//!
//! The handler notes where it has met a stack that it does not know. It belongs to the thread
//! itself if the thread's control block, which the C library puts on top of each stack, is in the
//! same mapping, or if it is the main thread's. All others (of coroutines, of signal handlers) are
//! copied by the kernel.

#![allow(unsafe_code)]

use std::fs;
use std::sync::atomic::Ordering;

use super::shared::SHARED;

/// Finds the bounds for the first `threads` entries of the shared table.
pub(super) fn find_bounds(threads: usize) {
    let asking: Vec<usize> = (0..threads)
        .filter(|index| {
            let thread = &SHARED.threads[*index];
            thread.stack_high.load(Ordering::Relaxed) == 0
                && thread.other_stack.load(Ordering::Relaxed) != 0
        })
        .collect();
    if asking.is_empty() {
        return;
    }
    let Ok(maps) = fs::read_to_string("/proc/self/maps") else {
        return;
    };
    let regions: Vec<_> = maps.lines().filter_map(region).collect();
    for index in asking {
        let thread = &SHARED.threads[index];
        let at = thread.other_stack.swap(0, Ordering::Acquire);
        let top = thread.thread_pointer.load(Ordering::Relaxed);
        let own = regions.iter().find_map(|region| {
            if !(region.start..region.end).contains(&at) {
                return None;
            }
            let has_top = (at..region.end).contains(&top);
            let end = if has_top { top } else { region.end };
            (has_top || region.is_main).then_some((region.start, end))
        });
        if let Some((low, high)) = own {
            thread.stack_low.store(low, Ordering::Relaxed);
            thread.stack_high.store(high, Ordering::Relaxed);
        }
    }
}

struct Region {
    start: usize,
    end: usize,
    is_main: bool,
}

/// Reads a line of `/proc/self/maps`, if that memory can be read and written.
fn region(line: &str) -> Option<Region> {
    let (range, rest) = line.split_once(' ')?;
    let (start, end) = range.split_once('-')?;
    rest.starts_with("rw").then_some(())?;
    Some(Region {
        start: usize::from_str_radix(start, 16).ok()?,
        end: usize::from_str_radix(end, 16).ok()?,
        is_main: rest.ends_with("[stack]"),
    })
}

/// The number of descriptors that the process may have.
pub(super) fn descriptor_limit() -> u64 {
    let mut limit = libc::rlimit {
        rlim_cur: 0,
        rlim_max: 0,
    };
    // SAFETY: `limit` has room for the answer.
    unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit) };
    limit.rlim_cur
}

#[cfg(test)]
mod tests {
    use super::region;

    #[test]
    fn only_memory_that_can_be_read_and_written_is_a_stack() {
        let stack = region("7ffd0000-7ffd2000 rw-p 00000000 00:00 0    [stack]");
        assert!(stack.is_some_and(
            |stack| stack.is_main && (stack.start, stack.end) == (0x7ffd_0000, 0x7ffd_2000)
        ));
        assert!(region("7f00-7f10 rw-p 00000000 00:00 0").is_some_and(|it| !it.is_main));
        assert!(region("7f00-7f10 ---p 00000000 00:00 0").is_none());
        assert!(region("").is_none());
    }
}
