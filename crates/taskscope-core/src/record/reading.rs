//! Everything that may be read of a record that is held.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};

use callstack::Stack;

use super::flags::{ENDED_UNWOKEN, ENDING, ITSELF, REPLACED, STACK_WELCOME};
use super::{Extensions, LongPoll, Missing, Record, Traits, arena};
use crate::Name;

impl Record {
    /// Wakers of this task that are out.
    pub fn wakers(&self) -> u64 {
        self.state.wakers()
    }

    /// How many polls ago, as of the poll with this number, the last capture was.
    ///
    /// Wrong if there have been 2^32 polls since, when it says that it was just now.
    pub fn captured_ago(&self, polls: u64) -> Option<u64> {
        let captured = self.captured_in.load(Ordering::Acquire);
        (captured != 0).then(|| u64::from((polls as u32).wrapping_sub(captured)))
    }

    /// Shows `f` the stack that the last capturing poll found. `f` must be short. `None`: the task
    /// took no waker in that poll.
    pub fn captured<R>(&self, f: impl FnOnce(&Arc<Stack>) -> R) -> (Option<R>, Missing) {
        let missing = self
            .extensions()
            .map(|extensions| extensions.data().missing);
        (self.last_stack.read(f), missing.unwrap_or_default())
    }

    /// Has the next late poll capture its stack, whoever wakes the task for it: nobody does for
    /// this. The caller holds the record.
    pub fn welcome_stack(&self) {
        self.hints.fetch_or(STACK_WELCOME, Ordering::Relaxed);
    }

    /// Whether the task ended in a poll that only a capture had asked for, and no wake has come
    /// since: the wake was lost.
    ///
    /// Whoever makes a task ready wakes it right after; the caller gives them the time.
    pub fn ended_unwoken(&self) -> bool {
        self.hints.load(Ordering::Acquire) & ENDED_UNWOKEN != 0 && self.woken_at() == 0
    }

    /// Whether the scopes of the task are being told that it has ended.
    pub fn is_ending(&self) -> bool {
        self.flags.load(Ordering::Acquire) & ENDING != 0
    }

    /// Whether the task has ended.
    #[must_use]
    #[inline]
    pub fn is_finished(&self) -> bool {
        self.state.is_finished()
    }

    /// Whether this is the record of a live task. Without a hold that can change at any moment.
    pub fn is_live(&self) -> bool {
        self.state.is_live()
    }

    /// Whether anybody refers to the record.
    #[must_use]
    #[inline]
    pub fn is_in_use(&self) -> bool {
        self.state.is_in_use()
    }

    /// Whether the task is idle and never took a waker: nothing can have it polled, not even a
    /// dump.
    ///
    /// The order matters. No wake open: a poll has begun, so the thread that is read next is that
    /// of this poll or a later one, or 0 because it has ended; then whatever waker it took is seen.
    /// The other way round, the task may take its waker and suspend between two reads, and would
    /// look like one that never did.
    pub fn is_beyond_waking(&self) -> bool {
        self.woken_at() == 0
            && self.thread() == 0
            && self.flags.load(Ordering::Relaxed) & REPLACED == 0
            && self.executor.kept().is_none()
    }

    /// Whether every wake since the last [`Record::forget_wakers`] came from the task's own polls.
    pub fn only_wakes_itself(&self) -> bool {
        self.woken_by.load(Ordering::Relaxed) == ITSELF
    }

    /// Forgets who has woken the task so far: see [`Record::only_wakes_itself`].
    pub fn forget_wakers(&self) {
        self.woken_by.store(0, Ordering::Relaxed);
    }

    /// Polls begun.
    #[must_use]
    #[inline]
    pub fn polls(&self) -> u64 {
        self.polls.load(Ordering::Acquire)
    }

    /// When the current poll began, or the wait that is going on; raw ticks.
    #[must_use]
    #[inline]
    pub fn since(&self) -> u64 {
        self.since.load(Ordering::Relaxed)
    }

    /// When the first wake came that no poll has answered yet, in raw ticks; 0: none is open.
    #[must_use]
    #[inline]
    pub fn woken_at(&self) -> u64 {
        self.woken_at.load(Ordering::Acquire)
    }

    /// The sum of finished polls, in raw ticks.
    #[must_use]
    #[inline]
    pub fn busy(&self) -> u64 {
        self.busy.load(Ordering::Relaxed)
    }

    /// The index of the thread that is polling the task; 0: none is.
    #[must_use]
    #[inline]
    pub fn thread(&self) -> u16 {
        self.thread.load(Ordering::Acquire)
    }

    /// How the task was declared.
    #[must_use]
    #[inline]
    pub fn traits(&self) -> Traits {
        Traits(self.traits.load(Ordering::Relaxed))
    }

    /// The index of its runtime.
    #[must_use]
    #[inline]
    pub fn runtime(&self) -> u16 {
        self.runtime.load(Ordering::Relaxed)
    }

    /// Tokio's number of the task; 0 until it is known.
    #[must_use]
    #[inline]
    pub fn id(&self) -> u64 {
        self.id.load(Ordering::Relaxed)
    }

    /// Notes tokio's number of the task.
    #[inline]
    pub fn set_id(&self, id: u64) {
        self.id.store(id, Ordering::Relaxed);
    }

    /// When its `JoinHandle` was dropped, in raw ticks; 0: it was not.
    #[must_use]
    #[inline]
    pub fn detached_at(&self) -> u64 {
        self.detached_at.load(Ordering::Relaxed)
    }
}

impl Record {
    /// Keeps a poll that took too long, in place of the one before.
    pub fn set_long_poll(&self, poll: LongPoll) {
        let old = self
            .extensions_or_new()
            .data()
            .long_poll
            .replace(Box::new(poll));
        // Outside the lock: this may be the last reference to a stack.
        drop(old);
    }

    /// Notes for how long that poll has been going on. False: its stack is to be taken, for the
    /// first time, or again because the poll has lasted twice as long as when the last try failed.
    pub fn update_long_poll(&self, polls: u64, lasted: u64) -> bool {
        let Some(extensions) = self.extensions() else {
            return false;
        };
        match &mut extensions.data().long_poll {
            Some(poll) if poll.polls == polls => {
                poll.lasted = lasted;
                poll.stack.is_ok() || lasted < poll.tried_after.saturating_mul(2)
            }
            _ => false,
        }
    }

    /// The last poll that took too long.
    pub fn long_poll(&self) -> Option<LongPoll> {
        self.extensions()?.data().long_poll.as_deref().cloned()
    }

    /// For how long the watchdog has seen the poll with this number go on, in raw ticks; 0 if it
    /// has not.
    pub fn seen_in_poll(&self, polls: u64) -> u64 {
        let Some(extensions) = self.extensions() else {
            return 0;
        };
        let kept = extensions.data();
        let poll = kept.long_poll.as_ref().filter(|poll| poll.polls == polls);
        poll.map_or(0, |poll| poll.lasted)
    }

    /// The name that the task was spawned with.
    pub fn name(&self) -> Option<Name> {
        self.extensions()?.data().name.clone()
    }

    /// The side table, if the record has one. The caller holds the record, or has it for itself.
    pub fn extensions(&self) -> Option<&Extensions> {
        let side = self.side.load(Ordering::Acquire);
        // SAFETY: null, or made by `new_extensions` beside this record; its memory is not given
        // back before that of the record, which is in use.
        unsafe { side.as_ref() }
    }

    /// The side table, made if there is none.
    pub fn extensions_or_new(&self) -> &Extensions {
        self.extensions().unwrap_or_else(|| self.new_extensions())
    }

    #[cold]
    pub(super) fn new_extensions(&self) -> &Extensions {
        // Held for some stores, once for a record until its memory is given back.
        static ONE: Mutex<()> = Mutex::new(());
        let _one = ONE.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(extensions) = self.extensions() {
            return extensions;
        }
        let new = arena::beside(self);
        // SAFETY: the place beside this record is for its side table only, and nobody refers to it:
        // the record says that there is none, and here is one thread at a time. What may have been
        // there before owns nothing (`Extensions::clear`).
        let side = unsafe {
            new.write(Extensions::default());
            &*new
        };
        self.side.store(new, Ordering::Release);
        side
    }
}
