//! The profiling endpoint: what a crowd of askers does to the demo's latency, and what it answers
//! when every worker is blocked.

use super::table::{Table, short, whole};
use crate::driver::plan::Allocator;
use crate::driver::results::{Results, Sample};
use crate::driver::statistics::{Summary, confidence, ratios};
use crate::worker::Flavour;
use crate::workloads::Name as Workload;
use crate::workloads::askers::{ASKERS, ASKS, RATE};
use crate::workloads::blocked::{IDLE, PAGES, TICKERS, WAYS};

/// The demos, by what they are called.
const DEMOS: [(Workload, &str); 2] = [
    (Workload::Askers, "the demo"),
    (Workload::AskersFixed, "`--fixed`"),
];

const MEGABYTE: f64 = 1e6;

pub(super) fn section(results: &Results) -> String {
    let asks: Vec<String> = ASKS.iter().map(|path| format!("`{path}`")).collect();
    format!(
        "## The endpoint under a crowd\n\n\
The demo (`examples/orders`), as it is, where each request leaves a task behind, and `--fixed`. A client sends {RATE} requests a second to the shop, orders and looks at orders in
turn, at given times; latency counts from when a request was due. In every second window {ASKERS} connections ask the endpoint meanwhile, each again as soon as it is answered,
or after the `Retry-After` of the refusal: {}. Pairs of windows, one with askers and one without, in alternating order, each after a warm-up of a fifth of it. *Ratio* is the median within
the pairs, and in brackets where the true median is with 95 % confidence.\n\n\
All of this happens on the same machine. The askers' own process gets only processor time that nobody else wants (`SCHED_IDLE`), because a crowd's own work is not the service's cost; what
the kernel does to carry the answers is. Client and demo have the usual priority and share the processors, so a latency contains the client's own wait for a processor, with and without
askers. Other load of the machine moves a p99 far more than 5 %: *idle* is what was left of the machine.\n\n{}\n\n{}\n\n\
### With every worker blocked\n\n\
A multi_thread runtime with two workers, {IDLE} mixed idle tasks and {TICKERS} that tick every 10 ms; both workers are in a task that does not return: {}. The endpoint has a thread of its
own (`taskprof::serve`). Milliseconds from connecting to the end of the answer, minus the seconds asked. *First* is the very first time in the process, when the program's symbols are read.\n\n{}",
        asks.join(", "),
        latencies(results),
        means(results),
        WAYS.map(|(way, how)| format!("*{way}*, {how}")).join("; "),
        blocked(results)
    )
}

fn sample(results: &Results, workload: Workload) -> Option<&Sample> {
    let samples = results.of(Allocator::Glibc, workload, Flavour::Multi);
    samples.first().copied()
}

fn latencies(results: &Results) -> String {
    let mut table = Table::new(&[
        "",
        "pairs",
        "without, ms",
        "with, ms",
        "ratio",
        "",
        "without, each",
        "with, each",
    ]);
    for (workload, demo) in DEMOS {
        let Some(sample) = sample(results, workload) else {
            continue;
        };
        for (name, what) in [("p50_ms", "p50"), ("p99_ms", "p99"), ("most_ms", "slowest")] {
            let without = sample.rounds(name);
            let with = sample.rounds(&format!("{name}_with_askers"));
            let ratios = ratios(with, without);
            let (low, high) = confidence(&ratios);
            let each = |values: &[f64]| {
                let listed: Vec<String> = values.iter().map(|value| short(*value)).collect();
                listed.join(", ")
            };
            table.row(&[
                format!("{demo}, {what}"),
                without.len().to_string(),
                short(Summary::of(without).median),
                short(Summary::of(with).median),
                format!("{:.3}", Summary::of(&ratios).median),
                format!("({low:.3} to {high:.3})"),
                each(without),
                each(with),
            ]);
        }
    }
    table.text()
}

/// Processor time and memory of the demo, and the answers that the crowd got.
fn means(results: &Results) -> String {
    let samples: Vec<_> = DEMOS
        .iter()
        .filter_map(|(workload, demo)| Some((demo, sample(results, *workload)?)))
        .collect();
    let mut heads = vec![""];
    heads.extend(samples.iter().map(|(demo, _)| **demo));
    let mut table = Table::new(&heads);
    let mut row = |what: &str, value: &dyn Fn(&Sample) -> String| {
        let mut cells = vec![what.to_owned()];
        cells.extend(samples.iter().map(|(_, sample)| value(sample)));
        table.row(&cells);
    };
    let median = |sample: &Sample, name: &str| Summary::of(sample.rounds(name)).median;
    let pair = |sample: &Sample, name: &str| {
        let with = format!("{name}_with_askers");
        (median(sample, name), median(sample, &with))
    };
    row("CPU of the demo, % of a processor; without, with", &|it| {
        let (without, with) = pair(it, "cpu");
        format!("{:.0}, {:.0}", without * 100.0, with * 100.0)
    });
    row("idle, % of the machine; without, with", &|it| {
        let (without, with) = pair(it, "idle");
        format!("{:.0}, {:.0}", without * 100.0, with * 100.0)
    });
    row("threads at the most; without, with", &|it| {
        let most = |name| whole(Summary::of(it.rounds(name)).most);
        format!(
            "{}, {}",
            most("threads_most"),
            most("threads_most_with_askers")
        )
    });
    row("RSS of the demo before, MB", &|it| {
        megabytes(it.rounds("rss_before"))
    });
    row("when one asker has asked for everything once, MB", &|it| {
        megabytes(it.rounds("rss_alone"))
    });
    row("highest in each window with the crowd, MB", &|it| {
        megabytes(it.rounds("rss_most_with_askers"))
    });
    row("after the crowd, MB", &|it| {
        megabytes(it.rounds("rss_after"))
    });
    for (name, what) in [
        ("answers_200", "answers a second: 200"),
        ("answers_429", "429"),
        ("answers_503", "503"),
        ("answers_other", "other"),
        ("answers_broken", "connections broken off"),
    ] {
        row(what, &|it| short(per_second(it, name)));
    }
    row("answered, MB a second", &|it| {
        short(per_second(it, "answers_bytes") / MEGABYTE)
    });
    row("requests to the shop that failed", &|it| {
        let failed = ["failed", "failed_with_askers"].map(|name| it.rounds(name).iter().sum());
        failed.map(whole).join(", ")
    });
    table.text()
}

fn megabytes(values: &[f64]) -> String {
    let listed: Vec<String> = values.iter().map(|bytes| whole(bytes / MEGABYTE)).collect();
    listed.join(", ")
}

fn per_second(sample: &Sample, name: &str) -> f64 {
    let sum = |name| sample.rounds(name).iter().sum::<f64>();
    sum(name) / sum("asked_seconds").max(1e-9)
}

fn blocked(results: &Results) -> String {
    let Some(sample) = sample(results, Workload::Blocked) else {
        return String::new();
    };
    let mut table = Table::new(&[
        "",
        "first",
        "sleeping, median",
        "worst",
        "spinning, median",
        "worst",
        "times",
    ]);
    for (name, path, _) in PAGES {
        let value = |way: &str| Summary::of(sample.rounds(&format!("{way}_{name}_ms")));
        let mut cells = vec![format!("`{path}`"), short(value("first").median)];
        for (way, _) in WAYS {
            cells.push(short(value(way).median));
            cells.push(short(value(way).most));
        }
        cells.push(
            sample
                .rounds(&format!("sleeping_{name}_ms"))
                .len()
                .to_string(),
        );
        table.row(&cells);
    }
    table.text()
}

/// How many times the demo's p99 is what it is without askers, and the bounds of that; the worse of
/// the two demos.
pub(super) fn p99(results: &Results) -> Option<(f64, f64, f64)> {
    DEMOS
        .iter()
        .filter_map(|(workload, _)| {
            let sample = sample(results, *workload)?;
            let ratios = ratios(sample.rounds("p99_ms_with_askers"), sample.rounds("p99_ms"));
            let (low, high) = confidence(&ratios);
            Some((Summary::of(&ratios).median, low, high))
        })
        .max_by(|a, b| a.0.total_cmp(&b.0))
}

/// The slowest answer with every worker blocked, but for the first ones; in milliseconds beyond the
/// seconds asked.
pub(super) fn slowest_blocked(results: &Results) -> Option<f64> {
    let sample = sample(results, Workload::Blocked)?;
    PAGES
        .iter()
        .flat_map(|(name, ..)| WAYS.map(|(way, _)| format!("{way}_{name}_ms")))
        .map(|name| Summary::of(sample.rounds(&name)).most)
        .max_by(f64::total_cmp)
}
