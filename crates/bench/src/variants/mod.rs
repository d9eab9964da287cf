//! The ways to spawn a task that are compared: plain tokio, and what can be known of a task at
//! which price.
//!
//! Each gets the least set-up that shows where a task is. Crates that want annotations inside of
//! tasks (async-backtrace, await-tree) get two of them, one at the root and one at the leaf, which
//! is entered once: every other use costs them more.

mod async_backtrace;
mod await_tree;
mod bare;
mod taskscope;
mod tokio_metrics;
mod tracing_span;

use std::any::Any;
use std::future::Future;
use std::time::Duration;

use clap::ValueEnum;
use serde::{Deserialize, Serialize};
use tokio::task::JoinError;

pub(crate) use self::async_backtrace::AsyncBacktrace;
pub(crate) use self::await_tree::AwaitTree;
pub(crate) use self::bare::Bare;
pub(crate) use self::taskscope::{InScope, Sampling, Taskscope};
pub(crate) use self::tokio_metrics::TokioMetrics;
pub(crate) use self::tracing_span::TracingSpan;

/// A way to spawn.
pub(crate) trait Variant: Send + Sync + 'static {
    /// The handle of a task.
    type Join<T: Send + 'static>: Future<Output = Result<T, JoinError>> + Send + 'static;

    /// Runs once, before the first task, as an application would.
    fn set_up() {}

    /// Starts a task.
    #[track_caller]
    fn spawn<F>(future: F) -> Self::Join<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static;

    /// Wraps what a task awaits, for crates that only know of awaits that are annotated.
    fn leaf<F: Future + Send>(future: F) -> impl Future<Output = F::Output> + Send {
        future
    }

    /// One look at all tasks, as its user would read it. `None`: there is no such thing.
    fn dump() -> Option<Dumped> {
        None
    }

    /// Looks for leaks. Nothing is left.
    fn check() -> impl Future<Output = ()> {
        async {}
    }

    /// Wraps the handling of a request.
    fn request<F: Future + Send>(future: F) -> impl Future<Output = F::Output> + Send {
        future
    }

    /// Wraps what `block_on` drives, unless that is a service.
    fn root<F: Future>(future: F) -> impl Future<Output = F::Output> {
        future
    }
}

/// Times and counts of one dump.
pub(crate) struct Dumped {
    /// Looking at the tasks, symbols included.
    pub(crate) capture: Duration,
    /// Putting those together that are alike.
    pub(crate) group: Duration,
    /// Writing each group, or each task where there are no groups, as text.
    pub(crate) print: Duration,
    pub(crate) tasks: usize,
    /// Tasks without a stack.
    pub(crate) missed: usize,
    pub(crate) groups: usize,
    pub(crate) text_bytes: usize,
    /// The dump itself, to be dropped when its memory has been measured.
    pub(crate) held: Box<dyn Any>,
}

/// The name of a variant, in commands and reports.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Name {
    Bare,
    TokioMetrics,
    TracingSpan,
    AsyncBacktrace,
    AwaitTree,
    Taskscope,
    TaskscopeInScope,
    TaskscopeSampling,
    /// The same code as `Taskscope`, in a program that was built without the feature `enable`.
    TaskscopeOff,
}

impl Name {
    /// Whether this variant is in programs that were built with the feature `enable`, or in those
    /// without. `None`: in all.
    pub(crate) fn enabled(self) -> Option<bool> {
        match self {
            Name::Taskscope | Name::TaskscopeInScope | Name::TaskscopeSampling => Some(true),
            Name::TaskscopeOff => Some(false),
            Name::Bare
            | Name::TokioMetrics
            | Name::TracingSpan
            | Name::AsyncBacktrace
            | Name::AwaitTree => None,
        }
    }
}

/// Evaluates an expression with a type of the variant that has this name.
macro_rules! with_variant {
    ($name:expr, $variant:ident => $body:expr) => {{
        use $crate::variants as v;
        macro_rules! with {
            ($type:ty) => {{
                type $variant = $type;
                $body
            }};
        }
        match $name {
            v::Name::Bare => with!(v::Bare),
            v::Name::TokioMetrics => with!(v::TokioMetrics),
            v::Name::TracingSpan => with!(v::TracingSpan),
            v::Name::AsyncBacktrace => with!(v::AsyncBacktrace),
            v::Name::AwaitTree => with!(v::AwaitTree),
            v::Name::Taskscope => with!(v::Taskscope),
            v::Name::TaskscopeInScope => with!(v::InScope),
            v::Name::TaskscopeSampling => with!(v::Sampling),
            v::Name::TaskscopeOff => with!(v::Taskscope),
        }
    }};
}
pub(crate) use with_variant;
