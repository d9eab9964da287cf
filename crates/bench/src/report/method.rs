//! The sections on the method and the machine.

use super::dumps;
use super::table::Table;
use crate::driver::machine::version;
use crate::driver::plan::Effort;
use crate::driver::results::Results;

const VERSIONS: [&str; 9] = [
    "tokio",
    "taskscope",
    "tokio-metrics",
    "tracing",
    "tracing-subscriber",
    "async-backtrace",
    "await-tree",
    "axum",
    "tikv-jemallocator",
];

/// The share of the machine from which on the neighbours have a say in the figures.
const BUSY: f64 = 0.03;

pub(super) fn head(results: &Results) -> String {
    let command = match results.effort {
        Effort::Full => "scripts/bench full",
        Effort::Quick => "scripts/bench quick",
    };
    let mut caution = String::new();
    if results.effort == Effort::Quick {
        caution += "\n\n**A quick run, to show that everything works: few rounds, small differences mean nothing.**";
    }
    if results.machine.others > BUSY {
        caution += &format!(
            "\n\n**Other processes used {:.0} % of the machine meanwhile. Instructions and memory are good, ratios of processor times are fair; elapsed times, \
             delays, multi_thread and HTTP mean little.**",
            results.machine.others * 100.0
        );
    }
    format!(
        "# What it costs\n\n\
         Written by `{command}`; the remarks are in `crates/bench/src/report/remarks.md`.{caution}\n\n\
         Everything is measured side by side in one run and compared to plain tokio in the same run: read the ratios. The absolute times are \
         those of one small virtual machine. Nothing here is asserted by a test."
    )
}

pub(super) fn reading(results: &Results) -> String {
    let counted = if results.effort == Effort::Full {
        "`current_thread` only"
    } else {
        "`current_thread` and glibc only"
    };
    let touches = dumps::touches(results).map_or_else(String::new, |touches| {
        format!(
            ": {:.2} ms a megabyte the first time in this run, {:.2} at the worst, {:.2} the second time",
            touches.first, touches.worst, touches.second
        )
    });
    format!(
        "## How to read the tables\n\n\
* **One process makes one measurement**: one workload, one way to spawn, one runtime flavour, one allocator. All ways to spawn take turns within a
  round, each round beginning with another one, and there are several rounds.
* **ns**: processor time of the whole process (all threads, user and kernel) for each operation, after a warm-up; the median of the rounds.
  Processor time and not elapsed time, because a neighbour who takes the processor away does not change it much.
* **ratio**: to bare tokio *in the same round*; the median of the rounds, and in brackets where the middle half of them is. Where brackets of two rows
  overlap, there is no difference to be seen. Dividing two figures of the ns column gives nearly the same. The brackets of bare tokio are its
  own rounds against their median: the noise.
* **instr.**: instructions for each operation, by callgrind: two runs of different length, the difference divided, so that what is done once does
  not count; {counted}, because valgrind lets threads take turns. No load disturbs them, but they are no
  times: an atomic operation or a read of the time-stamp counter is one instruction and takes as long as twenty others.
* `current_thread` runs are pinned to one processor. `multi_thread` has two workers and two of everything at once, so that all
  processors meet in whatever is shared; its times vary more. *Elapsed* is shown there too, because a thread that sleeps before a lock uses no processor time.
* Build: release profile with line tables (`debug = 1`), everything else as cargo has it, plain stable Rust, no `tokio_unstable`. All variants are in one
  program, except for the one that a build decides about: *taskscope, off* is the code of *taskscope*, built without taskscope's default feature
  `enable`, measured in a second program that has nothing else different. There the same machine code has another place in memory, which alone can
  change a time by a few percent: judge that row by its instructions.
* Right before each dump the process touches 1 KB of memory for each task, and gives it back, because the host of a virtual machine may take free
  pages away, and then the next touch of them waits for the hypervisor{touches}.

What they are, and what a user gets for it:

| variant | what is done | what is known afterwards |
| --- | --- | --- |
| bare tokio | `tokio::spawn` | nothing |
| tokio-metrics | `TaskMonitor::instrument` | sums and means over all tasks of the monitor |
| `tracing` span | `info_span!` for each task, a `Registry`, a layer that does nothing | whatever a real layer does, at its price |
| async-backtrace | `frame!` at the root and at one leaf | a tree of the annotated functions, no times |
| await-tree | `Registry::spawn_anonymous`, `instrument_await` at one leaf | a tree of the annotated awaits, with times |
| **taskscope** | `taskscope::spawn`, everything on, no annotation | for each task: where spawned, by whom, polls, busy time, last wake, who holds wakers, full async stack on demand |
| **taskscope**, in a scope | the same below a `Scope` | also: which request, cancelled or not, outlived or not |
| **taskscope**, off | `taskscope::spawn`, built without the feature `enable` | nothing; dumps are empty, scopes still cancel and join |"
    )
}

pub(super) fn machine(results: &Results) -> String {
    let machine = &results.machine;
    let mut versions = Table::new(&["package", "version"]);
    for package in VERSIONS {
        versions.row(&[package.into(), version(package).into()]);
    }
    format!(
        "## Where and with what\n\n\
{date}, commit {commit}, {minutes} minutes. Meanwhile all other processes used {others:.1} % of the machine.\n\n\
{processor}, {processors} processors{virtual_machine}, {memory:.0} GiB, Linux {kernel}, clock source {clock}, {glibc}, {rustc}, {valgrind}.
One after the other, a read of `Instant::now` takes {instant:.0} ns here, a read of the time-stamp counter {counter:.0} ns.\n\n{versions}",
        date = date(machine.at),
        commit = machine.commit,
        minutes = machine.took.div_ceil(60),
        others = machine.others * 100.0,
        processor = machine.processor,
        processors = machine.processors,
        virtual_machine = if machine.virtual_machine { " of a virtual machine" } else { "" },
        memory = machine.memory_bytes as f64 / f64::from(1 << 30),
        kernel = machine.kernel,
        clock = machine.clock_source,
        instant = machine.instant_ns,
        counter = machine.counter_ns,
        glibc = machine.glibc,
        rustc = machine.rustc,
        valgrind = machine.valgrind,
        versions = versions.text(),
    )
}

/// Year, month and day of a time in seconds since 1970, by the calendar that is in use since 1582.
fn date(seconds: u64) -> String {
    // Days since 1 March of the year 0, so that a leap day is the last of its year. 400 years have
    // 146097 days.
    let days = seconds / 86_400 + 719_468;
    let (era, day) = (days / 146_097, days % 146_097);
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let (day, month) = (
        day - (153 * month + 2) / 5 + 1,
        if month < 10 { month + 3 } else { month - 9 },
    );
    let year = era * 400 + year + u64::from(month <= 2);
    format!("{year}-{month:02}-{day:02}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_know_leap_years() {
        let day = 86_400;
        assert_eq!(
            [0, 11_016 * day, 11_017 * day, 20_777 * day + day - 1].map(date),
            ["1970-01-01", "2000-02-29", "2000-03-01", "2026-11-20"]
        );
    }

    #[test]
    fn versions_are_those_of_the_lock_file() {
        assert!(VERSIONS.iter().all(|package| version(package) != "unknown"));
    }
}
