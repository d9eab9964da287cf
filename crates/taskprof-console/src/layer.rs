//! The filter of the layer, and the checks that anything can arrive at it.
//!
//! Not here: the recording itself (`console-subscriber`).

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use console_subscriber::ConsoleLayer;
use tracing::level_filters::{LevelFilter, STATIC_MAX_LEVEL};
use tracing::{Dispatch, Level, Metadata, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::filter::FilterFn;
use tracing_subscriber::layer::Layered;
use tracing_subscriber::registry::LookupSpan;

use crate::Error;

/// Checks that tokio reports its tasks in this build.
pub(super) fn check_build() -> Result<(), Error> {
    // The flag is one of the whole build, so ours is tokio's.
    if !cfg!(tokio_unstable) {
        return Err(Error::unavailable(
            "tokio says nothing of its tasks in this build, so the console would show none: build everything with \
             RUSTFLAGS=\"--cfg tokio_unstable\", or leave the console out; the pages need no flag",
        ));
    }
    if STATIC_MAX_LEVEL < LevelFilter::TRACE {
        return Err(Error::unavailable(format!(
            "a feature of the crate `tracing` takes everything below {STATIC_MAX_LEVEL} out of this build, and tokio speaks \
             of its tasks at TRACE, so the console would show none: leave that feature (max_level_.. or \
             release_max_level_..) out, or the console"
        )));
    }
    Ok(())
}

/// The recorder behind a filter that passes only tokio's own spans and events, and the mark beside
/// it.
pub(super) fn filtered<S>(
    recorder: ConsoleLayer,
    mark: Mark,
) -> impl Layer<S> + Send + Sync + 'static
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    let both: Layered<Mark, ConsoleLayer, S> = recorder.and_then(mark);
    both.with_filter(FilterFn::new(
        is_tokios as for<'r, 's> fn(&'r Metadata<'s>) -> bool,
    ))
}

/// Tells tokio's spans and events as `console_subscriber::Builder::spawn` does: by names of spans
/// and targets of events, which tokio promises.
fn is_tokios(metadata: &Metadata<'_>) -> bool {
    let of_runtime = if metadata.is_event() {
        metadata.target().starts_with("runtime")
    } else {
        metadata.name().starts_with("runtime.")
    };
    of_runtime || metadata.target().starts_with("tokio")
}

/// Whether the layer is part of a subscriber.
#[derive(Debug, Default)]
pub(super) struct Installed(Arc<AtomicBool>);

impl Installed {
    pub(super) fn mark(&self) -> Mark {
        Mark(Arc::clone(&self.0))
    }

    pub(super) fn check(&self) -> Result<(), &'static str> {
        if !self.0.load(Ordering::Acquire) {
            return Err(
                "the layer of the console is part of no subscriber, so no task would be shown: install it first, as in \
                 tracing_subscriber::registry().with(layer).init(), and look whether that succeeds",
            );
        }
        // A span and not `enabled!`, which would leave a trace of its own in the filters of other
        // layers.
        let probe =
            tracing::span!(target: "tokio::task", Level::TRACE, "runtime.is_the_console_told");
        if probe.is_disabled() {
            return Err(
                "the subscriber of this thread filters out what tokio says of its tasks, so the console would show none: \
                 give filters to the other layers, as in fmt::layer().with_filter(..), or allow tokio=trace,runtime=trace",
            );
        }
        Ok(())
    }
}

/// A layer beside the recorder that notes when both become part of a subscriber, and is dropped
/// with it.
pub(super) struct Mark(Arc<AtomicBool>);

impl<S: Subscriber> Layer<S> for Mark {
    fn on_register_dispatch(&self, _: &Dispatch) {
        self.0.store(true, Ordering::Release);
    }
}

impl Drop for Mark {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Release);
    }
}
