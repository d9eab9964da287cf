//! The threads of this process, as `/proc` tells of them.

use std::collections::HashSet;
use std::fmt;
use std::fs;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use taskscope::{Age, Plain, Quoted};
use tokio::runtime::{Handle, RuntimeFlavor};

use super::own;

/// The kernel counts the times in `stat` in hundredths of a second for programs, whatever it uses itself.
const TICKS_PER_SECOND: u32 = 100;

/// Begins the names of all of taskscope's threads.
const TASKSCOPE: &str = "taskscope";
/// The thread that reads debug information for the names of functions, and ends by itself.
const NAMES: &str = "callstack-names";
/// Begins the names of taskprof's threads. Once there, some stay for the next capture;
const TASKPROF: &str = "taskprof-";
/// but a server that was left running is a leak as any other is.
const SERVER: &str = "taskprof-http";

/// A thread that began after the snapshot and is still there. See [`Options::threads`](crate::Options::threads).
///
/// Times are in hundredths of a second, as the kernel tells them.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct OsThread {
    /// The kernel's id, as `top -H` shows it.
    pub os_id: u32,
    /// Its name, of which the kernel keeps 15 bytes.
    pub name: String,
    /// How long after the snapshot it began.
    pub began_after: Duration,
    /// How long ago it began.
    pub age: Duration,
    /// `running`, `asleep`, `in an uninterruptible wait`, `stopped`, or what else the kernel says.
    pub state: &'static str,
    /// The function of the kernel that it waits in, if that may be known.
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
            ", began {} ago, {} after the snapshot",
            Age(self.age),
            Age(self.began_after)
        )
    }
}

/// The threads that were there at some moment.
#[derive(Debug, Clone)]
pub(crate) struct ThreadsBefore(Option<Arc<Snapshot>>);

#[derive(Debug)]
struct Snapshot {
    /// Number and beginning: numbers are given again.
    threads: HashSet<(u32, u64)>,
    /// Ticks since the system was started, when it was complete.
    taken: u64,
    /// The same when it was begun: what is older was there.
    taken_from: u64,
}

impl ThreadsBefore {
    pub(crate) fn take() -> ThreadsBefore {
        // Begins taskscope's thread if it is not there yet: it is known by its number then, also before it has got its name.
        drop(taskscope::instrument(std::future::ready(())));
        await_workers();
        let snapshot = || {
            let taken_from = now()?;
            let threads = list()?
                .into_iter()
                .map(|thread| (thread.os_id, thread.began));
            Some(Arc::new(Snapshot {
                threads: threads.collect(),
                taken: now()?,
                taken_from,
            }))
        };
        ThreadsBefore(snapshot())
    }

    /// Those that came later, without our own; `None` if they cannot be seen.
    pub(super) fn left(&self) -> Option<Vec<OsThread>> {
        let snapshot = self.0.as_deref()?;
        let threads = list()?;
        let now = now()?;
        let new = threads.into_iter().filter(|thread| {
            let known = snapshot.threads.contains(&(thread.os_id, thread.began))
                || thread.began < snapshot.taken_from;
            !known && !thread.is_ending_or_ours()
        });
        let mut new: Vec<OsThread> = new
            .map(|thread| OsThread {
                os_id: thread.os_id,
                began_after: ticks(thread.began.saturating_sub(snapshot.taken)),
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

/// Waits until the workers of the current runtime have begun. They run on threads of the blocking pool, and until then it is not decided on which: one that
/// is made for a call later may become a worker, and the one that was made for the worker take the call.
fn await_workers() {
    #[cfg(target_has_atomic = "64")]
    if let Ok(runtime) = Handle::try_current()
        && runtime.runtime_flavor() == RuntimeFlavor::MultiThread
    {
        let metrics = runtime.metrics();
        // Who has nothing to do parks.
        let has_begun = |worker| metrics.worker_park_unpark_count(worker) > 0;
        let asked = Instant::now();
        while !(0..metrics.num_workers()).all(has_begun) && asked.elapsed() < BEGINNING {
            thread::sleep(Duration::from_micros(100));
        }
    }
}

/// What `stat` says.
#[derive(Debug, PartialEq, Eq)]
struct Seen {
    os_id: u32,
    name: String,
    state: char,
    /// Ticks since the system was started.
    began: u64,
}

/// How often the list of threads is read at most until it is the same twice.
const READINGS: usize = 50;

/// The numbers of all threads.
pub(super) fn numbers() -> Option<HashSet<u32>> {
    // The kernel's list ends early if the thread that it has come to ends just then.
    let mut last = read_numbers()?;
    for _ in 1..READINGS {
        let again = read_numbers()?;
        if again == last {
            break;
        }
        last = again;
    }
    Some(last)
}

fn read_numbers() -> Option<HashSet<u32>> {
    let entries = fs::read_dir("/proc/self/task").ok()?;
    let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    Some(names.filter_map(|name| name.parse().ok()).collect())
}

impl Seen {
    fn is_ending_or_ours(&self) -> bool {
        let ending = matches!(self.state, 'Z' | 'X');
        let ours = self.name.starts_with(TASKSCOPE)
            || self.name == NAMES
            || self.name.starts_with(TASKPROF) && self.name != SERVER;
        ending || ours || own::is_own(self.os_id)
    }
}

/// Leaves out threads that have ended meanwhile, and ours. A thread gets its name when it first runs, which on a busy machine is later.
pub(super) fn look_again(threads: &mut Vec<OsThread>) {
    let Some(now) = list() else {
        return;
    };
    threads.retain_mut(|thread| {
        let mut now = now.iter().filter(|now| !now.is_ending_or_ours());
        let Some(now) = now.find(|now| now.os_id == thread.os_id) else {
            return false;
        };
        thread.name.clone_from(&now.name);
        thread.state = state(now.state);
        true
    });
}

fn list() -> Option<Vec<Seen>> {
    // One that cannot be read has just ended.
    let stats = numbers()?.into_iter().filter_map(|os_id| {
        let stat = fs::read(format!("/proc/self/task/{os_id}/stat")).ok()?;
        parse(os_id, &String::from_utf8_lossy(&stat))
    });
    let threads: Vec<Seen> = stats.collect();
    // At least the caller is there.
    (!threads.is_empty()).then_some(threads)
}

/// `12 (name) S 1 ...`, where the name may hold anything.
fn parse(os_id: u32, stat: &str) -> Option<Seen> {
    let (_, rest) = stat.split_once('(')?;
    let (name, rest) = rest.rsplit_once(')')?;
    let mut fields = rest.split_ascii_whitespace();
    Some(Seen {
        os_id,
        name: name.to_owned(),
        state: fields.next()?.chars().next()?,
        // Field 22 of the whole line; the state was field 3.
        began: fields.nth(18)?.parse().ok()?,
    })
}

/// Ticks since the system was started.
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
    // `0`: it waits for nothing, or we may not know.
    (!function.is_empty() && function != "0").then(|| function.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_spaces_and_parentheses_is_read_whole() {
        let fields = "S 1 1 1 0 -1 4194304 1 2 3 4 5 6 7 8 20 0 2 0 2781777 92827648 3484";
        let seen = parse(9, &format!("9 (a) b (c) {fields}\n")).unwrap();
        assert_eq!(
            (seen.name.as_str(), seen.state, seen.began),
            ("a) b (c", 'S', 2_781_777)
        );
        assert_eq!(parse(9, "9 (cut off) S 1 2"), None);
    }
}
