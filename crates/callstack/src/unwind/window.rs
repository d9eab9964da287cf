//! [`Window`]: the memory that an unwinder may read.
//!
//! # Invariant
//!
//! A [`Window`] starts at the stack pointer of a frame that is still on the stack of this thread,
//! and ends
//!
//! * at the end of this thread's stack, if it starts within it: all of that is mapped and in use;
//!   or
//! * at the limit, if the code runs on some other stack (a coroutine, a grown stack). The limit is
//!   the address of a live frame. That both belong to the same stack cannot be proven; a limit on
//!   the thread's own stack or further away than [`MAX_FOREIGN`] is refused, because then they do
//!   not.
//!
//! A window is used only while the frame it starts at is live, which is why it is not `Send` and
//! borrows the registers.

#![allow(unsafe_code)]

use std::marker::PhantomData;
use std::ops::Range;

use super::registers::Registers;

/// The largest stack of a coroutine; a larger distance means two different stacks.
const MAX_FOREIGN: usize = 64 << 20;
/// More than the frame of `capture` needs.
const OWN_FRAME: usize = 4096;

/// A part of this thread's stack that may be read.
#[derive(Debug)]
pub(crate) struct Window<'a> {
    range: Range<usize>,
    live: PhantomData<(&'a Registers, *const u8)>,
}

impl<'a> Window<'a> {
    /// The window from `start` up to the frame that contains `limit`; `None` if that cannot be
    /// walked.
    pub(crate) fn up_to(limit: usize, start: &'a Registers) -> Option<Self> {
        let end = window_end(start.sp, limit, bounds::own())?;
        Some(Self {
            range: start.sp..end,
            live: PhantomData,
        })
    }

    /// A window that is enough to unwind the frame of `start` itself and nothing else.
    pub(crate) fn own_frame(start: &'a Registers) -> Self {
        Self {
            range: start.sp..start.sp.saturating_add(OWN_FRAME),
            live: PhantomData,
        }
    }

    /// The end of the stack, as far as it is known.
    pub(crate) fn end(&self) -> usize {
        self.range.end
    }

    /// Reads one word, if it is within the window.
    #[inline]
    #[cfg(all(
        target_os = "linux",
        target_pointer_width = "64",
        any(target_arch = "x86_64", target_arch = "aarch64")
    ))]
    pub(crate) fn read(&self, address: u64) -> Result<u64, ()> {
        let address = usize::try_from(address).map_err(|_| ())?;
        let inside = address >= self.range.start
            && self
                .range
                .end
                .checked_sub(8)
                .is_some_and(|last| address <= last);
        if !inside || !address.is_multiple_of(8) {
            return Err(());
        }
        // SAFETY: aligned, and mapped stack memory of this thread by the module invariant.
        // Volatile, because the compiler must not conclude anything from what the word happens to
        // be.
        Ok(unsafe { std::ptr::with_exposed_provenance::<u64>(address).read_volatile() })
    }
}

/// How many bytes of this thread's own stack are left below `sp`; `None` on another stack.
#[cfg(all(
    target_os = "linux",
    target_pointer_width = "64",
    any(target_arch = "x86_64", target_arch = "aarch64")
))]
pub(crate) fn room_below(sp: usize) -> Option<usize> {
    let own = bounds::own()?;
    own.contains(&sp).then(|| sp - own.start)
}

fn window_end(sp: usize, limit: usize, own: Option<Range<usize>>) -> Option<usize> {
    if sp > limit {
        return None;
    }
    match own {
        Some(own) if own.contains(&sp) => Some(own.end),
        Some(own) if own.contains(&limit) => None,
        // One more word, because the limit is an address within the frame.
        _ if limit - sp <= MAX_FOREIGN => Some(limit.saturating_add(8)),
        _ => None,
    }
}

#[cfg(all(target_os = "linux", target_pointer_width = "64"))]
mod bounds {
    use std::cell::Cell;
    use std::mem::MaybeUninit;
    use std::ops::Range;

    #[derive(Clone, Copy)]
    enum Bounds {
        NotAsked,
        Unknown,
        Known(usize, usize),
    }

    thread_local! {
        // Without a destructor, so it can be used as long as the thread runs.
        static OWN: Cell<Bounds> = const { Cell::new(Bounds::NotAsked) };
    }

    /// The stack that this thread was started with. The C library is asked once for each thread.
    pub(super) fn own() -> Option<Range<usize>> {
        let mut bounds = OWN.get();
        if let Bounds::NotAsked = bounds {
            bounds = ask().map_or(Bounds::Unknown, |range| {
                Bounds::Known(range.start, range.end)
            });
            OWN.set(bounds);
        }
        match bounds {
            Bounds::Known(start, end) => Some(start..end),
            _ => None,
        }
    }

    fn ask() -> Option<Range<usize>> {
        let mut attributes = MaybeUninit::<libc::pthread_attr_t>::uninit();
        let mut start = std::ptr::null_mut();
        let mut size = 0;
        // SAFETY: `pthread_getattr_np` initialises the attributes if it returns 0; they are only
        // read after that, and destroyed once.
        let failed = unsafe {
            if libc::pthread_getattr_np(libc::pthread_self(), attributes.as_mut_ptr()) != 0 {
                return None;
            }
            let failed =
                libc::pthread_attr_getstack(attributes.as_ptr(), &raw mut start, &raw mut size);
            libc::pthread_attr_destroy(attributes.as_mut_ptr());
            failed
        };
        let start = start.addr();
        (failed == 0 && start != 0 && size != 0).then_some(start..start.checked_add(size)?)
    }
}

#[cfg(not(all(target_os = "linux", target_pointer_width = "64")))]
mod bounds {
    /// Everything: the bounds are not known, and not needed, because only framehop reads through a
    /// window.
    pub(super) fn own() -> Option<std::ops::Range<usize>> {
        Some(0..usize::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::{MAX_FOREIGN, window_end};

    #[test]
    fn on_the_own_stack_the_window_ends_with_the_stack() {
        assert_eq!(window_end(1000, 1500, Some(0..2000)), Some(2000));
        assert_eq!(window_end(1000, usize::MAX, Some(0..2000)), Some(2000));
    }

    #[test]
    fn a_limit_below_the_stack_pointer_leaves_no_window() {
        assert_eq!(window_end(1000, 999, Some(0..2000)), None);
        assert_eq!(window_end(1000, 999, None), None);
    }

    #[test]
    fn on_another_stack_the_window_ends_at_the_limit() {
        assert_eq!(window_end(5000, 6000, Some(0..2000)), Some(6008));
        assert_eq!(window_end(5000, 6000, None), Some(6008));
    }

    #[test]
    fn a_limit_on_a_different_stack_leaves_no_window() {
        assert_eq!(window_end(1000, 6000, Some(5000..7000)), None);
        assert_eq!(window_end(5000, 5001 + MAX_FOREIGN, None), None);
        assert_eq!(window_end(5000, usize::MAX, None), None);
    }
}
