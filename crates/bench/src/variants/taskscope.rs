//! taskscope with everything on that is on by default; the second variant also has a scope, one for
//! the whole workload, or one for each request; the third samples, as with taskprof's endpoint.
//!
//! Without the feature `enable` of this package, the same code is the variant "taskscope, off".

use std::future::Future;

use taskscope::{JoinHandle, Scope};

use super::{Dumped, Variant};

pub(crate) struct Taskscope;

impl Variant for Taskscope {
    type Join<T: Send + 'static> = JoinHandle<T>;

    #[inline]
    #[track_caller]
    fn spawn<F>(future: F) -> JoinHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        taskscope::spawn(future)
    }

    fn dump() -> Option<Dumped> {
        dump()
    }

    #[cfg(feature = "enable")]
    async fn check() {
        leakcheck::check().await.expect("nothing is left");
    }
}

pub(crate) struct InScope;

impl Variant for InScope {
    type Join<T: Send + 'static> = JoinHandle<T>;

    #[inline]
    #[track_caller]
    fn spawn<F>(future: F) -> JoinHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        taskscope::spawn(future)
    }

    fn dump() -> Option<Dumped> {
        dump()
    }

    async fn request<F: Future + Send>(future: F) -> F::Output {
        Scope::new("GET /").run(future).await
    }

    async fn root<F: Future>(future: F) -> F::Output {
        Scope::new("bench").run(future).await
    }
}

pub(crate) struct Sampling;

impl Variant for Sampling {
    type Join<T: Send + 'static> = JoinHandle<T>;

    fn set_up() {
        #[cfg(feature = "enable")]
        taskscope::sampling::start();
    }

    #[inline]
    #[track_caller]
    fn spawn<F>(future: F) -> JoinHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        taskscope::spawn(future)
    }

    fn dump() -> Option<Dumped> {
        dump()
    }
}

/// Takes no dump: nothing observes without the feature `enable`.
#[cfg(not(feature = "enable"))]
fn dump() -> Option<Dumped> {
    None
}

/// Takes a dump as the endpoint does: fresh stacks, grouped, each distinct stack written once.
#[cfg(feature = "enable")]
fn dump() -> Option<Dumped> {
    use std::fmt::Write;
    use std::time::{Duration, Instant};

    let began = Instant::now();
    let dump = taskscope::DumpOptions::new()
        .deadline(Duration::from_secs(60))
        .capture_blocking();
    let captured = Instant::now();
    let groups = dump.groups();
    let grouped = Instant::now();
    let mut text = String::new();
    for group in &groups {
        let task = group.oldest();
        let _ = writeln!(text, "{} tasks, {}", group.tasks.len(), task.wait_reason());
        let _ = match &task.trace {
            Ok(trace) => writeln!(text, "{trace}"),
            Err(why) => writeln!(text, "{why}"),
        };
    }
    Some(Dumped {
        capture: captured - began,
        group: grouped - captured,
        print: grouped.elapsed(),
        tasks: dump.tasks.len(),
        missed: dump.missed.total(),
        groups: groups.len(),
        text_bytes: text.len(),
        held: Box::new(dump),
    })
}
