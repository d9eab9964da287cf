//! The traces that a dump has made already. Not here: how a trace is made (`trim.rs`).

use std::collections::HashMap;
use std::sync::Arc;

use callstack::Stack;

use super::Trace;
use crate::runtime;

/// At most this many traces are remembered.
const MAX_TRACES: usize = 8192;

/// Traces by stack: thousands of tasks share a few.
#[derive(Default)]
pub(crate) struct TraceCache {
    tasks: HashMap<*const Stack, Arc<Trace>>,
    threads: HashMap<*const Stack, Arc<Trace>>,
    /// The trace that was asked for last: the next task mostly has the same.
    last: Option<Arc<Trace>>,
    /// Index and number of the last runtime.
    runtime: Option<(u16, u64)>,
}

impl TraceCache {
    /// The trace of a stack, if it is in the cache. Takes no time, so it may be called while others
    /// wait for the stack.
    pub(super) fn cached(&self, stack: &Arc<Stack>) -> Option<Arc<Trace>> {
        match &self.last {
            Some(last) if Arc::ptr_eq(&last.stack, stack) => Some(last.clone()),
            _ => self.tasks.get(&Arc::as_ptr(stack)).cloned(),
        }
    }

    /// The trace of a stack; made if it is not in the cache.
    pub(crate) fn of_task(&mut self, stack: &Arc<Stack>) -> Arc<Trace> {
        if self.tasks.len() >= MAX_TRACES {
            self.tasks.clear();
        }
        let trace = self
            .tasks
            .entry(Arc::as_ptr(stack))
            .or_insert_with(|| Arc::new(Trace::new(stack.clone())));
        self.last = Some(trace.clone());
        trace.clone()
    }

    /// The number of the runtime with this index; 0 if there is none.
    pub(super) fn runtime(&mut self, index: u16) -> u64 {
        match self.runtime {
            Some((last, number)) if last == index => number,
            _ => {
                let number = runtime::get(index).map_or(0, |runtime| runtime.number());
                self.runtime = Some((index, number));
                number
            }
        }
    }

    pub(super) fn of_thread(&mut self, stack: &Arc<Stack>) -> Arc<Trace> {
        if self.threads.len() >= MAX_TRACES {
            self.threads.clear();
        }
        self.threads
            .entry(Arc::as_ptr(stack))
            .or_insert_with(|| Arc::new(Trace::of_thread(stack.clone())))
            .clone()
    }
}
