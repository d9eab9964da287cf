//! Workloads whose processor time is known, and what the kernel says of it.

use std::collections::HashMap;
use std::fs;
use std::hint::black_box;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};

/// The name of the task that a timer wakes.
pub(crate) const TASK: &str = "woken";
/// Nanoseconds that it has used.
static TASK_USED: AtomicU64 = AtomicU64::new(0);

/// Threads that work until this is dropped.
pub(crate) struct Workers {
    stop: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

impl Workers {
    fn start(work: impl IntoIterator<Item = (String, fn(&AtomicBool))>) -> Workers {
        let stop = Arc::new(AtomicBool::new(false));
        let start = |(name, work): (String, fn(&AtomicBool))| {
            let stop = Arc::clone(&stop);
            let thread = thread::Builder::new().name(name);
            thread.spawn(move || work(&stop)).unwrap()
        };
        let threads = work.into_iter().map(start).collect();
        Workers { stop, threads }
    }

    /// Threads that do nothing but work.
    pub(crate) fn equal(count: usize) -> Workers {
        Workers::start((1..=count).map(|n| (format!("equal-{n}"), busy as fn(&AtomicBool))))
    }

    /// The thread `bursts`, which works for 1 ms of each 5, and `ticker`, whose task does so for
    /// 0.5 ms of each 10.
    pub(crate) fn woken() -> Workers {
        Workers::start([
            ("bursts".to_owned(), bursts as fn(&AtomicBool)),
            ("ticker".to_owned(), ticker),
        ])
    }

    pub(crate) fn names(&self) -> Vec<String> {
        let names = self.threads.iter().map(|it| it.thread().name());
        names.flatten().map(str::to_owned).collect()
    }

    /// Does so many turns on each processor, and returns when all have ended.
    pub(crate) fn fixed(turns: u64) {
        let count = thread::available_parallelism().map_or(1, usize::from);
        thread::scope(|scope| {
            for _ in 0..count {
                scope.spawn(|| deep(30, &mut || turn(turns)));
            }
        });
    }
}

impl Drop for Workers {
    fn drop(&mut self) {
        self.stop.store(true, Relaxed);
        for thread in self.threads.drain(..) {
            thread.join().unwrap();
        }
    }
}

fn busy(stop: &AtomicBool) {
    while !stop.load(Relaxed) {
        burn(Duration::from_millis(1));
    }
}

fn bursts(stop: &AtomicBool) {
    let mut next = Instant::now();
    while !stop.load(Relaxed) {
        next += Duration::from_millis(5);
        thread::sleep(next.saturating_duration_since(Instant::now()));
        burn(Duration::from_millis(1));
    }
}

fn ticker(stop: &AtomicBool) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .unwrap();
    runtime.block_on(async {
        let (end, mut ended) = tokio::sync::oneshot::channel::<()>();
        let task = taskscope::spawn_named(TASK, async move {
            let mut interval = tokio::time::interval(Duration::from_millis(10));
            while ended.try_recv() == Err(tokio::sync::oneshot::error::TryRecvError::Empty) {
                interval.tick().await;
                let began = thread_cpu_time();
                burn(Duration::from_micros(500));
                let used = thread_cpu_time() - began;
                TASK_USED.fetch_add(used.as_nanos() as u64, Relaxed);
            }
        });
        while !stop.load(Relaxed) {
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
        drop(end);
        task.await.unwrap();
    });
}

pub(crate) fn task_used() -> Duration {
    Duration::from_nanos(TASK_USED.load(Relaxed))
}

/// Works for so long on the wall, without a system call.
fn burn(time: Duration) {
    let began = Instant::now();
    while began.elapsed() < time {
        turn(100);
    }
}

#[inline(never)]
fn turn(turns: u64) {
    for n in 0..turns {
        black_box(n);
    }
}

/// How many turns take so long on one thread.
pub(crate) fn turns(time: Duration) -> u64 {
    const SAMPLE: u64 = 20_000_000;
    let best = (0..5).map(|_| {
        let began = thread_cpu_time();
        turn(SAMPLE);
        thread_cpu_time() - began
    });
    let best = best.min().unwrap_or(time).as_secs_f64();
    (time.as_secs_f64() / best * SAMPLE as f64) as u64
}

/// Calls itself that often, in frames of the usual size, and then works.
#[inline(never)]
pub(crate) fn deep<T>(depth: u32, work: &mut dyn FnMut() -> T) -> T {
    let locals = black_box([u64::from(depth); 12]);
    let result = match depth {
        0 => work(),
        _ => deep(depth - 1, work),
    };
    black_box(&locals);
    result
}

/// Name and processor time of each thread, by its number.
pub(crate) fn threads() -> HashMap<u32, (String, Duration)> {
    let tasks = fs::read_dir("/proc/self/task").unwrap().flatten();
    let threads = tasks.filter_map(|task| {
        let name = fs::read_to_string(task.path().join("comm")).ok()?;
        let used = fs::read_to_string(task.path().join("schedstat")).ok()?;
        let used = used.split(' ').next()?.parse().ok()?;
        let tid = task.file_name().to_str()?.parse().ok()?;
        Some((
            tid,
            (name.trim_end().to_owned(), Duration::from_nanos(used)),
        ))
    });
    threads.collect()
}

/// A number of `/proc/self/status`, in kilobytes.
pub(crate) fn status(name: &str) -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with(name)).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

fn clock(id: ClockId) -> Duration {
    let now = clock_gettime(id);
    Duration::new(now.tv_sec as u64, now.tv_nsec as u32)
}

pub(crate) fn thread_cpu_time() -> Duration {
    clock(ClockId::ThreadCPUTime)
}

pub(crate) fn process_cpu_time() -> Duration {
    clock(ClockId::ProcessCPUTime)
}
