//! The threads that poll tasks: what each is polling right now, and its name.
//!
//! A thread gets a slot when it polls its first task and gives it back when it ends. Slots are
//! reused and never freed, so the upkeep thread may look at them at any time. Not here: stacks of
//! threads; which scope a thread works for ([`crate::current`]).

use std::cell::Cell;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::free_list::FreeList;
use crate::poll_sampler::{Draws, LatePolls, SampleWeight};
use crate::record::{AtomicRecordPtr, Hold, Record, Traits};
use crate::sync::atomic::AtomicU32;
use crate::{clock, pool, text};

/// A thread moves the clock itself once in so many polls.
const ADVANCE: u64 = 64;

/// A thread that has polled a task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Thread {
    /// The name given by whoever started it, or `thread` if there is none.
    pub name: Arc<str>,
    /// The kernel's id of the thread, as `top -H` and `/proc` show it; 0 where there is no `/proc`.
    pub os_id: u32,
}

/// The state of a thread that others may read.
///
/// Threads write to their slots in every poll: two slots must not share a cache line, nor a pair of
/// lines that are fetched together.
#[repr(align(128))]
pub struct Slot {
    /// Never 0.
    index: u16,
    /// The task that the thread is polling; the innermost one, if polls are nested.
    task: AtomicRecordPtr,
    /// Polls begun. Written by the thread alone, as is all that follows.
    polls: AtomicU64,
    /// The number of the poll in which the thread next has something to do besides.
    look_at: AtomicU64,
    /// Draws for all polls, and for polls that come late after the one before.
    draws: Draws,
    late: LatePolls,
    /// The index of the runtime that the thread looked up last, and below it how often runtimes had
    /// been removed then.
    runtime: AtomicU64,
    /// The same of the runtime that it was last seen to work for: code can look up others, to spawn
    /// there.
    works_for: AtomicU64,
    /// Free records that the thread keeps for itself.
    free: FreeList,
}

impl fmt::Debug for Slot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Slot")
            .field("index", &self.index)
            .finish_non_exhaustive()
    }
}

impl Slot {
    const fn new(index: u16) -> Slot {
        Slot {
            index,
            task: AtomicRecordPtr::new(),
            polls: AtomicU64::new(0),
            look_at: AtomicU64::new(0),
            draws: Draws::new(),
            late: LatePolls::new(),
            runtime: AtomicU64::new(0),
            works_for: AtomicU64::new(0),
            free: FreeList::of(AtomicRecordPtr::new(), AtomicU32::new(0)),
        }
    }

    /// Whether the thread was last seen to work for that runtime, and none has been removed since.
    #[inline]
    pub(crate) fn works_for(&self, runtime: u16, removals: u32) -> bool {
        self.works_for.load(Ordering::Relaxed) == known(runtime, removals)
    }

    /// The runtime that the thread was last seen to work for, if none has been removed since.
    pub fn worked_for(&self, removals: u32) -> Option<u16> {
        let known = self.works_for.load(Ordering::Relaxed);
        (known as u32 == removals && known != 0).then_some((known >> 32) as u16)
    }

    /// The thread works for that runtime.
    pub(crate) fn set_works_for(&self, runtime: u16, removals: u32) {
        self.works_for
            .store(known(runtime, removals), Ordering::Relaxed);
    }

    /// The runtime that the thread looked up last, if none has been removed since.
    pub(crate) fn runtime(&self, removals: u32) -> Option<u16> {
        let known = self.runtime.load(Ordering::Relaxed);
        (known as u32 == removals).then_some((known >> 32) as u16)
    }

    pub(crate) fn set_runtime(&self, runtime: u16, removals: u32) {
        self.runtime
            .store(known(runtime, removals), Ordering::Relaxed);
    }

    /// Free records that the thread keeps for itself.
    #[inline]
    pub(crate) fn free(&self) -> &FreeList {
        &self.free
    }

    /// Whether other threads may be using this slot at the same time, so that it can keep nothing.
    #[inline]
    pub fn is_shared(&self) -> bool {
        self.index == u16::MAX
    }

    /// Its place in the table. Never 0.
    #[inline]
    pub fn index(&self) -> u16 {
        self.index
    }

    /// The thread polls this task now. `late`: the clock has moved since the task was last polled.
    /// The answer is what the poll stands for, if sampling chooses it.
    #[inline]
    pub(crate) fn begin_poll(&self, record: &'static Record, late: bool) -> Option<SampleWeight> {
        self.task.set(Some(record));
        let polls = self.polls.load(Ordering::Relaxed);
        self.polls.store(polls.wrapping_add(1), Ordering::Relaxed);
        let chosen = if polls >= self.look_at.load(Ordering::Relaxed) {
            self.look(polls)
        } else {
            None
        };
        if late { self.late.step() } else { chosen }
    }

    #[cold]
    #[inline(never)]
    fn look(&self, polls: u64) -> Option<SampleWeight> {
        if polls.is_multiple_of(ADVANCE) {
            clock::advance();
        }
        let chosen = self.draws.step(polls);
        let advance = (polls | (ADVANCE - 1)).saturating_add(1);
        self.look_at
            .store(advance.min(self.draws.due()), Ordering::Relaxed);
        chosen
    }

    /// The thread polls this task again, or none.
    #[inline]
    pub(crate) fn end_poll(&self, outer: Option<&'static Record>) {
        self.task.set(outer);
    }
}

fn known(runtime: u16, removals: u32) -> u64 {
    (u64::from(runtime) << 32) | u64::from(removals)
}

/// The slot of threads that are too far gone to have one of their own, and of those that come after
/// 65,534 others.
static ENDING: Slot = Slot::new(u16::MAX);

struct Table {
    slots: Vec<&'static Slot>,
    /// The thread that has the slot.
    threads: Vec<Option<Thread>>,
}

static TABLE: Mutex<Table> = Mutex::new(Table {
    slots: Vec::new(),
    threads: Vec::new(),
});

impl Table {
    /// A slot for a thread. `None`: there are too many threads.
    fn register(&mut self, thread: Thread) -> Option<&'static Slot> {
        let free = self.threads.iter().position(Option::is_none);
        let free = match free {
            Some(free) => free,
            None => {
                let index = u16::try_from(self.slots.len() + 1).ok()?;
                if index == u16::MAX {
                    return None;
                }
                self.slots.push(Box::leak(Box::new(Slot::new(index))));
                self.threads.push(None);
                self.slots.len() - 1
            }
        };
        self.threads[free] = Some(thread);
        Some(self.slots[free])
    }
}

fn table() -> MutexGuard<'static, Table> {
    TABLE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Gives the slot back when the thread ends.
struct Registered(&'static Slot);

impl Drop for Registered {
    fn drop(&mut self) {
        SLOT.set(Some(&ENDING));
        self.0.end_poll(None);
        self.0.set_runtime(0, 0);
        self.0.set_works_for(0, 0);
        // The next one that has it is to look at once whether sampling is on.
        self.0.look_at.store(0, Ordering::Relaxed);
        pool::give_back(self.0);
        if let Some(thread) = table().threads.get_mut(usize::from(self.0.index) - 1) {
            *thread = None;
        }
    }
}

thread_local! {
    static SLOT: Cell<Option<&'static Slot>> = const { Cell::new(None) };
    static REGISTERED: Cell<Option<Registered>> = const { Cell::new(None) };
}

/// The slot of this thread.
#[inline]
pub fn slot() -> &'static Slot {
    match SLOT.get() {
        Some(slot) => slot,
        None => register(),
    }
}

#[cold]
#[inline(never)]
fn register() -> &'static Slot {
    callstack::sampler::thread_started();
    let thread = Thread {
        name: text::name(std::thread::current().name().unwrap_or("thread").into()),
        os_id: os_id(),
    };
    let Some(slot) = table().register(thread) else {
        SLOT.set(Some(&ENDING));
        return &ENDING;
    };
    // If this fails, the thread is ending; dropping the value frees the slot again.
    let kept = REGISTERED
        .try_with(|registered| registered.set(Some(Registered(slot))))
        .is_ok();
    let slot = if kept { slot } else { &ENDING };
    SLOT.set(Some(slot));
    slot
}

/// `/proc/thread-self` is a link to `PID/task/TID`.
fn os_id() -> u32 {
    let link = std::fs::read_link("/proc/thread-self").ok();
    link.and_then(|path| path.file_name()?.to_str()?.parse().ok())
        .unwrap_or(0)
}

/// The thread with this index, unless it has ended.
pub fn get(index: u16) -> Option<Thread> {
    table()
        .threads
        .get(usize::from(index).checked_sub(1)?)?
        .clone()
}

/// A thread that is polling a task.
#[derive(Debug)]
pub struct Polling {
    record: &'static Record,
    /// The thread's index.
    pub index: u16,
    /// The kernel's number of the thread; 0 if it is not known.
    pub os_id: u32,
}

impl Polling {
    /// Holds the record of the task, if the task is alive.
    #[must_use]
    pub fn hold(&self) -> Option<Hold> {
        self.record.try_hold()
    }

    /// When the poll began, in raw ticks. `None`: it is over, or it is no poll but a call on the
    /// blocking pool.
    #[must_use]
    pub fn since(&self) -> Option<u64> {
        let polls = self.record.is_live()
            && self.record.thread() != 0
            && !self.record.traits().has(Traits::BLOCKING);
        polls.then(|| self.record.since())
    }
}

/// The threads that are polling a task right now. Of nested polls, the innermost.
pub fn polling() -> Vec<Polling> {
    let table = table();
    let slots = table.slots.iter().zip(&table.threads);
    slots
        .filter_map(|(slot, thread)| {
            Some(Polling {
                record: slot.task.get()?,
                index: slot.index,
                os_id: thread.as_ref()?.os_id,
            })
        })
        .collect()
}

/// Polls begun on all threads. Only good to see whether it moves.
pub fn polls() -> u64 {
    table().slots.iter().fold(0, |sum, slot| {
        sum.wrapping_add(slot.polls.load(Ordering::Relaxed))
    })
}

/// Late polls begun on all threads while sampling is on. Only good to see how fast it moves.
pub fn late_polls() -> u64 {
    table()
        .slots
        .iter()
        .fold(0, |sum, slot| sum.wrapping_add(slot.late.count()))
}

/// Whether any thread is polling a task.
pub fn any_polls() -> bool {
    table().slots.iter().any(|slot| slot.task.get().is_some())
}
