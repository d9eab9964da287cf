//! Dumps of many tasks.

use super::table::{Table, short, whole};
use super::{flavour, name};
use crate::driver::plan::Allocator;
use crate::driver::results::{Results, Sample};
use crate::driver::statistics::Summary;
use crate::workloads::Name as Workload;

pub(super) fn section(results: &Results) -> String {
    let mut times = Table::new(&[
        "",
        "tasks",
        "dump",
        "ms",
        "capture, group, print",
        "CPU ms",
        "without stack",
        "ticker late, ms",
        "noise, ms",
        "spawning ticker late, ms",
    ]);
    let mut memory = Table::new(&[
        "",
        "tasks",
        "first: held",
        "kept",
        "again: held",
        "kept",
        "first: RSS",
        "written",
    ]);
    for sample in samples(results) {
        for dump in ["first", "again"] {
            times.row(&times_of(sample, dump));
        }
        let megabytes = |value| short(median(sample, value) * sample.case.n as f64 / 1e6);
        memory.row(&[
            title(sample),
            whole(sample.case.n as f64),
            megabytes("first_held_bytes"),
            megabytes("first_kept_bytes"),
            megabytes("again_held_bytes"),
            megabytes("again_kept_bytes"),
            megabytes("first_peak_bytes"),
            short(median(sample, "first_text_bytes") / 1e6),
        ]);
    }
    format!(
        "## Dumps\n\n\
Idle tasks a few async functions deep. *Alike*: all wait for one `Notify`, one distinct stack. *Mixed*: a sixth each in `Notify`, `mpsc` (a channel each), `oneshot`, `Semaphore`, `sleep`, and a
`select!` of two, six distinct stacks. A thread that is none of the runtime's takes a dump with fresh stacks, groups it, and writes each group once (await-tree and async-backtrace have no groups and write each task).
*First*: nothing is known yet, every task is captured, every symbol looked up. *Again*: straight afterwards, nothing has moved.

Two tasks of the same runtime want to run every millisecond; *late* is the longest time from when one was due until it ran, over the whole dump; the
second ticker also spawns and joins a task, which shows a lock in the way of spawning. *Noise*: the same in as many equally long times without a dump, each right after one with a dump.
Times are medians of all dumps, delays the longest of all dumps.\n\n{}\n\n\
Memory, in megabytes. *Held*: allocated by the end of the dump more than before it, the dump and its text included. *Kept*: of that, still allocated
when the dump has been dropped: symbols and the program's debug information, once in a process, and the stacks, with their tasks. *RSS*: the highest meanwhile, over that before.\n\n{}",
        times.text(),
        memory.text(),
    )
}

/// The samples of dumps, in the order of size.
fn samples(results: &Results) -> Vec<&Sample> {
    let mut samples: Vec<_> = results
        .samples
        .iter()
        .filter(|sample| {
            matches!(
                sample.case.workload,
                Workload::DumpAlike | Workload::DumpMixed
            )
        })
        .collect();
    samples.sort_by_key(|sample| {
        let case = sample.case;
        (
            case.n,
            case.variant,
            sample.allocator,
            case.runtime,
            case.workload,
        )
    });
    samples
}

/// The time of the first and the second touch of new memory, in milliseconds a megabyte: the
/// medians over all dumps, and the longest first touch.
pub(super) struct Touches {
    pub(super) first: f64,
    pub(super) worst: f64,
    pub(super) second: f64,
}

pub(super) fn touches(results: &Results) -> Option<Touches> {
    let all = |value| -> Vec<f64> {
        samples(results)
            .into_iter()
            .flat_map(|sample| sample.rounds(value))
            .copied()
            .collect()
    };
    let (first, second) = (all("touch_first_ms"), all("touch_second_ms"));
    if first.is_empty() || second.is_empty() {
        return None;
    }
    let first = Summary::of(&first);
    Some(Touches {
        first: first.median,
        worst: first.most,
        second: Summary::of(&second).median,
    })
}

fn title(sample: &Sample) -> String {
    let kinds = match sample.case.workload {
        Workload::DumpAlike => "alike",
        _ => "mixed",
    };
    let allocator = match sample.allocator {
        Allocator::Glibc => "",
        Allocator::Jemalloc => ", jemalloc",
    };
    format!(
        "{}, {kinds}, {}{allocator}",
        name(sample.case.variant),
        flavour(sample.case.runtime)
    )
}

fn times_of(sample: &Sample, dump: &str) -> [String; 10] {
    let all = |value: &str| sample.rounds(&format!("{dump}_{value}"));
    let middle = |value: &str| short(Summary::of(all(value)).median);
    [
        title(sample),
        whole(sample.case.n as f64),
        dump.into(),
        middle("ms"),
        format!(
            "{}, {}, {}",
            middle("capture_ms"),
            middle("group_ms"),
            middle("print_ms")
        ),
        middle("cpu_ms"),
        whole(Summary::of(all("missed")).most),
        short(Summary::of(all("late_ms")).most),
        short(noise(sample, dump)),
        short(Summary::of(all("spawn_late_ms")).most),
    ]
}

/// How late the ticker was without a dump.
fn noise(sample: &Sample, dump: &str) -> f64 {
    Summary::of(sample.rounds(&format!("quiet_{dump}_late_ms"))).most
}

/// How much later it was with one. Both are the longest of equally many and equally long times.
fn beyond_noise(sample: &Sample, dump: &str) -> f64 {
    Summary::of(sample.rounds(&format!("{dump}_late_ms"))).most - noise(sample, dump)
}

fn median(sample: &Sample, value: &str) -> f64 {
    Summary::of(sample.rounds(value)).median
}

/// The worst over both flavours and both kinds of a million tasks of ours.
pub(super) struct Million {
    pub(super) first_ms: f64,
    pub(super) again_ms: f64,
    pub(super) late_ms: f64,
    pub(super) held_bytes: f64,
    pub(super) peak_bytes: f64,
}

pub(super) fn million(results: &Results) -> Option<Million> {
    let ours: Vec<_> = samples(results)
        .into_iter()
        .filter(|sample| sample.case.n == 1_000_000 && sample.allocator == Allocator::Glibc)
        .collect();
    let worst = |value: &dyn Fn(&Sample) -> f64| {
        ours.iter()
            .map(|sample| value(sample))
            .max_by(f64::total_cmp)
    };
    Some(Million {
        first_ms: worst(&|sample| median(sample, "first_ms"))?,
        again_ms: worst(&|sample| median(sample, "again_ms"))?,
        late_ms: worst(&|sample| beyond_noise(sample, "first").max(beyond_noise(sample, "again")))?,
        held_bytes: worst(&|sample| median(sample, "first_held_bytes"))?,
        peak_bytes: worst(&|sample| median(sample, "first_peak_bytes"))?,
    })
}
