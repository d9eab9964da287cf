//! `tokio-util` and `tokio-stream`.

use futures::SinkExt;
use tokio::io::{AsyncReadExt, BufReader, duplex};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{Semaphore, broadcast, mpsc, oneshot, watch};
use tokio_stream::wrappers::{
    BroadcastStream, IntervalStream, LinesStream, ReceiverStream, SignalStream, TcpListenerStream,
    UnboundedReceiverStream, WatchStream,
};
use tokio_stream::{StreamExt, StreamMap};
use tokio_util::codec::{FramedRead, FramedWrite, LinesCodec};
use tokio_util::future::FutureExt as _;
use tokio_util::io::{ReaderStream, StreamReader};
use tokio_util::sync::{CancellationToken, PollSemaphore, PollSender};
use tokio_util::task::{AbortOnDropHandle, JoinMap, JoinQueue, TaskTracker};
use tokio_util::time::DelayQueue;

use crate::row::{LONG, rows};

rows! {
    waiting_for_a_token: "token cancelled" = {
        let token = CancellationToken::new();
        (token.clone(), async move { token.cancelled().await; })
    };
    waiting_for_a_token_with_an_owned_future: "token cancelled" = {
        let token = CancellationToken::new();
        (token.clone(), async move { token.cancelled_owned().await; })
    };
    running_until_a_token_is_cancelled: "oneshot recv | token cancelled" = {
        let (tx, rx) = oneshot::channel::<u8>();
        let token = CancellationToken::new();
        ((tx, token.clone()), async move { token.run_until_cancelled(rx).await; })
    };
    running_with_an_owned_token_until_it_is_cancelled: "oneshot recv | token cancelled" = {
        let (tx, rx) = oneshot::channel::<u8>();
        let token = CancellationToken::new();
        ((tx, token.clone()), async move { token.run_until_cancelled_owned(rx).await; })
    };
    a_future_with_a_token: "oneshot recv | token cancelled" = {
        let (tx, rx) = oneshot::channel::<u8>();
        let token = CancellationToken::new();
        ((tx, token.clone()), async move { rx.with_cancellation_token(&token).await; })
    };
    a_future_with_a_timeout: "oneshot recv | timeout" = {
        let (tx, rx) = oneshot::channel::<u8>();
        (tx, async move { let _ = rx.timeout(LONG).await; })
    };
    polling_a_semaphore: "semaphore acquire" = {
        let mut semaphore = PollSemaphore::new(Semaphore::new(0).into());
        ((), async move { std::future::poll_fn(|cx| semaphore.poll_acquire(cx)).await; })
    };
    polling_a_sender: "mpsc send" = {
        let (tx, rx) = mpsc::channel::<u8>(1);
        tx.try_send(1).unwrap();
        let mut sender = PollSender::new(tx);
        (rx, async move { let _ = std::future::poll_fn(|cx| sender.poll_reserve(cx)).await; })
    };
    sending_into_a_polled_sender: "mpsc send" = {
        let (tx, rx) = mpsc::channel::<u8>(1);
        tx.try_send(1).unwrap();
        (rx, async move { let _ = PollSender::new(tx).send(2).await; })
    };
    // An earlier item may be inserted meanwhile.
    waiting_for_a_delayed_item: "delay queue | delay queue" = ((), async {
        let mut queue = DelayQueue::new();
        queue.insert(1, LONG);
        queue.next().await;
    });
    waiting_for_the_first_item_of_a_delay_queue: "delay queue" = ((), async {
        let mut queue = DelayQueue::<u8>::new();
        std::future::poll_fn(|cx| match queue.poll_expired(cx) {
            // An empty queue says that it is at its end, but keeps the waker.
            std::task::Poll::Ready(None) => std::task::Poll::<()>::Pending,
            other => panic!("{other:?}"),
        }).await;
    });
    waiting_for_tracked_tasks: "task tracker" = {
        let tracker = TaskTracker::new();
        (tracker.clone(), async move { tracker.wait().await; })
    };
    joining_the_next_of_a_map_of_tasks: "join set" = ((), async {
        let mut map = JoinMap::new();
        map.spawn(1, std::future::pending::<()>());
        map.join_next().await;
    });
    joining_the_next_of_a_queue_of_tasks: "join" = ((), async {
        let mut queue = JoinQueue::new();
        queue.spawn(std::future::pending::<()>());
        queue.join_next().await;
    });
    joining_a_task_that_is_aborted_on_drop: "join" = ((), async {
        let _ = AbortOnDropHandle::new(tokio::spawn(std::future::pending::<()>())).await;
    });
    // A codec or adapter that passes items or bytes on does not name the wait.
    reading_a_frame: "duplex read" = {
        let (one, other) = duplex(1);
        (other, async move { FramedRead::new(one, LinesCodec::new()).next().await; })
    };
    writing_a_frame: "duplex write" = {
        let (one, other) = duplex(1);
        (other, async move { let _ = FramedWrite::new(one, LinesCodec::new()).send("line").await; })
    };
    reading_from_a_stream: "mpsc recv" = {
        let (tx, rx) = mpsc::channel::<std::io::Result<&'static [u8]>>(1);
        (tx, async move {
            let _ = StreamReader::new(ReceiverStream::new(rx)).read(&mut [0]).await;
        })
    };
    streaming_from_a_reader: "duplex read" = {
        let (one, other) = duplex(1);
        (other, async move { ReaderStream::new(one).next().await; })
    };
    streaming_from_an_mpsc_channel: "mpsc recv" = {
        let (tx, rx) = mpsc::channel::<u8>(1);
        (tx, async move { ReceiverStream::new(rx).next().await; })
    };
    streaming_from_an_unbounded_mpsc_channel: "mpsc recv" = {
        let (tx, rx) = mpsc::unbounded_channel::<u8>();
        (tx, async move { UnboundedReceiverStream::new(rx).next().await; })
    };
    streaming_from_a_broadcast_channel: "broadcast recv" = {
        let (tx, rx) = broadcast::channel::<u8>(1);
        (tx, async move { BroadcastStream::new(rx).next().await; })
    };
    streaming_from_a_watch_channel: "watch changed" = {
        let (tx, rx) = watch::channel(1);
        (tx, async move { WatchStream::from_changes(rx).next().await; })
    };
    streaming_ticks: "interval tick" = ((), async {
        let mut ticks = IntervalStream::new(tokio::time::interval(LONG));
        ticks.next().await;
        ticks.next().await;
    });
    streaming_signals: "signal" = ((), async {
        SignalStream::new(signal(SignalKind::user_defined2()).unwrap()).next().await;
    });
    streaming_connections: "accept" = {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        ((), async move { TcpListenerStream::new(listener).next().await; })
    };
    streaming_lines: "duplex read" = {
        use tokio::io::AsyncBufReadExt;
        let (one, other) = duplex(1);
        (other, async move { LinesStream::new(BufReader::new(one).lines()).next().await; })
    };
    streaming_from_a_map_of_streams: "mpsc recv" = {
        let (tx, rx) = mpsc::channel::<u8>(1);
        (tx, async move {
            let mut map = StreamMap::new();
            map.insert(1, ReceiverStream::new(rx));
            map.next().await;
        })
    };
    merging_two_streams: "mpsc recv | interval tick" = {
        let (tx, rx) = mpsc::channel::<tokio::time::Instant>(1);
        (tx, async move {
            let ticks = tokio::time::interval_at(tokio::time::Instant::now() + LONG, LONG);
            ReceiverStream::new(rx).merge(IntervalStream::new(ticks)).next().await;
        })
    };
    a_stream_with_a_timeout: "mpsc recv | timeout" = {
        let (tx, rx) = mpsc::channel::<u8>(1);
        (tx, async move {
            let mut stream = std::pin::pin!(ReceiverStream::new(rx).timeout(LONG));
            let _ = stream.next().await;
        })
    };
    a_stream_with_repeated_timeouts: "mpsc recv | timeout" = {
        let (tx, rx) = mpsc::channel::<u8>(1);
        (tx, async move {
            let interval = tokio::time::interval_at(tokio::time::Instant::now() + LONG, LONG);
            let mut stream = std::pin::pin!(ReceiverStream::new(rx).timeout_repeating(interval));
            let _ = stream.next().await;
        })
    };
    a_throttled_stream: "throttle" = ((), async {
        let mut stream = std::pin::pin!(tokio_stream::iter([1, 2]).throttle(LONG));
        stream.next().await;
        stream.next().await;
    });
    a_stream_in_chunks_with_a_timeout: "mpsc recv | timeout" = {
        let (tx, rx) = mpsc::channel::<u8>(1);
        tx.try_send(1).unwrap();
        (tx, async move {
            let mut stream = std::pin::pin!(ReceiverStream::new(rx).chunks_timeout(9, LONG));
            let _ = stream.next().await;
        })
    };
}
