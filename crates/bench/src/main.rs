//! The benchmarks with the system's allocator.

use std::process::ExitCode;

use bench::{Allocator, memory};

fn main() -> ExitCode {
    bench::main(Allocator {
        name: "glibc",
        bytes_in_use: memory::malloc_in_use,
    })
}
