//! Dumps show tasks, do not change what they do, and say what they could not see.
#![cfg(feature = "enable")]

mod support;

use std::future::{Future, pending};
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Barrier, Mutex};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use taskscope::{
    Dump, DumpOptions, Stacks, Verdict,
    dump::{NoTrace, State},
    verdict::BLOCKING_THRESHOLD,
};
use testkit::until;
use tokio::runtime::{Builder, Handle, Runtime};
use tokio::sync::{mpsc, oneshot};

use crate::support::{current_thread, multi_thread};

const LONG: Duration = Duration::from_secs(600);

fn of(runtime: &Handle) -> DumpOptions {
    DumpOptions::new()
        .runtime(runtime.id())
        .deadline(LONG)
        .stall(LONG)
}

/// Lets everything that can run on a current-thread runtime run.
async fn settle() {
    for _ in 0..5 {
        tokio::task::yield_now().await;
    }
}

async fn wait_in_my_function() {
    pending_with_a_waker().await;
}

/// Suspends for ever, and can be woken: by a timer in ten minutes.
async fn pending_with_a_waker() {
    tokio::time::sleep(LONG).await;
}

/// Spawns this many tasks; each of them has been polled and waits.
fn waiting(runtime: &Runtime, count: usize) -> Vec<taskscope::JoinHandle<()>> {
    let _entered = runtime.enter();
    let tasks = (0..count)
        .map(|_| taskscope::spawn(wait_in_my_function()))
        .collect();
    until(|| {
        let dump = of(runtime.handle()).stacks(Stacks::None).capture_blocking();
        dump.tasks.iter().all(|task| task.polls > 0)
    });
    tasks
}

#[test]
fn a_plain_thread_sees_the_stacks_of_an_idle_multi_thread_runtime() {
    let runtime = multi_thread();
    let tasks = waiting(&runtime, 1000);
    let dump = of(runtime.handle()).capture_blocking();
    assert_eq!(
        (dump.tasks.len(), dump.missed.total()),
        (1000, 0),
        "{:?}",
        dump.missed
    );
    for task in &dump.tasks {
        let text = task.trace.as_ref().unwrap().to_string();
        assert!(
            text.contains("dumps::pending_with_a_waker")
                && text.contains("dumps::wait_in_my_function"),
            "{text}"
        );
    }
    let groups = dump.groups();
    assert_eq!((groups.len(), groups[0].tasks.len()), (1, 1000));
    drop(tasks);
}

#[test]
fn a_task_that_is_asked_in_its_first_poll_before_it_has_taken_a_waker_is_asked_again() {
    let runtime = multi_thread();
    let _entered = runtime.enter();
    let (go_on, goes_on) = std::sync::mpsc::channel::<()>();
    let late = taskscope::spawn(async move {
        goes_on.recv().unwrap();
        wait_in_my_function().await;
    });
    until(|| {
        let dump = of(runtime.handle()).stacks(Stacks::None).capture_blocking();
        dump.tasks[0].polls == 1
    });
    let polls = Arc::new(AtomicU64::new(0));
    let counted = polls.clone();
    let mut wait = Box::pin(wait_in_my_function());
    let second = taskscope::spawn(std::future::poll_fn(move |cx| {
        counted.fetch_add(1, Ordering::SeqCst);
        wait.as_mut().poll(cx)
    }));
    until(|| polls.load(Ordering::SeqCst) == 1);
    let handle = runtime.handle().clone();
    let dumper = std::thread::spawn(move || {
        let dump = of(&handle).deadline(Duration::from_secs(30));
        dump.capture_blocking()
    });
    // The first one is asked first.
    until(|| polls.load(Ordering::SeqCst) == 2);
    go_on.send(()).unwrap();
    let dump = dumper.join().unwrap();
    assert_eq!((dump.tasks.len(), dump.missed.total()), (2, 0));
    drop((late, second));
}

#[test]
fn a_task_that_nobody_polls_is_captured_once_and_never_again() {
    current_thread().block_on(async {
        let _task = taskscope::spawn(wait_in_my_function());
        settle().await;
        let handle = Handle::current();
        let first = of(&handle).capture().await;
        let second = of(&handle).capture().await;
        let cached = of(&handle).stacks(Stacks::Cached).capture().await;
        for dump in [&second, &cached] {
            assert_eq!(dump.tasks[0].polls, first.tasks[0].polls);
            assert_eq!(
                dump.tasks[0].trace.as_ref().unwrap().to_string(),
                first.tasks[0].trace.as_ref().unwrap().to_string()
            );
        }
    });
}

#[test]
fn cached_and_no_stacks_poll_nothing_and_say_what_they_miss() {
    current_thread().block_on(async {
        let _task = taskscope::spawn(wait_in_my_function());
        settle().await;
        for stacks in [Stacks::Cached, Stacks::None] {
            let dump = of(&Handle::current()).stacks(stacks).capture().await;
            assert_eq!((dump.tasks[0].polls, dump.missed.not_asked), (1, 1));
            assert_eq!(
                dump.tasks[0].trace.as_ref().unwrap_err(),
                &NoTrace::NotAsked
            );
        }
    });
}

#[test]
fn a_capture_does_not_begin_a_new_wait() {
    current_thread().block_on(async {
        let _task = taskscope::spawn(wait_in_my_function());
        settle().await;
        let handle = Handle::current();
        let waited = |dump: Dump| dump.tasks[0].state.since();
        let before = waited(of(&handle).stacks(Stacks::None).capture().await);
        let captured = waited(of(&handle).capture().await);
        let after = waited(of(&handle).stacks(Stacks::None).capture().await);
        assert!(
            before < captured && captured < after,
            "{before:?} {captured:?} {after:?}"
        );
    });
}

#[test]
fn a_task_without_a_waker_is_stuck_and_the_dump_says_why_it_has_no_stack() {
    current_thread().block_on(async {
        let _task = taskscope::spawn(pending::<()>());
        settle().await;
        let dump = of(&Handle::current()).capture().await;
        let task = &dump.tasks[0];
        assert_eq!(
            (task.verdict, task.wait_reason().to_string().as_str()),
            (Verdict::Stuck, "nothing")
        );
        assert_eq!(task.trace.as_ref().unwrap_err(), &NoTrace::NoWaker);
        assert_eq!(dump.missed.no_waker, 1);
        assert!(task.is_leak_suspect());
    });
}

/// Every worker is in a `std::sync::Mutex`: the dump comes back, names the threads, and says what
/// did not answer.
#[test]
fn a_dump_of_a_runtime_whose_workers_are_all_blocked_returns_and_names_the_threads() {
    let runtime = Builder::new_multi_thread()
        .worker_threads(2)
        .thread_name("blocked-worker")
        .enable_all()
        .build()
        .unwrap();
    let lock = Arc::new(Mutex::new(()));
    let entered = Arc::new(Barrier::new(3));
    let waiting = {
        let _entered = runtime.enter();
        taskscope::spawn(wait_in_my_function())
    };
    until(|| {
        of(runtime.handle())
            .stacks(Stacks::None)
            .capture_blocking()
            .tasks[0]
            .state
            .name()
            == "idle"
    });

    let held = lock.lock().unwrap();
    for _ in 0..2 {
        let (lock, entered) = (lock.clone(), entered.clone());
        let _entered = runtime.enter();
        let _detached = taskscope::spawn_named("blocker", async move {
            entered.wait();
            drop(lock.lock().unwrap());
        });
    }
    entered.wait();
    let blocked = |task: &&taskscope::TaskDump| task.name.as_deref() == Some("blocker");
    until(|| {
        let tasks = of(runtime.handle())
            .stacks(Stacks::None)
            .capture_blocking()
            .tasks;
        tasks
            .iter()
            .filter(blocked)
            .all(|task| task.state.since() > BLOCKING_THRESHOLD)
    });
    let started = Instant::now();
    let dump = of(runtime.handle())
        .stall(Duration::from_millis(50))
        .capture_blocking();
    assert!(started.elapsed() < LONG / 2);
    assert_eq!((dump.missed.running, dump.missed.no_answer), (2, 1));
    for task in dump.tasks.iter().filter(blocked) {
        assert_eq!(task.verdict, Verdict::Blocking);
        let State::Running {
            thread: Some(thread),
            since,
        } = &task.state
        else {
            panic!("{:?}", task.state)
        };
        assert_eq!(&*thread.name, "blocked-worker");
        assert!(thread.os_id > 0 && *since > BLOCKING_THRESHOLD);
    }
    // The control: let go, and the same task answers.
    drop(held);
    until(|| {
        of(runtime.handle())
            .stacks(Stacks::None)
            .capture_blocking()
            .tasks
            .len()
            == 1
    });
    assert!(
        of(runtime.handle()).capture_blocking().tasks[0]
            .trace
            .is_ok()
    );
    drop(waiting);
}

#[test]
fn a_runtime_that_nobody_drives_is_given_up_after_the_stall() {
    let runtime = current_thread();
    runtime.block_on(async {
        drop(taskscope::spawn(wait_in_my_function()));
        settle().await;
    });
    let dump = of(runtime.handle())
        .stall(Duration::from_millis(20))
        .capture_blocking();
    assert_eq!((dump.tasks.len(), dump.missed.no_answer), (1, 1));
    // And by the deadline, if that comes first.
    let dump = of(runtime.handle())
        .deadline(Duration::from_millis(20))
        .capture_blocking();
    assert_eq!(dump.missed.no_answer, 1);
    // The mark is gone: driving the runtime does not capture, a later dump does.
    runtime.block_on(async {
        settle().await;
        assert!(
            of(&Handle::current()).capture().await.tasks[0]
                .trace
                .is_ok()
        );
    });
}

/// A blocked runtime does not keep the others from being seen.
#[test]
fn one_runtime_that_does_not_answer_does_not_hide_another() {
    let (undriven, alive) = (current_thread(), multi_thread());
    undriven.block_on(async {
        drop(taskscope::spawn(wait_in_my_function()));
        settle().await;
    });
    alive.block_on(async { drop(taskscope::spawn(wait_in_my_function())) });
    until(|| {
        of(alive.handle())
            .stacks(Stacks::None)
            .capture_blocking()
            .tasks[0]
            .state
            .name()
            == "idle"
    });
    let dump = DumpOptions::new()
        .deadline(LONG)
        .stall(Duration::from_millis(50))
        .capture_blocking();
    let trace = |runtime: &Runtime| {
        let number = runtime.handle().id().to_string();
        dump.tasks
            .iter()
            .find(|task| task.runtime.to_string() == number)
            .unwrap()
            .trace
            .is_ok()
    };
    assert!(trace(&alive) && !trace(&undriven));
}

#[test]
fn dumps_at_the_same_time_all_see_everything() {
    let runtime = multi_thread();
    let tasks = waiting(&runtime, 2000);
    let dumpers: Vec<_> = (0..4)
        .map(|_| {
            let handle = runtime.handle().clone();
            std::thread::spawn(move || of(&handle).capture_blocking())
        })
        .collect();
    for dumper in dumpers {
        let dump = dumper.join().unwrap();
        assert_eq!(
            (dump.tasks.len(), dump.missed.total()),
            (2000, 0),
            "{:?}",
            dump.missed
        );
    }
    drop(tasks);
}

#[test]
fn a_dump_does_not_change_what_a_busy_program_computes() {
    let runtime = multi_thread();
    let handle = runtime.handle().clone();
    let stop = Arc::new(std::sync::atomic::AtomicBool::new(false));
    let dumper = std::thread::spawn({
        let stop = stop.clone();
        move || {
            let mut dumps = 0;
            while !stop.load(Ordering::Relaxed) {
                drop(of(&handle).capture_blocking());
                dumps += 1;
            }
            dumps
        }
    });
    let sum = runtime.block_on(async {
        let (first, mut input) = mpsc::channel::<u64>(4);
        // A pipeline of stages, each a task with a bounded channel, a timeout and a lock.
        let total = Arc::new(tokio::sync::Mutex::new(0));
        for _ in 0..8 {
            let (tx, rx) = mpsc::channel::<u64>(4);
            let mut source = std::mem::replace(&mut input, rx);
            let total = total.clone();
            let _detached = taskscope::spawn(async move {
                while let Ok(Some(value)) = tokio::time::timeout(LONG, source.recv()).await {
                    *total.lock().await += value;
                    if tx.send(value + 1).await.is_err() {
                        return;
                    }
                }
            });
        }
        let _feeder = taskscope::spawn(async move {
            for value in 0..2000 {
                if first.send(value).await.is_err() {
                    return;
                }
            }
        });
        let mut sum = 0;
        while let Some(value) = input.recv().await {
            sum += value;
        }
        (sum, *total.lock().await)
    });
    stop.store(true, Ordering::Relaxed);
    assert!(dumper.join().unwrap() > 0);
    let fed: u64 = (0..2000).sum();
    assert_eq!(sum, (fed + 8 * 2000, 8 * fed + 2000 * 28));
}

#[test]
fn a_blocking_dump_inside_a_current_thread_runtime_comes_back_without_its_stacks() {
    current_thread().block_on(async {
        let _task = taskscope::spawn(wait_in_my_function());
        settle().await;
        let dump = of(&Handle::current())
            .stall(Duration::from_millis(20))
            .capture_blocking();
        assert_eq!(dump.missed.no_answer, 1);
    });
}

#[test]
fn a_task_that_waits_in_more_ways_than_are_kept_says_how_many_were_dropped() {
    current_thread().block_on(async {
        let mut keep = Vec::new();
        let leaves: Vec<_> = (0..taskscope::dump::MAX_BRANCHES + 5)
            .map(|_| {
                let (tx, rx) = oneshot::channel::<()>();
                keep.push(tx);
                rx
            })
            .collect();
        // `join_all` of so many would use a set; this polls each with the task's own waker, at a
        // stack of its own.
        let _task = taskscope::spawn(async move {
            let mut leaves = leaves;
            std::future::poll_fn(move |cx| {
                fn descend(leaves: &mut [oneshot::Receiver<()>], cx: &mut Context<'_>) {
                    if let Some((first, rest)) = leaves.split_first_mut() {
                        let _ = std::hint::black_box(Pin::new(first).poll(cx));
                        descend(rest, cx);
                        std::hint::black_box(rest);
                    }
                }
                descend(&mut leaves, cx);
                Poll::<()>::Pending
            })
            .await;
        });
        settle().await;
        let dump = of(&Handle::current()).capture().await;
        assert_eq!(
            dump.tasks[0].trace.as_ref().unwrap().branches().len(),
            taskscope::dump::MAX_BRANCHES
        );
        assert_eq!(dump.tasks[0].branches_dropped, 5);
    });
}

/// Boxed recursion, so that each level has frames of its own in every build.
fn descend(levels: usize) -> Pin<Box<dyn Future<Output = ()> + Send>> {
    Box::pin(async move {
        if levels > 0 {
            descend(levels - 1).await;
        }
        pending_with_a_waker().await;
    })
}

#[test]
fn a_stack_of_a_hundred_async_functions_is_complete_and_one_of_a_thousand_says_that_it_is_cut() {
    current_thread().block_on(async {
        for (levels, cut) in [(100, 0), (1200, 1)] {
            let task = taskscope::spawn(descend(levels));
            settle().await;
            let dump = of(&Handle::current()).capture().await;
            let frames = &dump.tasks[0].trace.as_ref().unwrap().branches()[0].frames;
            let seen = frames
                .iter()
                .filter(|frame| frame.function.contains("dumps::descend::{{closure}}"))
                .count();
            assert_eq!(dump.tasks[0].branches_cut, cut);
            assert_eq!(dump.tasks[0].trace.as_ref().unwrap().is_cut(), cut == 1);
            // The wait is at the leaf, so these frames are there in any case.
            let innermost = frames.iter().take(3);
            let mut innermost = innermost.map(|frame| &*frame.function);
            assert!(
                innermost.any(|function| function.contains("pending_with_a_waker")),
                "{:?}",
                &frames[..3]
            );
            assert_eq!(seen == levels + 1, cut == 0, "{seen} of {levels}");
            task.abort();
            let _ = task.await;
        }
    });
}

/// `select!` polls its branches in random order.
#[test]
fn equal_selects_are_one_group_whatever_the_order_in_which_they_were_polled() {
    async fn either(mut messages: mpsc::Receiver<()>) {
        tokio::select! {
            _ = messages.recv() => {}
            () = tokio::time::sleep(LONG) => {}
        }
    }
    current_thread().block_on(async {
        let mut keep = Vec::new();
        for _ in 0..32 {
            let (sender, messages) = mpsc::channel(1);
            keep.push(sender);
            drop(taskscope::spawn(either(messages)));
        }
        settle().await;
        let dump = of(&Handle::current()).capture().await;
        assert_eq!(dump.groups().len(), 1);
        assert_eq!(dump.tasks[0].wait_reason().to_string(), "mpsc recv | sleep");
    });
}

#[test]
fn a_task_that_moves_on_in_the_extra_poll_shows_only_where_it_waits_then() {
    current_thread().block_on(async {
        let _task = taskscope::spawn(async {
            let mut left = Box::pin(tokio::time::sleep(LONG));
            let mut polls = 0;
            std::future::poll_fn(|cx| {
                assert!(left.as_mut().poll(cx).is_pending());
                polls += 1;
                if polls == 1 {
                    Poll::Pending
                } else {
                    Poll::Ready(())
                }
            })
            .await;
            drop(left);
            tokio::sync::Notify::new().notified().await;
        });
        settle().await;
        let dump = of(&Handle::current()).capture().await;
        let trace = dump.tasks[0].trace.as_ref().unwrap();
        assert_eq!(
            (
                trace.branches().len(),
                trace.wait_reason().to_string().as_str()
            ),
            (1, "notify")
        );
    });
}

#[test]
fn leaves_that_are_awaited_at_the_same_place_are_one_branch() {
    current_thread().block_on(async {
        let (senders, mut leaves): (Vec<_>, Vec<_>) =
            (0..5).map(|_| oneshot::channel::<()>()).unzip();
        let _task = taskscope::spawn(std::future::poll_fn(move |cx| {
            for leaf in &mut leaves {
                assert!(Pin::new(leaf).poll(cx).is_pending());
            }
            Poll::<()>::Pending
        }));
        settle().await;
        let dump = of(&Handle::current()).capture().await;
        assert_eq!(dump.tasks[0].trace.as_ref().unwrap().branches().len(), 1);
        assert_eq!(
            (dump.tasks[0].wakers, dump.tasks[0].branches_dropped),
            (5, 0)
        );
        drop(senders);
    });
}

#[test]
fn a_task_that_wakes_itself_without_taking_its_waker_shows_where_it_does() {
    async fn spin_politely() {
        std::future::poll_fn(|cx| {
            cx.waker().wake_by_ref();
            Poll::<()>::Pending
        })
        .await;
    }
    current_thread().block_on(async {
        let _task = taskscope::spawn(spin_politely());
        settle().await;
        // If this thread loses its processor in a poll, the poll looks like one that blocks, and
        // the dump does not wait for it.
        for _ in 0..100 {
            let dump = of(&Handle::current()).capture().await;
            assert_ne!(dump.tasks[0].verdict, Verdict::Stuck);
            match &dump.tasks[0].trace {
                Ok(trace) => {
                    let trace = trace.to_string();
                    assert!(trace.contains("spin_politely"), "{trace}");
                    return;
                }
                Err(missing) => assert_eq!(*missing, NoTrace::NoAnswer),
            }
        }
        panic!("a hundred dumps without its stack");
    });
}

#[test]
fn tasks_that_differ_in_site_verdict_or_trace_are_apart() {
    current_thread().block_on(async {
        let here = || taskscope::spawn(wait_in_my_function());
        let there = || taskscope::spawn(wait_in_my_function());
        let scope = taskscope::Scope::new("over");
        let over = scope.clone();
        let _tasks = [here(), here(), there()];
        let _elsewhere = taskscope::spawn(pending_with_a_waker());
        // One site, two traces, two verdicts.
        for number in 0..3 {
            let scope = (number == 0).then(|| over.clone());
            let leaf = async move {
                if number == 1 {
                    pending_with_a_waker().await;
                } else {
                    wait_in_my_function().await;
                }
            };
            let task = async move { drop(taskscope::spawn(leaf)) };
            match &scope {
                Some(scope) => scope.run(task).await,
                None => task.await,
            }
        }
        drop((scope, over));
        settle().await;
        let dump = of(&Handle::current()).capture().await;
        let groups = dump.groups();
        let sizes: Vec<_> = groups.iter().map(|group| group.tasks.len()).collect();
        assert_eq!(sizes, [2, 1, 1, 1, 1, 1]);
        let lines: Vec<_> = groups[1..]
            .iter()
            .map(|group| group.oldest().site.line())
            .collect();
        assert!(lines.is_sorted(), "{lines:?}");
        let runtimes: Vec<_> = dump.runtimes.iter().map(|runtime| runtime.id).collect();
        assert_eq!(
            runtimes,
            [Handle::current().id()],
            "only the one that was asked for"
        );
    });
}

#[test]
fn frames_are_those_of_the_author_with_short_paths() {
    current_thread().block_on(async {
        let scope = taskscope::Scope::new("frames");
        let _task = taskscope::spawn(async move { scope.run(wait_in_my_function()).await });
        settle().await;
        let text = of(&Handle::current()).capture().await.tasks[0]
            .trace
            .as_ref()
            .unwrap()
            .to_string();
        assert!(
            text.contains("/src/time/sleep.rs:") && !text.contains("/registry/src/"),
            "{text}"
        );
        for glue in [
            "taskscope::scope::run",
            "taskscope_core::instrument",
            "core::",
            "std::",
        ] {
            assert!(
                !text
                    .lines()
                    .any(|line| line.trim_start().trim_start_matches('<').starts_with(glue)),
                "{glue} in {text}"
            );
        }
        let first = text.lines().next().unwrap();
        assert!(
            first.contains("tokio::time::sleep::Sleep"),
            "the leaf that its author awaited is first: {text}"
        );
        assert!(!text.contains("branch "), "{text}");
    });
}
