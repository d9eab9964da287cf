//! The threads that count as leaks.

use std::sync::mpsc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use leakcheck::{Options, assert_none_in};

use crate::{FOREVER, current_thread, leaks, multi_thread};

/// A thread that waits until the sender is dropped.
fn waiter(name: &str) -> (mpsc::Sender<()>, JoinHandle<()>) {
    let (open, closed) = mpsc::channel();
    let (tell, told) = mpsc::channel();
    let thread = thread::Builder::new().name(name.into());
    let thread = thread.spawn(move || {
        tell.send(()).unwrap();
        let _ = closed.recv();
    });
    // By now it has its name.
    told.recv().unwrap();
    (open, thread.unwrap())
}

alone! {
    fn a_thread_that_was_left_is_named() {
        let runtime = current_thread();
        let options = Options::new().threads();
        let (open, thread) = waiter("price feed");
        let leaks = leaks(&runtime, &options);
        let [left] = leaks.threads() else { panic!("{leaks}") };
        assert_eq!((left.name.as_str(), left.state), ("price feed", "asleep"));
        assert_ne!(left.os_id, std::process::id());
        assert_eq!((leaks.count(), leaks.descriptors().len()), (0, 0), "{leaks}");
        let text = leaks.to_string();
        assert!(text.starts_with("leakcheck: 1 thread is still alive after "), "{text}");
        assert!(text.contains("\n1 thread of this process began after the baseline and did not end\n   thread \"price feed\" ("), "{text}");
        drop(open);
        thread.join().unwrap();
        assert_none_in!(&runtime, options.settle(FOREVER));
    }

    fn it_is_told_when_a_thread_began() {
        let runtime = current_thread();
        let options = Options::new().threads();
        let apart = Duration::from_millis(60);
        thread::sleep(apart);
        let _first = waiter("first");
        thread::sleep(apart);
        let _second = waiter("second");
        let leaks = leaks(&runtime, &options);
        let [first, second] = leaks.threads() else { panic!("{leaks}") };
        assert_eq!((first.name.as_str(), second.name.as_str()), ("first", "second"));
        // The kernel's clock has steps of 10 ms, and two of them may begin and end in the middle.
        let step = Duration::from_millis(20);
        assert!(first.began_after >= apart - step, "{leaks}");
        assert!(second.began_after >= first.began_after + apart - step, "{leaks}");
        assert!(first.age >= second.age + apart - step, "{leaks}");
    }

    fn threads_are_looked_at_on_request_only() {
        let runtime = current_thread();
        let options = Options::new().threads();
        let _waiter = waiter("price feed");
        assert_none_in!(&runtime);
        assert_eq!(leaks(&runtime, &options).threads().len(), 1);
    }

    fn a_thread_that_was_there_before_is_no_leak() {
        let runtime = current_thread();
        let _waiter = waiter("price feed");
        let options = Options::new().threads();
        assert_none_in!(&runtime, options.clone());
        let _later = waiter("later");
        let leaks = leaks(&runtime, &options);
        assert_eq!((leaks.threads().len(), leaks.threads()[0].name.as_str()), (1, "later"), "{leaks}");
    }

    fn a_thread_that_is_just_ending_is_waited_for() {
        let runtime = current_thread();
        let options = Options::new().threads().settle(FOREVER);
        let ending = thread::spawn(|| thread::sleep(Duration::from_millis(30)));
        assert_none_in!(&runtime, options);
        assert!(ending.is_finished());
    }

    fn threads_of_the_blocking_pool_that_have_nothing_to_do_are_no_leak() {
        for runtime in [current_thread(), multi_thread()] {
            // Less than the ten seconds after which they end.
            let options = Options::new().threads().settle(Duration::from_secs(3));
            let (all, meet) = (8, std::sync::Arc::new(std::sync::Barrier::new(8)));
            let calls = || {
                let meet = meet.clone();
                tokio::task::spawn_blocking(move || { meet.wait(); })
            };
            runtime.block_on(async {
                let calls: Vec<_> = (0..all).map(|_| calls()).collect();
                for call in calls {
                    call.await.unwrap();
                }
            });
            assert_none_in!(&runtime, options);
        }
    }

    /// The control of the test above.
    fn a_thread_of_the_blocking_pool_in_a_call_is_found_among_idle_ones() {
        for runtime in [current_thread(), multi_thread()] {
            let options = Options::new().threads();
            let (open, closed) = mpsc::channel::<()>();
            let (tell, told) = mpsc::channel();
            let call = runtime.spawn_blocking(move || {
                tell.send(()).unwrap();
                let _ = closed.recv();
            });
            told.recv().unwrap();
            runtime.block_on(runtime.spawn_blocking(|| ())).unwrap();
            let leaks = leaks(&runtime, &options);
            assert_eq!(leaks.threads().len(), 1, "{leaks}");
            assert!(leaks.threads()[0].name.starts_with("tokio-"), "{leaks}");
            drop(open);
            runtime.block_on(call).unwrap();
            assert_none_in!(&runtime, options.settle(FOREVER));
        }
    }

    /// Nothing can be asked then.
    fn the_only_thread_of_a_pool_is_found_in_a_call() {
        let mut builder = tokio::runtime::Builder::new_multi_thread();
        let runtime = builder.worker_threads(1).max_blocking_threads(1).build().unwrap();
        let options = Options::new().threads();
        let (_open, closed) = mpsc::channel::<()>();
        let (tell, told) = mpsc::channel();
        drop(runtime.spawn_blocking(move || {
            tell.send(()).unwrap();
            let _ = closed.recv();
        }));
        told.recv().unwrap();
        assert_eq!(leaks(&runtime, &options).threads().len(), 1);
        runtime.shutdown_background();
    }

    /// Else one call would be two leaks, or one although it is background.
    fn a_call_with_a_record_is_no_thread() {
        for runtime in [current_thread(), multi_thread()] {
            let options = Options::new().threads();
            let (open, closed) = mpsc::channel::<()>();
            let (tell, told) = mpsc::channel();
            let call = |builder: taskscope::Builder, closed: mpsc::Receiver<()>| {
                let tell = tell.clone();
                let _entered = runtime.enter();
                builder.spawn_blocking(move || {
                    tell.send(()).unwrap();
                    let _ = closed.recv();
                })
            };
            let call_left = call(taskscope::Builder::new(), closed);
            told.recv().unwrap();
            let leaks = leaks(&runtime, &options);
            assert_eq!((leaks.count(), leaks.threads().len()), (1, 0), "{leaks}");
            drop(open);
            runtime.block_on(call_left).unwrap();

            let (open, closed) = mpsc::channel();
            let background = call(taskscope::Builder::new().background(), closed);
            told.recv().unwrap();
            assert_none_in!(&runtime, options.settle(Duration::ZERO));
            drop(open);
            runtime.block_on(background).unwrap();
        }
    }

    /// They look, wait, and take stacks with threads, and hold the clock with a call.
    fn our_own_threads_are_no_leak() {
        for runtime in [current_thread(), multi_thread()] {
            let options = Options::new().threads();
            let stuck = {
                let _entered = runtime.enter();
                taskscope::spawn(std::future::pending::<()>())
            };
            for _ in 0..3 {
                let leaks = leaks(&runtime, &options);
                assert_eq!((leaks.count(), leaks.threads().len()), (1, 0), "{leaks}");
            }
            stuck.abort();
            assert_none_in!(&runtime, options.settle(FOREVER));
        }
    }

    fn a_runtime_that_was_not_shut_down_is_found_by_its_threads() {
        let runtime = current_thread();
        let options = Options::new().threads();
        let mut builder = tokio::runtime::Builder::new_multi_thread();
        let left = builder.worker_threads(3).thread_name("left").build().unwrap();
        let leaks = leaks(&runtime, &options);
        assert_eq!(leaks.threads().len(), 3, "{leaks}");
        drop(left);
        assert_none_in!(&runtime, options.settle(FOREVER));
    }

    fn threads_are_ignored_by_name() {
        let runtime = current_thread();
        let options = Options::new().threads();
        let _two = (waiter("rayon 1"), waiter("connection pool reaper"));
        let ignoring = options.clone()
            .ignore_thread("rayon *", "a pool for ever")
            .ignore_thread("connection pool reaper", "belongs to the fixture")
            .deny_unused();
        assert_none_in!(&runtime, ignoring);
        let one = leaks(&runtime, &options.clone().ignore_thread("rayon 1", "a pool for ever"));
        assert_eq!(one.threads()[0].name, "connection pool");
        let other = leaks(&runtime, &options.ignore_thread("rayon", "matches nothing"));
        assert_eq!(other.threads().len(), 2, "{other}");
        assert_eq!(other.unused_rules(), ["thread \"rayon\" (matches nothing)"]);
    }

    fn many_threads_are_counted_and_some_are_listed() {
        let runtime = current_thread();
        let options = Options::new().threads();
        let waiters: Vec<_> = (0..20).map(|number| waiter(&format!("w{number}"))).collect();
        let text = leaks(&runtime, &options).to_string();
        assert!(text.starts_with("leakcheck: 20 threads are still alive"), "{text}");
        assert_eq!(text.matches("   thread \"w").count(), 16, "{text}");
        assert!(text.contains("\n   and 4 more\n"), "{text}");
        drop(waiters);
    }
}
