//! Labels of a sample: to whom its CPU time belongs.
//!
//! A sample of a task has `name`, `spawned`, `scope`, `route`, `trace_id` and `request_id`, as far
//! as they are known; every sample has `thread` and `where`: `task`, `blocking call`, and outside
//! of tasks with a record, by its stack: `untracked task`, `block_on`, `blocking pool`, `runtime`,
//! `profiler` (threads of ours), `other`. Ids of tasks are no labels: stores make a series of each
//! distinct label. Not here: how the task of a sample is found (`sampler/thread.rs`).

use std::sync::Arc;

use super::recording::Key;
use crate::profile::Label;
use crate::tasks::tag;

/// The label `where`: the kind of work that a thread did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    Task,
    BlockingCall,
    UntrackedTask,
    BlockOn,
    BlockingPool,
    Runtime,
    Profiler,
    Other,
}

impl Place {
    pub(super) fn name(self) -> &'static str {
        match self {
            Place::Task => "task",
            Place::BlockingCall => "blocking call",
            Place::UntrackedTask => "untracked task",
            Place::BlockOn => "block_on",
            Place::BlockingPool => "blocking pool",
            Place::Runtime => "runtime",
            Place::Profiler => "profiler",
            Place::Other => "other",
        }
    }

    /// The place by the task if there is one, else by the names of functions.
    pub(super) fn of(key: &Key) -> Place {
        match &key.task {
            Some(task) if task.blocking => Place::BlockingCall,
            Some(_) => Place::Task,
            None if ["taskprof-", "taskscope"]
                .iter()
                .any(|own| key.thread.starts_with(own)) =>
            {
                Place::Profiler
            }
            None => Place::outside(&key.stack, &key.thread),
        }
    }

    fn outside(stack: &[usize], thread: &str) -> Place {
        let mut place = None;
        for &address in stack {
            let symbols = callstack::symbolize(address);
            let names = symbols.iter().filter_map(|symbol| symbol.name.as_deref());
            for name in names {
                match Place::by_function(name) {
                    Some((decided, true)) => return decided,
                    Some((likely, false)) => {
                        place.get_or_insert(likely);
                    }
                    None => {}
                }
            }
        }
        // Workers and threads of the blocking pool have the same name by default.
        let default = match thread {
            "tokio-rt-worker" | "tokio-runtime-w" => Place::Runtime,
            _ => Place::Other,
        };
        place.unwrap_or(default)
    }

    /// The place by one function, and whether that is final: its callers cannot change it.
    fn by_function(name: &str) -> Option<(Place, bool)> {
        let ours = name.contains("taskscope::") || name.contains("taskscope_core::");
        if ours && name.contains("poll") {
            return Some((Place::Task, true));
        }
        let inside = name.split("tokio::runtime::").nth(1)?;
        let says = |text: &str| inside.contains(text);
        Some(if says("BlockingTask") {
            (Place::BlockingPool, true)
        } else if says("task::") && says("poll") {
            (Place::UntrackedTask, true)
        } else if says("block_on") {
            (Place::BlockOn, true)
        } else if says("worker::Context") || says("worker::run") {
            (Place::Runtime, true)
        } else if says("blocking::pool") {
            (Place::BlockingPool, true)
        } else {
            // Timers, wakers and queues, which tasks use, too.
            (Place::Runtime, false)
        })
    }
}

/// The labels of a row.
pub(super) fn labels(key: &Key, place: Place) -> Vec<Label> {
    let mut labels = vec![Label::str("where", place.name())];
    let mut add = |name: &'static str, value: &Option<Arc<str>>| {
        if let Some(value) = value {
            labels.push(Label::str(name, tag(value)));
        }
    };
    if let Some(task) = &key.task {
        add("name", &task.name);
        add("spawned", &task.site);
        add("scope", &task.scope);
        add("route", &task.route);
    }
    if let Some(request) = &key.request {
        add("trace_id", &request.trace_id);
        add("request_id", &request.request_id);
    }
    if !key.thread.is_empty() {
        labels.push(Label::str("thread", Arc::clone(&key.thread)));
    }
    labels
}

#[cfg(test)]
mod tests {
    use super::*;

    // Pure. Names as they are in tokio 1.54, leaf first: the first that decides wins.
    #[test]
    fn a_function_of_tokio_says_where_a_thread_is() {
        for (name, place) in [
            (
                "<tokio::runtime::blocking::task::BlockingTask<T> as core::future::future::Future>::poll",
                Some((Place::BlockingPool, true)),
            ),
            (
                "tokio::runtime::task::core::Core<T,S>::poll",
                Some((Place::UntrackedTask, true)),
            ),
            (
                "tokio::runtime::scheduler::multi_thread::worker::Context::park_internal",
                Some((Place::Runtime, true)),
            ),
            (
                "tokio::runtime::park::CachedParkThread::block_on",
                Some((Place::BlockOn, true)),
            ),
            (
                "tokio::runtime::blocking::pool::Inner::run",
                Some((Place::BlockingPool, true)),
            ),
            (
                "tokio::runtime::time::entry::TimerEntry::poll_elapsed",
                Some((Place::Runtime, false)),
            ),
            ("orders::main::{{closure}}", None),
        ] {
            assert_eq!(Place::by_function(name), place, "{name}");
        }
    }
}
