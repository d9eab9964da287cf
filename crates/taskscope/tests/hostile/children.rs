//! Tasks that poll other futures in ways of their own: with other wakers, inside of another
//! runtime, on loan from another task.

use std::future::{Future, pending, poll_fn};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use futures::StreamExt;
use futures::stream::FuturesUnordered;
use taskscope::{DumpOptions, NoTrace, TaskDump, Verdict};
use tokio::runtime::Runtime;
use tokio::sync::{Notify, mpsc, oneshot};

use crate::times::times;
use crate::ways::{
    Account, End, NAMELESS, current_thread, dump_of, every_way, tasks_of, two_workers, until,
};

type Boxed = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Polls its child with a waker of its own and never looks at the task's waker again.
struct Adopts {
    child: Boxed,
    own: Option<Arc<OwnWaker>>,
    polls: Arc<AtomicU32>,
}

struct OwnWaker {
    task: Waker,
    woken: AtomicBool,
}

impl Wake for OwnWaker {
    fn wake(self: Arc<Self>) {
        self.woken.store(true, Ordering::Release);
        self.task.wake_by_ref();
    }
}

impl Future for Adopts {
    type Output = ();
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        self.polls.fetch_add(1, Ordering::Relaxed);
        let own = self.own.get_or_insert_with(|| {
            Arc::new(OwnWaker {
                task: cx.waker().clone(),
                woken: AtomicBool::new(true),
            })
        });
        // As containers of futures do: nobody is polled who was not woken.
        if !own.woken.swap(false, Ordering::AcqRel) {
            return Poll::Pending;
        }
        let waker = Waker::from(own.clone());
        self.child.as_mut().poll(&mut Context::from_waker(&waker))
    }
}

fn adopts(child: impl Future<Output = ()> + Send + 'static) -> (Adopts, Arc<AtomicU32>) {
    let polls = Arc::new(AtomicU32::new(0));
    let adopts = Adopts {
        child: Box::pin(child),
        own: None,
        polls: polls.clone(),
    };
    (adopts, polls)
}

#[test]
fn a_child_with_a_waker_of_its_own_is_woken_through_the_tasks() {
    every_way(|way| {
        let (sender, mut numbers) = mpsc::channel(1);
        let (adopts, _) = adopts(async move { while numbers.recv().await.is_some() {} });
        let task = way.spawn(adopts);
        for number in 0..times(200) {
            way.runtime.block_on(sender.send(number)).unwrap();
        }
        drop(sender);
        assert_eq!(way.end(task), End::Ready(()));
    });
}

#[test]
fn such_a_task_is_idle_and_shows_no_stack_because_it_takes_no_waker() {
    let account = Account::open();
    let runtime = two_workers();
    let (adopts, polls) = adopts(pending());
    let _task = {
        let _entered = runtime.enter();
        taskscope::spawn(adopts)
    };
    until(|| tasks_of(runtime.handle())[0].state.name() == "idle");
    let seen = dump_of(runtime.handle()).remove(0);
    assert!(polls.load(Ordering::Relaxed) >= 2, "it was asked");
    assert_eq!((seen.verdict, seen.wakers), (Verdict::Idle, 1));
    assert_eq!(seen.trace.unwrap_err(), NoTrace::NoWaker);
    drop(runtime);
    drop(_task);
    account.settle(0);
}

#[test]
fn a_set_of_futures_is_where_the_trace_ends() {
    async fn drain(mut set: FuturesUnordered<oneshot::Receiver<()>>) {
        while set.next().await.is_some() {}
    }
    let account = Account::open();
    let runtime = two_workers();
    let (senders, receivers): (Vec<_>, Vec<_>) = (0..times(40)).map(|_| oneshot::channel()).unzip();
    let task = {
        let _entered = runtime.enter();
        taskscope::spawn(drain(receivers.into_iter().collect()))
    };
    until(|| tasks_of(runtime.handle())[0].state.name() == "idle");
    let seen = dump_of(runtime.handle()).remove(0);
    assert_eq!((seen.verdict, seen.wakers), (Verdict::Idle, 1));
    let trace = seen.trace.unwrap();
    assert_eq!(trace.branches().len(), 1);
    let text = trace.to_string();
    let named = text.contains("futures_unordered") && text.contains("drain");
    assert!(named || NAMELESS, "{text}");
    // The wakers of the set are in order after the capture: each of its futures gets through.
    for sender in senders {
        sender.send(()).unwrap();
    }
    runtime.block_on(task).unwrap();
    drop(runtime);
    account.settle(0);
}

/// A future that can be handed from task to task while it waits.
type OnLoan = Arc<Mutex<Option<Boxed>>>;

/// Polls what it finds, and puts it back if it is pending. If it finds nothing, it looks again.
async fn borrows(loan: OnLoan, polled: Arc<AtomicBool>) {
    poll_fn(move |cx| {
        let Some(mut future) = loan.lock().unwrap().take() else {
            // Another task is polling it just now.
            cx.waker().wake_by_ref();
            return Poll::Pending;
        };
        let result = future.as_mut().poll(cx);
        if result.is_pending() {
            *loan.lock().unwrap() = Some(future);
        }
        polled.store(true, Ordering::Release);
        result
    })
    .await;
}

#[test]
fn a_future_that_moves_to_another_task_wakes_that_one() {
    every_way(|way| {
        let notify = Arc::new(Notify::new());
        let waits = notify.clone();
        let loan: OnLoan = Arc::default();
        *loan.lock().unwrap() = Some(Box::pin(async move { waits.notified().await }));
        let tasks = [(); 2].map(|()| {
            let polled = Arc::new(AtomicBool::new(false));
            let task = way.spawn(borrows(loan.clone(), polled.clone()));
            way.drive_until(|| polled.load(Ordering::Acquire));
            task
        });
        let [first, second] = tasks;
        // A dump polls the first again, which then has the future back: so it is taken away for
        // good.
        first.abort();
        assert_eq!(way.end(first), End::Cancelled);
        let polled = Arc::new(AtomicBool::new(false));
        let third = way.spawn(borrows(loan.clone(), polled.clone()));
        way.drive_until(|| polled.load(Ordering::Acquire));
        second.abort();
        assert_eq!(way.end(second), End::Cancelled);
        notify.notify_waiters();
        // With the second one's destructor nothing was lost: the future was registered by whoever
        // polled it last.
        way.drive_until(|| {
            notify.notify_waiters();
            third.is_finished()
        });
        assert_eq!(way.end(third), End::Ready(()));
    });
}

#[test]
fn the_task_that_gave_its_future_away_is_the_one_that_is_stuck() {
    let account = Account::open();
    let runtime = current_thread();
    let (_keep, waits) = oneshot::channel::<()>();
    let loan: OnLoan = Arc::default();
    *loan.lock().unwrap() = Some(Box::pin(async { drop(waits.await) }));
    let polled = || Arc::new(AtomicBool::new(false));
    let tasks = runtime.block_on(async {
        let first = taskscope::spawn_named("first", borrows(loan.clone(), polled()));
        tokio::task::yield_now().await;
        assert_eq!(
            verdicts(&tasks_of(runtime.handle())),
            [("first", Verdict::Idle)]
        );
        let second = taskscope::spawn_named("second", borrows(loan.clone(), polled()));
        tokio::task::yield_now().await;
        (first, second)
    });
    let seen = tasks_of(runtime.handle());
    assert_eq!(
        verdicts(&seen),
        [("first", Verdict::Stuck), ("second", Verdict::Idle)]
    );
    drop((tasks, runtime, loan));
    account.settle(0);
}

fn verdicts(tasks: &[TaskDump]) -> Vec<(&str, Verdict)> {
    let named = |task: &'_ TaskDump| task.verdict;
    tasks
        .iter()
        .map(|task| (task.name.as_deref().unwrap(), named(task)))
        .collect()
}

/// Drives a runtime of its own, with tasks of its own, in each of its polls: captures inside of a
/// capture.
#[test]
fn the_traces_of_tasks_that_are_polled_inside_of_another_tasks_poll_are_kept_apart() {
    async fn inner_wait() {
        tokio::time::sleep(Duration::from_secs(600)).await;
    }
    async fn outer_wait(inner: Arc<Runtime>, before: bool) {
        let mut sleep = Box::pin(tokio::time::sleep(Duration::from_secs(600)));
        poll_fn(move |cx| {
            let first = before.then(|| sleep.as_mut().poll(cx));
            tokio::task::block_in_place(|| {
                inner.block_on(async {
                    for _ in 0..5 {
                        tokio::task::yield_now().await;
                    }
                });
            });
            first.unwrap_or_else(|| sleep.as_mut().poll(cx))
        })
        .await;
    }
    let account = Account::open();
    for before in [false, true] {
        let (outer, inner) = (two_workers(), Arc::new(current_thread()));
        let mut tasks = Vec::new();
        {
            let _entered = inner.enter();
            tasks.extend((0..3).map(|_| taskscope::spawn(inner_wait())));
        }
        {
            let _entered = outer.enter();
            tasks.push(taskscope::spawn(outer_wait(inner.clone(), before)));
        }
        let idle = |task: &TaskDump| task.state.name() == "idle";
        until(|| tasks_of(inner.handle()).iter().all(|task| task.polls > 0));
        until(|| tasks_of(outer.handle()).iter().all(idle));
        // Nobody drives the inner runtime: what it is asked for waits until the outer one is asked,
        // too.
        let dumper = std::thread::spawn({
            let inner = inner.handle().clone();
            move || dump_of(&inner)
        });
        until(|| inner.metrics().global_queue_depth() == 3);
        let mut seen = dump_of(outer.handle());
        seen.extend(dumper.join().unwrap());
        assert_eq!(seen.len(), 4);
        for task in &seen {
            let text = task.trace.as_ref().unwrap().to_string();
            let is_outer = task.future.contains("outer_wait");
            let named = ["outer_wait", "inner_wait"].map(|name| text.contains(name));
            assert!(named == [is_outer, !is_outer] || NAMELESS, "{text}");
            // Its first poll and the one for the capture, which those inside of it must not have
            // spoilt.
            assert_eq!((task.wakers, task.polls), (1, 2));
        }
        drop(tasks);
        drop(outer);
        drop(inner);
        account.settle(0);
    }
}

/// A dump inside of a poll, and so also inside of the poll that another dump asked for.
#[test]
fn a_task_that_takes_dumps_in_its_polls_is_in_nobodys_way() {
    every_way(|way| {
        let id = way.runtime.handle().id();
        let other = way.spawn(pending::<()>());
        let mut rounds = 0;
        let task = way.spawn(poll_fn(move |cx| {
            let options = DumpOptions::new().runtime(id);
            drop(options.stall(Duration::from_millis(1)).capture_blocking());
            rounds += 1;
            cx.waker().wake_by_ref();
            if rounds == times(10) {
                Poll::Ready(())
            } else {
                Poll::Pending
            }
        }));
        assert_eq!(way.end(task), End::Ready(()));
        other.abort();
        assert_eq!(way.end(other), End::Cancelled);
    });
}
