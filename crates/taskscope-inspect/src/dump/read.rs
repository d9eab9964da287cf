//! Reads the record of one task into a `TaskDump`. Not here: in which order records are read
//! (`reader.rs`), the verdict (`evidence.rs`).

use std::sync::Arc;
use std::thread;
use std::time::Duration;

use super::trace_cache::TraceCache;
use super::{LongPoll, Stacks, State, TaskDump, ThreadInfo, Trace};
use crate::evidence::{self, Moments, Reading};
use crate::record::{Extensions, Hold, Record, Traits};
use crate::{ScopeInfo, Verdict, capture, clock, threads};
use taskscope_core::{NoTrace, TaskKind};

/// Polls by which a capture may be later than the reading of its task.
const LATER: u32 = 1024;

/// Which captures count as this dump's.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Captures {
    /// Captures that were true when the dump began, and later ones.
    Fresh,
    /// Every capture that is still true.
    Cached,
    /// None.
    No,
}

impl Captures {
    pub(super) fn of(stacks: Stacks) -> Captures {
        match stacks {
            Stacks::Fresh => Captures::Fresh,
            Stacks::Cached => Captures::Cached,
            Stacks::None => Captures::No,
        }
    }
}

/// How a dump reads a record, and what it knows from before.
#[derive(Clone, Copy)]
pub(super) struct ReadContext {
    pub(super) captures: Captures,
    /// Polls of the task when the dump began.
    pub(super) polls: u64,
    /// How long ago the dump began; `None`: the task was not watched.
    pub(super) watched: Option<Duration>,
}

impl ReadContext {
    /// Reads the record alone, without traces.
    pub(super) const RECORD_ONLY: ReadContext = ReadContext {
        captures: Captures::No,
        polls: 0,
        watched: None,
    };

    /// Whether the task was polled thousands of times a second since the dump began, and woken only
    /// by itself.
    fn spins(&self, record: &Record, polls: u64) -> bool {
        self.watched.is_some_and(|watched| {
            evidence::spins(record, polls.saturating_sub(self.polls), watched)
        })
    }
}

/// Reads the task of a record, unless it has ended meanwhile.
pub(super) fn read(
    hold: &Hold,
    context: ReadContext,
    moments: Moments,
    cache: &mut TraceCache,
) -> Option<TaskDump> {
    if hold.record().is_finished() {
        return None;
    }
    let task = describe(hold, context, moments, cache);
    (!hold.record().is_finished()).then_some(task)
}

/// Reads a task that has ended in the extra poll of a capture, as it was before that poll.
pub(super) fn ended_unwoken(
    hold: &Hold,
    since: u64,
    moments: Moments,
    cache: &mut TraceCache,
) -> TaskDump {
    let task = describe(hold, ReadContext::RECORD_ONLY, moments, cache);
    let stack = hold.record().captured(Clone::clone).0;
    TaskDump {
        verdict: Verdict::LostWakeup,
        state: State::Idle {
            since: clock::between(since, moments.began),
        },
        // The stack of an earlier poll, if one was captured.
        trace: stack.map_or(Err(NoTrace::NotAsked), |stack| Ok(cache.of_task(&stack))),
        ..task
    }
}

fn describe(
    hold: &Hold,
    context: ReadContext,
    moments: Moments,
    cache: &mut TraceCache,
) -> TaskDump {
    let (record, meta) = (hold.record(), hold.meta());
    let reading = Reading::steady(record);
    let now = reading.now(moments);
    let long_poll = record.long_poll();
    let observed = long_poll
        .as_ref()
        .filter(|poll| poll.polls == reading.polls)
        .map_or(Duration::ZERO, |poll| clock::length(poll.lasted));
    let mut state = reading.state(moments, observed);
    if let State::Running { thread, .. } = &mut state {
        *thread = threads::get(reading.thread).map(|thread| {
            Box::new(ThreadInfo {
                name: thread.name,
                os_id: thread.os_id,
            })
        });
    }
    let (trace, [branches_dropped, branches_cut]) = trace(record, &reading, context, &state, cache);
    let traits = record.traits();
    let background = traits.has(Traits::BACKGROUND);
    let scope = meta.scope_info();
    let scope_ended = scope.as_ref().and_then(ScopeInfo::ended);
    let token = record.extensions().and_then(Extensions::token);
    let spinning = context.spins(record, reading.polls);
    let verdict = reading.verdict(record, meta, &state, scope_ended.is_some(), spinning);
    let long_poll = long_poll.map(|poll| {
        Box::new(LongPoll {
            ago: clock::between(poll.seen_at, now),
            lasted: clock::length(poll.lasted),
            over: poll.polls != reading.polls || reading.thread == 0,
            trace: poll.stack.map(|stack| cache.of_thread(&stack)),
        })
    });
    let (name, labels) = match record.extensions() {
        Some(extensions) => {
            let data = extensions.data();
            (data.name.clone(), data.labels.clone())
        }
        None => (None, Vec::new()),
    };
    TaskDump {
        id: record.id(),
        kind: TaskKind::of(traits),
        name,
        labels,
        verdict,
        background,
        scope_cancelled: scope
            .as_ref()
            .and_then(ScopeInfo::cancellation)
            .map(Box::new),
        scope_ended,
        token_polled: token.map(|token| {
            let ago = |at| clock::between(at, now);
            (ago(token.first), ago(token.last))
        }),
        scope,
        site: meta.site,
        future: (meta.future)(),
        runtime: cache.runtime(record.runtime()),
        parent: (meta.parent != 0).then_some(meta.parent),
        age: clock::between(meta.spawned_at, now),
        busy: clock::length(record.busy()),
        polls: reading.polls,
        wakers: reading.wakers,
        detached: (record.detached_at() != 0).then(|| clock::between(record.detached_at(), now)),
        trace,
        long_poll,
        branches_dropped,
        branches_cut,
        state,
    }
}

fn trace(
    record: &Record,
    reading: &Reading,
    context: ReadContext,
    state: &State,
    cache: &mut TraceCache,
) -> (Result<Arc<Trace>, NoTrace>, [u32; 2]) {
    let traits = record.traits();
    let none = match (context.captures, state) {
        _ if traits.has(Traits::BLOCKING) => NoTrace::Call,
        _ if traits.has(Traits::OBSERVED) => NoTrace::Observed,
        _ if traits.has(Traits::NO_CAPTURE) => NoTrace::NotAllowed,
        _ if record.is_beyond_waking() => NoTrace::NoWaker,
        (Captures::No | Captures::Cached, _) => NoTrace::NotAsked,
        (Captures::Fresh, State::Running { .. }) => NoTrace::Running,
        (Captures::Fresh, _) => NoTrace::NoAnswer,
    };
    let counts = |ago: u64| match context.captures {
        Captures::No => false,
        Captures::Cached => ago == 0,
        // A capture that another dump took since the reading is fresh, too: counted from a later
        // poll, its age is below zero and wraps.
        Captures::Fresh => {
            ago <= reading.polls.saturating_sub(context.polls) || ago > u64::from(u32::MAX - LATER)
        }
    };
    // Another dump may be capturing the task now. Then there is no capture until the new one is in
    // place.
    let may_be_replaced = || {
        matches!(context.captures, Captures::Fresh)
            && capture::may(record)
            && (reading.thread != 0 || record.thread() != 0 || record.polls() != reading.polls)
            // The mark is cleared when the capture is in place. It is withdrawn from a task whose
            // poll blocks, which is not waited for.
            && (record.wants_capture() || record.captured_ago(reading.polls).is_some())
    };
    // Tries again if another dump's capture came in between. After a few tries the task is plainly
    // busy.
    for tried in 0..8 {
        let ago = match record.captured_ago(reading.polls) {
            Some(ago) if counts(ago) => ago,
            None if may_be_replaced() => {
                // The thread that is capturing may have lost its processor.
                if tried > 3 && record.thread() != 0 {
                    thread::sleep(Duration::from_millis(1));
                } else {
                    thread::yield_now();
                }
                continue;
            }
            _ => break,
        };
        let (stack, missing) =
            record.captured(|stack| cache.cached(stack).ok_or_else(|| stack.clone()));
        if record.captured_ago(reading.polls) != Some(ago) {
            continue;
        }
        let missing = [missing.dropped, missing.cut];
        return match stack {
            Some(Ok(trace)) => (Ok(trace), missing),
            Some(Err(stack)) => (Ok(cache.of_task(&stack)), missing),
            None => (Err(NoTrace::NoWaker), missing),
        };
    }
    (Err(none), [0; 2])
}
