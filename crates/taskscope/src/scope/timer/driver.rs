//! One tokio timer that rings by its waker: nobody polls it but we, when it is set.
//!
//! A `Sleep` does its work in the runtime's time driver; polling only leaves a waker with it. So a waker that does something is a callback,
//! and needs no task. It is called on the driver's thread, with no lock of tokio's held; it is also called, early, when the runtime ends.

use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, Weak};
use std::task::{Context, Wake, Waker};
use std::thread::panicking;
use std::time::Duration;

use tokio::runtime::Id;
use tokio::task::coop::unconstrained;
use tokio::time::{Instant, Sleep, sleep_until};

use super::Timer;
use super::clock::{Clock, in_runtime};
use crate::sync::lock;

/// Tokio's timers reach about two years ahead. Whoever wants more is called in between and sets the bell again.
const FAR: Duration = Duration::from_secs(24 * 60 * 60);

pub(super) struct Bell {
    waker: Waker,
    sleep: Mutex<Option<Pin<Box<Sleep>>>>,
    /// Whether it rings when set, and not only the keeper looks.
    rings: AtomicBool,
}

/// Rings a timer. It does not keep it: the timer owns the `Sleep` that owns this.
struct Rope(Weak<Timer>);

impl Wake for Rope {
    fn wake(self: Arc<Self>) {
        if let Some(timer) = self.0.upgrade() {
            timer.ring();
        }
    }
}

/// Runtimes that were found to have no timers. Tokio tells by a panic only, so nobody should ask it twice.
static WITHOUT_TIMERS: Mutex<Vec<Id>> = Mutex::new(Vec::new());

/// Of so many runtimes at a time we remember it.
const REMEMBERED: usize = 64;

fn without_timers() -> MutexGuard<'static, Vec<Id>> {
    lock(&WITHOUT_TIMERS)
}

impl Bell {
    pub(super) fn new(timer: Weak<Timer>) -> Bell {
        Bell {
            waker: Waker::from(Arc::new(Rope(timer))),
            sleep: Mutex::new(None),
            rings: AtomicBool::new(false),
        }
    }

    pub(super) fn rings(&self) -> bool {
        self.rings.load(Ordering::Relaxed)
    }

    /// Sees to it that the bell rings at `at` or earlier, if there is a runtime that can do it. False: `at` has come already.
    ///
    /// Only one thread at a time does this, so the lock is never waited for.
    pub(super) fn set(&self, at: Instant, clock: &Clock) -> bool {
        let mut slot = lock(&self.sleep);
        let set = self.try_set(&mut slot, at, clock);
        self.rings.store(set.is_some(), Ordering::Relaxed);
        set.unwrap_or_else(|| {
            *slot = None;
            at > clock.now()
        })
    }

    /// `None`: it will not ring.
    fn try_set(
        &self,
        slot: &mut Option<Pin<Box<Sleep>>>,
        at: Instant,
        clock: &Clock,
    ) -> Option<bool> {
        let soon = at.min(clock.now() + FAR);
        let is_new = slot.is_none();
        if is_new {
            *slot = Some(new_sleep(soon, clock)?);
        }
        let sleep = slot.as_mut()?;
        let waits = catch_unwind(AssertUnwindSafe(|| {
            if is_new || sleep.is_elapsed() || sleep.deadline() > soon {
                // This registers it. The first poll would, too, but panics if the runtime is ending.
                sleep.as_mut().reset(soon);
            }
            // Without tokio's budget for the current task, which is not ours to spend. Polled again even if nothing has changed: a poll
            // inside one of tokio's own task dumps leaves no waker.
            !sleep.is_elapsed()
                && pin!(unconstrained(sleep.as_mut()))
                    .poll(&mut Context::from_waker(&self.waker))
                    .is_pending()
        }));
        match waits {
            Ok(true) => Some(true),
            Ok(false) if sleep.deadline() <= clock.now() => Some(false),
            // A runtime that ends lets go of all timers, and takes no new ones.
            Ok(false) | Err(_) => {
                clock.runtime_ended();
                None
            }
        }
    }
}

/// A `Sleep` of the clock's runtime, if that has timers. Where a panic cannot be caught, tokio is only asked if it must have some.
fn new_sleep(at: Instant, clock: &Clock) -> Option<Pin<Box<Sleep>>> {
    let runtime = clock.runtime()?;
    let id = runtime.id();
    let asks = cfg!(panic = "unwind") && !panicking() || !clock.is_real();
    if !asks || without_timers().contains(&id) {
        return None;
    }
    let made = catch_unwind(|| in_runtime(&runtime, || Box::pin(sleep_until(at))));
    if made.is_err() {
        let mut without = without_timers();
        if without.len() == REMEMBERED {
            without.remove(0);
        }
        without.push(id);
    }
    made.ok().flatten()
}
