//! [`Blocked`]: the result of reading the stack of a blocked thread.
//!
//! Not here: how it is read (`linux/blocked.rs`).

use super::call::SystemCall;
use crate::Completeness;

/// A thread that was blocked while its stack was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Blocked {
    /// The system call that it was blocked in.
    pub call: SystemCall,
    /// Whether the stack is whole.
    pub completeness: Completeness,
}
