//! Permits to keep a processor busy: in each line one thread at a time, in the order in which they
//! asked.
//!
//! Captures that many have asked for together end together. Without permits, as many threads would
//! then look up names and write answers at once, and the application's own threads would be a few
//! among dozens for that moment: its slowest requests show it. While there is a line, the next one
//! also rests before it begins: however many ask, they get some thirty permits a second, and a
//! tenth of a processor while the work takes less than 28 ms. Whoever asks alone does not wait. Not
//! here: how many may wait (`http/admission.rs`), the nice value of a thread (`thread.rs`).

use std::future::Future;
use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

use tokio::sync::{Semaphore, SemaphorePermit};

/// Permits to look up names and to write answers.
pub(crate) static WORK: CpuLine = CpuLine::new(2);
/// Permits to take a dump. Whoever waits for one waits for all who share it.
pub(crate) static DUMPS: CpuLine = CpuLine::new(1);
/// Permits for scrapes and the overview, which are few and short.
pub(crate) static PROMPT: CpuLine = CpuLine::new(NEVER);
/// Permits to go on with a large answer after its beginning. Nobody else waits behind these.
pub(crate) static DOWNLOADS: CpuLine = CpuLine::new(NEVER);

/// A line in which nobody rests.
const NEVER: usize = usize::MAX;
/// A rest is this many times as long as the work before,
const REST: u32 = 9;
/// but not shorter than this, because the work is not all that an answer costs,
const SHORTEST_REST: Duration = Duration::from_millis(30);
/// and not longer than this.
const LONGEST_REST: Duration = Duration::from_millis(250);

/// A line of threads that want to be busy.
#[derive(Debug)]
pub(crate) struct CpuLine {
    permits: Semaphore,
    /// Number of those who wait for a permit.
    waiting: AtomicUsize,
    /// Threads rest while at least this many others wait.
    rests_from: usize,
    /// End of the rest after the last work.
    rested: Mutex<Option<Instant>>,
}

/// The right to be busy; dropping it lets the next one in.
#[derive(Debug)]
#[must_use = "dropping it lets the next one in"]
pub(crate) struct CpuPermit {
    line: &'static CpuLine,
    /// Always there: the semaphore is never closed.
    _permit: Option<SemaphorePermit<'static>>,
    /// `None` before [`CpuPermit::begin`].
    began: Option<Instant>,
}

impl CpuLine {
    const fn new(rests_from: usize) -> CpuLine {
        CpuLine {
            permits: Semaphore::const_new(1),
            waiting: AtomicUsize::new(0),
            rests_from,
            rested: Mutex::new(None),
        }
    }

    /// Waits for a permit. Dropping the future leaves the line.
    pub(crate) async fn acquire(&'static self) -> CpuPermit {
        let waiter = Waiter::new(self);
        let permit = self.permits.acquire().await.ok();
        drop(waiter);
        CpuPermit {
            line: self,
            _permit: permit,
            began: None,
        }
    }

    /// Waits for a permit and begins, on a thread that can do nothing else meanwhile.
    pub(crate) fn acquire_blocking(&'static self) -> CpuPermit {
        block_on(self.acquire()).begin()
    }

    fn rested(&self) -> MutexGuard<'_, Option<Instant>> {
        crate::sync::lock(&self.rested)
    }

    /// Number of those who wait.
    pub(crate) fn waiting(&self) -> usize {
        // Relaxed: about how many there are is enough.
        self.waiting.load(Ordering::Relaxed)
    }
}

impl CpuPermit {
    /// Rests if that is due, on the thread that is going to be busy.
    pub(crate) fn begin(mut self) -> CpuPermit {
        let rested = self.line.rested().take();
        if let Some(rested) = rested {
            thread::sleep(rested.saturating_duration_since(Instant::now()));
        }
        self.began = Some(Instant::now());
        self
    }
}

impl Drop for CpuPermit {
    fn drop(&mut self) {
        let line = self.line;
        if let Some(began) = self.began
            && line.waiting() >= line.rests_from
        {
            let now = Instant::now();
            let rest = (now.duration_since(began) * REST).clamp(SHORTEST_REST, LONGEST_REST);
            *line.rested() = Some(now + rest);
        }
    }
}

/// One of those who wait.
struct Waiter(&'static CpuLine);

impl Waiter {
    fn new(line: &'static CpuLine) -> Waiter {
        line.waiting.fetch_add(1, Ordering::Relaxed);
        Waiter(line)
    }
}

impl Drop for Waiter {
    fn drop(&mut self) {
        self.0.waiting.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Runs a future on this thread, without any runtime.
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

    // Through a private door: from outside, a rest looks like a slow machine.
    #[test]
    fn whoever_comes_next_rests_while_there_is_a_line() {
        static LINE: CpuLine = CpuLine::new(2);
        let permit = LINE.acquire_blocking();
        let line: Vec<_> = (0..2)
            .map(|_| thread::spawn(|| LINE.acquire_blocking().began))
            .collect();
        while LINE.waiting() < 2 {
            thread::yield_now();
        }
        let busy = Duration::from_millis(2);
        thread::sleep(busy);
        let ended = Instant::now();
        drop(permit);
        for next in line {
            let began = next.join().unwrap().unwrap();
            assert!(began >= ended + SHORTEST_REST, "{:?}", began - ended);
        }
    }
}
