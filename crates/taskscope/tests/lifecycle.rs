//! The life of a task and its record: spawn, poll, panic, abort, runtime shutdown. One process, so
//! counts are by runtime.
#![cfg(feature = "enable")]
#![allow(
    clippy::async_yields_async,
    reason = "a handle that leaves the runtime unawaited is what is tested"
)]

mod support;
#[path = "support/times.rs"]
mod times;

use std::future::{Future, pending};
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use taskscope::{DumpOptions, Stacks, TaskDump};
use testkit::until;
use tokio::runtime::{Builder, Handle, Runtime};
use tokio::sync::oneshot;

use crate::support::{current_thread, multi_thread};
use crate::times::times;

/// The tasks of one runtime, without asking them for stacks.
fn tasks_of(runtime: &Handle) -> Vec<TaskDump> {
    DumpOptions::new()
        .runtime(runtime.id())
        .stacks(Stacks::None)
        .capture_blocking()
        .tasks
}

#[test]
fn a_handle_can_be_exchanged_for_tokios_own() {
    for runtime in [current_thread(), multi_thread()] {
        runtime.block_on(async {
            let task: tokio::task::JoinHandle<i32> = taskscope::spawn(async { 7 }).into_inner();
            assert_eq!(task.await.unwrap(), 7);
        });
    }
}

#[test]
fn a_record_is_small_and_is_used_again() {
    let runtime = current_thread();
    runtime.block_on(async { taskscope::spawn(async {}).await.unwrap() });
    let before = taskscope::stats();
    assert!(before.record_bytes / before.records <= 160, "{before:?}");
    runtime.block_on(async {
        for _ in 0..times(10_000) {
            taskscope::spawn(async {}).await.unwrap();
        }
    });
    // Other tests of this process take records, too, but not one for each of these tasks.
    assert!(taskscope::stats().records < before.records + 5_000);
}

#[test]
fn a_task_is_alive_from_spawn_until_its_future_is_gone() {
    let runtime = current_thread();
    let (open, closed) = oneshot::channel::<()>();
    let task = runtime.block_on(async { taskscope::spawn_named("waiter", closed) });
    let tasks = tasks_of(runtime.handle());
    assert_eq!(tasks.len(), 1);
    assert_eq!(
        (tasks[0].name.as_deref(), tasks[0].polls),
        (Some("waiter"), 0)
    );
    assert_eq!(tasks[0].state.name(), "scheduled");
    assert_eq!(tasks[0].id.to_string(), task.id().to_string());
    assert!(tasks[0].site.file().ends_with("tests/lifecycle.rs"));
    assert!(tasks[0].future.contains("oneshot::Receiver"));

    drop(open);
    runtime.block_on(task).unwrap().unwrap_err();
    assert!(tasks_of(runtime.handle()).is_empty());
}

#[test]
fn a_task_whose_handle_was_dropped_is_detached() {
    let runtime = current_thread();
    let kept = runtime.block_on(async {
        drop(taskscope::spawn_named("dropped", pending::<()>()));
        let inner = taskscope::spawn_named("taken apart", pending::<()>()).into_inner();
        (taskscope::spawn_named("kept", pending::<()>()), inner)
    });
    for task in tasks_of(runtime.handle()) {
        assert_eq!(
            task.detached.is_some(),
            task.name.as_deref() == Some("dropped"),
            "{:?}",
            task.name
        );
    }
    drop(kept);
}

#[test]
fn a_child_knows_its_parent() {
    let runtime = current_thread();
    let (parent, child) = runtime.block_on(async {
        let parent = taskscope::spawn(async { taskscope::spawn_named("child", pending::<()>()) });
        (parent.id().to_string(), parent.await.unwrap())
    });
    let tasks = tasks_of(runtime.handle());
    assert_eq!(tasks[0].parent.map(|id| id.to_string()), Some(parent));
    drop(child);
}

#[test]
fn panics_aborts_and_shutdown_leave_no_task_behind() {
    struct PanicsInDrop;
    impl Drop for PanicsInDrop {
        fn drop(&mut self) {
            panic!("in drop");
        }
    }
    for runtime in [current_thread(), multi_thread()] {
        let handle = runtime.handle().clone();
        runtime.block_on(async {
            let panics = taskscope::spawn(async { panic!("in poll") });
            let drops = taskscope::spawn(async { drop(PanicsInDrop) });
            let aborted = taskscope::spawn(async {
                let _guard = PanicsInDrop;
                pending::<()>().await;
            });
            tokio::task::yield_now().await;
            aborted.abort();
            assert!(panics.await.unwrap_err().is_panic());
            assert!(drops.await.unwrap_err().is_panic());
            assert!(aborted.await.is_err());
            assert!(tasks_of(&handle).is_empty());
            let _left = taskscope::spawn(pending::<()>());
        });
        assert_eq!(tasks_of(&handle).len(), 1);
        drop(runtime);
        assert!(tasks_of(&handle).is_empty());
        let refused = {
            let _entered = handle.enter();
            taskscope::spawn(async {})
        };
        assert!(refused.is_finished());
        assert!(tasks_of(&handle).is_empty());
    }
}

/// Polls nothing and gives its waker away.
struct GivesItsWaker(Arc<Mutex<Vec<Waker>>>);

impl Future for GivesItsWaker {
    type Output = ();
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        self.0.lock().unwrap().push(cx.waker().clone());
        Poll::Pending
    }
}

#[test]
fn a_waker_that_outlives_its_task_does_nothing_and_harms_nobody() {
    let runtime = current_thread();
    let wakers = Arc::new(Mutex::new(Vec::new()));
    runtime.block_on(async {
        let task = taskscope::spawn(GivesItsWaker(wakers.clone()));
        tokio::task::yield_now().await;
        task.abort();
        let _ = task.await;
    });
    drop(runtime);
    let kept = std::mem::take(&mut *wakers.lock().unwrap());
    assert_eq!(kept.len(), 1);
    for waker in kept {
        let clone = waker.clone();
        waker.wake_by_ref();
        waker.wake();
        std::thread::spawn(move || clone.wake()).join().unwrap();
    }
}

#[test]
fn a_task_is_stuck_when_its_last_waker_is_dropped_and_not_before() {
    let runtime = current_thread();
    let wakers = Arc::new(Mutex::new(Vec::new()));
    let task = runtime.block_on(async {
        let task = taskscope::spawn(GivesItsWaker(wakers.clone()));
        tokio::task::yield_now().await;
        task
    });
    let only = || tasks_of(runtime.handle()).remove(0);
    assert_eq!((only().verdict.name(), only().wakers), ("idle", 1));
    let second = wakers.lock().unwrap()[0].clone();
    assert_eq!(only().wakers, 2);
    wakers.lock().unwrap().clear();
    assert_eq!(only().verdict.name(), "idle");
    drop(second);
    assert_eq!((only().verdict.name(), only().wakers), ("stuck", 0));
    drop(task);
}

/// After any number of dumps and runtimes the counts are those before, which tokio's own dump
/// cannot do.
#[test]
fn a_runtime_that_is_dropped_during_a_dump_neither_blocks_it_nor_leaves_records() {
    let stop = Arc::new(std::sync::atomic::AtomicBool::new(false));
    let dumper = std::thread::spawn({
        let stop = stop.clone();
        move || {
            let mut dumps = 0_u32;
            while !stop.load(std::sync::atomic::Ordering::Relaxed) {
                let dump = DumpOptions::new()
                    .deadline(Duration::from_secs(60))
                    .capture_blocking();
                drop(dump);
                dumps += 1;
            }
            dumps
        }
    });
    let mut handles = Vec::new();
    for round in 0..times(60) {
        let runtime = if round % 2 == 0 {
            current_thread()
        } else {
            multi_thread()
        };
        runtime.block_on(async {
            let tasks: Vec<_> = (0..times(300))
                .map(|number| {
                    taskscope::spawn(async move {
                        if number % 3 == 0 {
                            tokio::task::yield_now().await;
                        } else {
                            tokio::time::sleep(Duration::from_secs(600)).await;
                        }
                    })
                })
                .collect();
            tokio::task::yield_now().await;
            tasks.iter().step_by(5).for_each(|task| task.abort());
        });
        handles.push(runtime.handle().clone());
        drop(runtime);
    }
    stop.store(true, std::sync::atomic::Ordering::Relaxed);
    assert!(dumper.join().unwrap() > 0);
    for handle in &handles {
        assert!(tasks_of(handle).is_empty());
        assert_eq!(handle.metrics().num_alive_tasks(), 0);
    }
}

#[test]
fn a_runtime_is_forgotten_with_its_last_task() {
    let runtime = current_thread();
    let id = runtime.handle().id();
    let known = || {
        taskscope::stats()
            .runtimes
            .iter()
            .any(|runtime| runtime.id == id)
    };
    assert!(!known());
    let task = runtime.block_on(async { taskscope::spawn(pending::<()>()) });
    assert!(known());
    task.abort();
    let _ = runtime.block_on(task);
    // The dump of another test may hold the task for a moment longer.
    while known() {
        std::thread::yield_now();
    }
    let guard = taskscope::register_runtime(runtime.handle());
    assert!(known());
    drop(guard);
    while known() {
        std::thread::yield_now();
    }
}

#[test]
fn a_task_of_a_runtime_inside_of_another_runtimes_task_is_shown_on_its_own() {
    let outer = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .build()
        .unwrap();
    let _entered = outer.enter();
    let task = taskscope::spawn(async {
        // The thread is now known to work for the outer one.
        taskscope::spawn(async {}).await.unwrap();
        tokio::task::block_in_place(|| {
            let inner = current_thread();
            let of_inner = DumpOptions::new().runtime(inner.handle().id());
            inner.block_on(async {
                let waits = taskscope::spawn(std::future::pending::<()>());
                tokio::task::yield_now().await;
                let seen = of_inner.stacks(Stacks::None).capture_blocking();
                waits.abort();
                seen.tasks.len()
            })
        })
    });
    assert_eq!(outer.block_on(task).unwrap(), 1);
}

#[test]
fn runtimes_are_kept_apart_and_their_untracked_tasks_are_counted() {
    let (one, two) = (
        current_thread(),
        Builder::new_multi_thread()
            .worker_threads(1)
            .name("orders")
            .build()
            .unwrap(),
    );
    let _one = one.block_on(async {
        (
            taskscope::spawn(pending::<()>()),
            tokio::spawn(pending::<()>()),
        )
    });
    let _two = two.block_on(async { taskscope::spawn(pending::<()>()) });
    let dump = DumpOptions::new().stacks(Stacks::None).capture_blocking();
    let info = |runtime: &Runtime| {
        dump.runtimes
            .iter()
            .find(|info| info.id == runtime.handle().id())
            .unwrap()
    };
    assert_eq!(
        (info(&one).tracked, info(&one).untracked, info(&one).flavor),
        (1, 1, "current_thread")
    );
    assert_eq!(
        (info(&two).tracked, info(&two).untracked, info(&two).flavor),
        (1, 0, "multi_thread")
    );
    assert_eq!(info(&two).name.as_deref(), Some("orders"));
    assert_eq!(tasks_of(one.handle())[0].runtime, info(&one).number);
}

#[test]
fn tasks_of_a_local_set_have_records_and_are_not_mistaken_for_the_runtimes() {
    let runtime = current_thread();
    tokio::task::LocalSet::new().block_on(&runtime, async {
        let task = taskscope::spawn_local(async { std::rc::Rc::new(1) });
        let _plain = tokio::spawn(pending::<()>());
        let _local = taskscope::spawn_local(pending::<()>());
        assert_eq!(*task.await.unwrap(), 1);
        let dump = taskscope::DumpOptions::new()
            .runtime(Handle::current().id())
            .capture()
            .await;
        assert_eq!(
            (dump.runtimes[0].tracked, dump.runtimes[0].untracked),
            (1, 1)
        );
        assert_eq!(dump.tasks[0].verdict.name(), "stuck");
    });
}

#[test]
fn tasks_of_a_local_runtime_are_not_counted_twice() {
    let runtime = Builder::new_current_thread()
        .build_local(tokio::runtime::LocalOptions::default())
        .unwrap();
    runtime.block_on(async {
        let _local = taskscope::spawn_local(pending::<()>());
        let info = &taskscope::DumpOptions::new()
            .runtime(Handle::current().id())
            .capture()
            .await
            .runtimes[0];
        assert_eq!((info.tracked, info.untracked), (1, 0));
    });
}

/// Long enough to tell apart what began before it from what began after.
const WHILE: Duration = Duration::from_millis(200);

#[test]
fn a_task_inherits_nothing_from_those_that_had_its_record_before() {
    let runtime = current_thread();
    runtime.block_on(async {
        for _ in 0..times(100) {
            let (open, closed) = oneshot::channel::<()>();
            drop(taskscope::spawn_named("earlier", async move {
                let mut closed = closed;
                // Polls enough for the clock to move in one of them.
                while closed.try_recv() == Err(oneshot::error::TryRecvError::Empty) {
                    tokio::task::yield_now().await;
                }
            }));
            while tasks_of(&Handle::current())[0].busy.is_zero() {
                tokio::task::yield_now().await;
            }
            let earlier = tasks_of(&Handle::current()).remove(0);
            assert!(earlier.detached.is_some() && earlier.busy > Duration::ZERO);
            drop(open);
            while !tasks_of(&Handle::current()).is_empty() {
                tokio::task::yield_now().await;
            }
        }
    });
    let kept = runtime.block_on(async { taskscope::spawn(pending::<()>()) });
    let task = tasks_of(runtime.handle()).remove(0);
    assert_eq!((task.polls, task.busy, task.wakers), (0, Duration::ZERO, 0));
    assert_eq!((task.name, task.detached, task.parent), (None, None, None));
    drop(kept);
}

#[test]
fn a_woken_task_is_scheduled_since_its_first_wake_until_it_is_polled() {
    let runtime = current_thread();
    let wakers = Arc::new(Mutex::new(Vec::new()));
    let task = runtime.block_on(async {
        let task = taskscope::spawn(GivesItsWaker(wakers.clone()));
        tokio::task::yield_now().await;
        task
    });
    let only = || tasks_of(runtime.handle()).remove(0);
    until(|| only().state.since() >= WHILE);
    assert_eq!(
        (only().state.name(), only().verdict.name()),
        ("idle", "idle")
    );

    let before = std::time::Instant::now();
    wakers.lock().unwrap()[0].wake_by_ref();
    let woken = only();
    assert_eq!(
        (woken.state.name(), woken.verdict.name()),
        ("scheduled", "active")
    );
    assert_eq!(woken.wait_reason().to_string(), "its turn");
    assert!(
        // The clock may be late on a busy machine.
        woken.state.since() <= before.elapsed() + WHILE / 2,
        "the time before the wake is not in it"
    );
    until(|| only().state.since() >= WHILE);
    wakers.lock().unwrap()[0].wake_by_ref();
    assert!(
        only().state.since() >= WHILE,
        "a second wake begins nothing"
    );

    let before = std::time::Instant::now();
    runtime.block_on(tokio::task::yield_now());
    let polled = only();
    assert_eq!((polled.state.name(), polled.polls), ("idle", 2));
    assert!(
        polled.state.since() <= before.elapsed() + WHILE / 2,
        "a wake that is answered begins a new wait"
    );
    drop(task);
}

#[test]
fn busy_is_the_sum_of_all_polls() {
    let runtime = current_thread();
    let spent = Arc::new(Mutex::new(Duration::ZERO));
    let task = runtime.block_on(async {
        let total = spent.clone();
        let task = taskscope::spawn(async move {
            for _ in 0..4 {
                let begun = std::time::Instant::now();
                until(|| begun.elapsed() >= WHILE);
                *total.lock().unwrap() += begun.elapsed();
                tokio::task::yield_now().await;
            }
            pending::<()>().await;
        });
        while tasks_of(&Handle::current())[0].polls < 5 {
            tokio::task::yield_now().await;
        }
        task
    });
    // Two clocks: this crate's own and the system's.
    let (busy, spent) = (tasks_of(runtime.handle())[0].busy, *spent.lock().unwrap());
    assert!(busy >= spent.mul_f64(0.9), "{busy:?} of {spent:?}");
    drop(task);
}

/// A destructor can block a worker just as a poll can.
#[test]
fn a_task_whose_future_is_being_dropped_is_running_on_the_thread_that_drops_it() {
    use std::sync::Barrier;

    /// Ready after a long poll or never, and then two appointments in its destructor.
    struct MeetsInDrop {
        ready: bool,
        barrier: Arc<Barrier>,
    }
    impl Future for MeetsInDrop {
        type Output = ();
        fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<()> {
            if !self.ready {
                return Poll::Pending;
            }
            let begun = std::time::Instant::now();
            until(|| begun.elapsed() >= WHILE);
            Poll::Ready(())
        }
    }
    impl Drop for MeetsInDrop {
        fn drop(&mut self) {
            self.barrier.wait();
            self.barrier.wait();
        }
    }
    for ready in [false, true] {
        let runtime = Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("dropper")
            .build()
            .unwrap();
        let barrier = Arc::new(Barrier::new(2));
        let task = {
            let _entered = runtime.enter();
            taskscope::spawn(MeetsInDrop {
                ready,
                barrier: barrier.clone(),
            })
        };
        if !ready {
            until(|| tasks_of(runtime.handle())[0].state.name() == "idle");
            task.abort();
        }
        barrier.wait();
        let mut tasks = tasks_of(runtime.handle());
        // First of all let go, else a failure would hang.
        barrier.wait();
        runtime.block_on(async { drop(task.await) });
        assert!(tasks_of(runtime.handle()).is_empty());
        let seen = tasks.pop().expect("alive until its future is gone");
        let taskscope::dump::State::Running {
            thread: Some(thread),
            since,
        } = &seen.state
        else {
            panic!("{:?} when ready is {ready}", seen.state)
        };
        assert_eq!(&*thread.name, "dropper");
        assert_ne!(seen.verdict.name(), "stuck");
        // The destructor belongs to the poll that ended the task.
        assert!(!ready || *since >= WHILE.mul_f64(0.9), "{since:?}");
    }
}

/// A leaf that keeps its waker notes whether the next poll's is the same.
#[test]
fn after_a_capture_a_leaf_finds_the_waker_that_it_kept() {
    struct Keeps(Option<Waker>, Arc<Mutex<Vec<bool>>>);
    impl Future for Keeps {
        type Output = ();
        fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
            let same = self
                .0
                .as_ref()
                .is_some_and(|kept| kept.will_wake(cx.waker()));
            self.1.lock().unwrap().push(same);
            if !same {
                self.0 = Some(cx.waker().clone());
            }
            Poll::Pending
        }
    }
    current_thread().block_on(async {
        let polls = Arc::new(Mutex::new(Vec::new()));
        let wake = Arc::new(tokio::sync::Notify::new());
        let (leaf, woken) = (Keeps(None, polls.clone()), wake.clone());
        let _task = taskscope::spawn(async move {
            let again = async {
                loop {
                    woken.notified().await;
                }
            };
            tokio::select! {
                biased;
                () = leaf => {}
                () = again => {}
            }
        });
        let seen = |count: usize| {
            let polls = polls.clone();
            async move {
                while polls.lock().unwrap().len() < count {
                    tokio::task::yield_now().await;
                }
            }
        };
        seen(1).await;
        let dump = DumpOptions::new()
            .runtime(Handle::current().id())
            .capture()
            .await;
        assert!(dump.tasks[0].trace.is_ok());
        wake.notify_one();
        seen(3).await;
        assert_eq!(*polls.lock().unwrap(), [false, false, true]);
    });
}

#[test]
fn records_of_many_tasks_at_once_and_of_threads_that_ended_are_used_again() {
    fn burst() {
        current_thread().block_on(async {
            let tasks: Vec<_> = (0..times(500))
                .map(|_| taskscope::spawn(async {}))
                .collect();
            let (in_use, records) = (
                taskscope::stats().records_in_use,
                taskscope::stats().records,
            );
            assert!(
                (times(500)..=records).contains(&in_use),
                "{in_use} of {records}"
            );
            for task in tasks {
                task.await.unwrap();
            }
        });
    }
    burst();
    let before = taskscope::stats().records;
    for _ in 0..times(100) {
        std::thread::spawn(burst).join().unwrap();
    }
    // Other tests of this process take records, too, but not one for each of these tasks or lists.
    assert!(taskscope::stats().records < before + 5_000);
}

#[test]
fn every_way_to_spawn_tells_the_line_that_called_it() {
    let runtime = current_thread();
    let scope = taskscope::Scope::new("owner");
    tokio::task::LocalSet::new().block_on(&runtime, async {
        let first = line!() + 1;
        let _tasks = [
            taskscope::spawn(pending::<()>()),
            taskscope::spawn_named("named", pending::<()>()),
            taskscope::background("background", pending::<()>()),
            taskscope::spawn_local(pending::<()>()),
            taskscope::Builder::new().spawn(pending::<()>()),
            taskscope::Builder::new().spawn_local(pending::<()>()),
            scope.spawn(pending::<()>()),
            scope.to_ref().spawn(pending::<()>()),
        ];
        let lines: Vec<_> = tasks_of(&Handle::current())
            .iter()
            .map(|task| {
                (
                    task.site.file().ends_with("tests/lifecycle.rs"),
                    task.site.line(),
                )
            })
            .collect();
        let expected: Vec<_> = (1..=8).map(|line| (true, first + line)).collect();
        assert_eq!(lines, expected);
    });
}

/// Records of tasks that ended are used again, so their order in memory is not that of the tasks.
#[test]
fn a_dump_lists_the_oldest_task_first() {
    let runtime = current_thread();
    let _tasks = runtime.block_on(async {
        let spawn = |number: usize| taskscope::spawn_named(number.to_string(), pending::<()>());
        let mut tasks: Vec<_> = (0..6).map(spawn).collect();
        for number in [4, 1] {
            let ended = tasks.remove(number);
            ended.abort();
            drop(ended.await);
        }
        tasks.extend((6..9).map(spawn));
        tasks
    });
    let names: Vec<_> = tasks_of(runtime.handle())
        .into_iter()
        .filter_map(|task| task.name)
        .collect();
    assert_eq!(
        names.iter().map(|name| &**name).collect::<Vec<_>>(),
        ["0", "2", "3", "5", "6", "7", "8"]
    );
}
