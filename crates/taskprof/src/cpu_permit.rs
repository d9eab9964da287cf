//! Turns at work that keeps a processor busy: one thread of ours at a time, in the order in which they asked.
//!
//! Captures that many have asked for together end together. Without turns, as many threads would then look up names and write answers
//! at once, and the application's own threads would be a few among dozens for that moment: its slowest requests show it. While there is a line, the
//! next one also rests before it begins, so that a crowd gets some thirty turns a second, and never more than a tenth of one processor. Who asks alone does not wait.
//! Not here: what only waits; how many may ask (`http/desk.rs`).

use std::future::Future;
use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

use tokio::sync::{Semaphore, SemaphorePermit};

static TURNS: Semaphore = Semaphore::const_new(1);
/// The turns of those who go on with a large answer while it is read.
static DOWNLOADS: Semaphore = Semaphore::const_new(1);
/// How many wait for their turn.
static LINE: AtomicUsize = AtomicUsize::new(0);
/// When the rest after the last turn is over.
static RESTED: Mutex<Option<Instant>> = Mutex::new(None);

/// So many who wait are a crowd.
const CROWD: usize = 2;
/// A rest is so many times as long as the turn before,
const REST: u32 = 9;
/// but not shorter than this, because a turn is not all that an answer costs,
const SHORTEST_REST: Duration = Duration::from_millis(30);
/// and not longer than this.
const LONGEST_REST: Duration = Duration::from_millis(250);

fn rested() -> MutexGuard<'static, Option<Instant>> {
    // A plain value that is never left half-written.
    RESTED.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The right to be busy; dropping it lets the next one in.
#[derive(Debug)]
#[must_use = "dropping it ends the turn"]
pub(crate) struct CpuPermit {
    /// Always there: the semaphore is never closed.
    _permit: Option<SemaphorePermit<'static>>,
    /// `None` before [`CpuPermit::begin`].
    began: Option<Instant>,
}

impl CpuPermit {
    /// Waits for one's turn. Dropping the future leaves the line.
    pub(crate) async fn wait() -> CpuPermit {
        let place = Place::new();
        let permit = TURNS.acquire().await.ok();
        drop(place);
        CpuPermit {
            _permit: permit,
            began: None,
        }
    }

    /// On the thread that is going to be busy: rests if that is due.
    pub(crate) fn begin(mut self) -> CpuPermit {
        let rested = rested().take();
        if let Some(rested) = rested {
            thread::sleep(rested.saturating_duration_since(Instant::now()));
        }
        self.began = Some(Instant::now());
        self
    }

    /// For a scrape or the overview, which are few and short: one of these at a time, whoever else is busy or waits. Blocks.
    pub(crate) fn take_promptly() -> CpuPermit {
        static PROMPT: Semaphore = Semaphore::const_new(1);
        CpuPermit {
            _permit: block_on(PROMPT.acquire()).ok(),
            began: None,
        }
    }

    /// For the rest of a large answer, after its beginning: one of these at a time, and nobody else waits behind them. Blocks.
    pub(crate) fn take_for_download() -> CpuPermit {
        CpuPermit {
            _permit: block_on(DOWNLOADS.acquire()).ok(),
            began: None,
        }
    }

    /// For work that mostly waits: a turn only if somebody waits for one, so that a few who ask together do not wait for each other.
    pub(crate) fn take_in_line() -> Option<CpuPermit> {
        (LINE.load(Ordering::Relaxed) > 0).then(CpuPermit::take)
    }

    /// Whether somebody waits for a turn.
    #[cfg(test)]
    pub(crate) fn is_line() -> bool {
        LINE.load(Ordering::Relaxed) > 0
    }

    /// Whether a crowd waits. Whoever is busy then has to give way to the application ([`callstack::thread::give_way`]): a crowd's answers are
    /// never without a part of a processor.
    pub(crate) fn is_crowd() -> bool {
        LINE.load(Ordering::Relaxed) >= CROWD
    }

    /// Waits and begins, on a thread that can do nothing else meanwhile and that ends with its answer: where there is a crowd, it gives way from then on.
    pub(crate) fn take() -> CpuPermit {
        let turn = block_on(CpuPermit::wait()).begin();
        if CpuPermit::is_crowd() {
            callstack::thread::give_way();
        }
        turn
    }
}

impl Drop for CpuPermit {
    fn drop(&mut self) {
        let Some(began) = self.began else {
            return;
        };
        // Relaxed: about how many there are is enough.
        if LINE.load(Ordering::Relaxed) >= CROWD {
            let now = Instant::now();
            let rest = (now.duration_since(began) * REST).clamp(SHORTEST_REST, LONGEST_REST);
            *rested() = Some(now + rest);
        }
    }
}

/// A place in the line.
struct Place;

impl Place {
    fn new() -> Place {
        LINE.fetch_add(1, Ordering::Relaxed);
        Place
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        LINE.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Without any runtime.
fn block_on<T>(future: impl Future<Output = T>) -> T {
    struct Unpark(Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut context = Context::from_waker(&waker);
    let mut future = pin!(future);
    loop {
        match future.as_mut().poll(&mut context) {
            Poll::Ready(value) => return value,
            // Returns at once if it was woken in between.
            Poll::Pending => thread::park(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // Through a private door: from outside, a rest looks like a slow machine. Other tests may take turns in between, and then rest for this one.
    #[test]
    fn whoever_comes_next_rests_while_there_is_a_line() {
        let turn = CpuPermit::take();
        let line: Vec<_> = (0..CROWD)
            .map(|_| thread::spawn(|| CpuPermit::take().began))
            .collect();
        while LINE.load(Ordering::Relaxed) < CROWD {
            thread::yield_now();
        }
        let busy = Duration::from_millis(2);
        thread::sleep(busy);
        let ended = Instant::now();
        drop(turn);
        for next in line {
            let began = next.join().unwrap().unwrap();
            assert!(began >= ended + busy * REST, "{:?}", began - ended);
        }
    }
}
