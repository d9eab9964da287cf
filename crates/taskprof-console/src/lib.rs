//! tokio-console on the port of taskprof's pages: `taskprof::console`, behind taskprof's feature
//! `console`.
//!
//! [`layer`] makes two halves: a layer for the application's subscriber, which records the tasks of
//! tokio, and a [`Console`] for taskprof's `ServerBuilder::console`, which answers `tokio-console`
//! and other clients of its protocol.
//!
//! Owned here: the two halves, the thread that sums events up and makes updates (`running.rs`), the
//! way of requests to it and of answers back (`forward.rs`), and refusals that a gRPC client
//! understands (`grpc_status.rs`). Not here: what is recorded and how it is encoded (the
//! `console-subscriber` crate), HTTP/2 and its limits (`serve/` of taskprof).
//!
//! ```text
//! RUSTFLAGS="--cfg tokio_unstable" cargo run --release
//! tokio-console http://127.0.0.1:6060
//! go tool pprof http://127.0.0.1:6060/debug/pprof/goroutine
//! ```
//!
//! # Requirements
//!
//! * The program is built with `--cfg tokio_unstable`: without it tokio reports no tasks. [`layer`]
//!   is an error then, so the list is never silently empty.
//! * The layer is installed before the server is bound and before the runtime starts: tasks that
//!   are older than the layer are never shown.
//! * Nothing filters tokio's spans out. A filter of the application belongs to its own layers
//!   (`fmt::layer().with_filter(..)`), not around all of them. `bind` checks that a span of tokio's
//!   would arrive, and is an error if not.
//!
//! # Overhead
//!
//! High, which is why the feature is off by default. Measured side by side on one small machine on
//! 21 November 2026 (`scripts/console-cost`, `docs/benchmarks.md`), against bare tokio in a plain
//! build:
//!
//! | | spawn and join | self-wake, a poll | an idle task |
//! | --- | ---: | ---: | ---: |
//! | bare tokio | 246 ns | 47 ns | 0.3 KB |
//! | taskscope, without the feature | 1.5x | 1.2x | 0.5 KB |
//! | taskscope, with the feature and `tokio_unstable`, no layer installed | 1.7x | 1.7x | 0.6 KB |
//! | the layer installed, whether or not a client is attached | 130x | 10x | 51 KB |
//!
//! Tasks that have ended keep their 50 KB for [`Options::retention`]: a thousand a second are 500
//! MB with the default.
//!
//! # Limitations
//!
//! * The feature switches tokio's feature `tracing` on, for the whole build. With `--cfg
//!   tokio_unstable` tokio then makes a span for each task and each resource, which costs something
//!   even if no layer is installed.
//! * tokio-console shows no async stacks and no verdicts; the pages do. Tasks that are older than
//!   the layer are not shown; events that were lost because too many came at once are counted.
//! * tokio-console takes no message of more than 4 MB. `console-subscriber` shortens its history
//!   until the first one fits; if the live tasks alone are too many (some ten thousand), a client
//!   sees only tasks that are active. The pages have no such limit.
//! * tokio-console cannot send a token: a server with a `bearer_token` refuses it, as it refuses
//!   every client without one.
//! * Threads of taskprof are left out: neither their tasks nor their resources are shown.
#![forbid(unsafe_code)]
#![cfg_attr(not(test), warn(clippy::unwrap_used, clippy::expect_used))]

mod error;
mod forward;
mod grpc_status;
mod layer;
mod running;

use std::fmt;
use std::time::Duration;

use console_subscriber::ConsoleLayer;
use tracing::Subscriber;
use tracing_subscriber::Layer;
use tracing_subscriber::registry::LookupSpan;

pub use self::error::Error;
pub use self::grpc_status::in_grpc;
use self::layer::Installed;
pub use self::running::{Running, unseen};

/// How long ended tasks are kept by default. `tokio-console` itself keeps them for six seconds.
pub const DEFAULT_RETENTION: Duration = Duration::from_secs(10);

/// How often clients get an update by default.
pub const DEFAULT_PUBLISH_INTERVAL: Duration = Duration::from_secs(1);

/// The longest time of either kind that is accepted.
const LONGEST: Duration = Duration::from_secs(3600);

/// Makes a layer to install and a service for `ServerBuilder::console`, with the default
/// [`Options`].
///
/// # Errors
///
/// As [`Options::layer`].
pub fn layer<S>() -> Result<(impl Layer<S> + Send + Sync + 'static, Console), Error>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    Options::new().layer()
}

/// How long the console keeps ended tasks, and how often it sends updates.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
///
/// let options = taskprof_console::Options::new().retention(Duration::from_secs(2));
/// # let _: Result<(_, taskprof_console::Console), _> = options.layer::<tracing_subscriber::Registry>();
/// ```
#[must_use = "nothing is recorded before `layer`, and the layer has to be installed"]
#[derive(Debug, Clone)]
pub struct Options {
    retention: Duration,
    publish_interval: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Options::new()
    }
}

impl Options {
    /// [`DEFAULT_RETENTION`] and [`DEFAULT_PUBLISH_INTERVAL`].
    pub fn new() -> Self {
        Options {
            retention: DEFAULT_RETENTION,
            publish_interval: DEFAULT_PUBLISH_INTERVAL,
        }
    }

    /// How long a task is kept after it has ended; at most an hour.
    ///
    /// Each costs as much memory as one that is alive. Clients have a retention of their own.
    pub fn retention(mut self, time: Duration) -> Self {
        self.retention = time;
        self
    }

    /// How often clients get an update; from 10 ms to an hour.
    pub fn publish_interval(mut self, time: Duration) -> Self {
        self.publish_interval = time;
        self
    }

    /// Makes the layer and the service.
    ///
    /// The layer has its own filter: it takes tokio's spans and events about tasks and resources,
    /// and none of the application's.
    ///
    /// # Errors
    ///
    /// [`is_unavailable`](Error::is_unavailable) if the program was built without `--cfg
    /// tokio_unstable`, or with a feature of `tracing` that removes everything below some level at
    /// compile time, like `release_max_level_info`: no task would ever be seen.
    ///
    /// [`is_invalid_argument`](Error::is_invalid_argument) for times out of their range.
    ///
    /// # Overhead
    ///
    /// The layer costs from the moment it is installed, whether or not a client is attached. Up to
    /// 100,000 events wait to be summed up; as long as the [`Console`] exists and serves nobody,
    /// they stay, some 50 KB for each new task. Without a `Console` (it was dropped, or its server
    /// was stopped) nothing is kept.
    pub fn layer<S>(self) -> Result<(impl Layer<S> + Send + Sync + 'static, Console), Error>
    where
        S: Subscriber + for<'a> LookupSpan<'a>,
    {
        self.check()?;
        layer::check_build()?;
        let (recorder, server) = ConsoleLayer::builder()
            .retention(self.retention)
            .publish_interval(self.publish_interval)
            .build();
        let installed = Installed::default();
        let layer = layer::filtered(recorder, installed.mark());
        Ok((layer, Console { server, installed }))
    }

    fn check(&self) -> Result<(), Error> {
        let refuse = |name: &str, range: &str, time: Duration| {
            Err(Error::invalid_argument(format!(
                "{name} of the console must be {range}, not {time:?}"
            )))
        };
        if self.retention > LONGEST {
            return refuse("the retention", "at most an hour", self.retention);
        }
        if !(Duration::from_millis(10)..=LONGEST).contains(&self.publish_interval) {
            let range = "from 10 ms to an hour";
            return refuse("the publish interval", range, self.publish_interval);
        }
        Ok(())
    }
}

/// The service of tokio-console, for taskprof's `ServerBuilder::console`.
///
/// It holds everything that its layer has recorded so far: give it to a server, or drop it.
#[must_use = "it answers nobody until it is given to a server, and keeps events meanwhile"]
pub struct Console {
    server: console_subscriber::Server,
    installed: Installed,
}

impl Console {
    /// Checks that tasks would be seen now.
    ///
    /// # Errors
    ///
    /// The reason why not: the layer is not installed, or a filter keeps tokio's spans from it.
    pub fn check(&self) -> Result<(), &'static str> {
        self.installed.check()
    }
}

impl fmt::Debug for Console {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Console")
            .field("installed", &self.installed)
            .finish_non_exhaustive()
    }
}
