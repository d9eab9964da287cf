//! Everything at once for some seconds: tasks are spawned, woken, aborted and joined, futures and
//! wakers go from task to task and from thread to thread, runtimes end with tasks on them, and
//! dumps are taken all the while. In the end the books must balance: each future dropped once, each
//! end told to its handle, each record and stack freed.
//!
//! `TASKSCOPE_STRESS_SECONDS` says for how long; [`SECONDS`] if it is not set.
#![cfg(feature = "enable")]
#![expect(clippy::print_stdout, reason = "how much there was of everything")]

mod dice;
mod kinds;
mod ledger;
#[path = "../support/times.rs"]
mod times;

use std::collections::HashSet;
use std::env;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use taskscope::{DumpOptions, Stacks};
use tokio::runtime::{Builder, Runtime};
use tokio::task::{LocalSet, yield_now};

use crate::dice::Dice;
use crate::kinds::Town;
use crate::ledger::Deliberate;
use crate::times::times;

/// How long it takes if nobody says.
const SECONDS: u64 = if cfg!(miri) { 0 } else { 5 };
/// The longest wait for a runtime to settle; only a failure takes longer than a moment.
const PATIENCE: Duration = Duration::from_secs(60);

const CHURNERS: u64 = 3;
const WAKERS: u64 = 2;
const DUMPERS: u64 = 2;

#[test]
fn after_everything_at_once_the_books_balance_also_with_polls_sampled() {
    silence_deliberate_panics();
    let seconds = env::var("TASKSCOPE_STRESS_SECONDS").ok();
    let seconds = seconds.map_or(SECONDS, |text| text.parse().expect("a number of seconds"));
    everything_at_once(seconds.div_ceil(2));
    taskscope::sampling::start();
    everything_at_once(seconds / 2);
    // Sampling keeps rows, and nothing else.
    let report = taskscope::sampling::report();
    assert!(!report.rows.is_empty());
    assert!(report.rows.len() <= taskscope::sampling::MAX_ROWS);
}

fn everything_at_once(seconds: u64) {
    let seed = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap()
        .as_nanos() as u64;
    let mut dice = Dice::new(seed);

    let town = Arc::new(Town::default());
    let until = Instant::now() + Duration::from_secs(seconds);
    let dumps = Arc::new(AtomicU64::new(0));
    let runtimes = Arc::new(AtomicU64::new(0));
    let mut threads = Vec::new();
    for _ in 0..CHURNERS {
        let (town, mut dice, runtimes) = (town.clone(), dice.another(), runtimes.clone());
        threads.push(thread::spawn(move || {
            // At least one of each kind, however slow the machine is.
            let mut kinds = 4;
            while kinds > 0 || Instant::now() < until {
                churn(&town, &mut dice, kinds);
                kinds = kinds.saturating_sub(1);
                runtimes.fetch_add(1, Ordering::Relaxed);
            }
        }));
    }
    let done = Arc::new(AtomicBool::new(false));
    let mut helpers = Vec::new();
    for _ in 0..WAKERS {
        let (town, mut dice, done) = (town.clone(), dice.another(), done.clone());
        helpers.push(thread::spawn(move || {
            while !done.load(Ordering::Acquire) {
                use_a_waker(&town, &mut dice);
            }
        }));
    }
    for _ in 0..DUMPERS {
        let (town, mut dice, done, dumps) =
            (town.clone(), dice.another(), done.clone(), dumps.clone());
        helpers.push(thread::spawn(move || {
            while !done.load(Ordering::Acquire) {
                take_a_dump(&town, &mut dice);
                dumps.fetch_add(1, Ordering::Relaxed);
            }
        }));
    }
    for thread in threads {
        thread.join().unwrap();
    }
    done.store(true, Ordering::Release);
    for thread in helpers {
        thread.join().unwrap();
    }
    town.clear();
    println!(
        "seed {seed}: {} tasks on {} runtimes, {} dumps; {:?}",
        town.ledger.spawned(),
        runtimes.load(Ordering::Relaxed),
        dumps.load(Ordering::Relaxed),
        town.ledger
    );
    settle(&town);
}

/// The last dump of an aborted task, or a worker of a runtime that was shut down in the background,
/// may take a moment.
fn settle(town: &Town) {
    let begun = Instant::now();
    loop {
        let stats = taskscope::stats();
        // A dump keeps those of the tasks that its poll has ended.
        drop(taskscope::lost_wakeups::take(|_| true));
        // Sampling keeps those of its rows.
        let kept: HashSet<_> = taskscope::sampling::report()
            .rows
            .iter()
            .filter_map(|row| Some(row.trace.as_ref().ok()?.stack().id()))
            .collect();
        let stacks = callstack::Stack::live_count().saturating_sub(kept.len());
        let settled = stats.records_in_use == 0
            && stats.runtimes.is_empty()
            && stacks == 0
            && town.in_scopes() == 0
            && town.ledger.is_settled();
        if settled {
            break;
        }
        assert!(
            begun.elapsed() < PATIENCE,
            "{stats:?}, {stacks} stacks, {} in scopes, {:?}",
            town.in_scopes(),
            town.ledger
        );
        thread::yield_now();
        // A task may have left its waker while it was dropped.
        town.clear();
    }
    town.ledger.close();
    assert!(DumpOptions::new().capture_blocking().tasks.is_empty());
    // Records are used again: there are no more than were in use at the same time, with those that
    // only wakers refer to, and the few that each thread keeps.
    let most = town.ledger.most_alive() + kinds::MOST_WAKERS + 128 * 64;
    let records = taskscope::stats().records;
    assert!(records <= most, "{records} records for at most {most}");
}

fn silence_deliberate_panics() {
    let before = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        if !info.payload().is::<Deliberate>() {
            before(info);
        }
    }));
}

/// The whole life of a runtime.
fn churn(town: &Arc<Town>, dice: &mut Dice, kind: u64) {
    let kind = if kind > 0 { kind - 1 } else { dice.roll(4) };
    let local = kind == 3;
    let mut builder = if kind == 0 || local {
        Builder::new_current_thread()
    } else {
        Builder::new_multi_thread()
    };
    let workers = usize::try_from(kind).unwrap().clamp(1, 2);
    let runtime = builder
        .worker_threads(workers)
        .enable_time()
        .build()
        .unwrap();
    let _watched = dice
        .one_in(4)
        .then(|| taskscope::register_runtime(runtime.handle()));
    if local {
        let set = LocalSet::new();
        set.block_on(&runtime, drive(town, dice, true));
        // The set or the runtime may be the first to go.
        if dice.one_in(2) {
            drop(runtime);
            return;
        }
    } else {
        runtime.block_on(drive(town, dice, false));
    }
    match dice.roll(3) {
        0 => drop(runtime),
        1 => Runtime::shutdown_background(runtime),
        _ => runtime.shutdown_timeout(Duration::from_millis(dice.roll(20))),
    }
}

/// Spawns, aborts, joins and forgets, and leaves some tasks behind.
async fn drive(town: &Arc<Town>, dice: &mut Dice, local: bool) {
    let mut tasks = Vec::new();
    for _ in 0..times(20) as u64 + dice.roll(times(200) as u64) {
        tasks.push(town.spawn(dice, local, 0));
        if dice.one_in(10) {
            yield_now().await;
        }
        if dice.one_in(4) {
            let (task, _) = &tasks[usize::try_from(dice.roll(tasks.len() as u64)).unwrap()];
            task.abort();
        }
        if dice.one_in(4) {
            // Detached.
            drop(tasks.swap_remove(usize::try_from(dice.roll(tasks.len() as u64)).unwrap()));
        }
        if dice.one_in(16) {
            town.notify.notify_waiters();
        }
    }
    for (task, entry) in tasks {
        if dice.one_in(3) {
            task.abort();
            entry.joined(task.await);
        } else if task.is_finished() {
            entry.joined(task.await);
        } else if dice.one_in(2) {
            yield_now().await;
        }
    }
}

fn use_a_waker(town: &Town, dice: &mut Dice) {
    let waker = {
        let mut wakers = town.wakers.lock().unwrap();
        if wakers.is_empty() {
            drop(wakers);
            thread::sleep(Duration::from_micros(100));
            return;
        }
        let at = usize::try_from(dice.roll(wakers.len() as u64)).unwrap();
        wakers.swap_remove(at)
    };
    match dice.roll(4) {
        0 => waker.wake(),
        1 => waker.wake_by_ref(),
        2 => {
            let clone = waker.clone();
            waker.wake();
            town.wakers.lock().unwrap().push(clone);
        }
        _ => drop(waker),
    }
}

fn take_a_dump(town: &Town, dice: &mut Dice) {
    let stacks = [Stacks::Fresh, Stacks::Fresh, Stacks::Cached, Stacks::None];
    let dump = DumpOptions::new()
        .stacks(stacks[usize::try_from(dice.roll(4)).unwrap()])
        .deadline(Duration::from_millis(1 + dice.roll(50)))
        .stall(Duration::from_millis(1 + dice.roll(10)))
        .capture_blocking();
    let without = dump.tasks.iter().filter(|task| task.trace.is_err()).count();
    if without != dump.missed.total() {
        town.ledger
            .wrong("a dump does not count what it has missed");
    }
    for task in &dump.tasks {
        if !task.site.file().ends_with("kinds.rs") || task.wakers > kinds::MOST_WAKERS as u64 * 2 {
            town.ledger
                .wrong(&format!("a task that nobody spawned: {task:?}"));
        }
    }
    let grouped: usize = dump.groups().iter().map(|group| group.tasks.len()).sum();
    if grouped != dump.tasks.len() {
        town.ledger.wrong("groups have lost a task");
    }
}
