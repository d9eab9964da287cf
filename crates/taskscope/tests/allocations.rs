//! The wrapper's cost in memory: the record, which is used again, and a pointer in the future;
//! nothing else.
//!
//! Its own binary, because it counts the allocations of one thread with a global allocator.
#![cfg(feature = "enable")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::future::{Future, pending, poll_fn, ready};
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Wake, Waker};

use taskscope::{Builder, Instrumented};
use tokio::runtime;

struct Counting;

thread_local! {
    /// Allocations of this thread, and their bytes.
    static MADE: Cell<(usize, usize)> = const { Cell::new((0, 0)) };
}

fn count(bytes: usize) {
    let _ = MADE.try_with(|made| {
        let (times, sum) = made.get();
        made.set((times + 1, sum + bytes));
    });
}

// SAFETY: everything is passed on to the system's allocator.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size());
        // SAFETY: as the caller promises.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count(layout.size());
        // SAFETY: as the caller promises.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, old: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count(size);
        // SAFETY: as the caller promises.
        unsafe { System.realloc(old, layout, size) }
    }

    unsafe fn dealloc(&self, old: *mut u8, layout: Layout) {
        // SAFETY: as the caller promises.
        unsafe { System.dealloc(old, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Allocations and bytes of what `f` does on this thread once it is warm. The least of several
/// times: records come and go with the threads of other tests, and one that never had a name makes
/// room for it once.
fn made(mut f: impl FnMut()) -> (usize, usize) {
    static ONE: Mutex<()> = Mutex::new(());
    let _one = ONE.lock().unwrap_or_else(PoisonError::into_inner);
    f();
    let mut once = || {
        let before = MADE.get();
        f();
        let after = MADE.get();
        (after.0 - before.0, after.1 - before.1)
    };
    let times = (0..10).map(|_| once());
    times.min().unwrap_or_default()
}

fn current_thread() -> runtime::Runtime {
    runtime::Builder::new_current_thread().build().unwrap()
}

/// As large as what tokio rounds a task's memory up to.
const ROUNDED: usize = 128;

const TASKS: usize = 100;

/// Allocations and bytes of many tasks: their spawns, polls and ends.
fn cost<H: Future>(spawn: impl Fn(Yields) -> H) -> (usize, usize) {
    let runtime = current_thread();
    let mut handles = Vec::with_capacity(TASKS);
    made(|| {
        runtime.block_on(async {
            for _ in 0..TASKS {
                handles.push(spawn(Yields(3)));
            }
            for handle in handles.drain(..) {
                handle.await;
            }
        });
    })
}

/// Suspends that often, with a clone of its waker each time.
struct Yields(usize);

impl Future for Yields {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if self.0 == 0 {
            return Poll::Ready(());
        }
        self.0 -= 1;
        let wakers = [cx.waker().clone(), cx.waker().clone()];
        for waker in wakers {
            waker.wake();
        }
        Poll::Pending
    }
}

#[test]
fn a_spawn_with_or_without_a_name_allocates_as_often_as_tokios() {
    let bare = cost(tokio::spawn);
    assert!(bare.0 >= TASKS, "it counts: {bare:?}");
    let growth = TASKS * ROUNDED;
    for (way, ours) in [
        ("spawn", cost(taskscope::spawn)),
        (
            "spawn_named",
            cost(|future| taskscope::spawn_named("a literal", future)),
        ),
        (
            "background",
            cost(|future| taskscope::background("a literal", future)),
        ),
    ] {
        assert_eq!(ours.0, bare.0, "{way}");
        assert!(
            ours.1 >= bare.1 && ours.1 - bare.1 <= growth,
            "{way}: {ours:?}, {bare:?}"
        );
    }
    // The control: a name that has to be copied.
    let copied = cost(|future| taskscope::spawn_named("a text".to_owned(), future));
    assert_eq!(copied.0, bare.0 + 2 * TASKS);
}

#[test]
fn a_spawn_allocates_as_many_bytes_as_tokios_of_a_future_that_is_a_pointer_larger() {
    /// As `Instrumented` is: the future, and a pointer.
    struct Larger(Yields, #[expect(dead_code, reason = "for its size")] usize);
    impl Future for Larger {
        type Output = ();

        fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
            Pin::new(&mut self.0).poll(cx)
        }
    }
    let larger = cost(|future| tokio::spawn(Larger(future, 0)));
    assert_eq!(cost(taskscope::spawn), larger);
}

#[test]
fn tasks_in_a_set_cost_what_they_cost_in_tokios() {
    const AT_ONCE: usize = 10;
    fn spawns(mut each: impl FnMut(&runtime::Runtime)) -> (usize, usize) {
        let runtime = current_thread();
        made(|| each(&runtime))
    }
    let mut bare = tokio::task::JoinSet::new();
    let bare = spawns(|runtime| {
        runtime.block_on(async {
            for _ in 0..100 {
                (0..AT_ONCE).for_each(|_| drop(bare.spawn(Yields(1))));
                while bare.join_next().await.is_some() {}
            }
        });
    });
    let mut ours = taskscope::JoinSet::new();
    let ours = spawns(|runtime| {
        runtime.block_on(async {
            for _ in 0..100 {
                (0..AT_ONCE).for_each(|_| drop(ours.spawn(Yields(1))));
                while ours.join_next().await.is_some() {}
            }
        });
    });
    // The list of its tasks is there after the first round, and does not grow with those that have
    // ended.
    assert_eq!(ours.0, bare.0);
}

struct Ignores;

impl Wake for Ignores {
    fn wake(self: Arc<Self>) {}
}

#[test]
fn polls_wakes_and_clones_of_wakers_allocate_nothing() {
    let mut future = pin!(Builder::new().name("polled").instrument(poll_fn(|cx| {
        let waker = cx.waker().clone();
        let another = waker.clone();
        another.wake();
        waker.wake_by_ref();
        drop(waker);
        Poll::<()>::Pending
    })));
    // Not `Waker::noop`: two clones of a waker without an owner need not be known to be the same.
    let waker = Waker::from(Arc::new(Ignores));
    let mut poll = || {
        let mut cx = Context::from_waker(&waker);
        assert!(future.as_mut().poll(&mut cx).is_pending());
    };
    assert_eq!(made(|| (0..100).for_each(|_| poll())), (0, 0));
    // The control.
    assert_eq!(made(|| drop(Box::new(1_u8))), (1, 1));
}

/// Allocations and bytes of being woken by another task many times.
fn cost_of_wakes<H>(
    spawn: impl Fn(Pin<Box<dyn Future<Output = ()> + Send>>) -> H,
) -> (usize, usize) {
    let runtime = current_thread();
    let (wakes, mut woken) = tokio::sync::watch::channel(0);
    let wait = async move { while woken.changed().await.is_ok() {} };
    let _task = runtime.block_on(async { spawn(Box::pin(wait)) });
    made(|| {
        runtime.block_on(async {
            for number in 0..100 {
                wakes.send_replace(number);
                tokio::task::yield_now().await;
            }
        });
    })
}

#[test]
fn a_wake_by_another_task_allocates_nothing() {
    let bare = cost_of_wakes(tokio::spawn);
    assert!(bare.0 < 5, "{bare:?}: `block_on` itself allocates once");
    assert_eq!(cost_of_wakes(taskscope::spawn), bare);
}

/// How much larger a future is with a record.
fn growth<F: Future>(_: &F) -> usize {
    size_of::<Instrumented<F>>() - size_of::<F>()
}

#[test]
fn a_future_grows_by_a_pointer() {
    let pointer = Box::pin(ready(()));
    assert_eq!(growth(&pointer), size_of::<usize>());
    // A growth of more than 8 bytes is the pointer and its alignment.
    let kept = [0_u8; 333];
    let odd = async move {
        pending::<()>().await;
        std::hint::black_box(&kept);
    };
    for growth in [growth(&ready(())), growth(&pending::<()>()), growth(&odd)] {
        assert!((8..16).contains(&growth), "{growth}");
    }
}
