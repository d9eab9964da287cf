//! The orderly end of a scope.

use std::error::Error;
use std::fmt;
use std::time::Duration;

use super::inner::Finishing;
use super::inner::ScopeInner;
use super::{Scope, ScopeRef};
use crate::backend::with_current;

#[cfg(feature = "enable")]
use taskscope_inspect::{
    Dump, DumpOptions,
    heap::{self, Held},
};

impl Scope {
    /// Ends the scope, waits up to `grace` for its tasks to end, and names those that did not.
    ///
    /// The scope counts as ended from the call on, and [`AtEnd`](crate::AtEnd) is applied then. To
    /// have tasks asked to stop under the default policy, call [`Scope::cancel`] first. Other
    /// guards of the same scope keep it open until they are gone. The calling task is not waited
    /// for, should it belong to the scope itself.
    ///
    /// # Errors
    ///
    /// [`Survivors`], with a dump of every task that is still alive. Each is also reported as a
    /// `tracing` event with target `taskscope::leak`, unless it has been before.
    ///
    /// # Panics
    ///
    /// If `grace` is not zero and the runtime has no time driver.
    ///
    /// # Cancel safety
    ///
    /// Cancelling the wait leaves the scope ended; survivors are then reported as if nobody had
    /// waited, [`SURVIVOR_REPORT_DELAY`](crate::scope::SURVIVOR_REPORT_DELAY) later.
    pub async fn finish(self, grace: Duration) -> Result<(), Survivors> {
        let scope = self.to_ref();
        let finishing = Finishing::new(scope.inner().clone());
        drop(self);
        let own = with_current(|_, own| {
            let own = own.and_then(|own| ScopeInner::of_owner(&**own));
            own.is_some_and(|own| scope.inner().is_above(own))
        });
        let left = usize::from(own.unwrap_or(false));
        let done = scope.inner().until_at_most(left);
        let all_gone = if grace.is_zero() {
            scope.tasks() <= left
        } else {
            tokio::time::timeout(grace, done).await.is_ok()
        };
        if all_gone {
            finishing.done();
            return Ok(());
        }
        let survivors = Survivors::of(&scope, left).await;
        finishing.done();
        survivors.map_or(Ok(()), Err)
    }
}

/// The tasks that were alive when [`Scope::finish`] gave up waiting for them.
#[derive(Debug)]
pub struct Survivors {
    scope: Box<str>,
    count: usize,
    /// The memory that they hold together, if that is sampled.
    #[cfg(feature = "enable")]
    held: Held,
    #[cfg(feature = "enable")]
    dump: Dump,
}

impl Survivors {
    #[cfg(feature = "enable")]
    async fn of(scope: &ScopeRef, _: usize) -> Option<Survivors> {
        let _still = super::paused_clock::ClockStopped::new();
        let caller = with_current(|task, _| task.id());
        let mut dump = DumpOptions::new().scope(scope).capture().await;
        dump.tasks.retain(|task| caller != Some(task.id));
        for task in &dump.tasks {
            super::survivors::report(task, scope.inner());
        }
        let count = dump.tasks.len();
        let by_task = heap::held_by_task().unwrap_or_default();
        let held = dump.tasks.iter().filter_map(|task| by_task.get(&task.id));
        let held = held.copied().sum();
        (count > 0).then(|| Survivors {
            scope: scope.name().into(),
            count,
            held,
            dump,
        })
    }

    /// How many is all that is known. `left`: those that are not waited for.
    #[cfg(not(feature = "enable"))]
    async fn of(scope: &ScopeRef, left: usize) -> Option<Survivors> {
        let count = scope.tasks().saturating_sub(left);
        (count > 0).then(|| Survivors {
            scope: scope.name().into(),
            count,
        })
    }

    /// How many there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.count
    }

    /// The memory that they hold together; nothing if the program's allocator does not sample.
    #[cfg(feature = "enable")]
    #[must_use]
    pub fn held(&self) -> Held {
        self.held
    }

    /// Everything that is known about them.
    #[cfg(feature = "enable")]
    #[must_use]
    pub fn dump(&self) -> &Dump {
        &self.dump
    }
}

impl fmt::Display for Survivors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = self.count;
        let tasks = if count == 1 { "task is" } else { "tasks are" };
        write!(
            f,
            "scope {:?} has ended and {count} {tasks} still alive",
            self.scope
        )?;
        #[cfg(feature = "enable")]
        if !self.held.is_nothing() {
            let hold = if count == 1 { "it holds" } else { "they hold" };
            write!(f, "; {hold} {} (sampled)", self.held)?;
        }
        Ok(())
    }
}

impl Error for Survivors {}
