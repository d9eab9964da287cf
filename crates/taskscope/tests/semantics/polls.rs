//! How often a task is polled, with which waker, and when it is made to yield: no poll more than
//! without a record.

use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};

use tokio::sync::{Notify, mpsc, oneshot};
use tokio::task::coop;
use tokio::task::yield_now;

use crate::table::{ALONE, EVERYWHERE, alike, everywhere, undisturbed};

/// Counts the polls of a future.
struct Counted<F>(Pin<Box<F>>, Arc<AtomicU32>);

impl<F: Future> Future for Counted<F> {
    type Output = F::Output;
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        self.1.fetch_add(1, Ordering::Relaxed);
        self.0.as_mut().poll(cx)
    }
}

fn counted<F: Future>(future: F) -> (Counted<F>, Arc<AtomicU32>) {
    let polls = Arc::new(AtomicU32::new(0));
    (Counted(Box::pin(future), polls.clone()), polls)
}

/// Is pending once, and does this with the waker meanwhile.
fn once<F: FnMut(&Waker) + Unpin>(mut act: F) -> impl Future<Output = ()> {
    let mut acted = false;
    std::future::poll_fn(move |cx| {
        if acted {
            return Poll::Ready(());
        }
        acted = true;
        act(cx.waker());
        Poll::Pending
    })
}

#[test]
fn every_wake_inside_a_poll_together_makes_one_more_poll() {
    undisturbed(EVERYWHERE, &["3 polls"], |lab| async move {
        let (future, polls) = counted(async {
            once(Waker::wake_by_ref).await;
            once(|waker| {
                waker.wake_by_ref();
                waker.clone().wake();
                let elsewhere = waker.clone();
                std::thread::spawn(move || elsewhere.wake()).join().unwrap();
            })
            .await;
        });
        lab.spawn(future).await.unwrap();
        lab.say(format!("{} polls", polls.load(Ordering::Relaxed)));
    });
}

#[test]
fn wakes_between_two_polls_make_one_poll() {
    undisturbed(ALONE, &["2 polls"], |lab| async move {
        let (sender, wakers) = std::sync::mpsc::channel();
        let (future, polls) = counted(once(move |waker| sender.send(waker.clone()).unwrap()));
        let task = lab.spawn(future);
        while polls.load(Ordering::Relaxed) == 0 {
            yield_now().await;
        }
        let waker = wakers.recv().unwrap();
        for _ in 0..10 {
            waker.wake_by_ref();
        }
        waker.wake();
        task.await.unwrap();
        lab.say(format!("{} polls", polls.load(Ordering::Relaxed)));
    });
}

#[test]
fn a_wake_after_the_end_polls_nothing() {
    undisturbed(EVERYWHERE, &["1 polls"], |lab| async move {
        let kept = Arc::new(Mutex::new(Vec::new()));
        let keeps = kept.clone();
        let (future, polls) = counted(std::future::poll_fn(move |cx| {
            keeps.lock().unwrap().push(cx.waker().clone());
            Poll::Ready(())
        }));
        lab.spawn(future).await.unwrap();
        for waker in kept.lock().unwrap().drain(..) {
            waker.wake_by_ref();
            waker.wake();
        }
        for _ in 0..10 {
            yield_now().await;
        }
        lab.say(format!("{} polls", polls.load(Ordering::Relaxed)));
    });
}

#[test]
fn a_ping_pong_takes_as_many_polls() {
    alike(ALONE, |lab| async move {
        let (there, mut from_here) = mpsc::channel::<u32>(1);
        let (back, mut from_there) = mpsc::channel::<u32>(1);
        let (ping, pings) = counted(async move {
            for number in 0..100 {
                there.send(number).await.unwrap();
                assert_eq!(from_there.recv().await, Some(number));
            }
        });
        let (pong, pongs) = counted(async move {
            while let Some(number) = from_here.recv().await {
                back.send(number).await.unwrap();
            }
        });
        let (pong, ping) = (lab.spawn(pong), lab.spawn(ping));
        ping.await.unwrap();
        pong.await.unwrap();
        let count = |polls: Arc<AtomicU32>| polls.load(Ordering::Relaxed);
        lab.say(format!("{} {}", count(pings), count(pongs)));
    });
}

/// A leaf future that does not register anew in every poll relies on this.
#[test]
fn the_waker_is_the_same_in_every_poll() {
    undisturbed(
        EVERYWHERE,
        &["1 registration in 50 polls"],
        |lab| async move {
            let task = lab.spawn(async {
                let (mut kept, mut registrations, mut polls) = (None::<Waker>, 0, 0);
                std::future::poll_fn(move |cx| {
                    polls += 1;
                    if kept.as_ref().is_none_or(|kept| !kept.will_wake(cx.waker())) {
                        kept = Some(cx.waker().clone());
                        registrations += 1;
                    }
                    if polls == 50 {
                        return Poll::Ready((registrations, polls));
                    }
                    cx.waker().wake_by_ref();
                    Poll::Pending
                })
                .await
            });
            let (registrations, polls) = task.await.unwrap();
            lab.say(format!("{registrations} registration in {polls} polls"));
        },
    );
}

#[test]
fn wakers_of_one_task_are_alike_and_those_of_two_are_not() {
    everywhere(&["true", "false", "false"], |lab| async move {
        let waker = || std::future::poll_fn(|cx| Poll::Ready(cx.waker().clone()));
        let (one, same) = lab
            .spawn(async move { (waker().await, waker().await.clone()) })
            .await
            .unwrap();
        let other = lab.spawn(waker()).await.unwrap();
        lab.say(one.will_wake(&same));
        lab.say(one.will_wake(&other));
        lab.say(one.will_wake(Waker::noop()));
    });
}

#[test]
fn a_waker_wakes_from_a_thread_that_knows_no_runtime() {
    everywhere(&["woken"], |lab| async move {
        let task = lab.spawn(once(|waker| {
            let waker = waker.clone();
            drop(std::thread::spawn(move || waker.wake()));
        }));
        task.await.unwrap();
        lab.say("woken");
    });
}

#[test]
fn a_task_that_never_has_to_wait_yields_after_128_operations() {
    undisturbed(
        EVERYWHERE,
        &["1000 messages in 8 polls"],
        |lab| async move {
            let (sender, mut receiver) = mpsc::unbounded_channel();
            (0..1000).for_each(|number| sender.send(number).unwrap());
            drop(sender);
            let (future, polls) = counted(async move {
                let mut messages = 0;
                while receiver.recv().await.is_some() {
                    messages += 1;
                }
                messages
            });
            let messages = lab.spawn(future).await.unwrap();
            let polls = polls.load(Ordering::Relaxed);
            lab.say(format!("{messages} messages in {polls} polls"));
        },
    );
}

#[test]
fn an_unconstrained_task_does_not_yield() {
    undisturbed(EVERYWHERE, &["1 polls"], |lab| async move {
        let (sender, mut receiver) = mpsc::unbounded_channel();
        (0..1000).for_each(|number| sender.send(number).unwrap());
        drop(sender);
        let (future, polls) = counted(coop::unconstrained(async move {
            while receiver.recv().await.is_some() {}
        }));
        lab.spawn(future).await.unwrap();
        lab.say(format!("{} polls", polls.load(Ordering::Relaxed)));
    });
}

#[test]
fn the_budget_of_a_poll_can_be_seen_and_is_full_again_in_the_next() {
    undisturbed(EVERYWHERE, &["128 then 128"], |lab| async move {
        let task = lab.spawn(async {
            let mut used = [0, 0];
            for used in &mut used {
                while coop::has_budget_remaining() {
                    coop::consume_budget().await;
                    *used += 1;
                }
                once(Waker::wake_by_ref).await;
            }
            used
        });
        let [first, second] = task.await.unwrap();
        lab.say(format!("{first} then {second}"));
    });
}

/// Awaiting a handle is an operation, too.
#[test]
fn the_handle_spends_the_budget_of_whoever_awaits_it() {
    undisturbed(ALONE, &["300 joined in 3 polls"], |lab| async move {
        let tasks: Vec<_> = (0..300).map(|_| lab.spawn(async {})).collect();
        while tasks.iter().any(|task| !task.is_finished()) {
            yield_now().await;
        }
        let (joiner, polls) = counted(async move {
            let mut joined = 0;
            for task in tasks {
                task.await.unwrap();
                joined += 1;
            }
            joined
        });
        let joined = lab.spawn(joiner).await.unwrap();
        let polls = polls.load(Ordering::Relaxed);
        lab.say(format!("{joined} joined in {polls} polls"));
    });
}

/// A leaf that wakes all who wait polls each of them once.
#[test]
fn a_notification_for_all_polls_each_of_them_once() {
    undisturbed(ALONE, &["20 polls"], |lab| async move {
        let (notify, polls) = (Arc::new(Notify::new()), Arc::new(AtomicU32::new(0)));
        let tasks: Vec<_> = (0..10)
            .map(|_| {
                let notify = notify.clone();
                let waits = async move { notify.notified().await };
                lab.spawn(Counted(Box::pin(waits), polls.clone()))
            })
            .collect();
        while polls.load(Ordering::Relaxed) < 10 {
            yield_now().await;
        }
        notify.notify_waiters();
        for task in tasks {
            task.await.unwrap();
        }
        lab.say(format!("{} polls", polls.load(Ordering::Relaxed)));
    });
}

#[test]
fn tokio_counts_as_many_tasks() {
    undisturbed(ALONE, &["2 more"], |lab| async move {
        let alive = || {
            tokio::runtime::Handle::current()
                .metrics()
                .num_alive_tasks()
        };
        let before = alive();
        let (_keep, waits) = oneshot::channel::<()>();
        let tasks = [
            lab.spawn(async { drop(waits.await) }),
            lab.spawn(std::future::pending()),
        ];
        // A `LocalSet` counts its own tasks and not the runtime's.
        let local = alive() == before;
        lab.say(format!("{} more", if local { 2 } else { alive() - before }));
        drop(tasks);
    });
}
