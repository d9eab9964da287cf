//! The `futures` crates.

use std::sync::Arc;

use futures::channel::{mpsc, oneshot};
use futures::stream::{self, FuturesOrdered, FuturesUnordered};
use futures::{FutureExt, SinkExt, StreamExt};

use crate::row::{rows, suspends_in};

rows! {
    receiving_from_a_futures_mpsc_channel: "futures mpsc recv" = {
        let (tx, mut rx) = mpsc::channel::<u8>(1);
        (tx, async move { rx.next().await; })
    };
    receiving_from_an_unbounded_futures_mpsc_channel: "futures mpsc recv" = {
        let (tx, mut rx) = mpsc::unbounded::<u8>();
        (tx, async move { rx.next().await; })
    };
    awaiting_a_receive_from_a_futures_mpsc_channel: "futures mpsc recv" = {
        let (tx, mut rx) = mpsc::channel::<u8>(1);
        (tx, async move { let _ = rx.recv().await; })
    };
    sending_to_a_full_futures_mpsc_channel: "futures mpsc send" = {
        let (mut tx, rx) = mpsc::channel::<u8>(0);
        (rx, async move { let _ = tx.send(1).await; let _ = tx.send(2).await; })
    };
    receiving_from_a_futures_oneshot_channel: "futures oneshot recv" = {
        let (tx, rx) = oneshot::channel::<u8>();
        (tx, async move { let _ = rx.await; })
    };
    waiting_until_a_futures_oneshot_channel_is_closed: "futures oneshot closed" = {
        let (mut tx, rx) = oneshot::channel::<u8>();
        (rx, async move { tx.cancellation().await; })
    };
    locking_a_locked_futures_mutex: "futures mutex lock" = {
        let mutex = Arc::new(futures::lock::Mutex::new(()));
        let guard = mutex.clone().try_lock_owned().unwrap();
        (guard, async move { drop(mutex.lock().await); })
    };
    locking_a_locked_futures_mutex_with_an_owned_guard: "futures mutex lock" = {
        let mutex = Arc::new(futures::lock::Mutex::new(()));
        let guard = mutex.clone().try_lock_owned().unwrap();
        (guard, async move { drop(mutex.lock_owned().await); })
    };
    polling_a_set_of_futures: "futures unordered" = {
        let (tx, rx) = oneshot::channel::<u8>();
        (tx, async move { FuturesUnordered::from_iter([rx]).next().await; })
    };
    polling_a_list_of_futures: "futures unordered" = {
        let (tx, rx) = oneshot::channel::<u8>();
        (tx, async move { FuturesOrdered::from_iter([rx]).next().await; })
    };
    joining_many_futures: "futures unordered" = {
        let (txs, rxs): (Vec<_>, Vec<_>) = (0..99).map(|_| oneshot::channel::<u8>()).unzip();
        (txs, async move { futures::future::join_all(rxs).await; })
    };
    buffering_a_stream_of_futures: "futures unordered" = {
        let (tx, rx) = oneshot::channel::<u8>();
        (tx, async move { stream::iter([rx]).buffer_unordered(2).next().await; })
    };
    buffering_a_stream_of_futures_in_order: "futures unordered" = {
        let (tx, rx) = oneshot::channel::<u8>();
        (tx, async move { stream::iter([rx]).buffered(2).next().await; })
    };
    doing_something_for_each_concurrently: "futures unordered" = {
        let (tx, rx) = oneshot::channel::<u8>();
        (tx, async move { stream::iter([rx]).for_each_concurrent(2, |rx| rx.map(drop)).await; })
    };
    selecting_from_streams: "futures unordered" = {
        let (tx, rx) = mpsc::channel::<u8>(1);
        (tx, async move { stream::select_all([rx]).next().await; })
    };
    awaiting_a_shared_future: "shared future" = {
        let (tx, rx) = oneshot::channel::<u8>();
        let shared = rx.shared();
        ((tx, shared.clone()), async move { let _ = shared.await; })
    };
    awaiting_a_future_that_can_be_aborted: "futures oneshot recv | abort handle" = {
        let (tx, rx) = oneshot::channel::<u8>();
        let (future, handle) = futures::future::abortable(rx);
        ((tx, handle), async move { let _ = future.await; })
    };
    awaiting_the_remote_handle_of_a_future: "futures oneshot recv" = {
        let (remote, handle) = std::future::pending::<u8>().remote_handle();
        (remote, async move { handle.await; })
    };
    // An adapter that passes items on does not name the wait.
    reading_through_adapters: "futures mpsc recv" = {
        let (tx, rx) = mpsc::channel::<u8>(1);
        (tx, async move {
            let stream = rx.map(|item| item + 1).filter(|_| async { true }).peekable().fuse();
            let mut stream = std::pin::pin!(stream);
            stream.next().await;
        })
    };
    forwarding_a_stream: "futures mpsc recv" = {
        let (tx, rx) = mpsc::channel::<u8>(1);
        (tx, async move { let _ = rx.map(Ok::<_, std::convert::Infallible>).forward(futures::sink::drain()).await; })
    };
    reading_from_a_flattened_stream_in_a_box: "futures oneshot recv" = {
        let (tx, rx) = oneshot::channel::<u8>();
        (tx, async move { rx.into_stream().boxed().next().await; })
    };
}

#[test]
fn a_trace_that_ends_at_a_container_says_so() {
    let note = "(what it polls has wakers of its own: the trace ends here)\n";
    let (_tx, rx) = oneshot::channel::<u8>();
    let set = async move { FuturesUnordered::from_iter([rx]).next().await };
    let ends = suspends_in("futures unordered", async { ((), set) });
    assert!(ends.trim_start().starts_with(note), "{ends}");

    let (_tx, rx) = oneshot::channel::<u8>();
    let goes_on = suspends_in("futures oneshot recv", async { ((), rx) });
    assert!(!goes_on.contains(note), "{goes_on}");
}
