//! Threads and descriptors in `#[leakcheck::test]`: the baseline is the test's beginning, and the
//! runtime is there before it.
//!
//! The tests that the attribute makes can be called. Only then they inspect threads and
//! descriptors, and leak.

use std::fs::File;
use std::net::TcpListener;
use std::panic::catch_unwind;
use std::sync::atomic::{AtomicBool, Ordering};

use leakcheck::Options;

static ALONE: AtomicBool = AtomicBool::new(false);
static LEAKING: AtomicBool = AtomicBool::new(false);

fn both() -> Options {
    match ALONE.load(Ordering::Relaxed) {
        true => Options::new().threads().descriptors(),
        false => Options::new(),
    }
}

async fn use_everything() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let at = listener.local_addr().unwrap();
    listener.set_nonblocking(true).unwrap();
    let listener = tokio::net::TcpListener::from_std(listener).unwrap();
    let server = taskscope::spawn(async move { listener.accept().await.unwrap().0 });
    let client = tokio::net::TcpStream::connect(at).await.unwrap();
    drop((client, server.await.unwrap()));
    tokio::task::spawn_blocking(|| File::open("/proc/self/cmdline").unwrap())
        .await
        .unwrap();
    if LEAKING.load(Ordering::Relaxed) {
        std::mem::forget(File::open("/proc/self/cmdline"));
        std::thread::Builder::new()
            .name("left".into())
            .spawn(std::thread::park)
            .unwrap();
    }
}

#[leakcheck::test(options = both())]
async fn on_one_thread() {
    use_everything().await;
}

#[leakcheck::test(flavor = "multi_thread", worker_threads = 2, options = both())]
async fn on_workers() {
    use_everything().await;
}

alone! {
    fn a_test_that_closes_and_joins_everything_passes() {
        ALONE.store(true, Ordering::Relaxed);
        on_one_thread();
        on_workers();
        // Leftovers of the first two would be in the baseline.
        on_one_thread();
    }

    fn a_test_that_leaves_a_thread_and_a_file_fails_with_both() {
        ALONE.store(true, Ordering::Relaxed);
        LEAKING.store(true, Ordering::Relaxed);
        for test in [on_one_thread, on_workers] {
            let panic = catch_unwind(test).expect_err("it leaks");
            let text = *panic.downcast::<String>().unwrap();
            assert!(text.starts_with("leakcheck: 1 thread and 1 file descriptor are still alive"), "{text}");
        }
    }
}
