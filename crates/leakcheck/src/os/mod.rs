//! What a test has left with the operating system: threads and file descriptors, and calls on the blocking pool that nobody has a record of.
//!
//! All of it is the process's: nothing tells which test a thread or a descriptor belongs to. So it is looked at on request, and what was there at the time of the
//! request is left out. It is read from `/proc`; where there is none, the report says so. Not here: which rule ignores what ([`crate::rules`]).

mod descriptors;
mod own;
mod pool;
mod sockets;
mod threads;

use std::fmt;
use std::thread;
use std::time::Duration;

use taskscope::{Dump, DumpOptions, Stacks, State, TaskKind};
use tokio::runtime::Handle;

pub use self::descriptors::Descriptor;
pub(crate) use self::descriptors::DescriptorsBefore;
pub(crate) use self::own::{Announced, Own};
pub use self::threads::OsThread;
pub(crate) use self::threads::ThreadsBefore;

/// How many lines each section of a report has at most, its first and its last left aside.
const LISTED: usize = 16;

/// What was there at the time of the request; `None` if there was none.
#[derive(Debug, Clone, Default)]
pub(crate) struct Before {
    pub(crate) threads: Option<ThreadsBefore>,
    pub(crate) descriptors: Option<DescriptorsBefore>,
}

/// What is there now and was not before.
#[derive(Debug, Clone, Default)]
pub(crate) struct OsLeft {
    pub(crate) threads: Vec<OsThread>,
    pub(crate) descriptors: Vec<Descriptor>,
    /// Calls of the checked runtime's blocking pool without a record. Always 0 without `tokio_unstable`: then nothing counts them.
    pub(crate) calls: usize,
    /// What was looked at and seen.
    pub(crate) seen: Seen,
    /// What could not be seen.
    pub(crate) unseen: Vec<&'static str>,
}

/// Of what it is known how much is left.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Seen {
    pub(crate) threads: bool,
    pub(crate) descriptors: bool,
    pub(crate) calls: bool,
}

impl OsLeft {
    pub(crate) fn count(&self) -> usize {
        self.threads.len() + self.descriptors.len() + self.calls
    }
}

/// Whether threads of the blocking pool are asked if they are idle. This blocks the caller for a while.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pool {
    DoNotAsk,
    Ask,
    /// Again and again for a third of a second: a thread that has just ended a call is not idle yet.
    Insist,
}

/// How often threads are asked at most, and the first while in between.
const ROUNDS: (usize, Duration) = (6, Duration::from_millis(10));

/// Looks at what was asked for. `dump`: a dump of the checked runtime, or `None` if others use it as well; then calls are not counted.
pub(crate) fn look(before: &Before, runtime: &Handle, dump: Option<&Dump>, pool: Pool) -> OsLeft {
    let mut left = OsLeft {
        // Before anybody is asked, because the answer is a call as well.
        calls: dump.map_or(0, |dump| calls(runtime, dump, pool)),
        ..OsLeft::default()
    };
    left.seen.calls = cfg!(tokio_unstable) && dump.is_some();
    if let Some(before) = &before.threads {
        match before.left() {
            Some(threads) => (left.threads, left.seen.threads) = (threads, true),
            None => left.unseen.push("threads"),
        }
        if !left.threads.is_empty() {
            leave_out_known(&mut left.threads, runtime, pool);
        }
    }
    if let Some(before) = &before.descriptors {
        match before.left() {
            Some(descriptors) => {
                (left.descriptors, left.seen.descriptors) = (descriptors, true);
            }
            None => left.unseen.push("file descriptors"),
        }
    }
    left
}

/// Leaves out threads that work for a call with a record, which is judged by that, and idle ones of blocking pools.
fn leave_out_known(threads: &mut Vec<OsThread>, runtime: &Handle, pool: Pool) {
    // Of all runtimes, because the threads are.
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
    if pool == Pool::DoNotAsk {
        return;
    }
    own::await_announced();
    threads.retain(|thread| !own::is_own(thread.os_id));
    ask_pools(threads, runtime, &dump);
    // A thread that has just answered the look before is not idle yet, and on a busy machine that takes a while.
    let mut pause = ROUNDS.1;
    for _ in 1..ROUNDS.0 {
        if pool == Pool::Ask || threads.is_empty() {
            return;
        }
        thread::sleep(pause);
        pause *= 2;
        threads::look_again(threads);
        ask_pools(threads, runtime, &dump);
    }
}

/// Leaves out threads that answer now.
fn ask_pools(threads: &mut Vec<OsThread>, runtime: &Handle, dump: &Dump) {
    let others = dump.runtimes.iter().map(taskscope::RuntimeInfo::handle);
    let others = others.filter(|handle| handle.id() != runtime.id());
    for runtime in std::iter::once(runtime).chain(others) {
        if threads.is_empty() {
            return;
        }
        pool::leave_out_idle(runtime, threads);
    }
}

/// Calls without a record that are not about to begin or to end, as far as the caller may be blocked.
fn calls(runtime: &Handle, dump: &Dump, pool: Pool) -> usize {
    let mut calls = calls_without_record(runtime, dump);
    for round in 1..ROUNDS.0 {
        if calls == 0 || pool == Pool::DoNotAsk || (pool == Pool::Ask && round > 1) {
            break;
        }
        own::await_announced();
        let options = DumpOptions::new().stacks(Stacks::None);
        let dump = options.runtime(runtime.id()).capture_blocking();
        let now = calls_without_record(runtime, &dump);
        if now == std::mem::replace(&mut calls, now) && round > 1 {
            break;
        }
        thread::sleep(ROUNDS.1);
    }
    calls
}

/// Calls that keep a thread of the pool busy and have no record.
#[cfg(tokio_unstable)]
fn calls_without_record(runtime: &Handle, dump: &Dump) -> usize {
    let metrics = runtime.metrics();
    let busy = metrics
        .num_blocking_threads()
        .saturating_sub(metrics.num_idle_blocking_threads());
    let with_record = dump.tasks.iter().filter(|task| {
        task.kind == TaskKind::Blocking && matches!(task.state, State::Running { .. })
    });
    busy.saturating_sub(with_record.count() + own::calls_on(runtime))
}

#[cfg(not(tokio_unstable))]
fn calls_without_record(_: &Handle, _: &Dump) -> usize {
    0
}

/// The same before a test. Calls with a record that run at that moment are of use to nobody: the [baseline](crate::Baseline) has those.
pub(crate) fn calls_now(runtime: &Handle, dump: &Dump) -> usize {
    calls_without_record(runtime, dump)
}

/// `1 thread`, `2 threads`.
pub(crate) fn counted(count: usize, what: &str) -> String {
    match count {
        1 => format!("1 {what}"),
        _ => format!("{count} {what}s"),
    }
}

/// The beginning of the headline: `1 task is`, `2 tasks, 1 thread and 3 file descriptors are`.
pub(crate) fn subject(tasks: usize, left: &OsLeft) -> String {
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

/// The lines of a report that are about these; none, if there is nothing.
pub(crate) fn lines(left: &OsLeft) -> Vec<String> {
    struct Told<'a>(&'a OsLeft);

    impl fmt::Display for Told<'_> {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            write_os(f, self.0)
        }
    }

    Told(left).to_string().lines().map(str::to_owned).collect()
}

fn write_os(f: &mut fmt::Formatter<'_>, left: &OsLeft) -> fmt::Result {
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
            "\n{threads} of this process began after the snapshot and did not end"
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
            "\n{descriptors} of this process opened after the snapshot and not closed"
        )?;
        write_lines(f, &left.descriptors)?;
        writeln!(
            f,
            "   hint       whoever holds it is alive: a task above, a static, or a value that was forgotten"
        )?;
    }
    for what in &left.unseen {
        writeln!(
            f,
            "\n{what} of this process could not be seen: /proc cannot be read here"
        )?;
    }
    Ok(())
}

fn write_lines(f: &mut fmt::Formatter<'_>, lines: &[impl fmt::Display]) -> fmt::Result {
    for line in lines.iter().take(LISTED) {
        writeln!(f, "   {line}")?;
    }
    match lines.len().saturating_sub(LISTED) {
        0 => Ok(()),
        more => writeln!(f, "   and {more} more"),
    }
}
