//! Taking a dump: on the calling thread, or on a thread of its own.
//!
//! Not here: which tasks it has and how they are captured (`held.rs`).

use std::thread;
use std::time::{Duration, SystemTime};

use tokio::sync::oneshot;

use super::read::{self, Captures, ReadContext};
use super::trace_cache::TraceCache;
use super::{Dump, DumpOptions, Missed, Stacks, TaskDump};
use crate::evidence::Moments;
use crate::record::Hold;
use crate::{clock, pool};
use taskscope_core::scope_info::ScopeFacts;

impl DumpOptions {
    /// Takes the dump without blocking the calling task. See [`dump`](super::dump).
    ///
    /// The work happens on a thread of its own. If the system has no thread left, tasks are not
    /// asked for captures, and the dump says so by its `not_asked` count.
    pub async fn capture(self) -> Dump {
        collect_on_thread(self).await
    }

    /// Takes the dump on the calling thread.
    ///
    /// # Limitations
    ///
    /// Called from a task of a current-thread runtime, the other tasks of that runtime cannot
    /// answer, because this call is in their way. They are not asked and not waited for; those that
    /// no earlier capture shows have [`NoTrace::NoAnswer`](crate::NoTrace::NoAnswer). The calling
    /// task is running and has no stack. Use [`DumpOptions::capture`] there.
    #[must_use]
    pub fn capture_blocking(self) -> Dump {
        collect(&self)
    }
}

fn collect(options: &DumpOptions) -> Dump {
    let mut held = match options.clone().hold() {
        Ok(held) => held,
        Err(why) => return without_tasks(why.tasks()),
    };
    let mut tasks: Vec<(usize, TaskDump)> = Vec::new();
    // If this fails, there is still room for some of them.
    let _ = tasks.try_reserve_exact(held.len());
    let mut no_room = 0;
    let mut dump = held.capture(&mut |at, task| match tasks.try_reserve(1) {
        Ok(()) => tasks.push((at, task)),
        Err(_) => no_room += 1,
    });
    drop(held);
    if !tasks.is_sorted_by_key(|(at, _)| *at) {
        tasks.sort_unstable_by_key(|(at, _)| *at);
    }
    dump.tasks = tasks.into_iter().map(|(_, task)| task).collect();
    dump.left_out += no_room;
    dump
}

/// The dump when there is no memory for any of its tasks: all of them are left out.
fn without_tasks(tasks: usize) -> Dump {
    Dump {
        taken_at: SystemTime::now(),
        took: Duration::ZERO,
        tasks: Vec::new(),
        resources: Vec::new(),
        left_out: tasks,
        runtimes: Vec::new(),
        missed: Missed::default(),
    }
}

/// Takes the dump on a new thread; without captures on this one if the system has no thread left.
async fn collect_on_thread(options: DumpOptions) -> Dump {
    let (sender, receiver) = oneshot::channel();
    let for_thread = options.clone();
    let started = thread::Builder::new()
        .name("taskscope-dump".into())
        .spawn(move || {
            // If nobody waits any more, the dump is dropped here.
            let _ = sender.send(collect(&for_thread));
        });
    if started.is_ok()
        && let Ok(dump) = receiver.await
    {
        return dump;
    }
    collect(&DumpOptions {
        stacks: Stacks::Cached,
        ..options
    })
}

/// The live tasks of all scopes that `filter` accepts, read without asking any of them for a
/// capture.
#[must_use]
pub fn of_scopes(filter: &dyn Fn(&dyn ScopeFacts) -> bool) -> Vec<TaskDump> {
    let is_selected = |hold: &Hold| {
        hold.meta()
            .scope
            .as_deref()
            .is_some_and(|scope| filter(scope))
    };
    let holds = pool::live().filter(is_selected);
    let mut cache = TraceCache::default();
    let now = clock::precise_if_in_use();
    let moments = Moments { began: now, now };
    let context = ReadContext {
        captures: Captures::Cached,
        ..ReadContext::RECORD_ONLY
    };
    holds
        .filter_map(|hold| read::read(&hold, context, moments, &mut cache))
        .collect()
}
