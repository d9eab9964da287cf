//! The benchmarks with jemalloc. The driver starts this program for single measurements.

use std::process::ExitCode;

use bench::Allocator;
use tikv_jemalloc_ctl::{epoch, stats};
use tikv_jemallocator::Jemalloc;

#[global_allocator]
static ALLOCATOR: Jemalloc = Jemalloc;

fn main() -> ExitCode {
    bench::main(Allocator {
        name: "jemalloc",
        bytes_in_use,
    })
}

/// Bytes that the program has allocated and not freed. jemalloc's statistics are as old as the last
/// call of `advance`.
fn bytes_in_use() -> u64 {
    epoch::advance().expect("jemalloc has an epoch");
    stats::allocated::read().expect("jemalloc keeps statistics") as u64
}
