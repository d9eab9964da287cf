//! The order in which tasks run, where tokio documents it; and the paused clock.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Notify, mpsc, oneshot};
use tokio::task::yield_now;
use tokio::time::{Instant, sleep};

use crate::table::{ALONE, EVERYWHERE, Lab, Setting, alike, undisturbed};

const FIFO: &[Setting] = &[Setting::CurrentThread, Setting::LocalSet];

/// Spawns one task for each letter, in this order; each says its letter so many times and yields in
/// between.
async fn letters(lab: Lab, times: usize) {
    let tasks = ["a", "b", "c"].map(|letter| {
        let says = lab.clone();
        lab.spawn(async move {
            for time in 0..times {
                if time > 0 {
                    yield_now().await;
                }
                says.say(letter);
            }
        })
    });
    for task in tasks {
        task.await.unwrap();
    }
}

#[test]
fn tasks_of_one_thread_run_in_the_order_in_which_they_were_spawned() {
    undisturbed(FIFO, &["a", "b", "c"], |lab| letters(lab, 1));
}

/// "The other task is added to the worker thread's lifo slot instead of being added to a queue."
#[test]
fn the_task_that_a_worker_spawned_last_is_its_next_one() {
    undisturbed(&[Setting::OneWorker], &["c", "a", "b"], |lab| {
        letters(lab, 1)
    });
}

#[test]
fn tasks_that_yield_take_turns_in_the_same_order() {
    alike(ALONE, |lab| letters(lab, 5));
}

/// Wakes a task when another one has been spawned already.
async fn spawns_and_then_wakes(lab: Lab) {
    let notify = Arc::new(Notify::new());
    let (begun, begins) = oneshot::channel();
    let (says, notified) = (lab.clone(), notify.clone());
    let woken = lab.spawn(async move {
        begun.send(()).unwrap();
        notified.notified().await;
        says.say("woken");
    });
    begins.await.unwrap();
    yield_now().await;
    let says = lab.clone();
    let spawned = lab.spawn(async move { says.say("spawned") });
    notify.notify_one();
    spawned.await.unwrap();
    woken.await.unwrap();
}

#[test]
fn a_woken_task_runs_after_those_that_were_queued_before_it() {
    undisturbed(FIFO, &["spawned", "woken"], spawns_and_then_wakes);
}

#[test]
fn the_task_that_a_worker_woke_last_is_its_next_one() {
    let expected = ["woken", "spawned"];
    undisturbed(&[Setting::OneWorker], &expected, spawns_and_then_wakes);
}

/// Two that wake each other for ever must not keep a third from running, and the third must not
/// come earlier either.
#[test]
fn two_tasks_that_wake_each_other_let_a_third_in_at_the_same_moment() {
    alike(ALONE, |lab| async move {
        let (there, mut from_here) = mpsc::channel::<()>(1);
        let (back, mut from_there) = mpsc::channel::<()>(1);
        let (ping, pong, third) = (lab.clone(), lab.clone(), lab.clone());
        let tasks = [
            lab.spawn(async move {
                for _ in 0..20 {
                    ping.say("ping");
                    there.send(()).await.unwrap();
                    from_there.recv().await.unwrap();
                }
            }),
            lab.spawn(async move {
                while from_here.recv().await.is_some() {
                    pong.say("pong");
                    back.send(()).await.unwrap();
                }
            }),
            lab.spawn(async move {
                for _ in 0..3 {
                    third.say("third");
                    yield_now().await;
                }
            }),
        ];
        for task in tasks {
            task.await.unwrap();
        }
    });
}

/// Only with nothing else to do does the paused clock move: a task of ours must not look like
/// something to do.
#[test]
fn the_paused_clock_moves_on_to_the_next_timer_when_all_tasks_are_idle() {
    let expected = ["1 s", "2 s", "3 s", "3600 s"];
    undisturbed(FIFO, &expected, |lab| async move {
        tokio::time::pause();
        let begun = Instant::now();
        let after = |seconds| {
            let says = lab.clone();
            lab.spawn(async move {
                sleep(Duration::from_secs(seconds)).await;
                says.say(format!("{} s", begun.elapsed().as_secs()));
            })
        };
        let tasks = [after(3600), after(2), after(1), after(3)];
        for task in tasks {
            task.await.unwrap();
        }
    });
}

#[test]
fn what_a_future_holds_is_dropped_in_the_order_of_its_own_rules() {
    let expected = [
        "local 2 dropped",
        "local 1 dropped",
        "captured dropped",
        "output dropped",
    ];
    undisturbed(EVERYWHERE, &expected, |lab| async move {
        let (captured, output) = (lab.loud("captured"), lab.loud("output"));
        let (one, two) = (lab.loud("local 1"), lab.loud("local 2"));
        let task = lab.spawn(async move {
            let _captured = &captured;
            let _one = one;
            yield_now().await;
            let _two = two;
            yield_now().await;
            output
        });
        drop(task.await.unwrap());
    });
}
