//! Starts measurements in processes of their own, interleaved, and compares what they print.

mod callgrind;
pub(crate) mod compare;
mod process;
mod statistics;

pub(crate) type Error = Box<dyn std::error::Error>;
