//! The sections on spawns and polls: times and instructions.

use super::table::{Table, short, whole};
use super::{flavour, name, of_variant};
use crate::driver::plan::Allocator;
use crate::driver::results::{Results, Sample};
use crate::driver::statistics::Summary;
use crate::variants::Name as Variant;
use crate::worker::Flavour;
use crate::workloads::Name as Workload;

const WORKLOADS: [(Workload, &str, &str); 3] = [
    (
        Workload::Spawn,
        "Spawn and join",
        "A task that does nothing is spawned and joined, 1000 at a time, from within a task: the worst case for what is done once for each task. Per task.",
    ),
    (
        Workload::SelfWake,
        "Self-wake",
        "A task wakes itself by reference and is polled again: the cheapest poll there is, so the worst case for what is done once for each poll. Per poll.",
    ),
    (
        Workload::PingPong,
        "Ping-pong",
        "Two tasks, two `mpsc::channel(1)`: a message is received, answered, and the next is waited for, wakers cloned as usual. Per poll.",
    ),
];

pub(super) fn sections(results: &Results) -> Vec<String> {
    WORKLOADS
        .iter()
        .map(|(workload, title, what)| {
            let mut parts = vec![format!("## {title}\n\n{what}")];
            for runtime in [Flavour::Current, Flavour::Multi] {
                for allocator in [Allocator::Glibc, Allocator::Jemalloc] {
                    let samples = results.of(allocator, *workload, runtime);
                    if let Some(table) = table(&samples) {
                        let heading = heading(runtime, allocator, &samples);
                        parts.push(format!("{heading}\n\n{table}"));
                    }
                }
            }
            parts.join("\n\n")
        })
        .collect()
}

fn heading(runtime: Flavour, allocator: Allocator, samples: &[&Sample]) -> String {
    let rounds = samples.first().map_or(0, |it| it.rounds("cpu_ns").len());
    format!(
        "{}, {} ({rounds} rounds of {} operations):",
        flavour(runtime),
        match allocator {
            Allocator::Glibc => "glibc",
            Allocator::Jemalloc => "jemalloc",
        },
        whole(samples.first().map_or(0.0, |it| it.case.n as f64)),
    )
}

fn table(samples: &[&Sample]) -> Option<String> {
    let bare = of_variant(samples, Variant::Bare)?;
    let counted = !bare.rounds("instructions").is_empty();
    let contended = bare.case.runtime == Flavour::Multi;
    let mut heads = vec!["", "ns", "ratio", "(middle half)"];
    if contended {
        heads.extend(["elapsed ns", "ratio"]);
    }
    if counted {
        heads.extend(["instr.", "ratio"]);
    }
    let mut table = Table::new(&heads);
    for sample in samples {
        let ratio = if sample.case == bare.case {
            noise(sample)
        } else {
            ratio(sample, bare)
        };
        let mut cells = vec![
            name(sample.case.variant).into(),
            short(Summary::of(sample.rounds("cpu_ns")).median),
            format!("{:.2}", ratio.median),
            format!("({:.2} to {:.2})", ratio.low, ratio.high),
        ];
        if contended {
            let (elapsed, base) = (sample.rounds("wall_ns"), bare.rounds("wall_ns"));
            cells.push(short(Summary::of(elapsed).median));
            cells.push(format!("{:.2}", Summary::of_ratios(elapsed, base).median));
        }
        if counted {
            let (count, base) = (instructions(sample), instructions(bare));
            cells.extend([whole(count), format!("{:.2}", count / base)]);
        }
        table.row(&cells);
    }
    Some(table.text())
}

/// The ratios of a sample's processor times to their own median.
fn noise(sample: &Sample) -> Summary {
    let times = sample.rounds("cpu_ns");
    let median = Summary::of(times).median;
    Summary::of_ratios(times, &vec![median; times.len()])
}

fn instructions(sample: &Sample) -> f64 {
    sample
        .rounds("instructions")
        .first()
        .copied()
        .unwrap_or(f64::NAN)
}

/// The ratio of processor times.
pub(super) fn ratio(sample: &Sample, bare: &Sample) -> Summary {
    Summary::of_ratios(sample.rounds("cpu_ns"), bare.rounds("cpu_ns"))
}
