//! The time that tasks spend in each activity, while sampling is on. How exact it is, the
//! benchmarks say.
#![cfg(feature = "enable")]
#![allow(missing_docs, reason = "tests")]

use std::future::{Future, poll_fn};
use std::panic::Location;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use taskscope::sampling::{self, Activity, Report, Row};
use taskscope::{Scope, WaitKind, dump::NoTrace};
use tokio::runtime::Runtime;
use tokio::sync::{Mutex, mpsc, oneshot};

/// A runtime whose only worker knows that sampling is on: the very first poll of a thread is never
/// chosen.
fn runtime() -> Runtime {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        for _ in 0..3 {
            taskscope::spawn(tokio::time::sleep(Duration::from_millis(3)))
                .await
                .unwrap();
        }
    });
    runtime
}

/// The rows of the tasks that were spawned in this line.
fn rows(report: &Report, line: u32) -> Vec<&Row> {
    let rows = report.rows.iter();
    rows.filter(|row| row.site.line() == line && row.site.file() == file!())
        .collect()
}

fn is_waiting_for(row: &Row, kind: WaitKind) -> bool {
    row.activity == Activity::Waiting
        && row
            .trace
            .as_ref()
            .is_ok_and(|trace| trace.wait_reason().kinds == [kind])
}

/// The first row of that line that is as wanted, as soon as there is one.
fn await_row(line: u32, wanted: impl Fn(&Row) -> bool) -> Row {
    let begun = Instant::now();
    loop {
        let report = sampling::report();
        if let Some(row) = rows(&report, line).into_iter().find(|row| wanted(row)) {
            return row.clone();
        }
        assert!(
            begun.elapsed() < Duration::from_secs(30),
            "not there: {:#?}",
            rows(&report, line)
        );
        std::thread::sleep(Duration::from_millis(5));
    }
}

async fn waits_for_a_message(mut messages: mpsc::Receiver<u8>) {
    messages.recv().await;
}

#[test]
fn a_wait_that_goes_on_is_reported_with_its_stack_its_spawn_site_and_its_scope() {
    sampling::start();
    let runtime = runtime();
    let scope = Scope::new("GET /waits");
    let (sender, receiver) = mpsc::channel(1);
    let _in_runtime = runtime.enter();
    let task = scope.spawn(waits_for_a_message(receiver));
    let line = line!() - 1;
    let row = await_row(line, |row| {
        is_waiting_for(row, WaitKind::MpscRecv) && row.time > 2 * sampling::LONG_STRETCH
    });
    assert_eq!(row.scope.as_deref(), Some("GET /waits"));
    assert!(row.future.contains("waits_for_a_message"), "{}", row.future);
    assert!(row.count >= 1);
    assert!(!row.background);
    let trace = row.trace.unwrap().to_string();
    assert!(trace.contains("waits_for_a_message"), "{trace}");
    drop(sender);
    runtime.block_on(task).unwrap();

    // It has ended, and what it waited is still known.
    let after = await_row(line, |row| is_waiting_for(row, WaitKind::MpscRecv));
    assert!(after.time >= row.time, "{:?} {:?}", after.time, row.time);
}

#[test]
fn short_waits_are_reported_although_nobody_looks_while_they_last() {
    sampling::start();
    let runtime = runtime();
    let (stop, mut stopped) = oneshot::channel::<()>();
    let _in_runtime = runtime.enter();
    let task = taskscope::spawn(async move {
        while stopped.try_recv().is_err() {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    });
    let line = line!() - 5;
    let row = await_row(line, |row| {
        is_waiting_for(row, WaitKind::Sleep) && row.count > 20
    });
    assert!(row.time > Duration::from_millis(20), "{:?}", row.time);
    // Both of what a poll is preceded by and what it takes.
    let scheduled = await_row(line, |row| row.activity == Activity::Scheduled);
    let running = await_row(line, |row| row.activity == Activity::Running);
    assert!(scheduled.trace.is_err() && running.trace.is_err());
    stop.send(()).unwrap();
    runtime.block_on(task).unwrap();
}

#[test]
fn waiting_for_a_lock_is_told_from_holding_it() {
    sampling::start();
    let runtime = runtime();
    let lock = Arc::new(Mutex::new(()));
    let (stop, stopped) = oneshot::channel::<()>();
    let (locked, is_locked) = oneshot::channel::<()>();
    let _in_runtime = runtime.enter();
    let theirs = lock.clone();
    let holder = taskscope::spawn(async move {
        let _held = theirs.lock().await;
        locked.send(()).unwrap();
        let _ = stopped.await;
    });
    let holds = line!() - 5;
    runtime.block_on(is_locked).unwrap();
    let waiter = taskscope::spawn(async move { drop(lock.lock().await) });
    let waits = line!() - 1;
    await_row(waits, |row| is_waiting_for(row, WaitKind::Mutex));
    await_row(holds, |row| is_waiting_for(row, WaitKind::OneshotRecv));
    let report = sampling::report();
    let holder_waits = |row: &&Row| is_waiting_for(row, WaitKind::Mutex);
    assert!(!rows(&report, holds).iter().any(holder_waits));
    stop.send(()).unwrap();
    runtime.block_on(async { (holder.await.unwrap(), waiter.await.unwrap()) });
}

#[test]
fn a_long_poll_is_running_time_while_it_lasts_and_the_task_behind_it_is_scheduled() {
    sampling::start();
    let runtime = runtime();
    let (end, ended) = std::sync::mpsc::channel::<()>();
    let _in_runtime = runtime.enter();
    // On the only worker.
    let blocks = taskscope::spawn(async move { ended.recv().unwrap() });
    let line = line!() - 1;
    let blocked = await_row(line, |row| {
        row.activity == Activity::Running && row.time > sampling::LONG_STRETCH
    });
    assert_eq!(blocked.trace.unwrap_err(), NoTrace::Running);
    let behind = taskscope::spawn(async {});
    let line = line!() - 1;
    await_row(line, |row| {
        row.activity == Activity::Scheduled && row.time > sampling::LONG_STRETCH
    });
    end.send(()).unwrap();
    runtime.block_on(async { (blocks.await.unwrap(), behind.await.unwrap()) });
}

/// A future that counts how often it is polled, and waits for the channel.
fn counted(polls: Arc<AtomicU64>, ended: oneshot::Receiver<()>) -> impl Future<Output = ()> {
    let mut ended = Box::pin(ended);
    poll_fn(move |cx| {
        polls.fetch_add(1, Ordering::SeqCst);
        match ended.as_mut().poll(cx) {
            Poll::Ready(_) => Poll::Ready(()),
            Poll::Pending => Poll::Pending,
        }
    })
}

#[test]
fn a_long_wait_is_not_polled_and_charged_all_the_same() {
    sampling::start();
    let runtime = runtime();
    let _in_runtime = runtime.enter();
    let polls: [Arc<AtomicU64>; 2] = Default::default();
    let (end, ended) = oneshot::channel();
    let task = taskscope::spawn(counted(polls[0].clone(), ended));
    let line = line!() - 1;
    let (end_shy, ended) = oneshot::channel();
    let shy = taskscope::Builder::new()
        .no_capture()
        .spawn(counted(polls[1].clone(), ended));
    let shy_line = line!() - 1;
    let many_looks = 5 * sampling::LONG_STRETCH;
    await_row(line, |row| {
        row.activity == Activity::Waiting && row.time > many_looks
    });
    let row = await_row(shy_line, |row| {
        row.activity == Activity::Waiting && row.time > many_looks
    });
    assert_eq!(row.trace.unwrap_err(), NoTrace::NotAllowed);
    // Twice, if sampling has chosen its first poll and it had moved on in it: nothing has polled it
    // since.
    assert!(polls[0].load(Ordering::SeqCst) <= 2);
    assert_eq!(polls[1].load(Ordering::SeqCst), 1);
    end.send(()).unwrap();
    end_shy.send(()).unwrap();
    runtime.block_on(async { (task.await.unwrap(), shy.await.unwrap()) });
}

#[test]
fn numbers_never_get_smaller_from_one_report_to_the_next() {
    sampling::start();
    let runtime = runtime();
    let _in_runtime = runtime.enter();
    let (stop, mut stopped) = oneshot::channel::<()>();
    let task = taskscope::spawn(async move {
        while stopped.try_recv().is_err() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    });
    let line = line!() - 5;
    let (mut last, mut grown) = ((0, Duration::ZERO), 0);
    let begun = Instant::now();
    while grown < 50 {
        assert!(begun.elapsed() < Duration::from_secs(30), "{last:?}");
        let report = sampling::report();
        let rows = rows(&report, line).into_iter();
        let now = rows
            .filter(|row| row.activity == Activity::Waiting && row.trace.is_ok())
            .fold((0, Duration::ZERO), |(count, time), row| {
                (count + row.count, time + row.time)
            });
        assert!(now.0 >= last.0 && now.1 >= last.1, "{last:?} {now:?}");
        grown += u32::from(now > last);
        last = now;
    }
    stop.send(()).unwrap();
    runtime.block_on(task).unwrap();
}

#[test]
fn the_report_says_for_how_long_and_how_closely_it_was_looked() {
    sampling::start();
    assert!(sampling::is_on());
    assert!(!sampling::start(), "it was on");
    let report = sampling::report();
    assert!(report.sampled > Duration::ZERO);
    assert!(
        report
            .sampling_rate
            .iter()
            .all(|one_in| one_in.is_power_of_two())
    );
    let here: &Location<'_> = Location::caller();
    assert!(rows(&report, here.line()).is_empty());
}

#[test]
fn a_task_that_was_woken_in_a_long_poll_waits_for_a_thread_only_from_its_end_on() {
    sampling::start();
    let runtime = runtime();
    let _in_runtime = runtime.enter();
    // On the only worker, so nothing comes in between.
    let line = line!() + 1;
    let task = taskscope::spawn(async {
        for _ in 0..20 {
            let mut polled = false;
            poll_fn(|cx| {
                if polled {
                    return Poll::Ready(());
                }
                polled = true;
                cx.waker().wake_by_ref();
                std::thread::sleep(Duration::from_millis(30));
                Poll::Pending
            })
            .await;
        }
    });
    runtime.block_on(task).unwrap();
    let report = sampling::report();
    let time = |activity| {
        let rows = rows(&report, line).into_iter();
        let rows = rows.filter(|row| row.activity == activity);
        rows.map(|row| row.time).sum::<Duration>()
    };
    let (ran, waited) = (time(Activity::Running), time(Activity::Scheduled));
    assert!(ran > Duration::from_millis(300), "{ran:?}");
    assert!(waited < ran / 2, "{waited:?} of {ran:?}");
}

/// Takes the first waker that it sees, and no other one. A thread wakes it again and again.
async fn takes_its_waker_once(mut ended: oneshot::Receiver<()>) {
    let mut taken = false;
    poll_fn(move |cx| {
        if !std::mem::replace(&mut taken, true) {
            let waker = cx.waker().clone();
            std::thread::spawn(move || {
                for _ in 0..50 {
                    std::thread::sleep(Duration::from_millis(5));
                    waker.wake_by_ref();
                }
            });
        }
        match ended.try_recv() {
            Err(oneshot::error::TryRecvError::Empty) => Poll::Pending,
            _ => Poll::Ready(()),
        }
    })
    .await;
}

#[test]
fn waits_for_which_the_task_took_no_waker_are_told_as_such_and_not_lost() {
    sampling::start();
    let runtime = runtime();
    let _in_runtime = runtime.enter();
    let (end, ended) = oneshot::channel();
    let task = taskscope::spawn(takes_its_waker_once(ended));
    let line = line!() - 1;
    await_row(line, |row| {
        // More than one, so some have ended.
        row.trace
            .as_ref()
            .is_err_and(|why| *why == NoTrace::NoWaker)
            && row.count > 3
    });
    drop((end, task));
}

/// Is ready when it is polled a second time, although nobody has woken it.
struct TakesAPollForAnEvent(Option<Waker>);

impl Future for TakesAPollForAnEvent {
    type Output = ();
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        match self.0.replace(cx.waker().clone()) {
            None => Poll::Pending,
            Some(_) => Poll::Ready(()),
        }
    }
}

#[test]
fn a_wait_that_ends_with_its_task_in_a_poll_that_nobody_woke_is_told() {
    sampling::start();
    let line = line!() + 2;
    let wait = || {
        let mut future = Box::pin(taskscope::instrument(TakesAPollForAnEvent(None)));
        let cx = &mut Context::from_waker(Waker::noop());
        assert!(future.as_mut().poll(cx).is_pending());
        assert!(future.as_mut().poll(cx).is_ready());
    };
    (0..20).for_each(|_| wait());
    await_row(line, |row| {
        (0..20).for_each(|_| wait());
        // More than reports of other tests happen to see while they go on.
        row.activity == Activity::Waiting && row.count > 100
    });
}
