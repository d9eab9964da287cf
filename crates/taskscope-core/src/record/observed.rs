//! Polls that a runtime's hooks report: a beginning and an end that are two calls, around a poll
//! that is not ours to wrap.
//!
//! What is open is kept in a small stack of the thread, with a hold on each record: tokio ends a
//! task in the middle of its last poll, and the current task of a thread has to be held by somebody
//! until it is no longer the current one.
//!
//! Nothing here relies on tokio calling its hooks in pairs. A poll that is not the innermost one
//! when it ends gives its place as current task to nobody, and its hold away for ever, since a poll
//! inside of it may still mean to make it the current one again.
//!
//! The thread-local has no destructor, for the same reason as that of [`super::poll`].

use std::cell::Cell;
use std::mem::{ManuallyDrop, forget};

use super::current::LOCAL;
use super::polling::Begun;
use super::sampled::PollFlags;
use super::{Hold, Record};
use crate::threads::{self, Slot};
use crate::{clock, poll_sampler, runtime};

/// Polls of hooked tasks inside each other, on one thread: a runtime inside of a task of another
/// one. Those that are deeper are not counted.
const DEPTH: usize = 8;

/// A poll that has begun and not ended.
struct Open {
    hold: Hold,
    begun: Begun,
    outer: Option<&'static Record>,
    scoped: bool,
    slot: &'static Slot,
    special: PollFlags,
}

struct Stack {
    depth: Cell<usize>,
    open: [Cell<Option<ManuallyDrop<Open>>>; DEPTH],
}

thread_local! {
    static STACK: Stack = const {
        Stack { depth: Cell::new(0), open: [const { Cell::new(None) }; DEPTH] }
    };
}

/// The task's poll begins on this thread.
pub fn begin_poll(hold: Hold) {
    STACK.with(|stack| {
        let record = hold.0;
        // A task is polled once at a time: what is still open here was never ended.
        stack.end(record.id());
        let depth = stack.depth.get();
        let Some(place) = stack.open.get(depth) else {
            return;
        };
        place.set(Some(ManuallyDrop::new(Open::begin(hold))));
        stack.depth.set(depth + 1);
    });
}

/// The poll of the task with this number has ended on this thread, if it has begun here.
pub fn end_poll(id: u64) {
    STACK.with(|stack| stack.end(id));
}

impl Stack {
    /// Ends the poll of that task, and those inside of it that nobody has ended.
    fn end(&self, id: u64) {
        let depth = self.depth.get();
        let opened = |place: usize| {
            let open = self.open[place].take();
            let found = open.as_ref().is_some_and(|open| open.is_of(id));
            self.open[place].set(open);
            found
        };
        let Some(found) = (0..depth).rev().find(|place| opened(*place)) else {
            return;
        };
        for place in (found..depth).rev() {
            self.depth.set(place);
            if let Some(open) = self.open[place].take() {
                ManuallyDrop::into_inner(open).end();
            }
        }
    }
}

impl Open {
    fn begin(hold: Hold) -> Open {
        let record = hold.0;
        let slot = threads::slot();
        if record.polls() == 0 {
            runtime::found(record);
        }
        let now = clock::coarse();
        // SAFETY: no waker is lent, and `hold` holds the record until the poll ends.
        let begun = unsafe { record.begin_poll(None, slot.index(), now) };
        let chosen = slot.begin_poll(record, poll_sampler::is_late(begun.was_since, now));
        let mut special = PollFlags::new(false);
        if let Some(weight) = chosen {
            special = record.choose(&begun, special, now, weight);
        }
        let (outer, scoped) = LOCAL.with(|local| {
            (
                local.task.replace(Some(record)),
                local.scoped.replace(false),
            )
        });
        Open {
            hold,
            // Nobody tells us of its wakes, and no dump polls it: every poll ends a wait.
            begun: Begun {
                woken_at: now,
                ..begun
            },
            outer,
            scoped,
            slot,
            special,
        }
    }

    fn is_of(&self, id: u64) -> bool {
        self.hold.record().id() == id
    }

    fn end(self) {
        let record = self.hold.0;
        let now = clock::coarse();
        if self.special.is_sampled() {
            // Nobody asks how a task waits that has ended.
            let suspended = !record.is_finished();
            record.end_sampled_poll(&self.begun, self.special, suspended, now);
        }
        record.end_poll(&self.begun, now);
        let innermost = LOCAL.with(|local| {
            let innermost = local
                .task
                .get()
                .is_some_and(|task| std::ptr::eq(task, record));
            if innermost {
                local.task.set(self.outer);
                local.scoped.set(self.scoped);
            }
            innermost
        });
        if innermost {
            self.slot.end_poll(self.outer);
        } else {
            forget(self.hold);
        }
    }
}
