//! Resources under the same ownership as tasks: a value that says, in dumps, who acquired it and who uses it.
//!
//! Not here: where the entries are kept, and what a dump makes of them ([`crate::resources`]).

use std::fmt;
use std::ops::{Deref, DerefMut};

use crate::backend::Registered;

/// A value that dumps show for as long as it is held: the guard of a pooled connection, a permit, a lock, a file.
///
/// It knows its kind, where and when it was acquired, the scope and the task that acquired it, and the task that used it last. Use is
/// what goes through `Deref` and `DerefMut`: a task that was given the value, and has not touched it yet, is not known.
///
/// # Examples
///
/// ```
/// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
/// use std::sync::Arc;
/// use taskscope::Tracked;
/// use tokio::sync::Semaphore;
///
/// let pool = Arc::new(Semaphore::new(1));
/// let leaked = pool.clone();
/// taskscope::spawn_named("audit", async move {
///     let permit = leaked.acquire_owned().await.map(|permit| Tracked::new("pool permit", permit));
///     std::future::pending::<()>().await;
///     drop(permit);
/// });
/// tokio::task::yield_now().await;
///
/// assert_eq!(pool.available_permits(), 0);
/// let dump = taskscope::dump().await;
/// let held = &dump.resources[0];
/// assert_eq!(held.kind, "pool permit");
/// let holder = held.last_used_by.as_ref().ok_or("no holder")?;
/// assert_eq!(holder.name.as_deref(), Some("audit"));
/// # Ok::<(), &str>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Overhead
///
/// One small allocation, one uncontended lock, and the same lock again at the end. A use reads two thread-locals and the coarse clock, and
/// writes only if the task has changed or about a millisecond has passed.
///
/// # Limitations
///
/// Dumps know what is wrapped, and nothing of what is not. A value that was leaked by `mem::forget` is shown for ever, which is the truth.
#[must_use = "it is shown as held until it is dropped"]
pub struct Tracked<T> {
    // Before the entry: the resource is shown until its destructor is through.
    value: T,
    entry: Registered,
}

/// Shows a value in dumps until it is dropped: the same as [`Tracked::new`].
///
/// # Examples
///
/// ```
/// let numbers = taskscope::track("buffer", vec![1, 2]);
/// assert_eq!(numbers.len(), 2);
/// assert_eq!(numbers.into_inner(), [1, 2]);
/// ```
#[track_caller]
pub fn track<T>(kind: &'static str, value: T) -> Tracked<T> {
    Tracked::new(kind, value)
}

impl<T> Tracked<T> {
    /// A resource that has just been acquired, by the calling task and for the current scope.
    ///
    /// Kinds group resources, so there should be few: `pg connection`, and not the connection's number.
    #[track_caller]
    pub fn new(kind: &'static str, value: T) -> Tracked<T> {
        Tracked {
            value,
            entry: Registered::new(kind),
        }
    }

    /// The value, which dumps show no longer.
    pub fn into_inner(self) -> T {
        self.value
    }
}

impl<T> Deref for Tracked<T> {
    type Target = T;

    fn deref(&self) -> &T {
        self.entry.used();
        &self.value
    }
}

impl<T> DerefMut for Tracked<T> {
    fn deref_mut(&mut self) -> &mut T {
        self.entry.used();
        &mut self.value
    }
}

impl<T: fmt::Debug> fmt::Debug for Tracked<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut fields = f.debug_struct("Tracked");
        #[cfg(feature = "enable")]
        fields.field("kind", &self.entry.kind());
        fields.field("value", &self.value).finish()
    }
}
