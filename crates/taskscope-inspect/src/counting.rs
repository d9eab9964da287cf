//! The thread that counts all tasks now and then: by spawn site for [`crate::growth`], by verdict for [`crate::census`].
//!
//! With a million tasks a count takes some hundred milliseconds, so nothing that must come in time is done here (the clock, blocked polls).

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::OnceLock;
use std::thread::{self, Thread};

use crate::{census, growth};

/// The name of the thread, as `top -H` shows it.
const NAME: &str = "taskscope-count";

/// `None` if the system would not give us a thread.
static THREAD: OnceLock<Option<Thread>> = OnceLock::new();

/// For the upkeep thread: has the other thread count if it is time to. Cheap.
pub(crate) fn look() {
    if growth::is_due() || census::is_due() {
        wake();
    }
}

/// While nobody polls no spawn site grows; but a series of counts by verdict goes on.
pub(crate) fn look_while_quiet() {
    if census::is_due() {
        wake();
    }
}

fn wake() {
    let thread = THREAD.get_or_init(|| {
        let started = thread::Builder::new().name(NAME.into()).spawn(run);
        started.ok().map(|handle| handle.thread().clone())
    });
    if let Some(thread) = thread {
        thread.unpark();
    }
}

fn run() {
    loop {
        thread::park();
        // A bug of ours is no reason to stop counting.
        let _ = catch_unwind(AssertUnwindSafe(growth::sample_if_due));
        let _ = catch_unwind(AssertUnwindSafe(census::take_if_due));
    }
}
