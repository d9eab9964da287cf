//! Walks the stack of the current thread with one of two unwinders, or the copy of another thread's
//! stack.
//!
//! [`fast`] (framehop) reads nothing but the stack within a [`Window`] and sections that cannot go
//! away, takes no lock and does not allocate. [`system`] (the `backtrace` crate) is portable; the
//! platform decides what it reads and locks. Both feed [`Frames`], which alone decides where a walk
//! ends, so that they agree.
//!
//! Not here: how another thread's stack is copied ([`crate::thread`], [`crate::sampler`]).

#[cfg(all(
    target_os = "linux",
    target_pointer_width = "64",
    any(target_arch = "x86_64", target_arch = "aarch64")
))]
pub(crate) mod copied;
#[cfg(all(
    target_os = "linux",
    target_pointer_width = "64",
    any(target_arch = "x86_64", target_arch = "aarch64")
))]
pub(crate) mod fast;
#[cfg(all(
    target_os = "linux",
    target_pointer_width = "64",
    any(target_arch = "x86_64", target_arch = "aarch64")
))]
pub(crate) mod frame_pointer;
#[cfg(all(
    target_os = "linux",
    target_pointer_width = "64",
    any(target_arch = "x86_64", target_arch = "aarch64")
))]
pub(crate) mod registers;
#[cfg(not(all(
    target_os = "linux",
    target_pointer_width = "64",
    any(target_arch = "x86_64", target_arch = "aarch64")
)))]
#[path = "stack_pointer.rs"]
pub(crate) mod registers;
pub(crate) mod system;
pub(crate) mod window;

use crate::{Completeness, MAX_FRAMES};
use registers::Registers;
use window::Window;

/// Which code walks the stack.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum UnwinderKind {
    /// framehop on 64-bit Linux on x86 and ARM; the same as `System` elsewhere.
    Fast,
    /// The unwinder of the platform, through the `backtrace` crate.
    System,
}

/// A way to walk from a frame towards the root.
pub(crate) trait Unwinder {
    /// Passes every frame above the one of `start` to `frames`, until `frames` has enough or there
    /// are no more. Does not allocate.
    fn walk(
        &mut self,
        start: &Registers,
        window: &Window<'_>,
        frames: &mut Frames<'_>,
    ) -> Completeness;
}

/// The largest frame: a limit further away than this is in another one.
#[cfg(all(
    target_os = "linux",
    target_pointer_width = "64",
    any(target_arch = "x86_64", target_arch = "aarch64")
))]
const LARGEST_FRAME: u64 = 64 << 10;

/// Collects return addresses and says when to stop.
#[derive(Debug)]
pub(crate) struct Frames<'a> {
    out: &'a mut Vec<usize>,
    room: usize,
    limit: usize,
    /// Whether to stop after the first frame, because nothing is known about the memory behind it.
    leaf_only: bool,
}

impl Frames<'_> {
    /// Takes a frame, or says how the walk ended.
    #[inline]
    pub(crate) fn push(&mut self, ip: usize, sp: usize) -> Result<(), Completeness> {
        if sp > self.limit {
            return Err(Completeness::Complete);
        }
        // Some platforms report a return address of 0 for the main thread. A 0 would separate
        // branches.
        if ip == 0 {
            return Err(self.at_root());
        }
        if self.room == 0 {
            return Err(Completeness::Truncated);
        }
        self.room -= 1;
        // `out` has capacity for `room` more, so this does not allocate.
        self.out.push(ip);
        if self.leaf_only {
            return Err(Completeness::Broken);
        }
        Ok(())
    }

    /// The end of a walk that has no more frames. A limit on the stack would have been met before.
    pub(crate) fn at_root(&self) -> Completeness {
        if self.limit == usize::MAX {
            Completeness::Complete
        } else {
            Completeness::Broken
        }
    }

    /// The end of a walk whose last frame, at `sp`, is known to be the first on this stack.
    #[cfg(all(
        target_os = "linux",
        target_pointer_width = "64",
        any(target_arch = "x86_64", target_arch = "aarch64")
    ))]
    pub(crate) fn in_first_function(&self, sp: u64) -> Completeness {
        if (self.limit as u64).wrapping_sub(sp) <= LARGEST_FRAME {
            Completeness::Complete
        } else {
            self.at_root()
        }
    }

    /// The end of a walk whose last frame needs the word at `address`, which is outside of the
    /// window. Only the frame that contains the limit may reach beyond it.
    #[cfg(all(
        target_os = "linux",
        target_pointer_width = "64",
        any(target_arch = "x86_64", target_arch = "aarch64")
    ))]
    pub(crate) fn at_end_of_window(&self, address: u64) -> Completeness {
        let limit = self.limit as u64;
        if address > limit && address - limit <= LARGEST_FRAME {
            Completeness::Complete
        } else {
            Completeness::Broken
        }
    }
}

/// Walks from the caller of the function that `start` belongs to.
pub(crate) fn walk(
    kind: UnwinderKind,
    start: &Registers,
    limit: usize,
    out: &mut Vec<usize>,
) -> Completeness {
    out.reserve(MAX_FRAMES);
    match Window::up_to(limit, start) {
        Some(window) => {
            let mut frames = Frames {
                out,
                room: MAX_FRAMES,
                limit,
                leaf_only: false,
            };
            dispatch(kind, start, &window, &mut frames)
        }
        None => {
            let mut frames = Frames {
                out,
                room: 1,
                limit: usize::MAX,
                leaf_only: true,
            };
            dispatch(kind, start, &Window::own_frame(start), &mut frames);
            Completeness::Broken
        }
    }
}

/// As [`walk`], with this walker. Allocates nothing if `out` has room for [`MAX_FRAMES`] more.
#[cfg(all(
    target_os = "linux",
    target_pointer_width = "64",
    any(target_arch = "x86_64", target_arch = "aarch64")
))]
pub(crate) fn walk_with(
    walker: &mut fast::Walker,
    start: &Registers,
    limit: usize,
    out: &mut Vec<usize>,
) -> Completeness {
    out.reserve(MAX_FRAMES);
    let window = Window::up_to(limit, start);
    let leaf_only = window.is_none();
    let mut frames = Frames {
        out,
        room: if leaf_only { 1 } else { MAX_FRAMES },
        limit: if leaf_only { usize::MAX } else { limit },
        leaf_only,
    };
    let window = window.unwrap_or_else(|| Window::own_frame(start));
    walker.walk(start, &window, &mut frames)
}

/// Walks the copied stack of a thread that was interrupted, from the instruction in `start` to the
/// first function.
///
/// The address of that instruction is appended plus one, so that it is like a return address:
/// lookups subtract one.
#[cfg(all(
    target_os = "linux",
    target_pointer_width = "64",
    any(target_arch = "x86_64", target_arch = "aarch64")
))]
pub(crate) fn walk_interrupted(
    start: &Registers,
    stack: &copied::CopiedStack<'_>,
    out: &mut Vec<usize>,
) -> Completeness {
    walk_copy(start, stack, out, None)
}

/// Walks the copied stack of a blocked thread, whose instruction and stack pointer alone are known.
/// The frame pointer is worked out from `code` where it is needed.
#[cfg(all(
    target_os = "linux",
    target_pointer_width = "64",
    any(target_arch = "x86_64", target_arch = "aarch64")
))]
pub(crate) fn walk_blocked(
    start: &Registers,
    stack: &copied::CopiedStack<'_>,
    code: &impl frame_pointer::Code,
    out: &mut Vec<usize>,
) -> Completeness {
    let mut find = |address, sp| {
        // On ARM, functions begin in another way.
        if cfg!(target_arch = "x86_64") {
            frame_pointer::find(code, address, sp, &mut |address| stack.read(address))
        } else {
            None
        }
    };
    walk_copy(start, stack, out, Some(&mut find))
}

#[cfg(all(
    target_os = "linux",
    target_pointer_width = "64",
    any(target_arch = "x86_64", target_arch = "aarch64")
))]
fn walk_copy(
    start: &Registers,
    stack: &copied::CopiedStack<'_>,
    out: &mut Vec<usize>,
    find: Option<fast::FindFramePointer<'_>>,
) -> Completeness {
    out.reserve(MAX_FRAMES);
    let mut frames = Frames {
        out,
        room: MAX_FRAMES,
        limit: usize::MAX,
        leaf_only: false,
    };
    if let Err(end) = frames.push(start.ip.wrapping_add(1), start.sp) {
        return end;
    }
    let mut lacking = false;
    let read = |address| {
        lacking |= stack.lacks(address);
        stack.read(address)
    };
    let walked = fast::with(|unwinder| match unwinder {
        Some(unwinder) => unwinder.walk_from(start, read, find, &mut frames),
        None => Completeness::Broken,
    });
    match walked {
        Completeness::Broken if lacking => Completeness::Truncated,
        walked => walked,
    }
}

fn dispatch(
    kind: UnwinderKind,
    start: &Registers,
    window: &Window<'_>,
    frames: &mut Frames<'_>,
) -> Completeness {
    match kind {
        #[cfg(all(
            target_os = "linux",
            target_pointer_width = "64",
            any(target_arch = "x86_64", target_arch = "aarch64")
        ))]
        UnwinderKind::Fast => fast::with(|unwinder| match unwinder {
            Some(unwinder) => unwinder.walk(start, window, frames),
            None => system::System.walk(start, window, frames),
        }),
        _ => system::System.walk(start, window, frames),
    }
}
