//! What a suspended task waits for, told by the library function that took its waker.
//!
//! From the leaf outwards, as long as the frames are those of libraries that are known here, the outermost known function
//! names the wait: a bounded channel's `send` acquires a semaphore inside, but "mpsc send" is what its author wrote.
//! Not here: any knowledge of the user's own functions.

use std::fmt;
use std::sync::Arc;

use crate::dump::Frame;

macro_rules! kinds {
    ($($(#[$doc:meta])* $variant:ident = $text:literal,)*) => {
        /// The kind of thing that a task waits for.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[non_exhaustive]
        pub enum WaitKind {
            $($(#[$doc])* $variant,)*
        }

        impl WaitKind {
            /// Lower-case words, the same in every output.
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
    /// The other side of a oneshot channel.
    Oneshot = "oneshot recv",
    /// A message from a broadcast channel.
    Broadcast = "broadcast recv",
    /// A change of a watch channel.
    Watch = "watch changed",
    /// A `Notify`.
    Notify = "notify",
    /// A `tokio::sync::Mutex`.
    Mutex = "mutex lock",
    /// A `tokio::sync::RwLock`.
    RwLock = "rwlock",
    /// A permit of a semaphore.
    Semaphore = "semaphore acquire",
    /// The other tasks at a barrier.
    Barrier = "barrier",
    /// A `OnceCell` that another task fills.
    OnceCell = "once cell",
    /// A point in time.
    Sleep = "sleep",
    /// The end of another task.
    Join = "join",
    /// The cancellation of a token.
    Cancelled = "token cancelled",
    /// A connection to accept.
    Accept = "accept",
    /// A connection to be made.
    Connect = "connect",
    /// Readiness of a socket, pipe or terminal.
    Io = "io",
    /// A file operation on the blocking pool. A `spawn_blocking` that is awaited is a [`WaitKind::Join`].
    BlockingPool = "blocking pool",
    /// A signal from the operating system.
    Signal = "signal",
    /// The end of a child process.
    Process = "child process",
    /// Its next turn: it yielded.
    Yield = "yield",
    /// A future of the `futures` crates that polls its children with wakers of its own: the trace ends here.
    FuturesUnordered = "futures unordered",
    /// A channel or lock of the `futures` crates.
    Futures = "futures channel or lock",
    /// An async-channel.
    AsyncChannel = "async-channel",
    /// A flume channel.
    Flume = "flume",
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

/// Parts of function names and what they mean. Among entries that match the same function, the first counts.
const KNOWN: &[(&str, WaitKind)] = &[
    ("tokio::sync::mpsc::bounded::Sender", WaitKind::MpscSend),
    ("tokio::sync::mpsc::bounded::Receiver", WaitKind::MpscRecv),
    (
        "tokio::sync::mpsc::unbounded::UnboundedReceiver",
        WaitKind::MpscRecv,
    ),
    // Sending waits for a semaphore; what waits in this module itself, receives.
    ("tokio::sync::mpsc::chan::", WaitKind::MpscRecv),
    ("tokio::sync::oneshot::", WaitKind::Oneshot),
    ("tokio::sync::broadcast::", WaitKind::Broadcast),
    ("tokio::sync::watch::", WaitKind::Watch),
    ("tokio::sync::mutex::", WaitKind::Mutex),
    ("tokio::sync::rwlock::", WaitKind::RwLock),
    ("tokio::sync::barrier::", WaitKind::Barrier),
    ("tokio::sync::once_cell::", WaitKind::OnceCell),
    ("tokio::sync::semaphore::", WaitKind::Semaphore),
    ("tokio::sync::batch_semaphore::", WaitKind::Semaphore),
    ("tokio::sync::notify::", WaitKind::Notify),
    (
        "tokio_util::sync::cancellation_token::",
        WaitKind::Cancelled,
    ),
    ("tokio::time::sleep::", WaitKind::Sleep),
    ("tokio::time::interval::", WaitKind::Sleep),
    ("tokio::runtime::task::join::", WaitKind::Join),
    ("tokio::task::join_set::", WaitKind::Join),
    ("taskscope::join::", WaitKind::Join),
    ("tokio::task::yield_now::", WaitKind::Yield),
    ("tokio::task::coop::consume_budget", WaitKind::Yield),
    ("tokio::net::tcp::listener::", WaitKind::Accept),
    ("tokio::net::unix::listener::", WaitKind::Accept),
    ("TcpStream::connect", WaitKind::Connect),
    ("UnixStream::connect", WaitKind::Connect),
    ("tokio::signal::", WaitKind::Signal),
    ("tokio::process::", WaitKind::Process),
    ("tokio::fs::", WaitKind::BlockingPool),
    ("tokio::blocking::", WaitKind::BlockingPool),
    ("tokio::net::", WaitKind::Io),
    ("tokio::io::", WaitKind::Io),
    ("tokio::runtime::io::", WaitKind::Io),
    ("FuturesUnordered", WaitKind::FuturesUnordered),
    (
        "futures_util::stream::futures_unordered::",
        WaitKind::FuturesUnordered,
    ),
    ("futures_channel::", WaitKind::Futures),
    ("futures_util::lock::", WaitKind::Futures),
    ("async_channel::", WaitKind::AsyncChannel),
    ("flume::", WaitKind::Flume),
];

/// Libraries whose frames lie between a leaf and the function that its author called.
const LIBRARIES: &[&str] = &[
    "tokio::",
    "tokio_util::",
    "futures_util::",
    "futures_core::",
    "futures_channel::",
    "async_channel::",
    "event_listener::",
    "event_listener_strategy::",
    "flume::",
    "core::",
    "std::",
    "alloc::",
    "pin_project",
    "taskscope::join::",
    "mio::",
];

/// What a task waits for.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct WaitReason {
    /// The kinds, each once, in the order of [`WaitKind`]; one, unless the task waits in a `select!` or a `join!`.
    pub kinds: Vec<WaitKind>,
    /// For [`WaitKind::Other`], the function that took the waker.
    pub function: Option<Arc<str>>,
}

impl WaitReason {
    pub(crate) fn of(kind: WaitKind) -> WaitReason {
        WaitReason {
            kinds: vec![kind],
            function: None,
        }
    }

    pub(crate) fn any<'a>(reasons: impl Iterator<Item = &'a WaitReason>) -> WaitReason {
        let mut any = WaitReason {
            kinds: Vec::new(),
            function: None,
        };
        for reason in reasons {
            for kind in &reason.kinds {
                if !any.kinds.contains(kind) {
                    any.kinds.push(*kind);
                }
            }
            any.function = any.function.or_else(|| reason.function.clone());
        }
        // `select!` polls its branches in random order; equal waits must read alike.
        any.kinds.sort_unstable();
        any
    }
}

impl fmt::Display for WaitReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, kind) in self.kinds.iter().enumerate() {
            if at > 0 {
                f.write_str(" | ")?;
            }
            match (&self.function, kind) {
                (Some(function), WaitKind::Other) => write!(f, "other: {function}")?,
                _ => f.write_str(kind.name())?,
            }
        }
        Ok(())
    }
}

/// Classifies frames, leaf first. Also tells the frame that named the wait; those before it are the library's own affair.
pub(crate) fn classify(frames: &[Frame]) -> (WaitReason, usize) {
    let mut found = None;
    for (at, frame) in frames.iter().enumerate() {
        if !is_library(frame) {
            break;
        }
        let kind = KNOWN
            .iter()
            .find(|(part, _)| frame.function.contains(part))
            .map(|(_, kind)| (*kind, at));
        found = kind.or(found);
    }
    match found {
        Some((kind, at)) => (WaitReason::of(kind), at),
        None => {
            let is_std = |frame: &Frame| {
                ["core::", "std::", "alloc::"]
                    .iter()
                    .any(|std| frame.path().starts_with(std))
            };
            let first = frames.iter().find(|frame| !is_std(frame));
            let function = first.or(frames.first()).map(|frame| frame.function.clone());
            let reason = WaitReason {
                kinds: vec![WaitKind::Other],
                function,
            };
            (reason, 0)
        }
    }
}

/// Whether a function is a library's: by its own path, or by the type that a trait is implemented for.
fn is_library(frame: &Frame) -> bool {
    // A name without a path is the compiler's, such as `__rust_try`.
    (frame.has_symbol && !frame.path().contains("::"))
        || LIBRARIES
            .iter()
            .any(|library| frame.path().starts_with(library))
}
