//! Captures the stack of the current thread.
//!
//! Both functions are never inlined, take the registers themselves and lend them to the walk; that
//! pins their frames on the stack for as long as the walk lasts. Not here: the walk
//! ([`crate::unwind`]).

use crate::Completeness;
use crate::unwind::registers::Registers;
use crate::unwind::{self, UnwinderKind};

/// Appends the return addresses of the current stack to `out`, leaf first, up to and including the
/// frame that contains stack address `limit`.
///
/// The first one leads into the caller of `capture`. A frame belongs to the capture if its stack
/// pointer, at the moment of its call, is not above `limit`; so a local variable of the outermost
/// function of interest is a good limit. `usize::MAX` stands for the whole stack of this thread.
///
/// # Examples
///
/// ```
/// let limit = 0_u8;
/// let mut frames = Vec::new();
/// let completeness = callstack::capture(&raw const limit as usize, &mut frames);
/// assert_eq!(completeness, callstack::Completeness::Complete);
/// assert_eq!(frames.len(), 1);
/// ```
///
/// # Overhead
///
/// A few nanoseconds for a frame that this thread has seen before, some hundred for a new one. The
/// first capture in a process reads the list of loaded modules (some hundred microseconds). The
/// first one on a thread allocates about 32 KiB and asks for the bounds of its stack (on the main
/// thread libc reads `/proc/self/maps` for that); a thread with so many different stacks that its
/// cache is crowded allocates more, up to 256 KiB in all. Otherwise a capture takes no lock, and
/// allocates only if `out` lacks room for [`MAX_FRAMES`](crate::MAX_FRAMES) more.
///
/// # Limitations
///
/// Never panics, never waits for another capture, and reads only the stack of this thread. On a
/// foreign stack (a coroutine, a stack grown by `stacker`) the limit must be on the same stack and
/// at most 64 MiB away. If it is not, or if it is below the stack pointer, the result is
/// [`Completeness::Broken`] with one frame. Code without unwind tables (just-in-time compiled) and
/// libraries loaded after the last [`refresh`](crate::refresh) are walked by frame pointers, which
/// may end the walk early.
///
/// It may run inside of a global allocator or a thread-local destructor. It is not
/// async-signal-safe: a first capture allocates.
#[inline(never)]
pub fn capture(limit: usize, out: &mut Vec<usize>) -> Completeness {
    let start = Registers::here();
    unwind::walk(UnwinderKind::Fast, &start, limit, out)
}

/// Like [`capture`] with a chosen unwinder, for comparisons.
///
/// [`UnwinderKind::System`] is the unwinder of the platform: slower, and its reads are not confined
/// to the stack.
#[inline(never)]
pub fn capture_with(kind: UnwinderKind, limit: usize, out: &mut Vec<usize>) -> Completeness {
    let start = Registers::here();
    unwind::walk(kind, &start, limit, out)
}
