//! The fifteen small patterns. Where Go would find that nothing can reach a channel any more, a
//! Rust task owns the other end itself: its waker is kept there, and the verdict is `idle`. `stuck`
//! is a task whose waker nobody has kept.

use std::any::Any;
use std::future::{pending, poll_fn};
use std::sync::Arc;
use std::task::Poll;

use tokio::sync::{Mutex, Notify, RwLock, mpsc, oneshot};
use tokio_util::task::TaskTracker;

use crate::Form;

/// Values that stay alive until the check is over.
type Kept = Box<dyn Any>;

/// Go: receive from a nil channel.
pub(crate) async fn receive_on_nothing(form: Form) {
    let receiver: Option<mpsc::Receiver<u8>> = None;
    drop(taskscope::spawn(async move {
        match receiver {
            Some(mut receiver) => drop(receiver.recv().await),
            None if form.is_fixed() => {}
            None => pending().await,
        }
    }));
}

/// Go: send to a nil channel. A sink that is not there is never ready, and forgets who asked.
pub(crate) async fn send_on_nothing(form: Form) {
    drop(taskscope::spawn(async move {
        poll_fn(|_| {
            if form.is_fixed() {
                Poll::Ready(())
            } else {
                Poll::Pending
            }
        })
        .await;
    }));
}

/// Go: a select without cases.
pub(crate) async fn select_on_nothing(form: Form) {
    drop(taskscope::spawn(async move {
        tokio::select! {
            () = pending() => {}
            () = pending(), if !form.is_fixed() => {}
            () = async {}, if form.is_fixed() => {}
        }
    }));
}

/// Go: receive from a channel that nobody sends to: the task owns a sender itself.
pub(crate) async fn receive(form: Form) {
    let (sender, mut receiver) = mpsc::channel::<u8>(1);
    let sender = (!form.is_fixed()).then_some(sender);
    drop(taskscope::spawn(async move {
        while receiver.recv().await.is_some() {}
        drop(sender);
    }));
}

/// Go: send to a channel that nobody receives from.
pub(crate) async fn send(form: Form) -> Kept {
    let (sender, mut receiver) = mpsc::channel(1);
    drop(taskscope::spawn(async move {
        for number in 0..3 {
            let _ = sender.send(number).await;
        }
    }));
    if form.is_fixed() {
        while receiver.recv().await.is_some() {}
    }
    Box::new(receiver)
}

/// Go: a select of which no case comes.
pub(crate) async fn select(form: Form) -> Kept {
    let (job, mut jobs) = mpsc::channel::<u8>(1);
    let (stop, stopped) = oneshot::channel::<()>();
    drop(taskscope::spawn(async move {
        tokio::select! {
            _ = jobs.recv() => {}
            _ = stopped => {}
        }
    }));
    if form.is_fixed() {
        drop(stop);
        return Box::new(job);
    }
    Box::new((job, stop))
}

/// Go: `WaitGroup.Wait` with one `Done` too few. A tracker that nobody has closed waits, too.
pub(crate) async fn wait_for_a_group(form: Form) {
    let tracker = TaskTracker::new();
    if form.is_fixed() {
        tracker.close();
    }
    drop(taskscope::spawn(async move { tracker.wait().await }));
}

/// Go: a mutex on the stack that is locked twice.
pub(crate) async fn lock_a_mutex_on_the_stack(form: Form) {
    drop(taskscope::spawn(async move {
        let mutex = Mutex::new(0);
        let first = mutex.lock().await;
        if form.is_fixed() {
            drop(first);
            drop(mutex.lock().await);
        } else {
            drop(mutex.lock().await);
            drop(first);
        }
    }));
}

/// Go: a mutex on the heap that whoever has locked it never unlocks.
pub(crate) async fn lock_a_dead_mutex_on_the_heap(form: Form) {
    let mutex = Arc::new(Mutex::new(0));
    let guard = mutex.clone().lock_owned().await;
    if form.is_fixed() {
        drop(guard);
    } else {
        std::mem::forget(guard);
    }
    drop(taskscope::spawn(async move { *mutex.lock().await += 1 }));
}

/// Go: `Cond.Wait` without a signal.
pub(crate) async fn wait_for_a_condition(form: Form) -> Kept {
    let condition = Arc::new(Notify::new());
    let waiting = condition.clone();
    drop(taskscope::spawn(async move { waiting.notified().await }));
    if form.is_fixed() {
        condition.notify_one();
    }
    Box::new(condition)
}

/// Go: `RWMutex.RLock` while it is locked to write.
pub(crate) async fn read_lock(form: Form) {
    drop(taskscope::spawn(async move {
        let lock = RwLock::new(0);
        let mut writing = Some(lock.write().await);
        if form.is_fixed() {
            writing = None;
        }
        drop(lock.read().await);
        drop(writing);
    }));
}

/// Go: `RWMutex.Lock` while it is locked to read: an upgrade.
pub(crate) async fn write_lock(form: Form) {
    drop(taskscope::spawn(async move {
        let lock = RwLock::new(0);
        let mut reading = Some(lock.read().await);
        if form.is_fixed() {
            reading = None;
        }
        drop(lock.write().await);
        drop(reading);
    }));
}

/// Go: a group that waits for a task that waits for a lock.
pub(crate) async fn mixed(form: Form) -> Kept {
    let mutex = Arc::new(Mutex::new(0));
    let guard = mutex.clone().lock_owned().await;
    let locking = taskscope::spawn(async move { *mutex.lock().await += 1 });
    drop(taskscope::spawn(
        async move { assert!(locking.await.is_ok()) },
    ));
    if form.is_fixed() {
        drop(guard);
        return Box::new(());
    }
    Box::new(guard)
}

/// Go's profile keeps silent about this one, because a global might still be used. An assertion at
/// the end of a test does not.
pub(crate) async fn wait_for_a_global(form: Form) {
    static STARTED: Notify = Notify::const_new();
    static NEVER: Notify = Notify::const_new();
    drop(taskscope::spawn(async move {
        if form.is_fixed() {
            STARTED.notified().await;
        } else {
            NEVER.notified().await;
        }
    }));
    STARTED.notify_one();
}

/// Go: `main` in a select is not reported, and what it has started is. Here: the check is made by a
/// task that waits in a select itself.
pub(crate) async fn select_in_main(form: Form) -> Kept {
    let (open, opened) = oneshot::channel::<()>();
    let waiting = taskscope::spawn(async move { drop(opened.await) });
    if form.is_fixed() {
        drop(open);
        tokio::select! {
            _ = waiting => {}
            () = pending() => {}
        }
        return Box::new(());
    }
    Box::new(open)
}
