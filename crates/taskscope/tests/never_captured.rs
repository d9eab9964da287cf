//! Tasks that were declared never to be captured.
#![cfg(feature = "enable")]

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};

use taskscope::{Builder, DumpOptions, NoTrace};
use tokio::runtime;
use tokio::sync::oneshot;

/// Counts polls.
struct Counted<F>(F, Arc<AtomicUsize>);

impl<F: Future + Unpin> Future for Counted<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        self.1.fetch_add(1, Ordering::SeqCst);
        Pin::new(&mut self.0).poll(cx)
    }
}

#[test]
fn a_dump_never_polls_a_task_that_was_declared_never_to_be_captured() {
    let runtime = runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        let (_open, waits) = oneshot::channel::<()>();
        let polls = Arc::new(AtomicUsize::new(0));
        let excepted = Builder::new()
            .name("excepted")
            .no_capture()
            .spawn(Counted(waits, polls.clone()));
        let (_open, waits) = oneshot::channel::<()>();
        let control_polls = Arc::new(AtomicUsize::new(0));
        let control = taskscope::spawn(Counted(waits, control_polls.clone()));
        tokio::task::yield_now().await;

        for dumps in 1..4 {
            let here = runtime::Handle::current().id();
            let dump = DumpOptions::new().runtime(here).capture().await;
            assert_eq!(polls.load(Ordering::SeqCst), 1);
            // One capture is enough as long as nothing moves.
            assert_eq!(control_polls.load(Ordering::SeqCst), 2, "after {dumps}");
            let [ref first, ref second] = dump.tasks[..] else {
                panic!("{:?}", dump.tasks);
            };
            let excepted = if first.name.is_some() { first } else { second };
            let control = if first.name.is_some() { second } else { first };
            let why = excepted.trace.as_ref().unwrap_err();
            assert_eq!(*why, NoTrace::NotAllowed);
            assert_eq!(why.to_string(), "no stack: declared never to be captured");
            assert_eq!((dump.missed.not_allowed, dump.missed.total()), (1, 1));
            assert!(control.trace.is_ok());
        }
        drop((excepted, control));
    });
}
