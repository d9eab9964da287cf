//! Waits that began before sampling was switched on: their stacks can only be asked for. In a
//! process of its own, with one switch for all.
#![cfg(feature = "enable")]
#![allow(missing_docs, reason = "tests")]

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use taskscope::sampling::{self, Activity, Row};
use testkit::until;
use tokio::sync::oneshot;

struct Counted(Arc<AtomicU64>, oneshot::Receiver<()>);

impl Future for Counted {
    type Output = ();
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        self.0.fetch_add(1, Ordering::SeqCst);
        Pin::new(&mut self.1).poll(cx).map(drop)
    }
}

#[test]
fn a_wait_whose_runtime_takes_its_time_is_asked_once_and_its_answer_counts_when_it_comes() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .build()
        .unwrap();
    let _in_runtime = runtime.enter();
    let polls: Arc<AtomicU64> = Arc::default();
    let (end, ended) = oneshot::channel();
    let task = taskscope::spawn(Counted(polls.clone(), ended));
    let line = line!() - 1;
    let shy_polls: Arc<AtomicU64> = Arc::default();
    let (end_shy, ended) = oneshot::channel();
    let shy = taskscope::Builder::new()
        .no_capture()
        .spawn(Counted(shy_polls.clone(), ended));
    until(|| [&polls, &shy_polls].map(|polls| polls.load(Ordering::SeqCst)) == [1, 1]);
    let (stop, mut stopped) = oneshot::channel::<()>();
    // The only worker is away for longer than a look waits for answers, nearly always.
    let slow = taskscope::spawn(async move {
        while stopped.try_recv().is_err() {
            std::thread::sleep(Duration::from_millis(250));
            tokio::task::yield_now().await;
        }
    });
    sampling::poll_long_waits(true);
    assert!(sampling::start());
    until(|| {
        let told = |row: &Row| {
            row.site.line() == line
                && row.activity == Activity::Waiting
                && row.trace.is_ok()
                && row.time > 10 * sampling::LONG_STRETCH
        };
        sampling::report().rows.iter().any(told)
    });
    assert_eq!(polls.load(Ordering::SeqCst), 2);
    assert_eq!(shy_polls.load(Ordering::SeqCst), 1, "not to be asked");
    stop.send(()).unwrap();
    end.send(()).unwrap();
    end_shy.send(()).unwrap();
    runtime.block_on(async { (task.await.unwrap(), shy.await.unwrap(), slow.await.unwrap()) });
}
