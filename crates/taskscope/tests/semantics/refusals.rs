//! Refusals to spawn where tokio refuses, in its own words and at the caller's line; and what the
//! handle's type promises.

use std::cell::RefCell;
use std::future::pending;
use std::panic::{self, AssertUnwindSafe, Location, RefUnwindSafe, UnwindSafe, catch_unwind};
use std::sync::Once;

use tokio::runtime::{Builder, Handle};
use tokio::task::LocalSet;

thread_local! {
    /// Where the last panic of this thread was.
    static PANICKED_AT: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// The message and the place of a panic.
fn panic_of<T>(f: impl FnOnce() -> T) -> (String, String) {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let before = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            let place = info.location().map(Location::to_string);
            PANICKED_AT.with_borrow_mut(|at| *at = place);
            before(info);
        }));
    });
    let Err(payload) = catch_unwind(AssertUnwindSafe(f)) else {
        return ("no panic".to_owned(), String::new());
    };
    let message = payload
        .downcast_ref::<&str>()
        .map(ToString::to_string)
        .or_else(|| payload.downcast_ref().cloned());
    let place = PANICKED_AT.with_borrow_mut(Option::take);
    (message.unwrap(), place.unwrap())
}

/// Asserts that each of these panics with this message, in this file and between these lines.
fn all_panic_with(message: &str, lines: std::ops::Range<u32>, ways: &[(&str, fn())]) {
    for (way, spawn) in ways {
        let (said, place) = panic_of(spawn);
        assert_eq!(said, message, "{way}");
        let mut place = place.rsplitn(3, ':').skip(1);
        let line: u32 = place.next().unwrap().parse().unwrap();
        assert!(lines.contains(&line), "{way} at {line}");
        assert_eq!(place.next(), Some(file!()), "{way}");
    }
}

#[test]
fn outside_of_a_runtime_every_way_panics_with_tokios_message_at_the_callers_line() {
    let (message, _) = panic_of(|| tokio::spawn(async {}));
    assert!(message.starts_with("there is no reactor running"));
    let first = line!();
    let ways: [(&str, fn()); 8] = [
        ("tokio::spawn", || drop(tokio::spawn(async {}))),
        ("spawn", || drop(taskscope::spawn(async {}))),
        ("named", || drop(taskscope::spawn_named("n", async {}))),
        ("background", || drop(taskscope::background("b", async {}))),
        ("builder", || {
            drop(taskscope::Builder::new().spawn(async {}));
        }),
        ("scope", || drop(taskscope::Scope::new("s").spawn(async {}))),
        ("reference", || {
            drop(taskscope::Scope::new("s").to_ref().spawn(async {}));
        }),
        ("in a scope", || {
            let run = taskscope::Scope::new("s").run(async { drop(taskscope::spawn(async {})) });
            futures::executor::block_on(run);
        }),
    ];
    all_panic_with(&message, first..line!(), &ways);
}

#[test]
fn outside_of_a_local_set_every_local_way_panics_with_tokios_message_at_the_callers_line() {
    let (message, _) = panic_of(|| tokio::task::spawn_local(async {}));
    assert!(message.starts_with("`spawn_local` called from outside"));
    let first = line!();
    let ways: [(&str, fn()); 3] = [
        ("tokio", || drop(tokio::task::spawn_local(async {}))),
        ("local", || drop(taskscope::spawn_local(async {}))),
        ("builder", || {
            drop(taskscope::Builder::new().spawn_local(async {}));
        }),
    ];
    all_panic_with(&message, first..line!(), &ways);
    // Inside of a runtime tokio does not pass the caller's line on.
    for mut builder in [Builder::new_current_thread(), Builder::new_multi_thread()] {
        let runtime = builder.build().unwrap();
        let _entered = runtime.enter();
        for (way, spawn) in ways {
            assert_eq!(panic_of(spawn).0, message, "{way}");
        }
    }
}

/// A `LocalSet` needs no runtime until it is driven.
#[test]
fn inside_of_a_local_set_a_task_can_be_spawned_before_there_is_a_runtime() {
    /// Spawns into a set that has been entered, and drives it afterwards.
    fn runs<H>(spawn: impl FnOnce() -> H, is_finished: impl FnOnce(&H) -> bool) -> bool {
        let set = LocalSet::new();
        let task = {
            let _entered = set.enter();
            spawn()
        };
        let runtime = Builder::new_current_thread().build().unwrap();
        runtime.block_on(set);
        is_finished(&task)
    }
    let (bare, ours) = (
        || tokio::task::spawn_local(async {}),
        || taskscope::spawn_local(async {}),
    );
    assert!(runs(bare, tokio::task::JoinHandle::is_finished));
    assert!(runs(ours, taskscope::JoinHandle::is_finished));
}

#[test]
fn what_is_refused_is_dropped_and_leaves_no_record() {
    let runtime = Builder::new_current_thread().build().unwrap();
    let _entered = runtime.enter();
    let held = std::sync::Arc::new(());
    let holds = held.clone();
    let (message, _) = panic_of(|| {
        taskscope::spawn_local(async move {
            let _holds = holds;
            pending::<()>().await;
        })
    });
    assert_ne!(message, "no panic");
    assert_eq!(std::sync::Arc::strong_count(&held), 1);
    let stats = taskscope::stats();
    let id = Handle::current().id();
    assert!(stats.runtimes.iter().all(|known| known.id != id));
}

/// A name for a type's promises: Send, Sync, Unpin, `UnwindSafe`, `RefUnwindSafe`.
fn promises<T: Send + Sync + Unpin + UnwindSafe + RefUnwindSafe>() {}

#[test]
fn a_handle_promises_what_tokios_does() {
    // Compiled is passed: a `Cell` can be sent and nothing else.
    promises::<tokio::task::JoinHandle<std::cell::Cell<()>>>();
    promises::<taskscope::JoinHandle<std::cell::Cell<()>>>();
}
