//! The section on sampling: its sums for tasks whose times are known.

use super::table::{Table, short};
use crate::driver::plan::Allocator;
use crate::driver::results::{Results, Sample};
use crate::driver::statistics::{Summary, ratios};
use crate::worker::Flavour;
use crate::workloads::{KINDS, Name as Workload};

pub(super) fn section(results: &Results) -> String {
    let known = results.of(Allocator::Glibc, Workload::Known, Flavour::Multi);
    let busy = results.of(Allocator::Glibc, Workload::KnownBusy, Flavour::Multi);
    let mut table = Table::new(&[
        "",
        "truth, s",
        "sampled, s",
        "error",
        "runs",
        "beside 8 tasks that only yield",
        "runs",
    ]);
    for (name, what) in KINDS {
        let mut cells = vec![what.to_owned()];
        for (samples, times) in [(&known, true), (&busy, false)] {
            let Some(sample) = samples.first() else {
                return String::new();
            };
            let value = |end: &str| Summary::of(sample.rounds(&format!("{name}_{end}"))).median;
            if times {
                cells.push(short(value("truth")));
                cells.push(short(value("told")));
            }
            let errors = errors(sample, name);
            cells.push(percent(Summary::of(&errors).median));
            let listed: Vec<String> = errors.iter().map(|error| percent(*error)).collect();
            cells.push(listed.join(", "));
        }
        table.row(&cells);
    }
    format!(
        "## Sampled time\n\n\
Tasks that wait and run for times that they measure themselves, and what the profiles `block`, `lock`, `sched` and `busy` say of them. Each run is a process of
its own, {} s long; the errors are those of single runs, and their median. What a task waits includes what it takes to get a worker, in the truth and in the sums.
In the last columns the same beside eight tasks that do nothing but yield, some five million polls a second on two workers. What sampling costs is the row
*taskscope, sampling* of the tables above.\n\n{}",
        known.first().map_or(0, |sample| sample.case.n),
        table.text()
    )
}

/// The error of each run: by how much the sum is above or below the truth.
fn errors(sample: &Sample, name: &str) -> Vec<f64> {
    let rounds = |end| sample.rounds(&format!("{name}_{end}"));
    let ratios = ratios(rounds("told"), rounds("truth"));
    ratios.into_iter().map(|ratio| ratio - 1.0).collect()
}

fn percent(error: f64) -> String {
    format!("{:+.1} %", error * 100.0)
}
