//! The deadline that was set on one scope, and its alarm.

use std::sync::{Mutex, MutexGuard};

use tokio::time::Instant;

use super::timer::Alarm;
use crate::sync::lock;

/// Boxed, because most scopes have none.
#[derive(Default)]
pub(super) struct Deadline(Mutex<Option<Box<Set>>>);

struct Set {
    at: Instant,
    /// Until it has fired or the scope is cancelled.
    alarm: Option<Alarm>,
}

impl Deadline {
    fn lock(&self) -> MutexGuard<'_, Option<Box<Set>>> {
        lock(&self.0)
    }

    pub(super) fn get(&self) -> Option<Instant> {
        self.lock().as_ref().map(|set| set.at)
    }

    /// Sets it unless an earlier one is there.
    pub(super) fn set(&self, at: Instant, alarm: Option<Alarm>) {
        let mut set = self.lock();
        let unused = match &*set {
            Some(earlier) if earlier.at <= at => Some(Box::new(Set { at, alarm })),
            _ => set.replace(Box::new(Set { at, alarm })),
        };
        drop(set);
        // Outside the lock: an alarm can be the last hold on a runtime.
        drop(unused);
    }

    /// Puts the alarm away: nobody waits for it any more.
    pub(super) fn release(&self) {
        let alarm = self.lock().as_mut().and_then(|set| set.alarm.take());
        drop(alarm);
    }
}
