//! Futures with a record that somebody else drives.

use std::future::{Future, pending};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use futures::executor::{LocalPool, block_on};
use futures::task::LocalSpawnExt;
use taskscope::{Builder, DumpOptions, TaskDump, TaskKind};
use tokio::runtime;
use tokio::sync::oneshot;

use crate::support::{named, until};

/// One task with its stack.
fn captured(name: &str) -> Option<TaskDump> {
    let mut tasks = DumpOptions::new().capture_blocking().tasks.into_iter();
    tasks.find(|task| task.name.as_deref() == Some(name))
}

#[test]
fn the_root_of_block_on_is_the_parent_of_what_it_spawns() {
    let runtime = runtime::Builder::new_current_thread().build().unwrap();
    let root = Builder::new().name("root");
    runtime.block_on(root.instrument(async {
        let root = named("root").unwrap();
        assert_eq!(
            (root.kind, root.state.name()),
            (TaskKind::Driven, "running")
        );
        assert!(root.id >= 1 << 52);
        let _child = taskscope::spawn_named("child of the root", pending::<()>());
        let child = named("child of the root").unwrap();
        assert_eq!((child.parent, child.runtime), (Some(root.id), root.runtime));
    }));
    assert!(named("root").is_none());
}

#[test]
fn on_an_executor_of_one_thread_it_is_woken_and_shows_where_it_waits() {
    let mut pool = LocalPool::new();
    let (send, waits) = oneshot::channel::<u8>();
    let future = Builder::new().name("in a local pool").instrument(waits);
    let output = pool.spawner().spawn_local_with_handle(future).unwrap();
    pool.run_until_stalled();
    let idle = named("in a local pool").unwrap();
    assert_eq!((idle.state.name(), idle.runtime), ("idle", 0));

    // Its executor polls it when the dump asks.
    let asks = std::thread::spawn(|| captured("in a local pool").unwrap());
    until(|| {
        pool.run_until_stalled();
        asks.is_finished().then_some(())
    });
    let task = asks.join().unwrap();
    assert_eq!(task.wait_reason().to_string(), "oneshot recv");
    let text = task.trace.unwrap().to_string();
    assert!(!text.contains("futures_executor"), "{text}");

    let sends = std::thread::spawn(move || send.send(7).unwrap());
    assert_eq!(pool.run_until(output), Ok(7));
    sends.join().unwrap();
    assert!(named("in a local pool").is_none());
}

#[test]
fn on_threads_that_block_on_them_they_are_woken_and_show_where_they_wait() {
    const THREADS: usize = 20;
    let (sends, threads): (Vec<_>, Vec<_>) = (0..THREADS)
        .map(|_| {
            let (send, waits) = oneshot::channel::<u8>();
            let future = Builder::new().name("on its thread").instrument(waits);
            (send, std::thread::spawn(move || block_on(future)))
        })
        .unzip();
    until(|| {
        let dump = DumpOptions::new().capture_blocking();
        let waiting = |task: &&TaskDump| {
            task.name.as_deref() == Some("on its thread")
                && task.wait_reason().to_string() == "oneshot recv"
        };
        (dump.tasks.iter().filter(waiting).count() == THREADS).then_some(())
    });
    for send in sends {
        send.send(7).unwrap();
    }
    for thread in threads {
        assert_eq!(thread.join().unwrap(), Ok(7));
    }
    assert!(named("on its thread").is_none());
}

/// A waker that counts.
#[derive(Default)]
struct Wakes(AtomicUsize);

impl Wakes {
    fn new() -> (Arc<Wakes>, Waker) {
        let wakes = Arc::new(Wakes::default());
        (wakes.clone(), wakes.into())
    }

    fn count(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }
}

impl Wake for Wakes {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

/// Two channels: one wakes, the other ends.
fn two_waits(
    name: &'static str,
) -> (
    oneshot::Sender<()>,
    oneshot::Sender<()>,
    impl Future<Output = ()> + Send,
) {
    let (one, first) = oneshot::channel::<()>();
    let (two, second) = oneshot::channel::<()>();
    let future = Builder::new().name(name).instrument(async {
        first.await.unwrap();
        second.await.unwrap();
    });
    (one, two, future)
}

#[test]
fn an_executor_that_changes_its_waker_is_woken_through_the_newest() {
    let (one, two, future) = two_waits("changes wakers");
    let mut future = Box::pin(future);
    let (first, waker) = Wakes::new();
    let mut poll = |waker: &Waker| future.as_mut().poll(&mut Context::from_waker(waker));
    assert!(poll(&waker).is_pending());
    let (second, newer) = Wakes::new();
    assert!(poll(&newer).is_pending());
    one.send(()).unwrap();
    assert_eq!((first.count(), second.count()), (0, 1));

    // Back to the one that it had first, which is kept all the time.
    assert!(poll(&waker).is_pending());
    two.send(()).unwrap();
    assert_eq!((first.count(), second.count()), (1, 1));
    assert!(poll(&newer).is_ready());
    drop(future);
    drop((waker, newer));
    // Nothing of ours holds either.
    assert_eq!(
        (Arc::strong_count(&first), Arc::strong_count(&second)),
        (1, 1)
    );
}

#[test]
fn a_dump_asks_an_executor_that_changes_its_waker_through_the_newest() {
    let (_one, _two, future) = two_waits("asked through the newest");
    let mut future = Box::pin(future);
    let (first, waker) = Wakes::new();
    let (second, newer) = Wakes::new();
    let mut poll = |waker: &Waker| future.as_mut().poll(&mut Context::from_waker(waker));
    assert!(poll(&waker).is_pending());
    assert!(poll(&newer).is_pending());
    let asks = std::thread::spawn(|| captured("asked through the newest").unwrap());
    until(|| (second.count() > 0).then_some(()));
    assert_eq!(first.count(), 0);
    let (third, newest) = Wakes::new();
    assert!(poll(&newest).is_pending());
    let task = asks.join().unwrap();
    assert_eq!(task.wait_reason().to_string(), "oneshot recv");
    assert_eq!(third.count(), 0);
}

#[test]
fn within_another_task_it_has_a_record_of_its_own_and_the_outer_one_is_its_parent() {
    let runtime = runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        let (_open, waits) = oneshot::channel::<()>();
        let outer = taskscope::spawn_named("outer", async {
            Builder::new().name("inner").instrument(waits).await
        });
        tokio::task::yield_now().await;
        let dump = DumpOptions::new()
            .runtime(runtime::Handle::current().id())
            .capture()
            .await;
        assert_eq!(dump.tasks.len(), 2);
        let find = |name| {
            let mut tasks = dump.tasks.iter();
            tasks
                .find(|task| task.name.as_deref() == Some(name))
                .unwrap()
        };
        assert_eq!(find("inner").parent, Some(find("outer").id));
        assert_eq!(find("inner").kind, TaskKind::Driven);
        assert_eq!(find("inner").wait_reason().to_string(), "oneshot recv");
        outer.abort();
        assert!(outer.await.unwrap_err().is_cancelled());
        assert!(named("inner").is_none());
    });
}

/// Polls a future once, and gives it back.
struct Once<F>(Option<F>);

impl<F: Future + Unpin> Future for Once<F> {
    type Output = F;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F> {
        let mut future = self.0.take().expect("polled once");
        assert!(Pin::new(&mut future).poll(cx).is_pending());
        Poll::Ready(future)
    }
}

#[test]
fn moved_to_another_task_and_thread_it_wakes_the_one_that_polled_it_last() {
    let runtime = runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .build()
        .unwrap();
    let (one, two, future) = two_waits("moves");
    let future: Pin<Box<dyn Future<Output = ()> + Send>> = Box::pin(future);
    // A task polls it and ends; then a thread without a runtime does; then another task takes it to
    // its end.
    let future = runtime.block_on(async { tokio::spawn(Once(Some(future))).await.unwrap() });
    let future = std::thread::spawn(|| {
        let mut once = pin!(Once(Some(future)));
        let (_, waker) = Wakes::new();
        match once.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(future) => future,
            Poll::Pending => panic!("it gives the future back"),
        }
    })
    .join()
    .unwrap();
    let task = runtime.spawn(future);
    until(|| named("moves").filter(|task| task.polls >= 3 && task.state.name() == "idle"));
    one.send(()).unwrap();
    two.send(()).unwrap();
    runtime.block_on(task).unwrap();
    assert!(named("moves").is_none());
}
