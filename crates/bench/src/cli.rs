//! The command line.

use clap::{Parser, Subcommand};

use crate::driver::{self, compare};
use crate::worker::{self, Case};
use crate::Allocator;

#[derive(Parser)]
#[command(about = "What taskscope costs, side by side with bare tokio and with other crates")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Makes one measurement in this process and prints it as JSON
    One(Case),
    /// Compares variants of a few workloads, for somebody who is changing the code: a minute at the most, printed, nothing written
    #[command(visible_alias = "quick")]
    Compare(compare::Options),
}

pub(crate) fn run(allocator: Allocator) -> Result<(), driver::Error> {
    match Cli::parse().command {
        Command::One(case) => worker::run(case),
        Command::Compare(options) => compare::run(&options)?,
    }
    Ok(())
}
