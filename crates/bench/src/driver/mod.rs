//! Starts measurements in processes of their own, interleaved, and keeps what they print.

mod callgrind;
pub(crate) mod compare;
pub(crate) mod machine;
pub(crate) mod measure;
pub(crate) mod plan;
mod process;
pub(crate) mod results;
pub(crate) mod statistics;

pub(crate) type Error = Box<dyn std::error::Error>;
