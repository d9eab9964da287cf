//! What a connection is doing: how many things it is busy with, or since when with none.
//!
//! All of it happens on the server's one thread; the atomics are there because futures have to be `Send`, and order nothing.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

/// The load of one connection.
#[derive(Debug, Clone)]
pub(super) struct Load {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    busy_with: AtomicUsize,
    /// When it became idle, in [`Load::turns`].
    idle_since: AtomicU64,
    turns: Arc<AtomicU64>,
}

impl Load {
    /// A connection that is new and idle. `turns` is common to all: it counts up when one becomes idle.
    pub(super) fn new(turns: &Arc<AtomicU64>) -> Self {
        let load = Load {
            shared: Arc::new(Shared {
                busy_with: AtomicUsize::new(0),
                idle_since: AtomicU64::new(0),
                turns: Arc::clone(turns),
            }),
        };
        load.idle();
        load
    }

    /// Counts until it is dropped.
    pub(super) fn busy(&self) -> Busy {
        self.shared.busy_with.fetch_add(1, Ordering::Relaxed);
        Busy(self.clone())
    }

    /// Smaller for one that is idle for longer; none while it is busy.
    pub(super) fn idle_since(&self) -> Option<u64> {
        let is_idle = self.shared.busy_with.load(Ordering::Relaxed) == 0;
        is_idle.then(|| self.shared.idle_since.load(Ordering::Relaxed))
    }

    fn idle(&self) {
        let now = self.shared.turns.fetch_add(1, Ordering::Relaxed);
        self.shared.idle_since.store(now, Ordering::Relaxed);
    }
}

/// One thing that a connection is busy with.
#[derive(Debug)]
pub(super) struct Busy(Load);

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.shared.busy_with.fetch_sub(1, Ordering::Relaxed);
        self.0.idle();
    }
}
