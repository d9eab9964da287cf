//! The command line.

use std::net::SocketAddr;

use clap::{Parser, Subcommand};

use crate::driver::{self, compare, measure};
use crate::worker::{self, Case};
use crate::{Allocator, report, workloads};

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
    /// Loads the service at this address until it goes away
    #[command(hide = true)]
    Clients { address: String },
    /// Asks the profiling endpoint at this address until standard input ends
    #[command(hide = true)]
    Crowd { profiles: SocketAddr },
    /// Compares variants of a few workloads, for somebody who is changing the code: a minute at the
    /// most, printed, nothing written
    #[command(visible_alias = "quick")]
    Compare(compare::Options),
    /// Measures everything that the report shows
    Measure(measure::Options),
    /// Writes the report of what `measure` has measured
    Report(report::Options),
}

pub(crate) fn run(allocator: Allocator) -> Result<(), driver::Error> {
    match Cli::parse().command {
        Command::One(case) => worker::run(case, allocator)?,
        Command::Clients { address } => workloads::http::clients(&address)?,
        Command::Crowd { profiles } => workloads::askers::crowd(profiles)?,
        Command::Compare(options) => compare::run(&options)?,
        Command::Measure(options) => measure::run(&options)?,
        Command::Report(options) => report::run(&options)?,
    }
    Ok(())
}
