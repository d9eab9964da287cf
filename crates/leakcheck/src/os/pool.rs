//! Finds idle threads of a blocking pool, by making them take a call.
//!
//! A thread of the pool stays for ten seconds after its last call, and nothing in `/proc` tells an
//! idle one: its name is the program's choice, and a call may wait in the same way. But tokio gives
//! a call to an idle thread as long as there is one, and makes a new thread only then. So calls are
//! made, and held, until each thread in question has answered, or a new thread has.
//!
//! Not here: how often pools are probed (`mod.rs`).

use std::sync::mpsc;
use std::time::Duration;

use tokio::runtime::Handle;

use super::threads::{self, OsThread};
use super::{AnnouncedCall, internal_threads};

/// How long a probe waits for an answer. Without one, the machine is busy or all threads that the
/// pool may have are; the next count probes again.
const ANSWER: Duration = Duration::from_millis(200);

/// Leaves out the threads that are idle.
pub(super) fn leave_out_idle(runtime: &Handle, threads: &mut Vec<OsThread>) {
    let Some(all) = threads::os_ids() else {
        return;
    };
    // Their drop ends the calls.
    let mut held = Vec::new();
    // Each thread answers once, because it is held.
    while !threads.is_empty() && held.len() <= all.len() {
        let (hold, until_dropped) = mpsc::channel::<()>();
        let (answer, answers) = mpsc::channel();
        let announced = AnnouncedCall::new(runtime);
        drop(runtime.spawn_blocking(move || {
            let _internal = announced.enter();
            let _ = answer.send(internal_threads::this_thread());
            let _ = until_dropped.recv();
        }));
        held.push(hold);
        let Ok(Some(answered)) = answers.recv_timeout(ANSWER) else {
            return;
        };
        threads.retain(|thread| thread.os_id != answered);
        if !all.contains(&answered) {
            return;
        }
    }
}
