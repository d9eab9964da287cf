//! The default sampler: `callstack::sampler`, with the task that each sample belongs to.
//!
//! Adds names of threads, tasks, scopes and requests to its samples, soon after they were taken,
//! because tasks end. Not here: timers, the signal, unwinding (`callstack`); labels
//! (`cpu/labels.rs`).

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use callstack::Completeness;
use callstack::sampler::{Label, Options, Sample, StartError, TimerKind};
use callstack::thread::Tid;
use rustix::time::{ClockId, clock_gettime};
use taskscope::attribution::{self, TaskFacts, TaskKey};
use taskscope::{ScopeInfo, TaskKind};

use super::{Collected, RawSample, RequestIds, Running, Sampler, StackEnd, TaskLabels};
use crate::error::Error;

/// The reason for missing samples.
const NO_ROOM: &str = "there was no room for more, because they were not collected in time";

/// How often samples are collected, because their buffer is small.
const EVERY: Duration = Duration::from_millis(15);
/// How often samples are collected at low frequencies.
const SELDOM: Duration = Duration::from_millis(40);
/// The highest frequency that counts as low.
const LOW_HZ: u32 = 25;

/// Names are read again after this time.
const FRESH: Duration = Duration::from_secs(1);
/// Labels of at most this many tasks are remembered for that time.
const TASKS: usize = 4096;
/// At most this many scopes are searched upwards for the request.
const DEPTH: usize = 16;

/// Samples CPU time by a timer for each thread, which ticks while the thread runs: see
/// [`callstack::sampler`].
///
/// Each thread is interrupted for some microseconds, in which its registers and the used part of
/// its stack are copied; everything else happens later, on a thread of ours. Nothing that was
/// interrupted is waited for or called: not the allocator, not the dynamic loader, not an unwinder
/// of the program.
///
/// # Requirements
///
/// 64-bit Linux on x86 or ARM. A signal that nobody else uses: `SIGURG`, or a realtime signal.
/// Timers are exact where the kernel permits `perf_event_open` (`kernel.perf_event_paranoid` of 2
/// at the most, and no seccomp profile against it); a comment of each profile says which kind it
/// was.
///
/// # Limitations
///
/// - CPU time only: a thread that sleeps or waits is not seen.
/// - Tasks are known if they have a record: those of `taskscope::spawn`. Others are told by the
///   functions on their stack.
#[derive(Debug, Clone, Copy, Default)]
pub struct ThreadSampler {
    _private: (),
}

impl ThreadSampler {
    /// The lowest and the highest frequency that can be asked for.
    pub const HZ: std::ops::RangeInclusive<i32> = 1..=1000;

    /// A sampler that has not been started.
    pub fn new() -> Self {
        Self::default()
    }
}

/// Refuses a frequency outside of the range.
pub(crate) fn check_hz(hz: i32, range: &std::ops::RangeInclusive<i32>) -> Result<(), Error> {
    if range.contains(&hz) {
        return Ok(());
    }
    Err(Error::invalid_argument(format!(
        "a sampling frequency of {hz} Hz is out of range; choose {} to {}",
        range.start(),
        range.end()
    )))
}

impl Sampler for ThreadSampler {
    fn check(&self, hz: i32) -> Result<(), Error> {
        check_hz(hz, &Self::HZ)
    }

    fn start(&self, hz: i32) -> Result<Box<dyn Running>, Error> {
        self.check(hz)?;
        let options = Options {
            hz: hz.unsigned_abs(),
            timer: None,
            label,
        };
        let sampler = callstack::sampler::Sampler::start(options).map_err(refused)?;
        Ok(Box::new(Started {
            sampler,
            hz: hz.unsigned_abs(),
            cpu_before: process_cpu_time(),
            names: Names::new(),
            foreign: 0,
            unarmed: 0,
        }))
    }
}

/// Turns the error into ours, with an alternative if there is one.
fn refused(error: StartError) -> Error {
    if error.is_forked() {
        return Error::unavailable(error.to_string());
    }
    let instead = if error.is_busy() {
        ""
    } else if cfg!(feature = "pprof-rs") {
        "; taskprof::cpu::Cpu::with_sampler(PprofSampler::new()) samples in another way, which is less safe"
    } else {
        "; the feature pprof-rs of taskprof has another sampler, which is less safe"
    };
    Error::sampler(format!("{error}{instead}"))
}

/// Called by the signal handler.
fn label() -> Label {
    attribution::current().to_words()
}

struct Started {
    sampler: callstack::sampler::Sampler,
    hz: u32,
    cpu_before: Duration,
    names: Names,
    foreign: u64,
    unarmed: usize,
}

impl Running for Started {
    fn collect(&mut self, each: &mut dyn FnMut(RawSample<'_>)) -> Result<Collected, Error> {
        self.names.refresh();
        let names = &mut self.names;
        let collected = self.sampler.collect(&mut |sample: Sample<'_>| {
            let thread = names.thread(sample.thread);
            let (task, request) = names.task(TaskKey::from_words(sample.label));
            each(RawSample {
                frames: sample.frames,
                end: match sample.completeness {
                    Completeness::Complete => StackEnd::Root,
                    Completeness::Truncated => StackEnd::Deep,
                    _ => StackEnd::Lost,
                },
                count: sample.count,
                cpu: sample.cpu,
                thread: &thread,
                task: task.as_ref(),
                request: request.as_ref(),
            });
        });
        let now = process_cpu_time();
        let used = now.saturating_sub(std::mem::replace(&mut self.cpu_before, now));
        self.foreign += collected.foreign;
        self.unarmed = collected.unarmed;
        Ok(Collected {
            cpu_time: Some(used),
            lost: vec![(NO_ROOM.into(), collected.dropped)],
            unseen: collected.unsampled,
            unnamed: std::mem::take(&mut self.names.unknown),
        })
    }

    fn set_hz(&mut self, hz: i32) -> bool {
        self.hz = hz.unsigned_abs();
        self.sampler.set_hz(self.hz);
        true
    }

    fn comments(&self) -> Vec<String> {
        let threads = self.sampler.threads();
        let of = |kind| threads.iter().filter(|thread| thread.timer == kind).count();
        let mut comments = Vec::new();
        for (kind, note) in [
            (TimerKind::PerfEvent, ""),
            (
                TimerKind::ThreadCpuTimer,
                ", which are coarse above the kernel's tick and can interrupt a system call; permit perf_event_open for better ones",
            ),
        ] {
            let count = of(kind);
            if count > 0 {
                comments.push(format!("timers: {} on {count} threads{note}", kind.name()));
            }
        }
        if self.unarmed > 0 {
            comments.push(format!(
                "{} threads had no timer and were not sampled, because there are too many or the kernel gave none",
                self.unarmed
            ));
        }
        if self.foreign > 0 {
            comments.push(format!(
                "{} signals came from somebody else and were ignored",
                self.foreign
            ));
        }
        comments
    }

    fn collect_every(&self) -> Duration {
        if self.hz <= LOW_HZ { SELDOM } else { EVERY }
    }
}

/// User and system time of all threads.
pub(crate) fn process_cpu_time() -> Duration {
    let now = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(
        u64::try_from(now.tv_sec).unwrap_or(0),
        u32::try_from(now.tv_nsec).unwrap_or(0),
    )
}

type OfTask = (Option<Arc<TaskLabels>>, Option<Arc<RequestIds>>);

/// Names of threads and labels of tasks, as of a moment ago.
struct Names {
    read: Instant,
    /// Names, and whether they were read since the last refresh.
    threads: HashMap<Tid, (Arc<str>, bool)>,
    tasks: HashMap<TaskKey, OfTask>,
    /// One copy of equal labels.
    labels: HashSet<Arc<TaskLabels>>,
    /// Samples whose task had been forgotten.
    unknown: u64,
}

impl Names {
    fn new() -> Names {
        Names {
            read: Instant::now(),
            threads: HashMap::new(),
            tasks: HashMap::new(),
            labels: HashSet::new(),
            unknown: 0,
        }
    }

    fn refresh(&mut self) {
        if self.read.elapsed() >= FRESH {
            self.read = Instant::now();
            // A thread that has ended keeps its name until its last samples are collected.
            self.threads.retain(|_, (_, fresh)| std::mem::take(fresh));
            self.tasks.clear();
        }
        if self.tasks.len() > TASKS {
            self.tasks.clear();
        }
        if self.labels.len() > TASKS {
            self.labels.clear();
        }
    }

    fn thread(&mut self, tid: Tid) -> Arc<str> {
        if let Some((name, true)) = self.threads.get(&tid) {
            return Arc::clone(name);
        }
        let read = std::fs::read_to_string(format!("/proc/self/task/{tid}/comm"));
        let name: Arc<str> = match (read, self.threads.get(&tid)) {
            (Ok(name), _) => name.trim_end_matches('\n').into(),
            (Err(_), Some((name, _))) => Arc::clone(name),
            (Err(_), None) => Arc::from(""),
        };
        self.threads.insert(tid, (Arc::clone(&name), true));
        name
    }

    fn task(&mut self, key: TaskKey) -> OfTask {
        if key.is_none() {
            return (None, None);
        }
        if let Some(known) = self.tasks.get(&key) {
            return known.clone();
        }
        let Some(facts) = attribution::facts(key) else {
            self.unknown += 1;
            return (None, None);
        };
        let (labels, request) = of_task(&facts);
        let labels = match self.labels.get(&labels) {
            Some(known) => Arc::clone(known),
            None => {
                let labels = Arc::new(labels);
                self.labels.insert(Arc::clone(&labels));
                labels
            }
        };
        let of_task = (Some(labels), request.map(Arc::new));
        self.tasks.insert(key, of_task.clone());
        of_task
    }
}

/// The labels of a task and its request. The route is that of the nearest scope with a request or a
/// label `route`; else the scope's own name.
fn of_task(facts: &TaskFacts) -> (TaskLabels, Option<RequestIds>) {
    let mut labels = TaskLabels {
        name: facts.name.as_ref().map(|name| Arc::from(name.as_str())),
        site: Some(facts.site.to_string().into()),
        scope: facts.scope.as_ref().map(|scope| scope.name().into()),
        route: None,
        blocking: matches!(facts.kind, TaskKind::Blocking),
    };
    let mut request = RequestIds::default();
    let mut scope: Option<ScopeInfo> = facts.scope.clone();
    for _ in 0..DEPTH {
        let Some(this) = scope else {
            break;
        };
        for (key, value) in this.labels() {
            let place = match &*key {
                "trace_id" => &mut request.trace_id,
                "request_id" => &mut request.request_id,
                "route" => &mut labels.route,
                _ => continue,
            };
            place.get_or_insert(value);
        }
        if request.request_id.is_some() && labels.route.is_none() {
            labels.route = Some(this.name().into());
        }
        scope = this.parent();
    }
    if labels.route.is_none() {
        labels.route.clone_from(&labels.scope);
    }
    let is_known = request != RequestIds::default();
    (labels, is_known.then_some(request))
}
