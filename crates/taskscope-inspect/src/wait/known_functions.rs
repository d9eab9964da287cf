//! Tokio's functions that take wakers, known by address: for programs without symbols.
//!
//! They are found by polling: a future of each kind is polled once, and its waker records from
//! which functions it was cloned. Functions that tokio has compiled once, such as a semaphore's
//! `poll`, are the same code for everybody who waits for a permit. Generic functions are compiled
//! anew for each type, so the ones found here are never met elsewhere; they do no harm. A name from
//! here is as good as one from a symbol table: true, and silent about inlined functions.
//!
//! Nothing is polled before a program shows an address without a symbol. Not here: the meaning of a
//! function ([`super::table`]).

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::future::{Future, pending};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::sync::LazyLock;
use std::time::Duration;

use tokio::runtime::Builder;
use tokio::sync::{Notify, Semaphore, mpsc};

use crate::record::probe;

/// The function that stores the waker of a receiver, a timer or a `LocalSet`, which are not told
/// apart by it.
pub(super) const WAKER_CELL: &str = "tokio::sync::task::atomic_waker::AtomicWaker::register_by_ref";

const CLONE: &str = "<core::task::wake::Waker as core::clone::Clone>::clone";
const TIMER: &str = "tokio::time::sleep::Sleep::poll";

/// Names by the address at which a function starts. `None`: it is on the way to several kinds, so
/// it tells nothing.
type Names = HashMap<usize, Option<&'static str>>;

/// The name of the function that a return address leads into, if it is one of these.
pub(crate) fn name_at(address: usize) -> Option<&'static str> {
    static NAMES: LazyLock<Names> = LazyLock::new(|| {
        // Without a runtime no name is found; that is no reason to spoil a dump.
        catch_unwind(AssertUnwindSafe(find)).unwrap_or_default()
    });
    let start = callstack::function_start(address)?;
    *NAMES.get(&start)?
}

fn find() -> Names {
    let mut names = Names::new();
    let (_sender, mut receiver) = mpsc::unbounded_channel::<()>();
    // Every function compiled once below this one belongs to the waker's cell.
    let receive = pin!(async move {
        receiver.recv().await;
    });
    learn(&mut names, WAKER_CELL, receive);

    let semaphore = Semaphore::new(0);
    learn(
        &mut names,
        "tokio::sync::batch_semaphore::Acquire::poll",
        pin!(async {
            drop(semaphore.acquire().await);
        }),
    );
    let notify = Notify::new();
    learn(
        &mut names,
        "tokio::sync::notify::Notified::poll_notified",
        pin!(notify.notified()),
    );
    with_runtime(&mut names);
    names
}

/// Learns the kinds that can only be polled on a runtime: one without threads and, for the timer,
/// without file descriptors.
fn with_runtime(names: &mut Names) {
    let Ok(runtime) = Builder::new_current_thread().enable_time().build() else {
        return;
    };
    {
        let _entered = runtime.enter();
        let task = tokio::spawn(pending::<()>());
        learn(
            names,
            "tokio::runtime::task::join::JoinHandle::poll",
            pin!(async {
                drop(task.await);
            }),
        );
        // The last one: by now the functions of the waker's cell are known.
        learn(
            names,
            TIMER,
            pin!(tokio::time::sleep(Duration::from_secs(3600))),
        );
    }
    // Dropping it waits for its blocking pool, which is not allowed everywhere.
    runtime.shutdown_background();
}

/// Remembers the functions between this future and its leaf's clone of the waker. A function on the
/// way to several kinds tells nothing, but a timer may use the waker's cell. The future is polled
/// twice, since a leaf that has a waker already, as in a capture, may take another way.
fn learn(names: &mut Names, name: &'static str, mut future: Pin<&mut dyn Future<Output = ()>>) {
    for _ in 0..2 {
        remember(names, name, &probe::poll(future.as_mut()));
    }
}

fn remember(names: &mut Names, name: &'static str, frames: &[usize]) {
    for (at, &address) in frames.iter().enumerate() {
        let Some(start) = callstack::function_start(address) else {
            continue;
        };
        match names.entry(start) {
            Entry::Vacant(free) => {
                free.insert(Some(name));
            }
            Entry::Occupied(known) if *known.get() == Some(WAKER_CELL) && name == TIMER => {}
            Entry::Occupied(mut known) => {
                if *known.get() != Some(name) {
                    // The function that every leaf calls to clone is the standard library's, if it
                    // was not compiled into the leaf.
                    known.insert((at == 0).then_some(CLONE));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::path::Path;
    use super::{WAKER_CELL, find};

    /// Compares with symbols the names that were found without them.
    #[test]
    fn functions_that_are_found_have_the_names_that_symbols_give_them() {
        let names = find();
        if names.is_empty() {
            // Nothing tells functions apart here.
            assert_eq!(
                callstack::function_start(find as fn() -> _ as usize + 1),
                None
            );
            return;
        }
        assert!(names.values().any(|name| *name == Some(WAKER_CELL)));
        for module in [
            "tokio::sync::task::atomic_waker",
            "tokio::sync::batch_semaphore",
            "tokio::sync::notify",
            "tokio::time::sleep",
            "tokio::runtime::task::join",
        ] {
            let found = names.iter().any(|(start, name)| {
                let symbols = callstack::symbolize(start + 1);
                let symbol = symbols.last().and_then(|symbol| symbol.name.as_deref());
                let is_in = |name: &str| Path::of(name, |_| true).is_in(module);
                name.is_some_and(is_in) && symbol.is_some_and(is_in)
            });
            assert!(found, "{module}: {names:?}");
        }
    }
}
