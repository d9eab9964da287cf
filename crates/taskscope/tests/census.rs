//! Tasks by verdict, now and in the last minutes; and how busy workers were. One at a time: a
//! census counts the whole process.
#![cfg(feature = "enable")]
#![allow(missing_docs, reason = "tests")]

use std::future::{pending, poll_fn};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc};
use std::task::Poll;
use std::time::{Duration, Instant};

use taskscope::census::{self, Breakdown, CENSUS_PERIOD, Census, RuntimeLoad, ScopeNames};
use taskscope::{CancelReason, DumpOptions, Scope, Stacks, Verdict};
use testkit::until_some as until;
use tokio::runtime::{Builder, Runtime};

fn turn() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

fn multi_thread(name: &str) -> Runtime {
    let mut builder = Builder::new_multi_thread();
    builder.worker_threads(2).name(name).enable_all();
    builder.build().unwrap()
}

/// The series on, for as long as this is there.
struct On;

impl On {
    fn new() -> On {
        assert!(census::start());
        On
    }

    /// The next censuses of the series, each once, until one has what is looked for.
    fn until<T>(&self, mut ask: impl FnMut(&Census) -> Option<T>) -> T {
        let begun = Instant::now();
        until(|| {
            let fresh = |census: &Census| census.ago < begun.elapsed();
            census::history()
                .iter()
                .filter(|it| fresh(it))
                .find_map(&mut ask)
        })
    }
}

impl Drop for On {
    fn drop(&mut self) {
        census::stop();
    }
}

fn load(census: &Census, name: &str) -> Option<RuntimeLoad> {
    let mut runtimes = census.runtimes.iter();
    runtimes
        .find(|runtime| runtime.name.as_deref() == Some(name))
        .cloned()
}

/// Blocks its thread until it is let go.
fn block(runtime: &Runtime) -> mpsc::Sender<()> {
    let (release, released) = mpsc::channel::<()>();
    let begun = Arc::new(AtomicBool::new(false));
    let begins = Arc::clone(&begun);
    drop(taskscope::spawn_on(runtime.handle(), async move {
        begins.store(true, Ordering::Release);
        let _ = released.recv();
    }));
    until(|| begun.load(Ordering::Acquire).then_some(()));
    release
}

#[test]
fn a_census_counts_the_same_verdicts_that_a_dump_shows() {
    let _turn = turn();
    let runtime = multi_thread("verdicts");
    let scopes = runtime.block_on(async {
        let ended = Scope::new("ended");
        for _ in 0..3 {
            ended.spawn(tokio::time::sleep(Duration::from_secs(600)));
        }
        drop(taskscope::background("metronome", pending::<()>()));
        drop(ended);
        let (deaf, slow) = (Scope::new("deaf"), Scope::new("slow"));
        deaf.spawn(tokio::time::sleep(Duration::from_secs(600)));
        let token = slow.token();
        slow.spawn(async move {
            token.cancelled().await;
            tokio::time::sleep(Duration::from_secs(600)).await;
        });
        drop(taskscope::spawn(pending::<()>()));
        for _ in 0..4 {
            drop(taskscope::spawn(tokio::time::sleep(Duration::from_secs(
                600,
            ))));
        }
        deaf.cancel(CancelReason::Explicit);
        slow.cancel(CancelReason::Explicit);
        (deaf, slow)
    });
    let _release = block(&runtime);
    let expected = [2, 1, 0, 1, 1, 3, 4, 0];
    let counts = |census: &Census| Verdict::ALL.map(|verdict| census.of(verdict));
    // A second after they were cancelled, and 100 ms after the poll has begun.
    let seen = until(|| {
        let census = census::take();
        (counts(&census) == expected).then_some(census)
    });
    let dump = DumpOptions::new().stacks(Stacks::None).capture_blocking();
    let shown = Verdict::ALL.map(|verdict| {
        let with = dump.tasks.iter().filter(|task| task.verdict == verdict);
        with.count()
    });
    assert_eq!(shown, expected);
    assert_eq!(seen.tasks(), dump.tasks.len());
    let suspects = dump.tasks.iter().filter(|task| task.is_leak_suspect());
    assert_eq!(seen.suspects, suspects.count());
    assert_eq!(
        seen.suspects,
        3 + 1 + 2,
        "not the background task that is stuck"
    );
    let load = load(&seen, "verdicts").unwrap();
    assert_eq!((load.tracked, load.untracked), (12, 0));
    drop(scopes);
}

#[test]
fn the_series_is_kept_in_order_at_its_pace_and_ends_when_it_is_switched_off() {
    let _turn = turn();
    let runtime = multi_thread("series");
    let on = On::new();
    assert!(census::is_on());
    assert!(!census::start(), "it is on");
    let _tasks: Vec<_> = (0..7)
        .map(|_| taskscope::spawn_on(runtime.handle(), pending::<()>()))
        .collect();
    let untracked = runtime.spawn(pending::<()>());
    let seen =
        on.until(|census| (census.tasks() == 7 && census.untracked == 1).then_some(census.clone()));
    on.until(|census| (census.taken_at > seen.taken_at).then_some(()));
    let history = census::history();
    assert!(history.len() >= 2);
    for pair in history.windows(2) {
        let apart = pair[0].ago - pair[1].ago;
        assert!(
            apart >= CENSUS_PERIOD - Duration::from_millis(1),
            "{apart:?}"
        );
    }
    drop(on);
    assert!(!census::is_on() && !census::stop());
    // One that had begun may still be put away; no other comes, whatever else is counted.
    let kept = census::history().len();
    for _ in 0..10 {
        drop(census::take());
        taskscope::growth::sample_growth();
    }
    assert!(census::history().len() <= kept + 1);
    untracked.abort();
}

#[test]
fn a_worker_that_is_blocked_in_one_poll_is_busy_and_one_that_is_parked_is_not() {
    let _turn = turn();
    let runtime = multi_thread("half blocked");
    let _guard = taskscope::register_runtime(runtime.handle());
    let on = On::new();
    let release = block(&runtime);
    let blocked = on.until(|census| {
        let load = load(census, "half blocked")?;
        load.workers
            .iter()
            .any(|worker| worker.in_one_poll)
            .then_some(load)
    });
    let [one, other] = blocked.workers[..] else {
        panic!("{blocked:?}");
    };
    let (in_poll, parked) = if one.in_one_poll {
        (one, other)
    } else {
        (other, one)
    };
    assert_eq!(in_poll.busy, Some(1.0));
    assert!(
        !parked.in_one_poll && parked.busy.unwrap() < 0.5,
        "{parked:?}"
    );
    assert!(blocked.over >= Duration::from_millis(500));
    // A count beside the series tells the same.
    let now = load(&census::take(), "half blocked").unwrap();
    assert_eq!(
        now.workers
            .iter()
            .filter(|worker| worker.in_one_poll)
            .count(),
        1
    );

    // It goes on, and is parked again. What has ended in between counts for what it took.
    drop(release);
    on.until(|census| {
        let load = load(census, "half blocked")?;
        let quiet = load.workers.iter().all(|worker| worker.busy == Some(0.0));
        (census.tasks() == 0 && quiet).then_some(())
    });
}

#[test]
fn a_runtime_of_one_thread_is_busy_while_it_is_blocked_and_not_known_while_nobody_drives_it() {
    let _turn = turn();
    let on = On::new();
    let one_thread = |name: &str| {
        let mut builder = Builder::new_current_thread();
        builder.name(name).enable_all().build().unwrap()
    };
    let left_alone = one_thread("left alone");
    let _waits = taskscope::spawn_on(left_alone.handle(), pending::<()>());
    left_alone.block_on(tokio::task::yield_now());
    let (release, released) = mpsc::channel::<()>();
    let driven = std::thread::spawn(move || {
        let runtime = one_thread("driven");
        let task = taskscope::spawn_on(runtime.handle(), async move {
            let _ = released.recv();
        });
        runtime.block_on(task).unwrap();
    });
    let loads = on.until(|census| {
        let (left, driven) = (load(census, "left alone")?, load(census, "driven")?);
        let known = !left.over.is_zero() && driven.workers[0].in_one_poll;
        known.then(|| (left.workers[0], driven.workers[0]))
    });
    assert_eq!((loads.0.busy, loads.0.in_one_poll), (None, false));
    assert_eq!(loads.1.busy, Some(1.0));
    drop(release);
    driven.join().unwrap();
}

#[test]
fn a_task_that_spins_is_told_by_two_censuses_and_one_that_others_wake_is_not() {
    let _turn = turn();
    let runtime = multi_thread("spins");
    let on = On::new();
    let stop = Arc::new(AtomicBool::new(false));
    let stops = Arc::clone(&stop);
    let spins = taskscope::spawn_on(
        runtime.handle(),
        poll_fn(move |cx| {
            if stops.load(Ordering::Relaxed) {
                return Poll::Ready(());
            }
            cx.waker().wake_by_ref();
            Poll::Pending
        }),
    );
    let (sender, mut receiver) = tokio::sync::mpsc::channel::<()>(1);
    let stops = Arc::clone(&stop);
    let sends = taskscope::spawn_on(runtime.handle(), async move {
        while !stops.load(Ordering::Relaxed) && sender.send(()).await.is_ok() {}
    });
    let receives = taskscope::spawn_on(runtime.handle(), async move {
        while receiver.recv().await.is_some() {}
    });
    let seen = on.until(|census| (census.of(Verdict::Spinning) > 0).then_some(census.clone()));
    assert_eq!(
        (seen.of(Verdict::Spinning), seen.tasks()),
        (1, 3),
        "{seen:?}"
    );
    stop.store(true, Ordering::Relaxed);
    runtime.block_on(async {
        spins.await.unwrap();
        sends.await.unwrap();
        receives.await.unwrap();
    });
}

#[test]
fn the_series_goes_on_where_no_task_is_polled_and_keeps_no_runtime_alive() {
    let _turn = turn();
    let descriptors = || std::fs::read_dir("/proc/self/fd").unwrap().count();
    // The first runtime of a process opens descriptors for signals that stay.
    drop(multi_thread("first"));
    // Runtimes of other tests are forgotten when they have not been looked up between two looks.
    for _ in 0..3 {
        drop(taskscope::stats());
    }
    let before = descriptors();
    let on = On::new();
    let runtime = multi_thread("short-lived");
    drop(taskscope::spawn_on(runtime.handle(), pending::<()>()));
    assert!(descriptors() > before);
    let last = on.until(|census| load(census, "short-lived").map(|_| census.taken_at));
    drop(runtime);
    // From here on nobody polls anything.
    let empty = |census: &Census| census.taken_at > last && census.tasks() == 0;
    let first = on.until(|census| empty(census).then_some(census.taken_at));
    on.until(|census| {
        (census.taken_at > first && load(census, "short-lived").is_none()).then_some(())
    });
    until(|| (descriptors() <= before).then_some(()));
}

#[test]
fn a_breakdown_counts_by_scope_and_those_that_come_too_late_for_a_place_together() {
    let _turn = turn();
    let runtime = multi_thread("breakdown");
    let _inside = runtime.enter();
    let mut names = ScopeNames::new(2);
    let sleep = || tokio::time::sleep(Duration::from_secs(600));
    let (first, other) = (Scope::new("first"), Scope::new("other"));
    let mut tasks = vec![first.spawn(sleep()), first.child("other").spawn(sleep())];
    drop(other);
    tasks.push(taskscope::spawn(sleep()));
    let counted = |breakdown: &Breakdown| -> Vec<(String, usize)> {
        let scopes = breakdown.scopes();
        scopes
            .map(|(name, counts)| (name.to_owned(), counts.tasks()))
            .collect()
    };
    // All of them wait.
    let breakdown = until(|| {
        let breakdown = census::take_by_scope(&mut names);
        let waiting = |verdict| breakdown.all.in_state("idle", verdict);
        (waiting(Verdict::Idle) + waiting(Verdict::Outlived) == 3).then_some(breakdown)
    });
    let mut scopes = counted(&breakdown);
    scopes.sort();
    assert_eq!(scopes, [("first".to_owned(), 1), ("other".to_owned(), 1)]);
    let find = |name: &str| {
        let mut scopes = breakdown.scopes();
        *scopes.find(|(scope, _)| *scope == name).unwrap().1
    };
    assert_eq!(
        (
            find("other").of(Verdict::Outlived),
            find("other").suspects()
        ),
        (1, 1)
    );
    assert_eq!(
        (
            find("first").of(Verdict::Outlived),
            find("first").suspects()
        ),
        (0, 0)
    );
    assert_eq!(
        (breakdown.without_scope.tasks(), breakdown.others.tasks()),
        (1, 0)
    );
    assert_eq!(breakdown.census.tasks(), breakdown.all.tasks());
    assert_eq!(breakdown.all.in_state("no such state", Verdict::Idle), 0);

    // A third name has no place, those that have one keep it, and nobody is missing.
    for task in tasks.drain(..2) {
        task.abort();
        runtime.block_on(task).unwrap_err();
    }
    let third = Scope::new("third");
    tasks.push(third.spawn(sleep()));
    let breakdown = census::take_by_scope(&mut names);
    let mut scopes = counted(&breakdown);
    scopes.sort();
    assert_eq!(scopes, [("first".to_owned(), 0), ("other".to_owned(), 0)]);
    assert_eq!(
        (breakdown.others.tasks(), breakdown.without_scope.tasks()),
        (1, 1)
    );
    assert_eq!(breakdown.all.tasks(), 2);

    let _held: Vec<_> = ["slot", "slot", "file"]
        .map(|kind| taskscope::track(kind, ()))
        .into();
    let mut kinds = census::resources();
    kinds.sort_unstable();
    assert_eq!(kinds, [("file", 1), ("slot", 2)]);
}
