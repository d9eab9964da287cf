//! Tells the hooks of a runtime that a task has a record already, because it is spawned through
//! this crate.
//!
//! A mark of the thread around the call of tokio's function, taken away by the first spawn hook
//! that is called there. On a runtime that has shut down tokio drops the future before that, whose
//! destructor may spawn tasks of its own: [`not_ours`] takes the mark away first.
//!
//! Without `--cfg tokio_unstable` there are no hooks, and nothing here does anything.

#[cfg(tokio_unstable)]
thread_local! {
    static OURS: std::cell::Cell<bool> = const { std::cell::Cell::new(false) };
}

/// A task that is spawned by this thread is ours, until this is dropped.
#[derive(Debug)]
#[must_use = "the mark is taken away when it is dropped"]
pub struct Ours(());

/// Marks the task that this thread spawns next as one of ours.
#[inline]
pub fn ours() -> Ours {
    #[cfg(tokio_unstable)]
    OURS.set(true);
    Ours(())
}

#[cfg(tokio_unstable)]
impl Drop for Ours {
    #[inline]
    fn drop(&mut self) {
        OURS.set(false);
    }
}

/// A future of ours is about to be dropped: what is spawned now is not that future.
#[inline]
pub fn not_ours() {
    #[cfg(tokio_unstable)]
    OURS.set(false);
}

/// Whether the task that is being spawned is ours.
#[cfg(tokio_unstable)]
pub fn take_ours() -> bool {
    OURS.replace(false)
}
