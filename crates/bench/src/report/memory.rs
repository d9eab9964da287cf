//! Bytes for each idle task.

use super::table::{Table, whole};
use super::{flavour, name, of_variant};
use crate::driver::plan::Allocator;
use crate::driver::results::{Results, Sample};
use crate::driver::statistics::Summary;
use crate::variants::Name as Variant;
use crate::worker::Flavour;
use crate::workloads::Name as Workload;

pub(super) fn section(results: &Results) -> String {
    let mut table = Table::new(&[
        "",
        "tasks",
        "glibc: allocated",
        "over bare",
        "resident",
        "over bare",
        "jemalloc: allocated",
        "over bare",
        "resident",
        "over bare",
    ]);
    for runtime in [Flavour::Current, Flavour::Multi] {
        let of = |allocator| results.of(allocator, Workload::Idle, runtime);
        let (glibc, jemalloc) = (of(Allocator::Glibc), of(Allocator::Jemalloc));
        for sample in &glibc {
            let case = sample.case;
            let mut cells = vec![
                format!("{}, {}", name(case.variant), flavour(runtime)),
                whole(case.n as f64),
            ];
            for samples in [&glibc, &jemalloc] {
                let same_n: Vec<_> = samples
                    .iter()
                    .filter(|other| other.case.n == case.n)
                    .copied()
                    .collect();
                cells.extend(pair(&same_n, case.variant, "allocated_bytes"));
                cells.extend(pair(&same_n, case.variant, "resident_bytes"));
            }
            table.row(&cells);
        }
    }
    format!(
        "## Memory of an idle task\n\n\
Bytes for each of many tasks that wait for one `Notify`, handles dropped. *Allocated* is what the program asked for (`mallinfo2`, or jemalloc's
`stats.allocated`: whole size classes); *resident* is what the kernel gave it (RSS). tokio aligns a task to 128 bytes, which leaves holes in glibc's heap that small allocations
get for nothing: judge by *allocated*.\n\n{}",
        table.text()
    )
}

fn pair(samples: &[&Sample], variant: Variant, value: &str) -> [String; 2] {
    match (
        of_variant(samples, variant),
        of_variant(samples, Variant::Bare),
    ) {
        (Some(sample), Some(bare)) => {
            let (bytes, base) = (median(sample, value), median(bare, value));
            [whole(bytes), format!("+{}", whole(bytes - base))]
        }
        _ => ["-".into(), "-".into()],
    }
}

fn median(sample: &Sample, value: &str) -> f64 {
    Summary::of(sample.rounds(value)).median
}

/// Allocated bytes over bare, with the most tasks that were measured.
pub(super) fn allocated_over_bare(
    results: &Results,
    allocator: Allocator,
    runtime: Flavour,
) -> Option<f64> {
    let samples = results.of(allocator, Workload::Idle, runtime);
    let most = samples.iter().map(|sample| sample.case.n).max()?;
    let of = |variant| {
        samples
            .iter()
            .find(|sample| sample.case.n == most && sample.case.variant == variant)
            .map(|sample| median(sample, "allocated_bytes"))
    };
    Some(of(Variant::Taskscope)? - of(Variant::Bare)?)
}
