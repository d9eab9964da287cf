//! Writes `docs/benchmarks.md` from the results of a measurement.
//!
//! All of it is computed, except for `remarks.md`, which people write, `console.md`, whose table is
//! printed by `scripts/console-cost`, and `cpu_sampling.md` with its rows in `cpu_targets.md`, from
//! the tables of `scripts/sampler-peers`. Not here: measuring (`crate::driver`).

mod askers;
mod dumps;
mod memory;
mod method;
mod operations;
mod sampling;
mod service;
mod table;
mod targets;
mod wrap;

use std::fs;
use std::path::PathBuf;

use clap::Args;

use crate::driver::Error;
use crate::driver::plan::Allocator;
use crate::driver::results::{Results, Sample};
use crate::variants::Name as Variant;
use crate::worker::Flavour;
use crate::workloads::Name as Workload;

#[derive(Debug, Args)]
pub(crate) struct Options {
    /// The file that `measure` has written
    results: PathBuf,
    /// The page
    out: PathBuf,
}

pub(crate) fn run(options: &Options) -> Result<(), Error> {
    let results = serde_json::from_slice(&fs::read(&options.results)?)?;
    fs::write(&options.out, page(&results))?;
    Ok(())
}

fn page(results: &Results) -> String {
    let mut parts = vec![
        method::head(results),
        targets::section(results),
        include_str!("remarks.md").trim_end().to_string(),
        method::reading(results),
    ];
    parts.extend(operations::sections(results));
    parts.push(memory::section(results));
    parts.push(dumps::section(results));
    parts.push(service::section(results));
    parts.push(sampling::section(results));
    parts.push(include_str!("cpu_sampling.md").trim_end().to_string());
    parts.push(askers::section(results));
    parts.push(method::machine(results));
    parts.push(include_str!("console.md").trim_end().to_string());
    wrap::wrap(&parts.join("\n\n"))
}

/// The name of a variant in tables.
fn name(variant: Variant) -> &'static str {
    match variant {
        Variant::Bare => "bare tokio",
        Variant::TokioMetrics => "tokio-metrics",
        Variant::TracingSpan => "`tracing` span",
        Variant::AsyncBacktrace => "async-backtrace",
        Variant::AwaitTree => "await-tree",
        Variant::Taskscope => "**taskscope**",
        Variant::TaskscopeInScope => "**taskscope**, in a scope",
        Variant::TaskscopeSampling => "**taskscope**, sampling",
        Variant::TaskscopeOff => "**taskscope**, off",
    }
}

fn flavour(runtime: Flavour) -> &'static str {
    match runtime {
        Flavour::Current => "current_thread",
        Flavour::Multi => "multi_thread",
    }
}

impl Results {
    /// The samples of a workload, in the order of the variants.
    fn of(&self, allocator: Allocator, workload: Workload, runtime: Flavour) -> Vec<&Sample> {
        let mut samples: Vec<_> = self
            .samples
            .iter()
            .filter(|sample| {
                sample.allocator == allocator
                    && sample.case.workload == workload
                    && sample.case.runtime == runtime
            })
            .collect();
        samples.sort_by_key(|sample| (sample.case.n, sample.case.variant));
        samples
    }
}

/// The sample of a variant.
fn of_variant<'a>(samples: &[&'a Sample], variant: Variant) -> Option<&'a Sample> {
    samples
        .iter()
        .find(|sample| sample.case.variant == variant)
        .copied()
}
