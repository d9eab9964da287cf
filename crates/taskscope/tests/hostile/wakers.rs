//! Futures that keep, drop, forget and exchange their wakers, and use them on other threads and in
//! destructors.

use std::cell::RefCell;
use std::future::{Future, pending, poll_fn};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc;
use std::sync::{Arc, Mutex};
use std::task::{Poll, Waker};
use std::thread;

use taskscope::{Verdict, dump::NoTrace};

use crate::times::times;
use crate::ways::{
    Account, End, NAMELESS, current_thread, dump_of, every_way, tasks_of, two_workers, until,
};

type Kept = Arc<Mutex<Vec<Waker>>>;

/// Is pending so often, takes a waker in each poll and keeps them all. It wakes itself.
fn keeps_all(kept: &Kept, times: usize) -> impl Future<Output = usize> + Send + 'static {
    let (kept, mut taken) = (kept.clone(), 0);
    poll_fn(move |cx| {
        kept.lock().unwrap().push(cx.waker().clone());
        if taken == times {
            return Poll::Ready(taken);
        }
        taken += 1;
        cx.waker().wake_by_ref();
        Poll::Pending
    })
}

#[test]
fn wakers_that_are_kept_for_ever_wake_nobody_else() {
    every_way(|way| {
        let kept = Kept::default();
        let count = times(50);
        let ends: Vec<_> = (0..count)
            .map(|_| way.end(way.spawn(keeps_all(&kept, 3))))
            .collect();
        assert!(ends.iter().all(|end| *end == End::Ready(3)), "{ends:?}");

        // Later tasks are polled once each, whatever happens to the wakers of the earlier ones.
        let polls = Arc::new(AtomicU32::new(0));
        let later: Vec<_> = (0..count)
            .map(|_| {
                let polls = polls.clone();
                let waits = async move {
                    polls.fetch_add(1, Ordering::Relaxed);
                    pending::<()>().await;
                };
                way.spawn(waits)
            })
            .collect();
        let polled = || polls.load(Ordering::Relaxed) as usize;
        way.drive_until(|| polled() == count);
        let kept = std::mem::take(&mut *kept.lock().unwrap());
        let waking = thread::spawn(move || {
            for waker in kept {
                waker.wake_by_ref();
                waker.clone().wake();
                waker.wake();
            }
        });
        waking.join().unwrap();
        way.drive_until(|| later.iter().all(|task| !task.is_finished()));
        assert_eq!(polled(), count);
        later.iter().for_each(|task| task.abort());
        for task in later {
            assert_eq!(way.end(task), End::Cancelled);
        }
    });
}

#[test]
fn a_record_is_in_use_as_long_as_a_waker_is_and_its_task_is_not_alive() {
    let account = Account::open();
    let runtime = current_thread();
    let kept = Kept::default();
    runtime.block_on(async { drop(taskscope::spawn(keeps_all(&kept, 3)).await) });
    assert!(tasks_of(runtime.handle()).is_empty());
    assert!(kept.lock().unwrap().len() >= 4);
    account.settle(1);
    let last = kept.lock().unwrap().pop();
    kept.lock().unwrap().clear();
    account.settle(1);
    // The record holds no runtime that is gone, and needs none to come back.
    drop(runtime);
    drop(last);
    assert_eq!(account.owed(), 0);
}

#[test]
fn a_wake_by_another_thread_in_the_middle_of_a_poll_makes_another_poll() {
    every_way(|way| {
        let mut rounds = 0;
        let task = way.spawn(poll_fn(move |cx| {
            rounds += 1;
            if rounds > times(100) {
                return Poll::Ready(());
            }
            let waker = cx.waker();
            thread::scope(|scope| {
                if rounds % 2 == 0 {
                    scope.spawn(|| waker.wake_by_ref());
                } else {
                    scope.spawn(|| waker.clone().wake());
                }
            });
            Poll::Pending
        }));
        assert_eq!(way.end(task), End::Ready(()));
    });
}

/// The wake comes before, during or after the end of the poll; whenever it comes, it must not get
/// lost.
#[test]
fn a_wake_that_races_the_end_of_the_poll_is_not_lost() {
    every_way(|way| {
        let (sender, wakers) = mpsc::channel::<Waker>();
        let waking = thread::spawn(move || {
            for waker in wakers {
                waker.wake();
            }
        });
        let mut rounds = 0;
        let task = way.spawn(poll_fn(move |cx| {
            rounds += 1;
            if rounds > times(3000) {
                return Poll::Ready(());
            }
            sender.send(cx.waker().clone()).unwrap();
            Poll::Pending
        }));
        assert_eq!(way.end(task), End::Ready(()));
        waking.join().unwrap();
    });
}

/// Never registers with a leaf: it drops what it takes.
#[test]
fn a_task_that_drops_its_waker_is_stuck_and_shows_where_it_took_it() {
    async fn takes_and_drops() {
        poll_fn(|cx| {
            drop(cx.waker().clone());
            Poll::<()>::Pending
        })
        .await;
    }
    let account = Account::open();
    let runtime = two_workers();
    let task = {
        let _entered = runtime.enter();
        taskscope::spawn(takes_and_drops())
    };
    until(|| tasks_of(runtime.handle())[0].state.name() == "idle");
    let seen = dump_of(runtime.handle()).remove(0);
    assert_eq!((seen.verdict, seen.wakers), (Verdict::Stuck, 0));
    let trace = seen.trace.unwrap().to_string();
    assert!(trace.contains("takes_and_drops") || NAMELESS, "{trace}");
    drop((task, runtime));
    account.settle(0);
}

/// A waker that nobody can ever use is not distinguished from one that is kept: the task is not
/// called stuck.
#[test]
fn a_waker_that_is_forgotten_costs_one_record_and_nothing_else() {
    let account = Account::open();
    let runtime = two_workers();
    let task = {
        let _entered = runtime.enter();
        taskscope::spawn(poll_fn(|cx| {
            std::mem::forget(cx.waker().clone());
            Poll::<()>::Pending
        }))
    };
    until(|| tasks_of(runtime.handle())[0].state.name() == "idle");
    let seen = dump_of(runtime.handle()).remove(0);
    assert_eq!(seen.verdict, Verdict::Idle);
    assert!(seen.wakers > 0);
    task.abort();
    assert!(runtime.block_on(task).unwrap_err().is_cancelled());
    assert!(tasks_of(runtime.handle()).is_empty());
    account.settle(1);
}

#[test]
fn a_waker_that_is_taken_on_another_thread_counts_and_shows_no_stack() {
    let account = Account::open();
    let runtime = two_workers();
    let mut kept = None;
    let task = {
        let _entered = runtime.enter();
        taskscope::spawn(poll_fn(move |cx| {
            let waker = cx.waker();
            let taken = thread::scope(|scope| scope.spawn(|| waker.clone()).join().unwrap());
            drop(kept.replace(taken));
            Poll::<()>::Pending
        }))
    };
    until(|| tasks_of(runtime.handle())[0].state.name() == "idle");
    let seen = dump_of(runtime.handle()).remove(0);
    assert_eq!((seen.verdict, seen.wakers), (Verdict::Idle, 1));
    assert_eq!(seen.trace.unwrap_err(), NoTrace::NoWaker);
    drop((task, runtime));
    account.settle(0);
}

/// When the destructors of a thread's locals run, the list of free records of that thread may be
/// gone already.
#[test]
fn a_waker_that_ends_with_its_thread_gives_its_record_back() {
    thread_local! {
        static KEPT: RefCell<Vec<Waker>> = const { RefCell::new(Vec::new()) };
    }
    let account = Account::open();
    let before = taskscope::stats().records;
    // More than the free ones that there are.
    for _ in 0..before + times(300) {
        thread::spawn(|| {
            // Registered before the thread's first record: dropped after its list.
            KEPT.with_borrow_mut(Vec::clear);
            let runtime = current_thread();
            runtime.block_on(async {
                let takes = poll_fn(|cx| Poll::Ready(cx.waker().clone()));
                let waker = taskscope::spawn(takes).await.unwrap();
                KEPT.with_borrow_mut(|kept| kept.push(waker));
            });
        })
        .join()
        .unwrap();
    }
    account.settle(0);
    // Not one of each thread is lost.
    assert!(taskscope::stats().records < before + 200);
}

#[test]
fn a_task_that_wakes_itself_in_its_destructor_ends_all_the_same() {
    struct Wakes(Option<Waker>);
    impl Drop for Wakes {
        fn drop(&mut self) {
            if let Some(waker) = self.0.take() {
                waker.wake_by_ref();
                waker.wake();
            }
        }
    }
    every_way(|way| {
        for ready in [false, true] {
            let polled = Arc::new(AtomicU32::new(0));
            let (mut wakes, polls) = (Wakes(None), polled.clone());
            let task = way.spawn(poll_fn(move |cx| {
                drop(wakes.0.replace(cx.waker().clone()));
                polls.fetch_add(1, Ordering::Relaxed);
                if ready {
                    Poll::Ready(())
                } else {
                    Poll::Pending
                }
            }));
            way.drive_until(|| polled.load(Ordering::Relaxed) > 0);
            if ready {
                assert_eq!(way.end(task), End::Ready(()));
            } else {
                task.abort();
                assert_eq!(way.end(task), End::Cancelled);
            }
        }
    });
}

/// One task's waker in the hands of another, in both directions, thousands of times.
#[test]
fn tasks_that_hold_each_others_wakers_run_to_their_ends() {
    every_way(|way| {
        let slots: Arc<[Mutex<Option<Waker>>; 2]> = Arc::default();
        let tasks = [0, 1].map(|own| {
            let slots = slots.clone();
            let mut rounds = 0;
            way.spawn(poll_fn(move |cx| {
                rounds += 1;
                *slots[own].lock().unwrap() = Some(cx.waker().clone());
                let other = slots[1 - own].lock().unwrap().take();
                if let Some(other) = other {
                    other.wake();
                }
                if rounds > times(2000) {
                    return Poll::Ready(());
                }
                if rounds % 7 == 0 {
                    cx.waker().wake_by_ref();
                }
                // The task that comes second, or is alone, must not wait for the other.
                cx.waker().clone().wake();
                Poll::Pending
            }))
        });
        for task in tasks {
            assert_eq!(way.end(task), End::Ready(()));
        }
        slots
            .iter()
            .for_each(|slot| drop(slot.lock().unwrap().take()));
    });
}
