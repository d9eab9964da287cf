//! The threads of this process, read from `/proc/self/task`.
//!
//! Not here: which threads work for leakcheck ([`super::internal_threads`]), and which of a
//! blocking pool are idle ([`super::pool`]).

use std::collections::HashSet;
use std::fmt;
use std::fs;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use taskscope::text::{Age, Plain, Quoted};
use tokio::runtime::{Handle, RuntimeFlavor};

use super::internal_threads;

/// The unit of times in `stat`: hundredths of a second on every Linux, whatever the kernel itself
/// uses.
const TICKS_PER_SECOND: u32 = 100;

/// A thread that began after the baseline and is still there. See
/// [`Options::threads`](crate::Options::threads).
///
/// Times are in steps of a hundredth of a second, as the kernel has them.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct OsThread {
    /// The kernel's id, as `top -H` shows it.
    pub os_id: u32,
    /// Its name, of which the kernel keeps 15 bytes.
    pub name: String,
    /// How long after the baseline it began.
    pub began_after: Duration,
    /// How long ago it began.
    pub age: Duration,
    /// `running`, `asleep`, `in an uninterruptible wait`, `stopped`, or `in a state of its own`.
    pub state: &'static str,
    /// The function of the kernel that it waits in, if the kernel shows it to us.
    pub waits_in: Option<String>,
}

impl fmt::Display for OsThread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "thread {} ({}), {}",
            Quoted(&self.name),
            self.os_id,
            self.state
        )?;
        if let Some(function) = &self.waits_in {
            write!(f, " in {}", Plain(function))?;
        }
        write!(
            f,
            ", began {} ago, {} after the baseline",
            Age(self.age),
            Age(self.began_after)
        )
    }
}

/// The threads that were there at some moment.
#[derive(Debug, Clone)]
pub(crate) struct ThreadsBaseline(Option<Arc<Snapshot>>);

#[derive(Debug)]
struct Snapshot {
    /// Kernel id and start of each. The kernel gives an id again, so the id alone is not enough.
    threads: HashSet<(u32, u64)>,
    /// When the list was complete, in ticks since the system was started.
    completed: u64,
    /// When its reading began, in the same ticks. A thread that is older was there.
    started: u64,
}

impl ThreadsBaseline {
    pub(crate) fn take() -> ThreadsBaseline {
        // Starts taskscope's thread if it is not there yet, so that it is in the baseline by its
        // id: a new thread has its name only a little later.
        drop(taskscope::instrument(std::future::ready(())));
        await_workers();
        let read = || {
            let started = now()?;
            let threads = list()?
                .into_iter()
                .map(|thread| (thread.os_id, thread.began));
            Some(Arc::new(Snapshot {
                threads: threads.collect(),
                completed: now()?,
                started,
            }))
        };
        ThreadsBaseline(read())
    }

    /// The threads that came later, without internal ones; `None` if `/proc` cannot be read.
    pub(super) fn leftovers(&self) -> Option<Vec<OsThread>> {
        let snapshot = self.0.as_deref()?;
        let threads = list()?;
        let now = now()?;
        let new = threads.into_iter().filter(|thread| {
            let known = snapshot.threads.contains(&(thread.os_id, thread.began))
                || thread.began < snapshot.started;
            !known && !thread.is_ending_or_internal()
        });
        let mut new: Vec<OsThread> = new
            .map(|thread| OsThread {
                os_id: thread.os_id,
                began_after: ticks(thread.began.saturating_sub(snapshot.completed)),
                age: ticks(now.saturating_sub(thread.began)),
                state: state(thread.state),
                waits_in: waits_in(thread.os_id),
                name: thread.name,
            })
            .collect();
        new.sort_by_key(|thread| (thread.began_after, thread.os_id));
        Some(new)
    }
}

/// How long to wait for the workers of a runtime that has just been built.
const BEGINNING: Duration = Duration::from_secs(1);

/// Waits until the workers of the current runtime have begun.
///
/// Workers run on threads of the blocking pool, and until they have begun it is open on which: a
/// thread that is made for a call later may become a worker, and the one that was made for the
/// worker may take the call.
fn await_workers() {
    #[cfg(target_has_atomic = "64")]
    if let Ok(runtime) = Handle::try_current()
        && runtime.runtime_flavor() == RuntimeFlavor::MultiThread
    {
        let metrics = runtime.metrics();
        // A worker that has nothing to do parks.
        let has_begun = |worker| metrics.worker_park_unpark_count(worker) > 0;
        let started = Instant::now();
        while !(0..metrics.num_workers()).all(has_begun) && started.elapsed() < BEGINNING {
            thread::sleep(Duration::from_micros(100));
        }
    }
}

/// The fields of a thread's `stat` that a check uses.
#[derive(Debug, PartialEq, Eq)]
struct ThreadStat {
    os_id: u32,
    name: String,
    state: char,
    /// Ticks since the system was started.
    began: u64,
}

/// How often the list of threads is read at most, until it is the same twice.
const MAX_READINGS: usize = 50;

/// The kernel ids of all threads.
pub(super) fn os_ids() -> Option<HashSet<u32>> {
    // The kernel ends the listing early if the thread that it is at ends just then.
    let mut last = read_os_ids()?;
    for _ in 1..MAX_READINGS {
        let again = read_os_ids()?;
        if again == last {
            break;
        }
        last = again;
    }
    Some(last)
}

fn read_os_ids() -> Option<HashSet<u32>> {
    let entries = fs::read_dir("/proc/self/task").ok()?;
    let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    Some(names.filter_map(|name| name.parse().ok()).collect())
}

impl ThreadStat {
    fn is_ending_or_internal(&self) -> bool {
        let ending = matches!(self.state, 'Z' | 'X');
        ending
            || internal_threads::has_internal_name(&self.name)
            || internal_threads::contains(self.os_id)
    }
}

/// Leaves out threads that have ended meanwhile or turned out to be internal, and updates the rest.
/// A thread gets its name when it first runs, which on a busy machine is later.
pub(super) fn refresh(threads: &mut Vec<OsThread>) {
    let Some(now) = list() else {
        return;
    };
    threads.retain_mut(|thread| {
        let mut now = now.iter().filter(|now| !now.is_ending_or_internal());
        let Some(now) = now.find(|now| now.os_id == thread.os_id) else {
            return false;
        };
        thread.name.clone_from(&now.name);
        thread.state = state(now.state);
        true
    });
}

fn list() -> Option<Vec<ThreadStat>> {
    // A thread whose `stat` cannot be read has just ended.
    let stats = os_ids()?.into_iter().filter_map(|os_id| {
        let stat = fs::read(format!("/proc/self/task/{os_id}/stat")).ok()?;
        parse(os_id, &String::from_utf8_lossy(&stat))
    });
    let threads: Vec<ThreadStat> = stats.collect();
    // At least the calling thread is there, unless `/proc` cannot be read.
    (!threads.is_empty()).then_some(threads)
}

/// Parses `12 (name) S 1 ...`, where the name may hold any character.
fn parse(os_id: u32, stat: &str) -> Option<ThreadStat> {
    let (_, rest) = stat.split_once('(')?;
    let (name, rest) = rest.rsplit_once(')')?;
    let mut fields = rest.split_ascii_whitespace();
    Some(ThreadStat {
        os_id,
        name: name.to_owned(),
        state: fields.next()?.chars().next()?,
        // Field 22 of the whole line; the state was field 3.
        began: fields.nth(18)?.parse().ok()?,
    })
}

/// The time since the system was started, in ticks.
fn now() -> Option<u64> {
    let uptime = fs::read_to_string("/proc/uptime").ok()?;
    let (seconds, hundredths) = uptime.split_ascii_whitespace().next()?.split_once('.')?;
    let seconds: u64 = seconds.parse().ok()?;
    Some(seconds * u64::from(TICKS_PER_SECOND) + hundredths.parse::<u64>().ok()?)
}

fn ticks(ticks: u64) -> Duration {
    Duration::from_millis(ticks * 1000 / u64::from(TICKS_PER_SECOND))
}

fn state(letter: char) -> &'static str {
    match letter {
        'R' => "running",
        'S' | 'I' => "asleep",
        'D' => "in an uninterruptible wait",
        'T' | 't' => "stopped",
        _ => "in a state of its own",
    }
}

fn waits_in(os_id: u32) -> Option<String> {
    let function = fs::read_to_string(format!("/proc/self/task/{os_id}/wchan")).ok()?;
    let function = function.trim();
    // `0`: the thread waits for nothing, or the kernel does not tell us.
    (!function.is_empty() && function != "0").then(|| function.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_spaces_and_parentheses_is_read_whole() {
        let fields = "S 1 1 1 0 -1 4194304 1 2 3 4 5 6 7 8 20 0 2 0 2781777 92827648 3484";
        let stat = parse(9, &format!("9 (a) b (c) {fields}\n")).unwrap();
        assert_eq!(
            (stat.name.as_str(), stat.state, stat.began),
            ("a) b (c", 'S', 2_781_777)
        );
        assert_eq!(parse(9, "9 (cut off) S 1 2"), None);
    }
}
