//! A blocking pool that is busy with other things.

use std::sync::mpsc;

/// The only thread for blocking calls, held until this is dropped.
pub(crate) struct BusyPool {
    _release: mpsc::Sender<()>,
}

pub(crate) fn busy_pool() -> BusyPool {
    let (release, released) = mpsc::channel::<()>();
    let (begun, begins) = mpsc::channel();
    drop(tokio::task::spawn_blocking(move || {
        begun.send(()).unwrap();
        let _ = released.recv();
    }));
    begins.recv().unwrap();
    BusyPool { _release: release }
}
