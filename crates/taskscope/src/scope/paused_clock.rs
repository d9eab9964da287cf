//! Keeps a paused clock where it is while somebody looks.

use std::sync::mpsc;

use super::timer;

/// Keeps a paused clock where it is until dropped. It would jump to the next timer while the dump
/// is taken on a thread of its own, and the survivors would be gone. Tokio's clock does not jump
/// while a blocking call is under way.
pub(super) struct ClockStopped {
    _ends_the_call: Option<mpsc::Sender<()>>,
}

impl ClockStopped {
    pub(super) fn new() -> ClockStopped {
        let sender = (!timer::clock_is_real()).then(|| {
            let (sender, receiver) = mpsc::channel::<()>();
            tokio::task::spawn_blocking(move || receiver.recv());
            sender
        });
        ClockStopped {
            _ends_the_call: sender,
        }
    }
}
