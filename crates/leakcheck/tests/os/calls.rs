//! Calls on the blocking pool that have no record. Tokio counts them with `tokio_unstable` only.

use std::sync::mpsc;
#[cfg(tokio_unstable)]
use std::time::Duration;

use leakcheck::assert_none_in;
#[cfg(tokio_unstable)]
use leakcheck::{Baseline, Options};
use tokio::runtime::Runtime;
use tokio::task::JoinHandle;

use crate::{current_thread, multi_thread};

/// A call that has begun, and ends when the sender is dropped.
fn call(runtime: &Runtime) -> (mpsc::Sender<()>, JoinHandle<()>) {
    let (open, closed) = mpsc::channel::<()>();
    let (tell, told) = mpsc::channel();
    let call = runtime.spawn_blocking(move || {
        tell.send(()).unwrap();
        let _ = closed.recv();
    });
    told.recv().unwrap();
    (open, call)
}

#[cfg(not(tokio_unstable))]
alone! {
    /// A limit, which is documented.
    fn a_call_without_a_record_is_not_seen() {
        for runtime in [current_thread(), multi_thread()] {
            let (_open, _call) = call(&runtime);
            assert_none_in!(&runtime);
            runtime.shutdown_background();
        }
    }
}

#[cfg(tokio_unstable)]
alone! {
    fn a_call_without_a_record_is_a_leak_while_it_runs() {
        for runtime in [current_thread(), multi_thread()] {
            let (open, call) = call(&runtime);
            let leaks = crate::leaks(&runtime, &Options::new());
            assert_eq!((leaks.untracked_calls(), leaks.count()), (1, 0), "{leaks}");
            let text = leaks.to_string();
            assert!(text.starts_with("leakcheck: 1 blocking call is still alive"), "{text}");
            assert!(text.contains("\n1 call on the blocking pool without a record"), "{text}");
            drop(open);
            runtime.block_on(call).unwrap();
            assert_none_in!(&runtime, Options::new().settle(crate::FOREVER));
        }
    }

    fn a_call_with_a_record_is_counted_once() {
        for runtime in [current_thread(), multi_thread()] {
            let (open, closed) = mpsc::channel::<()>();
            let (tell, told) = mpsc::channel();
            let _entered = runtime.enter();
            let _call = taskscope::spawn_blocking(move || {
                tell.send(()).unwrap();
                let _ = closed.recv();
            });
            told.recv().unwrap();
            drop(_entered);
            let leaks = crate::leaks(&runtime, &Options::new());
            assert_eq!((leaks.untracked_calls(), leaks.count()), (0, 1), "{leaks}");
            drop(open);
        }
    }

    fn calls_before_a_baseline_are_ignored_and_later_ones_are_not() {
        let runtime = multi_thread();
        let before = call(&runtime);
        let baseline = {
            let _entered = runtime.enter();
            Baseline::take()
        };
        let options = Options::new().ignore(&baseline, "the fixture's").settle(Duration::ZERO);
        assert_none_in!(&runtime, options.clone());
        let after = call(&runtime);
        assert_eq!(crate::leaks(&runtime, &options).untracked_calls(), 1);
        drop((before, after));
    }
}
