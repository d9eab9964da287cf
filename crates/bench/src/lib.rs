//! Measures the cost of taskscope, side by side with bare tokio and with other crates.
//!
//! One process makes one measurement ([`worker`]): one workload, one variant of spawning, one
//! runtime flavour, one allocator. The driver ([`driver`]) starts such processes in interleaved
//! rounds, so that a busy minute of the machine hits all variants alike, and keeps what they print.
//! The report ([`report`]) is made of that. Nothing here asserts anything about durations: a
//! benchmark shows, it does not gate.

mod cli;
mod cpu;
mod driver;
pub mod memory;
mod pages;
mod report;
mod variants;
mod worker;
mod workloads;

use std::process::ExitCode;

/// The allocator that a program of this package is linked with.
#[derive(Debug, Clone, Copy)]
pub struct Allocator {
    /// Its name in reports.
    pub name: &'static str,
    /// Bytes that the program has allocated and not freed.
    pub bytes_in_use: fn() -> u64,
}

/// Runs the command line.
pub fn main(allocator: Allocator) -> ExitCode {
    match cli::run(allocator) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bench: {error}");
            ExitCode::FAILURE
        }
    }
}
