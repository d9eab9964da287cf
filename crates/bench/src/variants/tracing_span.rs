//! A `tracing` span for each task, with a subscriber that keeps spans and a layer that does
//! nothing: the floor of what a real layer costs.
//!
//! The layer is needed: a `Registry` alone never frees a span.

use std::future::Future;

use tokio::task::JoinHandle;
use tracing::Instrument;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::{Layer, Registry};

use super::Variant;

struct Nothing;

impl Layer<Registry> for Nothing {}

pub(crate) struct TracingSpan;

impl Variant for TracingSpan {
    type Join<T: Send + 'static> = JoinHandle<T>;

    fn set_up() {
        tracing::subscriber::set_global_default(tracing_subscriber::registry().with(Nothing))
            .expect("no subscriber is set yet");
    }

    #[inline]
    #[track_caller]
    fn spawn<F>(future: F) -> JoinHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        tokio::spawn(future.instrument(tracing::info_span!("task")))
    }
}
