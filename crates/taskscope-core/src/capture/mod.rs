//! Capturing a task's async stack: one poll with a waker of another identity.
//!
//! ```text
//!  dump (any thread)                        worker
//!  ─────────────────                        ──────
//!  request(record)  ── mark, nudge ──▶  next poll of the task sees the mark
//!      │                                poll_capturing: poll with the CAPTURING waker
//!      │                                    leaf: stored.will_wake(cx.waker()) is false, so it clones
//!      │                                    clone ─▶ on_waker_taken: unwind from here up to poll_above
//!      │                                intern the stack, keep it in the record, end the poll, take the mark away
//!      ◀─ unparked when the last of all marks is gone, otherwise it looks again every millisecond
//! ```
//!
//! Whoever has captured one task goes on with the next one that is wanted of its runtime
//! (`queue`).
//!
//! The mark is set and taken away by swaps, and whoever takes it away counts it off
//! (`pending_captures`), so `OUTSTANDING` is exact whatever ends the capture: the poll, a panic
//! in it, the end of the task, or a dump that gave up.
//!
//! Not here: which tasks are asked and how long a dump waits (`taskscope-inspect`); how frames are
//! unwound (callstack).

mod queue;

use std::borrow::Cow;
use std::cell::RefCell;
use std::future::Future;
use std::hint::black_box;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Context, Poll};
use std::thread::Thread;

use callstack::{Completeness, Stack};

pub use self::queue::CaptureQueue;
use crate::pending_captures;
use crate::record::{Hold, Identity, Missing, Record, Traits};
use crate::sync::atomic::AtomicUsize;

/// Branches (wakers taken in one poll) of one task that are kept; the rest is counted.
pub const MAX_BRANCHES: usize = 64;

/// Marks that are set.
static OUTSTANDING: AtomicUsize = AtomicUsize::new(0);
/// Dumps that wait for marks to go.
static WAITING: Mutex<Vec<Thread>> = Mutex::new(Vec::new());

/// Asks for a capture in the task's next poll, and makes that poll happen soon.
pub fn request(task: &Hold) {
    let record = task.get();
    let asked = pending_captures::set(&OUTSTANDING, || record.request_capture());
    if asked.last {
        unpark();
    }
    // A task in the middle of its first poll may not have taken a waker yet, and that poll has not
    // seen the mark. Nobody would poll it again for a mark that stays: whoever asks finds it gone,
    // and asks again.
    if asked.marked && !record.nudge() {
        withdraw(record);
    }
}

/// Whether the task may be polled for a capture, and would answer with a trace.
pub fn may(record: &Record) -> bool {
    let traits = record.traits();
    ![Traits::NO_CAPTURE, Traits::BLOCKING, Traits::OBSERVED]
        .iter()
        .any(|not| traits.has(*not))
}

/// A poll with a capture has ended well: takes the mark away, and has the next task captured.
pub(crate) fn answered(record: &Record) {
    withdraw(record);
    queue::next_of(record.runtime());
}

/// Takes the mark away, if it is set. The caller holds the record.
pub fn withdraw(record: &Record) {
    if record.clear_capture() {
        settled();
    }
}

/// A mark is gone.
pub(crate) fn settled() {
    if pending_captures::count_off(&OUTSTANDING) {
        unpark();
    }
}

/// No mark is left.
#[cold]
fn unpark() {
    for thread in waiting().iter() {
        thread.unpark();
    }
}

fn waiting() -> MutexGuard<'static, Vec<Thread>> {
    WAITING.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Has this thread unparked whenever no mark is left.
#[derive(Debug)]
pub struct Waiter(Thread);

impl Waiter {
    /// From now on, until it is dropped.
    pub fn register() -> Waiter {
        let thread = std::thread::current();
        waiting().push(thread.clone());
        Waiter(thread)
    }
}

impl Drop for Waiter {
    fn drop(&mut self) {
        let mut waiting = waiting();
        if let Some(at) = waiting.iter().position(|thread| thread.id() == self.0.id()) {
            waiting.swap_remove(at);
        }
    }
}

/// The capture that this thread is in the middle of.
struct Active {
    record: &'static Record,
    /// Address on this thread's stack, inside the frame of `poll_above`.
    limit: usize,
    /// Return addresses, leaf first; 0 between two branches.
    frames: Vec<usize>,
    branches: usize,
    dropped: u32,
    /// Branches whose walk did not reach the task's root.
    cut: u32,
    /// Wakers taken, those of equal stacks included.
    taken: u64,
}

struct Local {
    active: Option<Active>,
    spare: Vec<usize>,
    /// The last stack that was found: mostly the next task waits at the same place.
    last: Weak<Stack>,
}

impl Local {
    /// The one copy of the stack of these frames.
    fn intern(&mut self, frames: &[usize]) -> Option<Arc<Stack>> {
        if frames.is_empty() {
            return None;
        }
        let ordered = in_order(frames);
        if let Some(last) = self.last.upgrade()
            && *last.frames() == *ordered
        {
            return Some(last);
        }
        let stack = Stack::intern(&ordered);
        self.last = Arc::downgrade(&stack);
        Some(stack)
    }
}

thread_local! {
    static LOCAL: RefCell<Local> = const {
        RefCell::new(Local { active: None, spare: Vec::new(), last: Weak::new() })
    };
}

/// A leaf future took the waker of `record`, on this thread, right now: this is where the task
/// suspends.
pub(crate) fn on_waker_taken(record: &'static Record) {
    on_suspension(record, 1);
}

/// A leaf future used the waker of `record` without taking it: the task yields.
pub(crate) fn on_waker_used(record: &'static Record) {
    on_suspension(record, 0);
}

/// The functions of this module and of the capturing waker that can be on the stack between a leaf
/// and the unwinder, by address.
pub fn own_functions() -> [usize; 5] {
    let [clone, wake] = crate::record::capturing_functions();
    let [taken, used] =
        [on_waker_taken as fn(&'static Record), on_waker_used].map(|function| function as usize);
    let suspension = on_suspension as fn(&'static Record, u64) as usize;
    [clone, wake, taken, used, suspension]
}

fn on_suspension(record: &'static Record, taken: u64) {
    let _ = LOCAL.try_with(|local| {
        let Ok(mut local) = local.try_borrow_mut() else {
            return;
        };
        let Some(active) = local
            .active
            .as_mut()
            .filter(|active| std::ptr::eq(active.record, record))
        else {
            return;
        };
        active.taken += taken;
        if active.branches == MAX_BRANCHES {
            active.dropped += 1;
            return;
        }
        let start = active.frames.len();
        if start > 0 {
            active.frames.push(0);
        }
        let branch = active.frames.len();
        let walked = callstack::capture(active.limit, &mut active.frames);
        // The last frame is that of `poll_above`, if the walk has come to it.
        if walked == Completeness::Complete && active.frames.len() > branch + 1 {
            active.frames.pop();
        }
        let (before, new) = active.frames.split_at(branch);
        if new.is_empty() || before.split(|&ip| ip == 0).any(|earlier| earlier == new) {
            active.frames.truncate(start);
        } else {
            active.branches += 1;
            active.cut += u32::from(walked != Completeness::Complete);
        }
    });
}

/// Restores the outer capture and settles this one, also when the poll panics.
struct Session {
    record: &'static Record,
    outer: Option<Active>,
    pending: bool,
}

impl Session {
    fn begin(record: &'static Record) -> Session {
        let outer = LOCAL.try_with(|local| {
            let mut local = local.try_borrow_mut().ok()?;
            let frames = std::mem::take(&mut local.spare);
            local.active.replace(Active {
                record,
                // A leaf that is not polled by `poll_above` has nothing on the stack.
                limit: 0,
                frames,
                branches: 0,
                dropped: 0,
                cut: 0,
                taken: 0,
            })
        });
        Session {
            record,
            outer: outer.ok().flatten(),
            pending: false,
        }
    }
}

impl Session {
    /// Begins again if more wakers were taken than are still out: then a leaf was left behind in
    /// this very poll, and its branch is history.
    fn restart_if_moved(&self) -> bool {
        let restart = LOCAL.try_with(|local| {
            let mut local = local.try_borrow_mut().ok()?;
            let active = local.active.as_mut()?;
            if active.taken <= self.record.wakers() {
                return None;
            }
            active.frames.clear();
            (active.branches, active.dropped, active.cut, active.taken) = (0, 0, 0, 0);
            Some(())
        });
        restart.ok().flatten().is_some()
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        let outer = self.outer.take();
        let found = LOCAL.try_with(|local| {
            let mut local = local.try_borrow_mut().ok()?;
            let mut active = std::mem::replace(&mut local.active, outer)?;
            let stack = self.pending.then(|| local.intern(&active.frames));
            active.frames.clear();
            local.spare = active.frames;
            let missing = Missing {
                dropped: active.dropped,
                cut: active.cut,
            };
            Some((stack?, missing))
        });
        // With nothing borrowed: this may drop the last reference to another stack.
        if let Ok(Some((stack, missing))) = found {
            self.record.set_captured(stack, missing);
        }
    }
}

/// Branches in an order of their own: `select!` polls in random order, and equal traces must be
/// equal.
fn in_order(frames: &[usize]) -> Cow<'_, [usize]> {
    if !frames.contains(&0) {
        return frames.into();
    }
    let mut branches: Vec<&[usize]> = frames.split(|&ip| ip == 0).collect();
    branches.sort_unstable();
    branches.join(&0).into()
}

/// Polls a future once with the capturing waker (twice if it moved on meanwhile). The caller takes
/// the mark away when the poll is over and the record says so, else a dump would see the task
/// running. The frames above those of this module make the trace.
#[inline(never)]
pub(crate) fn poll_capturing<F: Future>(
    mut future: Pin<&mut F>,
    record: &'static Record,
) -> Poll<F::Output> {
    let mut session = Session::begin(record);
    let mut poll = || {
        record.with_waker(Identity::Capturing, |waker| {
            poll_above(future.as_mut(), &mut Context::from_waker(waker))
        })
    };
    let mut polled = poll();
    if polled.is_pending() && session.restart_if_moved() {
        polled = poll();
    }
    session.pending = polled.is_pending();
    polled
}

/// Polls the future in a frame of its own: what is above this one is not ours, and needs no name to
/// be told apart. The future comes as a trait object, or its code could be compiled into this
/// function.
#[inline(never)]
fn poll_above<T>(future: Pin<&mut dyn Future<Output = T>>, cx: &mut Context<'_>) -> Poll<T> {
    let anchor = 0_u8;
    set_limit(std::ptr::from_ref(black_box(&anchor)).addr());
    let polled = black_box(future).poll(cx);
    // Something to do after the call, which could otherwise take the place of this frame.
    black_box(&anchor);
    polled
}

/// The capture that this thread is in the middle of ends with the frame that this address is in.
fn set_limit(limit: usize) {
    let _ = LOCAL.try_with(|local| {
        if let Ok(mut local) = local.try_borrow_mut()
            && let Some(active) = &mut local.active
        {
            active.limit = limit;
        }
    });
}
