//! Every way to start a task: what a dump says of it, and that it behaves as tokio's.
#![cfg(feature = "enable")]
#![expect(
    clippy::async_yields_async,
    reason = "a handle that leaves the code that spawned is what is tested"
)]

mod blocking;
mod driven;
#[cfg(feature = "hyper")]
mod executor;
mod runtimes;
mod sets;
mod support;
mod tree;
mod ways;
