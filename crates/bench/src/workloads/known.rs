//! Tasks that wait and run for times that they measure themselves, and what [`taskscope::sampling`]
//! says of them.
//!
//! Each kind has a spawn site of its own, by which its rows are found. The truth is the sum of what
//! the tasks of that kind have seen by `Instant`, from before the call to after it; so it contains
//! what it took to get a worker, and so does what it is compared with. Not here: what sampling
//! costs, which is a variant.

use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex as Slot};
use std::time::{Duration, Instant};

use taskscope::sampling::{self, Activity, Report, Row};
use taskscope::{JoinHandle, WaitKind};
use tokio::sync::{Mutex, Notify, oneshot};

use crate::worker::Values;

/// Tasks that do nothing but yield, millions of times a second.
const YIELDING: usize = 8;

/// A sum of time that tasks have seen.
#[derive(Clone, Default)]
struct Seen(Arc<AtomicU64>);

impl Seen {
    fn add(&self, since: Instant) {
        let nanos = since.elapsed().as_nanos() as u64;
        self.0.fetch_add(nanos, Ordering::Relaxed);
    }
}

/// A kind of tasks: where they are spawned, what they have seen, and which rows are compared with
/// that.
struct Kind {
    line: u32,
    seen: Seen,
    counts: fn(&Row) -> bool,
}

type Task = Pin<Box<dyn Future<Output = ()> + Send>>;

fn spin(time: Duration) {
    let since = Instant::now();
    while since.elapsed() < time {
        std::hint::spin_loop();
    }
}

fn wait(row: &Row, kind: WaitKind) -> bool {
    let is_it = |trace: &Arc<taskscope::Trace>| trace.wait_reason().kinds == [kind];
    row.activity == Activity::Waiting && row.trace.as_ref().is_ok_and(is_it)
}

fn any_wait(row: &Row) -> bool {
    row.activity != Activity::Running
}

/// Runs them for so many seconds; the answer is `NAME_truth` and `NAME_told`, in seconds.
pub(crate) async fn known(seconds: u64, busy: bool) -> Values {
    sampling::start();
    let end = Instant::now() + Duration::from_secs(seconds);
    let goes_on = move || Instant::now() < end;
    let mut tasks: Vec<JoinHandle<()>> = Vec::new();

    let short = Seen::default();
    let (short_line, spawn) = (line!(), |task: Task| taskscope::spawn(task));
    for _ in 0..4 {
        let seen = short.clone();
        let task: Task = Box::pin(async move {
            while goes_on() {
                let since = Instant::now();
                tokio::time::sleep(Duration::from_millis(7)).await;
                seen.add(since);
            }
        });
        tasks.push(spawn(task));
    }
    let short = Kind {
        line: short_line,
        seen: short,
        counts: any_wait,
    };

    let long = Seen::default();
    let (long_line, spawn) = (line!(), |task: Task| taskscope::spawn(task));
    for _ in 0..4 {
        let seen = long.clone();
        let task: Task = Box::pin(async move {
            while goes_on() {
                let since = Instant::now();
                tokio::time::sleep(Duration::from_millis(430)).await;
                seen.add(since);
            }
        });
        tasks.push(spawn(task));
    }
    let long = Kind {
        line: long_line,
        seen: long,
        counts: any_wait,
    };

    let (open_end, ended) = oneshot::channel::<()>();
    let opened = Instant::now();
    let open_task: Task = Box::pin(async move { drop(ended.await) });
    let (open_line, spawn) = (line!(), |task: Task| taskscope::spawn(task));
    let open_task = spawn(open_task);
    let open = Kind {
        line: open_line,
        seen: Seen::default(),
        counts: any_wait,
    };

    let lock = Seen::default();
    let (lock_line, spawn) = (line!(), |task: Task| taskscope::spawn(task));
    let mutex = Arc::new(Mutex::new(()));
    for _ in 0..3 {
        let (seen, mutex) = (lock.clone(), mutex.clone());
        let task: Task = Box::pin(async move {
            while goes_on() {
                let since = Instant::now();
                let guard = mutex.lock().await;
                seen.add(since);
                tokio::time::sleep(Duration::from_millis(3)).await;
                drop(guard);
            }
        });
        tasks.push(spawn(task));
    }
    let lock = Kind {
        line: lock_line,
        seen: lock,
        counts: |row| wait(row, WaitKind::Mutex),
    };

    let bursts = Seen::default();
    let (bursts_line, spawn) = (line!(), |task: Task| taskscope::spawn(task));
    for _ in 0..2 {
        let seen = bursts.clone();
        let task: Task = Box::pin(async move {
            while goes_on() {
                let since = Instant::now();
                spin(Duration::from_micros(700));
                seen.add(since);
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        });
        tasks.push(spawn(task));
    }
    let ran: fn(&Row) -> bool = |row| row.activity == Activity::Running;
    let bursts = Kind {
        line: bursts_line,
        seen: bursts,
        counts: ran,
    };

    // On runtimes of their own: they would be in the way of all others.
    let (hogs, hogging) = hogs(end);
    let (sched, scheduling) = sched(end);

    if busy {
        for _ in 0..YIELDING {
            tasks.push(taskscope::spawn(async move {
                while goes_on() {
                    for _ in 0..100 {
                        tokio::task::yield_now().await;
                    }
                }
            }));
        }
    }
    for task in tasks {
        task.await.expect("it does not panic");
    }
    open.seen.add(opened);
    let report = sampling::report();
    drop(open_end);
    open_task.await.expect("it does not panic");
    for thread in [hogging, scheduling] {
        thread.join().expect("it does not panic");
    }
    // The last kinds may have ended a little later than the others.
    let later = sampling::report();
    let mut values = Values::new();
    for ((name, _), (kind, report)) in KINDS.into_iter().zip([
        (short, &report),
        (long, &report),
        (open, &report),
        (lock, &report),
        (sched, &later),
        (bursts, &report),
        (hogs, &later),
    ]) {
        let truth = Duration::from_nanos(kind.seen.0.load(Ordering::Relaxed));
        values.insert(format!("{name}_truth"), vec![truth.as_secs_f64()]);
        values.insert(
            format!("{name}_told"),
            vec![told(report, &kind).as_secs_f64()],
        );
    }
    let lost = report.lost as f64;
    values.insert("lost".into(), vec![lost]);
    values
}

fn told(report: &Report, kind: &Kind) -> Duration {
    let rows = report.rows.iter();
    rows.filter(|row| row.site.line() == kind.line && row.site.file() == file!())
        .filter(|row| (kind.counts)(row))
        .map(|row| row.time)
        .sum()
}

fn on_its_own<F>(task: impl FnOnce() -> F + Send + 'static) -> std::thread::JoinHandle<()>
where
    F: Future<Output = ()>,
{
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("there is a runtime");
        runtime.block_on(task());
    })
}

fn hogs(end: Instant) -> (Kind, std::thread::JoinHandle<()>) {
    let (line, spawn) = (line!(), |task: Task| taskscope::spawn(task));
    let seen = Seen::default();
    let theirs = seen.clone();
    let thread = on_its_own(move || async move {
        let task: Task = Box::pin(async move {
            while Instant::now() < end {
                let since = Instant::now();
                spin(Duration::from_millis(150));
                theirs.add(since);
                tokio::time::sleep(Duration::from_millis(150)).await;
            }
        });
        spawn(task).await.expect("it does not panic");
    });
    let counts: fn(&Row) -> bool = |row| row.activity == Activity::Running;
    (Kind { line, seen, counts }, thread)
}

/// A task that is woken from outside, on a thread that another task keeps busy.
fn sched(end: Instant) -> (Kind, std::thread::JoinHandle<()>) {
    let (line, spawn) = (line!(), |task: Task| taskscope::spawn(task));
    let seen = Seen::default();
    let theirs = seen.clone();
    let thread = on_its_own(move || async move {
        let notify = Arc::new(Notify::new());
        let woken_at = Arc::new(Slot::new(None));
        let over = Arc::new(AtomicBool::new(false));
        let waker = {
            let (notify, woken_at, over) = (notify.clone(), woken_at.clone(), over.clone());
            std::thread::spawn(move || {
                while Instant::now() < end {
                    std::thread::sleep(Duration::from_micros(6300));
                    let mut woken_at = woken_at.lock().expect("nobody panics");
                    if woken_at.is_none() {
                        *woken_at = Some(Instant::now());
                        notify.notify_one();
                    }
                }
                over.store(true, Ordering::Release);
                notify.notify_one();
            })
        };
        let hog = taskscope::spawn(async move {
            while Instant::now() < end {
                spin(Duration::from_millis(3));
                tokio::task::yield_now().await;
            }
        });
        let task: Task = Box::pin(async move {
            while !over.load(Ordering::Acquire) {
                notify.notified().await;
                if let Some(since) = woken_at.lock().expect("nobody panics").take() {
                    theirs.add(since);
                }
            }
        });
        spawn(task).await.expect("it does not panic");
        hog.await.expect("it does not panic");
        waker.join().expect("it does not panic");
    });
    let counts: fn(&Row) -> bool = |row| row.activity == Activity::Scheduled;
    (Kind { line, seen, counts }, thread)
}
