//! tokio-console on the port of the pages (feature `console`).
//!
//! [`layer`] makes a layer for the application's subscriber, and a [`Console`] for
//! [`ServerBuilder::console`](crate::ServerBuilder::console). Requirements, overhead and limits are
//! those of the crate `taskprof-console`, which has all of the code: [`layer`], [`Options`].
//!
//! # Examples
//!
//! ```no_run
//! use tracing_subscriber::layer::SubscriberExt as _;
//! use tracing_subscriber::util::SubscriberInitExt as _;
//!
//! fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     let (layer, console) = taskprof::console::layer()?;
//!     tracing_subscriber::registry().with(layer).init();
//!     let _server = taskprof::server().console(console).bind("127.0.0.1:6060")?;
//!     // ... the application and its runtime ...
//!     Ok(())
//! }
//! ```

pub use taskprof_console::{
    Console, DEFAULT_PUBLISH_INTERVAL, DEFAULT_RETENTION, Error, Options, layer,
};
pub(crate) use taskprof_console::{Running, in_grpc, unseen};
