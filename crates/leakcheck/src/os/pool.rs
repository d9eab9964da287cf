//! Which threads of a blocking pool are idle: those that take a call.
//!
//! A thread of the pool stays for ten seconds after its last call, and nothing about it tells: its name is the program's choice, and a call may wait in the
//! same way. But a call goes to an idle thread as long as there is one, and to a new one only then. So as many calls are made, and held, as it takes until
//! each thread in question has answered, or one that did not exist before.

use std::sync::mpsc;
use std::time::Duration;

use tokio::runtime::Handle;

use super::threads::{self, OsThread};
use super::{Announced, own};

/// How long to wait for an answer. All threads that the pool may have are busy if there is none, or the machine is: then the next look asks again.
const ANSWER: Duration = Duration::from_millis(200);

/// Leaves out the threads that are idle.
pub(super) fn leave_out_idle(runtime: &Handle, threads: &mut Vec<OsThread>) {
    let Some(all) = threads::numbers() else {
        return;
    };
    // Dropped in the end, which ends the calls.
    let mut held = Vec::new();
    // Each thread answers once, because it is held.
    while !threads.is_empty() && held.len() <= all.len() {
        let (hold, until_dropped) = mpsc::channel::<()>();
        let (tell, told) = mpsc::channel();
        let announced = Announced::new(runtime);
        drop(runtime.spawn_blocking(move || {
            let _own = announced.here();
            let _ = tell.send(own::this_thread());
            let _ = until_dropped.recv();
        }));
        held.push(hold);
        let Ok(Some(answered)) = told.recv_timeout(ANSWER) else {
            return;
        };
        threads.retain(|thread| thread.os_id != answered);
        if !all.contains(&answered) {
            return;
        }
    }
}
