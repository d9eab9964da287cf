//! The unwinder of the platform, through the `backtrace` crate.
//!
//! It finds its own registers, so the frames between `start` and itself are skipped by their stack
//! pointers. Not here: where a walk ends ([`Frames`]).

#![cfg_attr(unix, allow(unsafe_code))]

use super::registers::Registers;
use super::window::Window;
use super::{Frames, Unwinder};
use crate::Completeness;

pub(crate) struct System;

impl Unwinder for System {
    fn walk(
        &mut self,
        start: &Registers,
        window: &Window<'_>,
        frames: &mut Frames<'_>,
    ) -> Completeness {
        let mut end = None;
        trace(|frame| {
            let sp = frame.sp() as usize;
            // Stacks grow downwards: a frame that is not above that of `start` was called by it.
            // Platforms without stack pointers report 0.
            if sp != 0 && sp <= start.sp {
                return true;
            }
            end = if sp <= window.end() {
                frames.push(frame.ip() as usize, sp).err()
            } else {
                Some(Completeness::Broken)
            };
            end.is_none()
        });
        end.unwrap_or_else(|| frames.at_root())
    }
}

#[cfg(unix)]
fn trace(visit: impl FnMut(&backtrace::Frame) -> bool) {
    // SAFETY: the lock of `backtrace::trace` protects symbolisation and `dbghelp`. On Unix a walk
    // is `_Unwind_Backtrace`, which may run on many threads at once.
    unsafe { backtrace::trace_unsynchronized(visit) }
}

#[cfg(not(unix))]
fn trace(visit: impl FnMut(&backtrace::Frame) -> bool) {
    backtrace::trace(visit);
}
