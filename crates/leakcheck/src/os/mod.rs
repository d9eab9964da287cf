//! Leftovers of a test that the operating system knows: threads, file descriptors, and calls on the
//! blocking pool that have no record.
//!
//! Threads and descriptors belong to the process: nothing tells which test made them. So they are
//! inspected on request only, and what was there at that time, the baseline, is left out. They are
//! read from `/proc`; where there is none, the report says so.
//!
//! Not here: which rule ignores what ([`crate::rules`]).

mod descriptors;
mod internal_threads;
mod pool;
mod sockets;
mod threads;

use std::fmt;
use std::thread;
use std::time::Duration;

use taskscope::{Dump, DumpOptions, Stacks, TaskKind, dump::State};
use tokio::runtime::Handle;

pub use self::descriptors::Descriptor;
pub(crate) use self::descriptors::DescriptorsBaseline;
pub(crate) use self::internal_threads::{AnnouncedCall, InternalThread};
pub use self::threads::OsThread;
pub(crate) use self::threads::ThreadsBaseline;

/// How many threads, and how many descriptors, a report lists at most.
const MAX_LISTED: usize = 16;

/// Baselines of threads and descriptors; `None` for what the check does not inspect.
#[derive(Debug, Clone, Default)]
pub(crate) struct OsBaseline {
    pub(crate) threads: Option<ThreadsBaseline>,
    pub(crate) descriptors: Option<DescriptorsBaseline>,
}

/// Threads, descriptors and calls that are there now and were not in the baseline.
#[derive(Debug, Clone, Default)]
pub(crate) struct OsLeftovers {
    pub(crate) threads: Vec<OsThread>,
    pub(crate) descriptors: Vec<Descriptor>,
    /// Calls without a record on the blocking pool of the checked runtime. Always 0 without
    /// `tokio_unstable`: then nothing counts them.
    pub(crate) calls: usize,
    /// Which of the three the check has inspected.
    pub(crate) coverage: Coverage,
    /// The kinds that it should have inspected and could not read.
    pub(crate) unreadable: Vec<&'static str>,
}

/// Which kinds of leftovers a check has inspected.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Coverage {
    pub(crate) threads: bool,
    pub(crate) descriptors: bool,
    pub(crate) calls: bool,
}

impl OsLeftovers {
    pub(crate) fn count(&self) -> usize {
        self.threads.len() + self.descriptors.len() + self.calls
    }
}

/// Whether threads of the blocking pool are probed for being idle. A probe blocks the caller for a
/// while.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PoolProbe {
    Skip,
    Once,
    /// Again and again for a third of a second: a thread that has just ended a call is not idle
    /// yet.
    Repeat,
}

/// How often threads are probed at most.
const ROUNDS: usize = 6;

/// The first pause between two probes; each one is twice as long as the one before.
const FIRST_PAUSE: Duration = Duration::from_millis(10);

/// Inspects what the baseline has. `dump` is a dump of the checked runtime, or `None` if other
/// tests use it as well; then calls are not counted.
pub(crate) fn inspect(
    baseline: &OsBaseline,
    runtime: &Handle,
    dump: Option<&Dump>,
    probe: PoolProbe,
) -> OsLeftovers {
    let mut left = OsLeftovers {
        // Before any probe, because a probe is a call as well.
        calls: dump.map_or(0, |dump| calls(runtime, dump, probe)),
        ..OsLeftovers::default()
    };
    left.coverage.calls = cfg!(tokio_unstable) && dump.is_some();
    if let Some(baseline) = &baseline.threads {
        match baseline.leftovers() {
            Some(threads) => (left.threads, left.coverage.threads) = (threads, true),
            None => left.unreadable.push("threads"),
        }
        if !left.threads.is_empty() {
            leave_out_known(&mut left.threads, runtime, probe);
        }
    }
    if let Some(baseline) = &baseline.descriptors {
        match baseline.leftovers() {
            Some(descriptors) => {
                (left.descriptors, left.coverage.descriptors) = (descriptors, true);
            }
            None => left.unreadable.push("file descriptors"),
        }
    }
    left
}

/// Leaves out threads that run a call with a record, since that is judged by its record, and idle
/// threads of blocking pools.
fn leave_out_known(threads: &mut Vec<OsThread>, runtime: &Handle, probe: PoolProbe) {
    // A dump of all runtimes: the threads may belong to any of them.
    let dump = DumpOptions::new().stacks(Stacks::None).capture_blocking();
    let calls = dump
        .tasks
        .iter()
        .filter(|task| task.kind == TaskKind::Blocking);
    let with_record: Vec<u32> = calls
        .filter_map(|task| match &task.state {
            State::Running { thread, .. } => Some(thread.as_ref()?.os_id),
            _ => None,
        })
        .collect();
    threads.retain(|thread| !with_record.contains(&thread.os_id));
    if probe == PoolProbe::Skip {
        return;
    }
    internal_threads::await_announced();
    threads.retain(|thread| !internal_threads::contains(thread.os_id));
    probe_pools(threads, runtime, &dump);
    // A thread that has just answered a probe is not idle yet; on a busy machine that takes a
    // while.
    let mut pause = FIRST_PAUSE;
    for _ in 1..ROUNDS {
        if probe == PoolProbe::Once || threads.is_empty() {
            return;
        }
        thread::sleep(pause);
        pause *= 2;
        threads::refresh(threads);
        probe_pools(threads, runtime, &dump);
    }
}

/// Leaves out the threads that answer a probe now.
fn probe_pools(threads: &mut Vec<OsThread>, runtime: &Handle, dump: &Dump) {
    let others = dump
        .runtimes
        .iter()
        .map(taskscope::dump::RuntimeInfo::handle);
    let others = others.filter(|handle| handle.id() != runtime.id());
    for runtime in std::iter::once(runtime).chain(others) {
        if threads.is_empty() {
            return;
        }
        pool::leave_out_idle(runtime, threads);
    }
}

/// Counts calls without a record. Probes as often as `probe` says, because a call may be just
/// beginning or ending.
fn calls(runtime: &Handle, dump: &Dump, probe: PoolProbe) -> usize {
    let mut calls = calls_without_record(runtime, dump);
    for round in 1..ROUNDS {
        if calls == 0 || probe == PoolProbe::Skip || (probe == PoolProbe::Once && round > 1) {
            break;
        }
        internal_threads::await_announced();
        let options = DumpOptions::new().stacks(Stacks::None);
        let dump = options.runtime(runtime.id()).capture_blocking();
        let now = calls_without_record(runtime, &dump);
        if now == std::mem::replace(&mut calls, now) && round > 1 {
            break;
        }
        thread::sleep(FIRST_PAUSE);
    }
    calls
}

/// Counts calls that keep a thread of the pool busy and have no record.
#[cfg(tokio_unstable)]
fn calls_without_record(runtime: &Handle, dump: &Dump) -> usize {
    let metrics = runtime.metrics();
    let busy = metrics
        .num_blocking_threads()
        .saturating_sub(metrics.num_idle_blocking_threads());
    let with_record = dump.tasks.iter().filter(|task| {
        task.kind == TaskKind::Blocking && matches!(task.state, State::Running { .. })
    });
    busy.saturating_sub(with_record.count() + internal_threads::calls_on(runtime))
}

#[cfg(not(tokio_unstable))]
fn calls_without_record(_: &Handle, _: &Dump) -> usize {
    0
}

/// Counts calls without a record for a [baseline](crate::Baseline).
pub(crate) fn calls_now(runtime: &Handle, dump: &Dump) -> usize {
    calls_without_record(runtime, dump)
}

/// The number with its noun: `1 thread`, `2 threads`.
pub(crate) fn counted(count: usize, what: &str) -> String {
    match count {
        1 => format!("1 {what}"),
        _ => format!("{count} {what}s"),
    }
}

/// The subject and verb of the headline: `1 task is`, `2 tasks, 1 thread and 3 file descriptors
/// are`.
pub(crate) fn subject(tasks: usize, left: &OsLeftovers) -> String {
    let parts = [
        (tasks, "task"),
        (left.calls, "blocking call"),
        (left.threads.len(), "thread"),
        (left.descriptors.len(), "file descriptor"),
    ];
    let all: usize = parts.iter().map(|(count, _)| count).sum();
    let are = if all == 1 { "is" } else { "are" };
    let mut parts: Vec<String> = parts
        .iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, what)| counted(*count, what))
        .collect();
    let last = parts.pop().unwrap_or_else(|| counted(0, "task"));
    match parts.is_empty() {
        true => format!("{last} {are}"),
        false => format!("{} and {last} {are}", parts.join(", ")),
    }
}

/// The lines of a report about threads, descriptors and calls; none if there are none.
pub(crate) fn lines(left: &OsLeftovers) -> Vec<String> {
    struct Section<'a>(&'a OsLeftovers);

    impl fmt::Display for Section<'_> {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            write_section(f, self.0)
        }
    }

    Section(left)
        .to_string()
        .lines()
        .map(str::to_owned)
        .collect()
}

fn write_section(f: &mut fmt::Formatter<'_>, left: &OsLeftovers) -> fmt::Result {
    let calls = counted(left.calls, "call");
    let threads = counted(left.threads.len(), "thread");
    let descriptors = counted(left.descriptors.len(), "file descriptor");
    if left.calls > 0 {
        writeln!(
            f,
            "\n{calls} on the blocking pool without a record: of plain tokio::task::spawn_blocking, by this program or a library"
        )?;
        writeln!(
            f,
            "   hint       a call cannot be aborted: end what it waits for; taskscope::spawn_blocking shows where it was made"
        )?;
    }
    if !left.threads.is_empty() {
        writeln!(
            f,
            "\n{threads} of this process began after the baseline and did not end"
        )?;
        write_lines(f, &left.threads)?;
        writeln!(
            f,
            "   hint       join it before the test ends; a busy thread of a blocking pool and every thread of a runtime that was not shut down are among them"
        )?;
    }
    if !left.descriptors.is_empty() {
        writeln!(
            f,
            "\n{descriptors} of this process opened after the baseline and not closed"
        )?;
        write_lines(f, &left.descriptors)?;
        writeln!(
            f,
            "   hint       whoever holds it is alive: a task above, a static, or a value that was forgotten"
        )?;
    }
    for what in &left.unreadable {
        writeln!(
            f,
            "\n{what} of this process could not be seen: /proc cannot be read here"
        )?;
    }
    Ok(())
}

fn write_lines(f: &mut fmt::Formatter<'_>, lines: &[impl fmt::Display]) -> fmt::Result {
    for line in lines.iter().take(MAX_LISTED) {
        writeln!(f, "   {line}")?;
    }
    match lines.len().saturating_sub(MAX_LISTED) {
        0 => Ok(()),
        more => writeln!(f, "   and {more} more"),
    }
}
