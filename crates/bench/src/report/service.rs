//! A service under load, with and without dumps.

use super::table::{Table, short, whole};
use super::{name, of_variant};
use crate::driver::plan::Allocator;
use crate::driver::results::{Results, Sample};
use crate::driver::statistics::{Summary, confidence, ratios};
use crate::variants::Name as Variant;
use crate::worker::Flavour;
use crate::workloads::Name as Workload;
use crate::workloads::http::{CONNECTIONS, DUMPS, IDLE};

pub(super) fn section(results: &Results) -> String {
    let http = results.of(Allocator::Glibc, Workload::Http, Flavour::Multi);
    let dumps = results.of(Allocator::Glibc, Workload::HttpDumps, Flavour::Multi);
    format!(
        "## HTTP\n\n\
An axum service that answers `hello`; each request spawns a task and joins it, each connection is a task, {IDLE} mixed idle tasks stand by.
In a scope: one for each request. multi_thread, two workers, glibc; {CONNECTIONS} connections that ask again as soon as they are answered, from another process with two threads on
the same machine. *CPU* is the service's alone; requests a second depend on what is left for the clients, too. *Idle* is what was left of the machine.\n\n{}\n\n\
### {DUMPS} dumps a second under that load\n\n\
Pairs of seconds in one process, one with {DUMPS} dumps (fresh stacks, grouped, written) and one without, in alternating order. *Throughput* and *CPU* are ratios within the pairs: the
median, and in brackets where the true median is with 95 % confidence. Bare tokio has no dumps: the same pairs with nothing in them, which shows how much the method can see.\n\n{}",
        without(&http),
        with(&dumps)
    )
}

fn without(samples: &[&Sample]) -> String {
    let mut table = Table::new(&[
        "",
        "CPU, us a request",
        "ratio",
        "requests a second",
        "ratio",
        "growth of RSS, bytes a request",
        "idle",
    ]);
    let Some(bare) = of_variant(samples, Variant::Bare) else {
        return String::new();
    };
    for sample in samples {
        let value = |name| Summary::of(sample.rounds(name)).median;
        let ratio = |name| Summary::of_ratios(sample.rounds(name), bare.rounds(name)).median;
        table.row(&[
            sample_name(sample),
            short(value("cpu_us")),
            format!("{:.2}", ratio("cpu_us")),
            whole(value("per_second")),
            format!("{:.2}", ratio("per_second")),
            short(value("growth_bytes")),
            format!("{:.1} %", value("idle") * 100.0),
        ]);
    }
    table.text()
}

fn with(samples: &[&Sample]) -> String {
    let mut table = Table::new(&[
        "",
        "pairs",
        "throughput",
        "",
        "CPU a request",
        "",
        "a dump, ms",
        "tasks in it",
        "without stack",
    ]);
    for sample in samples {
        let mut cells = vec![
            sample_name(sample),
            sample.rounds("per_second").len().to_string(),
        ];
        for value in ["per_second", "cpu_us"] {
            let ratios = with_dumps(sample, value);
            let (low, high) = confidence(&ratios);
            cells.push(format!("{:.3}", Summary::of(&ratios).median));
            cells.push(format!("({low:.3} to {high:.3})"));
        }
        cells.extend(match sample.rounds("dump_ms") {
            [] => ["-".into(), "-".into(), "-".into()],
            took => [
                short(Summary::of(took).median),
                whole(Summary::of(sample.rounds("dump_tasks")).median),
                short(Summary::of(sample.rounds("dump_missed")).median),
            ],
        });
        table.row(&cells);
    }
    table.text()
}

fn sample_name(sample: &Sample) -> String {
    name(sample.case.variant).into()
}

fn with_dumps(sample: &Sample, value: &str) -> Vec<f64> {
    ratios(
        sample.rounds(&format!("{value}_with_dumps")),
        sample.rounds(value),
    )
}

/// The share of throughput that dumps of ours cost, and the bounds of that.
pub(super) fn cost_of_dumps(results: &Results) -> Option<(f64, f64, f64)> {
    let samples = results.of(Allocator::Glibc, Workload::HttpDumps, Flavour::Multi);
    let ratios = with_dumps(of_variant(&samples, Variant::Taskscope)?, "per_second");
    let (low, high) = confidence(&ratios);
    Some((1.0 - Summary::of(&ratios).median, 1.0 - high, 1.0 - low))
}
