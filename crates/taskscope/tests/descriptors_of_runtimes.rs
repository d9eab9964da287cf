//! Runtimes that are made and dropped one after the other keep few file descriptors open, however
//! fast that goes. The limit of the process is lowered, so it is a program of its own; the control
//! is tokio's spawn.
#![cfg(all(feature = "enable", target_os = "linux"))]

use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use tokio::runtime::{Builder, Runtime};

const RUNTIMES: usize = 300;

/// More than bare tokio needs at a time, and much fewer than `RUNTIMES` times what one has.
const MORE: usize = 48;

fn descriptors() -> usize {
    std::fs::read_dir("/proc/self/fd").unwrap().count()
}

fn current_thread() -> Runtime {
    Builder::new_current_thread().enable_all().build().unwrap()
}

/// The most descriptors that were open while so many runtimes came and went.
fn most(one: impl Fn()) -> usize {
    let count = |()| {
        one();
        descriptors()
    };
    std::iter::repeat_n((), RUNTIMES).map(count).max().unwrap()
}

fn workers() -> Runtime {
    let mut workers = Builder::new_multi_thread();
    workers.worker_threads(1).enable_all().build().unwrap()
}

fn lower_the_limit() {
    let limit = libc::rlimit {
        rlim_cur: 256,
        rlim_max: 256,
    };
    // SAFETY: a call with a valid argument.
    let done = unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit) };
    assert_eq!(done, 0);
}

#[test]
fn dropped_runtimes_keep_few_descriptors_however_they_were_touched() {
    lower_the_limit();
    let bare = most(|| current_thread().block_on(async { tokio::spawn(async {}).await.unwrap() }));

    let ways: [(&str, fn()); 7] = [
        ("spawn", || {
            current_thread().block_on(async { taskscope::spawn(async {}).await.unwrap() });
        }),
        ("a task that never ended", || {
            let runtime = current_thread();
            runtime.block_on(async { drop(taskscope::spawn(std::future::pending::<()>())) });
        }),
        ("workers", || {
            workers().block_on(async { taskscope::spawn(async {}).await.unwrap() });
        }),
        ("workers, with looks at all runtimes now and then", || {
            static MADE: AtomicUsize = AtomicUsize::new(0);
            workers().block_on(async { taskscope::spawn(async {}).await.unwrap() });
            if MADE.fetch_add(1, Ordering::Relaxed).is_multiple_of(30) {
                // The first one forgets whatever nobody has used since the one before.
                let _ = [(); 2].map(|()| taskscope::stats());
            }
        }),
        ("spawn_blocking", || {
            current_thread().block_on(async { taskscope::spawn_blocking(|| {}).await.unwrap() });
        }),
        ("watch", || {
            drop(taskscope::register_runtime(current_thread().handle()));
        }),
        ("a thread each", || {
            let one =
                || current_thread().block_on(async { taskscope::spawn(async {}).await.unwrap() });
            thread::spawn(one).join().unwrap();
        }),
    ];
    for (way, one) in ways {
        let ours = most(one);
        assert!(
            ours <= bare + MORE,
            "{way}: {ours} descriptors, bare {bare}"
        );
    }

    // One that is in use stays known, whatever comes and goes beside it.
    let stays = current_thread();
    let _task = taskscope::spawn_on(stays.handle(), std::future::pending::<()>());
    most(|| current_thread().block_on(async { taskscope::spawn(async {}).await.unwrap() }));
    let known = taskscope::stats().runtimes;
    assert!(
        known
            .iter()
            .any(|runtime| runtime.id == stays.handle().id()),
        "{known:?}"
    );
}
