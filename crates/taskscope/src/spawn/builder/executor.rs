//! An executor for libraries that spawn through one: hyper and what is built on it.
//!
//! Not here: what the tasks are declared to be ([`Builder`]).

use std::fmt;
use std::future::Future;

use hyper::rt::Executor;

use super::Builder;
use crate::Name;

/// Spawns what hyper spawns as tasks with records, where one would give it a `TokioExecutor`.
///
/// Its tasks have the spawn site where the executor was made: hyper's own lines would tell nothing. Parent and scope are those of the
/// task that makes hyper spawn.
///
/// * For a server's connection builder the tasks are requests (one each stream of HTTP/2): give them a name and nothing else.
/// * For a client, the tasks are connections and the housekeeping of their pool. They outlive the request that opened them and would be
///   taken for its leaks: declare them [`background`](Builder::background).
///
/// # Examples
///
/// ```
/// use hyper_util::client::legacy::Client;
/// use taskscope::{Builder, TaskExecutor};
///
/// let connections = Builder::new().name("upstream connection").background();
/// let client = Client::builder(connections.executor());
///
/// let requests = TaskExecutor::new("request");
/// let server = hyper_util::server::conn::auto::Builder::new(requests);
/// # let _: (hyper_util::client::legacy::Client<_, String>, _) = (client.build_http(), server);
/// ```
///
/// # Panics
///
/// Spawning panics outside of a tokio runtime, as [`spawn`](crate::spawn) does.
///
/// # Limitations
///
/// Nobody awaits these tasks: all of them are *detached* from the start, which is no sign of a leak here.
#[derive(Clone)]
pub struct TaskExecutor {
    builder: Builder,
}

impl TaskExecutor {
    /// An executor whose tasks have this name. [`Builder::executor`] is for everything else that can be declared.
    #[track_caller]
    pub fn new(name: impl Into<Name>) -> TaskExecutor {
        Builder::new().name(name).executor()
    }

    pub(super) fn of(builder: Builder) -> TaskExecutor {
        TaskExecutor { builder }
    }
}

impl<F> Executor<F> for TaskExecutor
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    fn execute(&self, future: F) {
        drop(self.builder.clone().spawn(future));
    }
}

impl fmt::Debug for TaskExecutor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("TaskExecutor").field(&self.builder).finish()
    }
}
