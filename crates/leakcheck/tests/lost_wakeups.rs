//! A check polls the tasks that are left for their stacks. A task that ends only by that poll
//! counts as left.
#![allow(missing_docs, reason = "tests")]

use std::future::poll_fn;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Poll, Waker};
use std::time::Duration;

use leakcheck::Options;

#[derive(Default)]
struct Flag {
    set: AtomicBool,
    waker: Mutex<Option<Waker>>,
}

/// Waits for the flag.
async fn waits_for(flag: Arc<Flag>) {
    poll_fn(|cx| {
        *flag.waker.lock().unwrap() = Some(cx.waker().clone());
        match flag.set.load(Ordering::SeqCst) {
            true => Poll::Ready(()),
            false => Poll::Pending,
        }
    })
    .await;
}

fn options() -> Options {
    Options::new().settle(Duration::from_millis(100))
}

/// A task that waits, after its first poll.
async fn spawned(flag: &Arc<Flag>) -> taskscope::JoinHandle<()> {
    let task = taskscope::spawn_named("waits", waits_for(Arc::clone(flag)));
    while flag.waker.lock().unwrap().is_none() {
        tokio::task::yield_now().await;
    }
    task
}

#[tokio::test]
async fn a_task_that_only_the_check_has_ended_fails_the_check() {
    let flag = Arc::new(Flag::default());
    let task = spawned(&flag).await;
    // And nobody is woken.
    flag.set.store(true, Ordering::SeqCst);
    let leaks = leakcheck::check_with(options()).await.unwrap_err();
    assert_eq!(leaks.count(), 1);
    let text = leaks.to_string();
    assert!(text.contains("1 task lost wake-up"), "{text}");
    assert!(
        text.contains("it ended only because it was polled for its stack: nothing had woken it"),
        "{text}"
    );
    task.await.unwrap();
    // It was told once.
    leakcheck::check_with(options()).await.unwrap();
}

#[tokio::test]
async fn a_task_that_was_woken_passes() {
    let flag = Arc::new(Flag::default());
    let task = spawned(&flag).await;
    flag.set.store(true, Ordering::SeqCst);
    let waker = flag.waker.lock().unwrap().take();
    waker.unwrap().wake();
    leakcheck::check_with(options()).await.unwrap();
    task.await.unwrap();
}

#[tokio::test]
async fn a_task_that_goes_on_waiting_is_a_leak_as_ever() {
    let flag = Arc::new(Flag::default());
    let task = spawned(&flag).await;
    let leaks = leakcheck::check_with(options()).await.unwrap_err();
    assert!(leaks.to_string().contains("1 task idle"), "{leaks}");
    task.abort();
}
