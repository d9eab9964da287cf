//! How a capture ends, and the limit of its length.
//!
//! Not here: who decides where a walk ends ([`crate::unwind`]).

/// The largest number of frames one capture appends.
pub const MAX_FRAMES: usize = 1024;

/// How a capture ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Completeness {
    /// Every frame up to the limit was walked.
    Complete,
    /// More frames than [`MAX_FRAMES`]; the root side is missing.
    Truncated,
    /// The unwinder lost its way before it reached the limit.
    Broken,
}
