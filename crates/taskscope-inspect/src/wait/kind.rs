//! Wait kinds: the words for what a task waits for.
//!
//! The words are part of the interface: labels in profiles, fields in JSON, what people search
//! their logs for. A kind of tokio has plain words; one of another crate begins with the crate's
//! name. Not here: which function means which kind ([`super::table`]).

macro_rules! kinds {
    ($($(#[$doc:meta])* $variant:ident = $text:literal,)*) => {
        /// The kind of thing that a task waits for.
        ///
        /// The order is that of branches in a trace: what is awaited for its value first, timers
        /// and cancellation after it.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[non_exhaustive]
        pub enum WaitKind {
            $($(#[$doc])* $variant,)*
        }

        impl WaitKind {
            /// Every kind, in order.
            pub const ALL: &[WaitKind] = &[$(WaitKind::$variant,)*];

            /// A few lower-case words, the same in every output and in every version: a label of
            /// low cardinality.
            #[must_use]
            pub fn name(self) -> &'static str {
                match self {
                    $(WaitKind::$variant => $text,)*
                }
            }
        }
    };
}

kinds! {
    /// A message from an mpsc channel.
    MpscRecv = "mpsc recv",
    /// Room in a bounded mpsc channel.
    MpscSend = "mpsc send",
    /// The end of all receivers of an mpsc channel.
    MpscClosed = "mpsc closed",
    /// The value of a oneshot channel.
    OneshotRecv = "oneshot recv",
    /// The end of the receiver of a oneshot channel.
    OneshotClosed = "oneshot closed",
    /// A message from a broadcast channel.
    BroadcastRecv = "broadcast recv",
    /// The end of all receivers of a broadcast channel.
    BroadcastClosed = "broadcast closed",
    /// A change of a watched value.
    WatchChanged = "watch changed",
    /// The end of all receivers of a watch channel.
    WatchClosed = "watch closed",
    /// A `Notify`.
    Notify = "notify",
    /// A `Mutex`.
    Mutex = "mutex lock",
    /// An `RwLock`, to read.
    RwLockRead = "rwlock read",
    /// An `RwLock`, to write.
    RwLockWrite = "rwlock write",
    /// Permits of a semaphore.
    Semaphore = "semaphore acquire",
    /// The other tasks at a barrier.
    Barrier = "barrier",
    /// A `OnceCell` that another task fills.
    OnceCell = "once cell",
    /// A `SetOnce` that is still empty.
    SetOnce = "set once",
    /// The end of another task.
    Join = "join",
    /// The end of one of a set of tasks.
    JoinSet = "join set",
    /// The end of all tasks of a `TaskTracker`.
    TaskTracker = "task tracker",
    /// A set of tasks that have wakers of their own: the trace ends here.
    LocalSet = "local set",
    /// A connection to accept.
    Accept = "accept",
    /// A connection to be made.
    Connect = "connect",
    /// The address of a host.
    Dns = "dns lookup",
    /// Something to read, or the end, from a socket, a pipe, a child process or another file
    /// descriptor. Which of them, the trace may tell: in a release build the functions that differ
    /// are merged into one or leave no frame.
    IoReadable = "io readable",
    /// Room in a socket, a pipe or another file descriptor: the peer does not read.
    IoWritable = "io writable",
    /// Any readiness of a socket or another file descriptor.
    Io = "io",
    /// Bytes from a stream in memory.
    DuplexRead = "duplex read",
    /// Room in a stream in memory: nobody reads from it.
    DuplexWrite = "duplex write",
    /// An operation on a file, which the blocking pool does.
    File = "file",
    /// Standard input, which the blocking pool reads.
    Stdin = "stdin",
    /// Standard output or standard error, which the blocking pool writes.
    Stdout = "stdout or stderr",
    /// A call on the blocking pool. One that was spawned with `tokio::task::spawn_blocking` is a
    /// [`WaitKind::Join`], for its handle does not tell.
    BlockingPool = "blocking pool",
    /// A signal from the operating system.
    Signal = "signal",
    /// The end of a child process.
    Process = "child process",

    /// A message from a channel of the `futures` crate.
    FuturesMpscRecv = "futures mpsc recv",
    /// Room in a channel of the `futures` crate.
    FuturesMpscSend = "futures mpsc send",
    /// The value of a oneshot channel of the `futures` crate.
    FuturesOneshotRecv = "futures oneshot recv",
    /// The end of the receiver of a oneshot channel of the `futures` crate.
    FuturesOneshotClosed = "futures oneshot closed",
    /// A mutex of the `futures` crate.
    FuturesMutex = "futures mutex lock",
    /// A set of futures that have wakers of their own: the trace ends here. `buffered`, `join_all`
    /// of many, `select_all` of streams and others are made of it.
    FuturesUnordered = "futures unordered",
    /// A `Shared` future, which is polled with a waker of its own: the trace ends here.
    SharedFuture = "shared future",
    /// The abortion of an `Abortable`.
    AbortHandle = "abort handle",
    /// A message from an async-channel.
    AsyncChannelRecv = "async-channel recv",
    /// Room in an async-channel.
    AsyncChannelSend = "async-channel send",
    /// The closing of an async-channel.
    AsyncChannelClosed = "async-channel closed",
    /// A mutex of async-lock.
    AsyncMutex = "async-lock mutex lock",
    /// An `RwLock` of async-lock, to read.
    AsyncRwLockRead = "async-lock rwlock read",
    /// An `RwLock` of async-lock, to write.
    AsyncRwLockWrite = "async-lock rwlock write",
    /// A permit of a semaphore of async-lock.
    AsyncSemaphore = "async-lock semaphore acquire",
    /// The other tasks at a barrier of async-lock.
    AsyncBarrier = "async-lock barrier",
    /// A `OnceCell` of async-lock that is still empty.
    AsyncOnceCell = "async-lock once cell",
    /// An event of event-listener.
    EventListener = "event listener",
    /// A message from a flume channel.
    FlumeRecv = "flume recv",
    /// Room in a flume channel.
    FlumeSend = "flume send",

    /// Room in a `Buffer` of tower.
    TowerBuffer = "tower buffer",
    /// The worker of a `Buffer` of tower: a request.
    TowerBufferWorker = "tower buffer worker",
    /// A place below tower's limit of concurrent requests.
    TowerConcurrencyLimit = "tower concurrency limit",
    /// The end of a period of tower's limit of requests in time.
    TowerRateLimit = "tower rate limit",
    /// A service that is ready, among those that tower balances.
    TowerBalance = "tower balance",
    /// A response to a request that hyper's client has sent.
    HyperResponse = "hyper response",
    /// A connection of hyper's client that takes the next request.
    HyperReady = "hyper ready",
    /// A connection from the pool of hyper-util's client.
    HyperCheckout = "hyper pool checkout",
    /// A frame of a body that hyper receives.
    HyperBody = "hyper body",
    /// A connection of hyper: its body to be read by the handler, or the caller.
    HyperBodyReader = "hyper body reader",
    /// A server's connection of hyper: the next request.
    HyperRequest = "hyper request",
    /// A connection of hyper: the head of a message.
    HyperHead = "hyper head",
    /// A client's connection of hyper: a request to send.
    HyperDispatch = "hyper dispatch",
    /// A client's connection of hyper: that nobody waits for the response any more.
    HyperCancelled = "hyper request cancelled",
    /// A connection of hyper that expects nothing: its end by the peer.
    HyperPeerClosed = "hyper peer closed",
    /// The end of the upgrade of a connection of hyper.
    HyperUpgrade = "hyper upgrade",
    /// A response in HTTP/2.
    H2Response = "h2 response",
    /// A connection that allows one more stream of HTTP/2.
    H2Ready = "h2 ready",
    /// A part of a body in HTTP/2.
    H2Body = "h2 body",
    /// Room for a body in HTTP/2: the peer does not read.
    H2Capacity = "h2 capacity",
    /// The reset of a stream of HTTP/2 by the peer.
    H2Reset = "h2 reset",
    /// The preface of a connection in HTTP/2.
    H2Handshake = "h2 handshake",
    /// A connection in HTTP/2: a frame of the peer.
    H2Frame = "h2 frame",
    /// A connection in HTTP/2: something to send.
    H2SendQueue = "h2 send queue",
    /// The answer to a ping in HTTP/2.
    H2Pong = "h2 pong",

    /// A point in time.
    Sleep = "sleep",
    /// The next tick of an interval.
    Interval = "interval tick",
    /// The timer of a timeout. What the timeout limits is another branch.
    Timeout = "timeout",
    /// Time between the items of a throttled stream.
    Throttle = "throttle",
    /// The first item of a `DelayQueue`.
    DelayQueue = "delay queue",
    /// The cancellation of a token.
    Cancelled = "token cancelled",
    /// Its next turn, after it yielded.
    Yield = "yield",
    /// Its next turn, after it was busy for so long that tokio made it yield.
    Budget = "budget used up",

    /// Nothing: no waker of the task exists.
    Nothing = "nothing",
    /// It does not wait: it is being polled.
    Running = "running",
    /// It does not wait for anything but its turn.
    Scheduled = "its turn",
    /// A future that is not in the table.
    Other = "other",
    /// There is no trace to tell it from.
    Unknown = "unknown",
}

impl WaitKind {
    /// Whether it polls its futures with wakers of its own, so that the trace ends at it.
    #[must_use]
    pub fn ends_trace(self) -> bool {
        matches!(
            self,
            WaitKind::FuturesUnordered | WaitKind::SharedFuture | WaitKind::LocalSet
        )
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::WaitKind;

    #[test]
    fn no_two_kinds_read_alike_and_none_could_be_read_as_two() {
        let names: HashSet<_> = WaitKind::ALL.iter().map(|kind| kind.name()).collect();
        assert_eq!(names.len(), WaitKind::ALL.len());
        for name in names {
            assert!(!name.contains(['|', ':', '"', '\n']), "{name}");
        }
    }
}
