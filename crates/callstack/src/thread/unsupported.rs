//! Platforms on which no other thread can be captured: every claim fails.
//!
//! Not here: 64-bit Linux (`linux/`).

use std::time::Duration;

use super::{Blocked, CaptureError, ClaimError, NotBlocked};
use crate::Completeness;

/// Never exists.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Claimed {}

impl Claimed {
    pub(super) fn number(self) -> i32 {
        match self {}
    }
}

pub(super) fn claim(_number: Option<i32>) -> Result<Claimed, ClaimError> {
    Err(ClaimError::NotSupported)
}

pub(super) fn current_tid() -> u32 {
    0
}

pub(super) fn capture(
    signal: Claimed,
    _tid: u32,
    _timeout: Duration,
    _out: &mut Vec<usize>,
) -> Result<Completeness, CaptureError> {
    match signal {}
}

pub(super) fn capture_blocked(_tid: u32, _out: &mut Vec<usize>) -> Result<Blocked, NotBlocked> {
    Err(NotBlocked::Unreadable)
}

pub(super) fn interrupted_calls() -> u64 {
    0
}
