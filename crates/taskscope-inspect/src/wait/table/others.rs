//! The rows of crates around tokio.

use super::super::WaitKind::{self, *};
use super::{Row, table};

/// Kinds that bytes are read from.
const READABLE: &[WaitKind] = &[IoReadable, DuplexRead];

table! {
    // taskscope
    BlockingPool [Join]: "taskscope_core::blocking";

    // tokio-util, tokio-stream
    Cancelled [Notify]:
        "tokio_util::sync::cancellation_token::WaitForCancellationFuture",
        "tokio_util::sync::cancellation_token::WaitForCancellationFutureOwned";
    TaskTracker [Notify]: "tokio_util::task::task_tracker";
    DelayQueue [Sleep]: "tokio_util::time::delay_queue";
    Throttle [Sleep]: "tokio_stream::stream_ext::throttle";
    Timeout [Sleep]: "tokio_stream::stream_ext::timeout", "tokio_stream::stream_ext::chunks_timeout";
    Timeout [Interval]: "tokio_stream::stream_ext::timeout_repeating";

    // futures
    FuturesMpscRecv []:
        "futures_channel::mpsc::Receiver",
        "futures_channel::mpsc::Receiver::poll_next",
        "futures_channel::mpsc::UnboundedReceiver",
        "futures_channel::mpsc::Recv";
    FuturesMpscSend []: "futures_channel::mpsc::BoundedSenderInner", "futures_channel::mpsc::Sender";
    FuturesOneshotRecv []: "futures_channel::oneshot::Inner::recv", "futures_channel::oneshot::Receiver";
    FuturesOneshotClosed []:
        "futures_channel::oneshot::Inner::poll_canceled",
        "futures_channel::oneshot::Sender",
        "futures_channel::oneshot::Cancellation";
    FuturesMutex []: "futures_util::lock::mutex";
    FuturesUnordered []: "futures_util::stream::futures_unordered";
    SharedFuture []: "futures_util::future::future::shared";
    AbortHandle []: "futures_util::abortable";

    // async-channel, async-lock, event-listener, flume
    AsyncChannelRecv [EventListener]:
        "async_channel::RecvInner", "async_channel::Recv", "async_channel::Receiver";
    AsyncChannelSend [EventListener]: "async_channel::SendInner", "async_channel::Send";
    AsyncChannelClosed [EventListener]: "async_channel::ClosedInner", "async_channel::Closed";
    AsyncMutex [EventListener]: "async_lock::mutex";
    AsyncRwLockRead [EventListener, AsyncMutex]:
        "async_lock::rwlock::raw::RawRead", "async_lock::rwlock::raw::RawUpgradableRead";
    AsyncRwLockWrite [EventListener, AsyncMutex]:
        "async_lock::rwlock::raw::RawWrite", "async_lock::rwlock::raw::RawUpgrade";
    AsyncSemaphore [EventListener]: "async_lock::semaphore";
    AsyncBarrier [EventListener]: "async_lock::barrier";
    AsyncOnceCell [EventListener]: "async_lock::once_cell";
    EventListener []: "event_listener";
    FlumeRecv []: "flume::async::RecvFut", "flume::async::RecvStream";
    FlumeSend []: "flume::async::SendFut", "flume::async::SendSink";

    // tower, tower-http; not the response of a buffer, whose own oneshot cannot be told from that
    // of a service
    TowerBuffer [MpscSend]: "tower::buffer::service::Buffer";
    TowerBufferWorker [MpscRecv]: "tower::buffer::worker::Worker::poll_next_msg";
    TowerConcurrencyLimit [Semaphore]: "tower::limit::concurrency::service";
    TowerRateLimit [Sleep]: "tower::limit::rate::service";
    TowerBalance [FuturesUnordered]: "tower::balance";
    Timeout [Sleep]: "tower::timeout::future", "tower_http::timeout";

    // hyper, hyper-util; a connection's read is named by what it would be the beginning of
    HyperResponse [OneshotRecv]:
        "hyper::client::conn::http1::SendRequest", "hyper::client::conn::http2::SendRequest";
    HyperResponse [HyperHead]: "hyper::client::conn::http1::Connection";
    HyperReady []:
        "hyper::client::dispatch::Sender::poll_ready",
        "hyper::client::conn::http1::SendRequest::poll_ready",
        "hyper::client::conn::http1::SendRequest::ready";
    HyperCheckout [FuturesOneshotRecv]: "hyper_util::client::legacy::pool::Checkout";
    HyperDispatch [MpscRecv]: "hyper::client::dispatch::Receiver";
    HyperCancelled [OneshotClosed]: "hyper::client::dispatch::Callback";
    HyperBody [H2Body]: "hyper::body::chan::Receiver", "hyper::body::incoming::Incoming";
    HyperBody READABLE: "hyper::proto::h1::conn::Conn::poll_read_body";
    HyperBodyReader []: "hyper::body::chan::Sender";
    HyperHead READABLE: "hyper::proto::h1::conn::Conn::poll_read_head";
    HyperRequest [HyperHead]: "hyper::server::conn::http1";
    HyperRequest READABLE: "hyper_util::server::conn::auto::ReadVersion";
    HyperRequest [H2Frame]: "hyper::proto::h2::server";
    HyperPeerClosed READABLE: "hyper::proto::h1::conn::Conn::poll_read_keep_alive";
    HyperUpgrade [OneshotRecv]: "hyper::upgrade::OnUpgrade";
    Timeout [Sleep]: "hyper::proto::h1::conn::Conn::poll_read_head";
    Dns [Join]: "hyper_util::client::legacy::connect::dns";

    // h2
    H2Response []: "h2::client::ResponseFuture";
    H2Ready []: "h2::client::SendRequest", "h2::client::ReadySendRequest";
    H2Body []: "h2::share::RecvStream";
    H2Capacity []: "h2::share::SendStream::poll_capacity";
    H2Reset []: "h2::share::SendStream::poll_reset", "h2::server::SendResponse::poll_reset";
    H2Handshake READABLE: "h2::server::ReadPreface", "h2::server::Handshake";
    H2Frame READABLE: "h2::proto::connection";
    H2SendQueue []: "h2::proto::streams::streams::Streams::poll_complete";
    H2Pong []: "h2::share::PingPong";
}
