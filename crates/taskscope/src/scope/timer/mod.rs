//! Alarms at a time of tokio's clock, without a task and without a timer for each.
//!
//! All alarms of one runtime wait in one queue. One tokio `Sleep` is set for the earliest; what
//! polls it is no task but a waker of ours ([`driver`]), so alarms fire on the runtime's time
//! driver, honour its pausable clock, and nobody sees a task that is not his. Three things can keep
//! that from happening: there is no runtime, the runtime has no timers, its workers are all
//! blocked. So a thread ([`super::alarm_thread`]) looks at every queue too, and asks the same
//! clock: what is due by a paused clock is due, and nothing else. An alarm that is dropped leaves
//! its queue; a queue without alarms is dropped with its hold on the runtime. Not here: what an
//! alarm means.

mod clock;
mod driver;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock, Mutex, Weak};
use std::time::Duration;

use tokio::runtime::{Handle, Id};
use tokio::time::Instant;

use self::clock::Clock;
#[cfg(feature = "enable")]
pub(super) use self::clock::is_real as clock_is_real;
pub(super) use self::clock::now;
use self::driver::SleepDriver;
use super::alarm_thread::AlarmThread;
use crate::sync::lock;

/// How late an alarm of a runtime may be before the thread looks after it: the runtime's workers
/// are blocked.
const LATE: Duration = Duration::from_millis(100);

/// The call of a scope when the time has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Call {
    /// Its deadline has passed.
    Deadline,
    /// The grace before the abort is over.
    Abort,
}

/// A scope, as an alarm knows it.
pub(super) trait Alarmed: Send + Sync {
    /// The time has come.
    fn alarm(&self, call: Call);
}

type Key = (Instant, u64);
type Entry = (Weak<dyn Alarmed>, Call);

/// The alarms of one clock.
struct Timer {
    /// `None`: the real clock.
    runtime: Option<Id>,
    clock: Clock,
    queue: Mutex<BTreeMap<Key, Entry>>,
    driver: SleepDriver,
    /// Calls of `fire` that have not been answered. The one that takes it from 0 answers; the
    /// others leave, so nothing waits for anybody here, and the driver may fire while it is being
    /// set.
    unanswered: AtomicUsize,
}

static THREAD: AlarmThread = AlarmThread::new("taskscope-alarm", look);

static TIMERS: Mutex<Vec<Weak<Timer>>> = Mutex::new(Vec::new());

/// The alarms that were set outside of any runtime.
static REAL: LazyLock<Arc<Timer>> = LazyLock::new(|| Timer::enter(None));

thread_local! {
    /// The timer that this thread used last.
    static LAST: RefCell<Weak<Timer>> = const { RefCell::new(Weak::new()) };
}

/// An alarm that is set. Dropping it takes it back.
pub(super) struct Alarm {
    timer: Arc<Timer>,
    key: Key,
}

impl Alarm {
    /// Sets an alarm by the clock of the current runtime, or by the real one outside of any.
    pub(super) fn set(at: Instant, scope: Weak<dyn Alarmed>, call: Call) -> Alarm {
        static NUMBERS: AtomicU64 = AtomicU64::new(0);
        let timer = Timer::current();
        let key = (at, NUMBERS.fetch_add(1, Ordering::Relaxed));
        let mut queue = lock(&timer.queue);
        let first = queue
            .first_key_value()
            .is_none_or(|(first, _)| key < *first);
        queue.insert(key, (scope, call));
        drop(queue);
        if first {
            timer.fire();
        }
        Alarm { timer, key }
    }
}

impl Drop for Alarm {
    fn drop(&mut self) {
        let entry = lock(&self.timer.queue).remove(&self.key);
        drop(entry);
    }
}

/// Alarms that are set.
#[cfg(feature = "enable")]
pub(super) fn count() -> usize {
    all().iter().map(|timer| lock(&timer.queue).len()).sum()
}

fn all() -> Vec<Arc<Timer>> {
    let table = lock(&TIMERS);
    let all = table.iter().filter_map(Weak::upgrade).collect();
    drop(table);
    all
}

/// For the alarm thread: fires what is due and nobody else has fired. Returns how long it may
/// sleep; `None`: until it is called.
fn look() -> Option<Duration> {
    all().iter().filter_map(|timer| timer.look()).min()
}

impl Timer {
    fn enter(runtime: Option<&Handle>) -> Arc<Timer> {
        let timer = Arc::new_cyclic(|timer: &Weak<Timer>| {
            let clock = Clock::of(runtime);
            Timer {
                runtime: runtime.map(Handle::id),
                driver: SleepDriver::new(timer.clone()),
                clock,
                queue: Mutex::new(BTreeMap::new()),
                unanswered: AtomicUsize::new(0),
            }
        });
        lock(&TIMERS).push(Arc::downgrade(&timer));
        timer
    }

    fn current() -> Arc<Timer> {
        let Ok(handle) = Handle::try_current() else {
            return REAL.clone();
        };
        let id = Some(handle.id());
        let last = LAST.try_with(|last| last.try_borrow().ok()?.upgrade());
        if let Some(timer) = last.ok().flatten().filter(|timer| timer.runtime == id) {
            return timer;
        }
        // Upgraded timers are dropped after the lock: the last one to go drops a tokio handle.
        let mut seen = Vec::new();
        let mut table = lock(&TIMERS);
        table.retain(|timer| timer.strong_count() > 0);
        let found = table.iter().filter_map(Weak::upgrade).find_map(|timer| {
            if timer.runtime == id {
                return Some(timer);
            }
            seen.push(timer);
            None
        });
        drop(table);
        drop(seen);
        // Two threads that get here at once make two timers for one runtime, and both work.
        let timer = found.unwrap_or_else(|| Timer::enter(Some(&handle)));
        let _ = LAST.try_with(|last| {
            if let Ok(mut last) = last.try_borrow_mut() {
                *last = Arc::downgrade(&timer);
            }
        });
        timer
    }

    /// Fires what is due and sets the driver for what comes next, unless somebody is at it, who
    /// then does it again.
    fn fire(&self) {
        let mut answered = 1;
        if self.unanswered.fetch_add(1, Ordering::AcqRel) != 0 {
            return;
        }
        loop {
            // The calls below cancel a scope's token: its wakers are other people's code.
            let _ = catch_unwind(AssertUnwindSafe(|| self.answer()));
            let left = self.unanswered.fetch_sub(answered, Ordering::AcqRel) - answered;
            if left == 0 {
                return;
            }
            answered = left;
        }
    }

    fn answer(&self) {
        let now = self.clock.now();
        while let Some((scope, call)) = self.next_due(now) {
            let scope = scope.upgrade();
            let _ = catch_unwind(AssertUnwindSafe(|| {
                if let Some(scope) = scope {
                    scope.alarm(call);
                }
            }));
        }
        let Some(first) = self.first() else {
            return;
        };
        if !self.driver.set(first, &self.clock) {
            // Due by now.
            self.unanswered.fetch_add(1, Ordering::AcqRel);
            return;
        }
        THREAD.look_in(self.look_in(first));
    }

    fn first(&self) -> Option<Instant> {
        lock(&self.queue).first_key_value().map(|(key, _)| key.0)
    }

    fn next_due(&self, now: Instant) -> Option<Entry> {
        let mut queue = lock(&self.queue);
        let first = queue.first_entry()?;
        (first.key().0 <= now).then(|| first.remove())
    }

    /// When the alarm thread should look after an alarm at `first`.
    fn look_in(&self, first: Instant) -> Duration {
        let left = first.saturating_duration_since(self.clock.now());
        if self.driver.fires() {
            left + LATE
        } else {
            left
        }
    }

    fn look(&self) -> Option<Duration> {
        let first = self.first()?;
        let late = self.clock.now().checked_duration_since(first);
        let patience = if self.driver.fires() {
            LATE
        } else {
            Duration::ZERO
        };
        if late.is_some_and(|late| late >= patience) {
            self.fire();
        }
        Some(self.look_in(self.first()?))
    }
}
