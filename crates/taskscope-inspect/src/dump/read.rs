//! From a task's record to what a dump shows of it.

use std::sync::Arc;
use std::thread;
use std::time::Duration;

use super::trace_cache::TraceCache;
use super::{LongPoll, Stacks, State, TaskDump, ThreadInfo, Trace};
use crate::evidence::{self, Moments, Reading};
use crate::record::{Extensions, Hold, Record, Traits};
use crate::{ScopeInfo, Verdict, capture, clock, threads};
use taskscope_core::{NoTrace, TaskKind};

/// A capture may be so many polls later than the reading of its task.
const LATER: u32 = 1024;

/// Which captures count as this dump's.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Captures {
    /// Those that were true when the dump began, and later ones.
    Fresh,
    /// Any that is still true.
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

/// What a dump has to go by when it reads a record.
#[derive(Clone, Copy)]
pub(super) struct Asked {
    pub(super) captures: Captures,
    /// Polls of the task when the dump began.
    pub(super) polls: u64,
    /// How long ago that was; `None`: the task was not watched.
    pub(super) watched: Option<Duration>,
}

impl Asked {
    /// What is known without asking, traces left aside.
    pub(super) const NOTHING: Asked = Asked {
        captures: Captures::No,
        polls: 0,
        watched: None,
    };

    /// Whether the task was polled thousands of times a second since the dump began, by nobody's doing but its own.
    fn spins(&self, record: &Record, polls: u64) -> bool {
        self.watched.is_some_and(|watched| {
            evidence::spins(record, polls.saturating_sub(self.polls), watched)
        })
    }
}

/// The task of a record, unless it has ended meanwhile.
pub(super) fn read(
    hold: &Hold,
    asked: Asked,
    moments: Moments,
    cache: &mut TraceCache,
) -> Option<TaskDump> {
    if hold.record().is_finished() {
        return None;
    }
    let task = describe(hold, asked, moments, cache);
    (!hold.record().is_finished()).then_some(task)
}

/// A task that has ended in the poll that a capture asked for, as it was before that.
pub(super) fn ended_unwoken(
    hold: &Hold,
    since: u64,
    moments: Moments,
    cache: &mut TraceCache,
) -> TaskDump {
    let task = describe(hold, Asked::NOTHING, moments, cache);
    let stack = hold.record().captured(Clone::clone).0;
    TaskDump {
        verdict: Verdict::LostWakeup,
        state: State::Idle {
            since: clock::between(since, moments.began),
        },
        // Where it waited in an earlier poll, if anybody has looked.
        trace: stack.map_or(Err(NoTrace::NotAsked), |stack| Ok(cache.of_task(&stack))),
        ..task
    }
}

fn describe(hold: &Hold, asked: Asked, moments: Moments, cache: &mut TraceCache) -> TaskDump {
    let (record, meta) = (hold.record(), hold.meta());
    let reading = Reading::steady(record);
    let now = reading.now(moments);
    let long_poll = record.long_poll();
    let seen = long_poll
        .as_ref()
        .filter(|poll| poll.polls == reading.polls)
        .map_or(Duration::ZERO, |poll| clock::length(poll.lasted));
    let mut state = reading.state(moments, seen);
    if let State::Running { thread, .. } = &mut state {
        *thread = threads::get(reading.thread).map(|thread| {
            Box::new(ThreadInfo {
                name: thread.name,
                os_id: thread.os_id,
            })
        });
    }
    let (trace, [branches_dropped, branches_cut]) = trace(record, &reading, asked, &state, cache);
    let traits = record.traits();
    let background = traits.has(Traits::BACKGROUND);
    let scope = meta.scope_info();
    let scope_ended = scope.as_ref().and_then(ScopeInfo::ended);
    let looks = record.extensions().and_then(Extensions::token);
    let spinning = asked.spins(record, reading.polls);
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
            let kept = extensions.data();
            (kept.name.clone(), kept.labels.clone())
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
        token_polled: looks.map(|looks| {
            let ago = |at| clock::between(at, now);
            (ago(looks.first), ago(looks.last))
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
    asked: Asked,
    state: &State,
    cache: &mut TraceCache,
) -> (Result<Arc<Trace>, NoTrace>, [u32; 2]) {
    let traits = record.traits();
    let none = match (asked.captures, state) {
        _ if traits.has(Traits::BLOCKING) => NoTrace::Call,
        _ if traits.has(Traits::OBSERVED) => NoTrace::Observed,
        _ if traits.has(Traits::NO_CAPTURE) => NoTrace::NotAllowed,
        _ if record.is_beyond_waking() => NoTrace::NoWaker,
        (Captures::No | Captures::Cached, _) => NoTrace::NotAsked,
        (Captures::Fresh, State::Running { .. }) => NoTrace::Running,
        (Captures::Fresh, _) => NoTrace::NoAnswer,
    };
    let counts = |ago: u64| match asked.captures {
        Captures::No => false,
        Captures::Cached => ago == 0,
        // What another dump has captured since the reading is fresh, too: counted from a later poll, it is less than nothing ago.
        Captures::Fresh => {
            ago <= reading.polls.saturating_sub(asked.polls) || ago > u64::from(u32::MAX - LATER)
        }
    };
    // Another dump may have the task captured at this moment, and then there is no capture until the new one is in place.
    let may_be_replaced = || {
        matches!(asked.captures, Captures::Fresh)
            && capture::may(record)
            && (reading.thread != 0 || record.thread() != 0 || record.polls() != reading.polls)
            // The mark goes when the capture is in place. It is taken off a task whose poll blocks: that one is not waited for.
            && (record.wants_capture() || record.captured_ago(reading.polls).is_some())
    };
    // Again if another dump's capture came in between. After a few tries the task is plainly busy.
    for tried in 0..8 {
        let ago = match record.captured_ago(reading.polls) {
            Some(ago) if counts(ago) => ago,
            None if may_be_replaced() => {
                // The thread that puts it in place may have lost its processor.
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
            record.captured(|stack| cache.at_hand(stack).ok_or_else(|| stack.clone()));
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
