//! Reads the stack of a thread that is blocked in a system call, without a signal.
//!
//! Such a thread does not touch its stack, so another thread can copy it. The kernel tells the next
//! instruction and the stack pointer; the other registers are on the kernel stack, out of reach,
//! and are worked out as far as the walk needs them. The thread's count of context switches proves
//! that it has not run meanwhile: if the count is the same before and after, it has not, even if it
//! would now be in the same call again.
//!
//! Not here: how the kernel is asked ([`super::activity`]), and how the stack is walked
//! ([`crate::unwind`]).

use std::sync::Arc;

use super::activity::{Activity, Switches};
use super::{memory, tid as thread_id};
use crate::loaded::{self, Snapshot};
use crate::thread::blocked::Blocked;
use crate::thread::error::NotBlocked;
use crate::unwind::copied::CopiedStack;
use crate::unwind::frame_pointer::Code;
use crate::unwind::registers::Registers;
use crate::{Completeness, unwind};

/// How many bytes of the stack are copied: the next size is tried as long as the last was not
/// enough.
const SIZES: [usize; 3] = [16 << 10, 128 << 10, 1 << 20];

/// Appends the stack of the thread to `out`, if it is blocked. `out` is unchanged otherwise.
pub(in crate::thread) fn capture(tid: u32, out: &mut Vec<usize>) -> Result<Blocked, NotBlocked> {
    if tid == thread_id::current() {
        return Err(NotBlocked::Running);
    }
    let before = out.len();
    let code = Known(loaded::current());
    for bytes in SIZES {
        out.truncate(before);
        let blocked = attempt(tid, bytes, &code, out);
        if blocked.is_err() {
            out.truncate(before);
        }
        match blocked {
            Ok(Blocked {
                completeness: Completeness::Truncated,
                ..
            }) if out.len() - before < crate::MAX_FRAMES && bytes != SIZES[SIZES.len() - 1] => {}
            blocked => return blocked,
        }
    }
    Err(NotBlocked::Moved)
}

fn attempt(
    tid: u32,
    bytes: usize,
    code: &Known,
    out: &mut Vec<usize>,
) -> Result<Blocked, NotBlocked> {
    let switches = Switches::of(tid);
    let activity = Activity::of(tid);
    let Activity::Blocked { call, sp, ip } = activity else {
        return Err(match activity {
            Activity::Gone => NotBlocked::Gone,
            Activity::Running => NotBlocked::Running,
            _ => NotBlocked::Unreadable,
        });
    };
    let mut words = vec![0_u64; bytes / size_of::<u64>()];
    let start = sp & !(size_of::<u64>() - 1);
    let copied = memory::copy_into(start, &mut words);
    // The activity first: both reads of it must lie between the two counts of switches.
    if Activity::of(tid) != activity || switches.is_none() || Switches::of(tid) != switches {
        return Err(NotBlocked::Moved);
    }
    // The instruction is in no known module: a library that has just been loaded, or the kernel
    // describes an emulator.
    if code.0.image_at(ip).is_none() {
        return Err(NotBlocked::Unreadable);
    }
    let registers = Registers::blocked(ip, sp);
    let stack = CopiedStack::new(start, &words[..copied], copied == words.len());
    let completeness = unwind::walk_blocked(&registers, &stack, code, out);
    Ok(Blocked { call, completeness })
}

/// The code that is loaded, as of the last refresh.
struct Known(Arc<Snapshot>);

impl Code for Known {
    fn function(&self, address: usize) -> Option<std::ops::Range<usize>> {
        self.0.image_at(address)?.function_at(address)
    }

    fn bytes(&self, start: usize, len: usize) -> Vec<u8> {
        if self.0.image_at(start).is_none() {
            return Vec::new();
        }
        let mut bytes = vec![0; len];
        // The kernel copies, because the library may be unloaded just now.
        let copied = memory::copy_bytes(start, &mut bytes);
        bytes.truncate(copied);
        bytes
    }
}
