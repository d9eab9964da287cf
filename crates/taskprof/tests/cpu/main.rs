//! The CPU source: the protocol of a capture on a sampler made for tests, and a real capture.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "helpers of tests; the exemption in clippy.toml covers only test functions"
)]

mod always;
#[path = "../common/busy.rs"]
mod busy;
mod capture;
#[path = "../common/go.rs"]
mod go;
mod real;
mod runtime;
mod script;
mod shared;
mod tasks;
#[path = "../common/xml.rs"]
mod xml;

use std::future::Future;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::Thread;
use std::time::Duration;

/// Takes the turn of a test, until this is dropped.
///
/// There is one sampler at a time in a process, so the tests of this binary take turns. A turn
/// begins when the capture that the test before has abandoned is over.
fn my_turn() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    let turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let (script, _events) = script::Script::new();
    let capture = taskprof::cpu::Cpu::with_sampler(script);
    block_on(capture.duration(Duration::from_millis(1)).capture()).unwrap();
    turn
}

/// Runs a future on this thread without any runtime, which proves that captures need none.
fn block_on<F: Future>(future: F) -> F::Output {
    struct Unpark(Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
    let mut future = pin!(future);
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut Context::from_waker(&waker)) {
            return output;
        }
        std::thread::park();
    }
}
