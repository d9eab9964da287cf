//! What the pages of one router share: how much may go on at the same time, the captures that are kept, and the looks that are being read.
//!
//! CaptureStore that take time are counted and refused above [`MAX_CAPTURES`]. Looks at this moment are short: a few run, some more wait in line,
//! and whoever comes after them is refused. Scrapes and the overview have a line of their own, so that they wait for nobody who downloads. When an answer is made, its place in line is
//! free; what its client still reads is the business of `reading.rs`. A refusal is a 429 that says when to ask again: the more were refused, the later, so that a crowd comes
//! back one by one and not all at once.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::body::{Body, Bytes};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::capture_store::CaptureStore;
use super::downloads::{Pieces, Readings};
use super::error::HttpError;
use super::page::Looks;

/// CaptureStore of one router that take time and go on at the same time.
pub(crate) const MAX_CAPTURES: usize = 32;
/// Looks at this moment that run at the same time.
const LOOKS: usize = 4;
/// Looks that run or wait.
const ADMITTED: usize = 16;
/// Scrapes and overviews that run, and that run or wait: they are short, and there are few who ask for them.
const PROMPT: usize = 4;
const PROMPT_ADMITTED: usize = 64;

/// What a client that was refused is told to wait at least.
const SOONEST: Duration = Duration::from_secs(2);
/// And at most.
const LATEST: Duration = Duration::from_secs(60);
/// Between two that were refused and come back.
const APART: Duration = Duration::from_millis(50);

/// What the pages of one router share.
#[derive(Debug)]
pub(super) struct Admission {
    pub(super) captures: CaptureStore,
    pub(super) looks: Arc<Looks>,
    timed: Arc<Semaphore>,
    looking: Line,
    prompt: Line,
    reading: Arc<Readings>,
    again: RetryAfter,
}

/// When those who were refused may come back.
#[derive(Debug, Default)]
struct RetryAfter {
    /// The time that was given to the last one.
    last: Mutex<Option<Instant>>,
}

impl RetryAfter {
    /// What the next one is told, in seconds.
    fn after(&self, now: Instant) -> u64 {
        // A plain value that is never left half-written.
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let at = last.map_or(now, |last| last + APART);
        let at = at.clamp(now + SOONEST, now + LATEST);
        *last = Some(at);
        at.duration_since(now).as_secs()
    }
}

/// Some run, some more wait.
#[derive(Debug)]
struct Line {
    running: Arc<Semaphore>,
    admitted: Arc<Semaphore>,
    most: usize,
}

impl Line {
    fn new(running: usize, most: usize) -> Line {
        Line {
            running: Arc::new(Semaphore::new(running)),
            admitted: Arc::new(Semaphore::new(most)),
            most,
        }
    }
}

/// The right to look; dropping it lets the next one in.
#[derive(Debug)]
pub(super) struct SnapshotPermit {
    _running: OwnedSemaphorePermit,
    _admitted: OwnedSemaphorePermit,
}

impl Admission {
    pub(super) fn new() -> Self {
        Admission {
            captures: CaptureStore::new(),
            looks: Arc::default(),
            timed: Arc::new(Semaphore::new(MAX_CAPTURES)),
            looking: Line::new(LOOKS, ADMITTED),
            prompt: Line::new(PROMPT, PROMPT_ADMITTED),
            reading: Arc::default(),
            again: RetryAfter::default(),
        }
    }

    /// The right to a capture that takes time.
    pub(super) fn capture(&self) -> Result<OwnedSemaphorePermit, HttpError> {
        Arc::clone(&self.timed).try_acquire_owned().map_err(|_| {
            HttpError::too_many(
                format!("{MAX_CAPTURES} captures are running here, and more are not started; ask again when one has ended"),
                self.again.after(Instant::now()),
            )
        })
    }

    /// The right to look at this moment, when it is one's turn.
    pub(super) async fn snapshot(&self) -> Result<SnapshotPermit, HttpError> {
        self.wait_in(&self.looking).await
    }

    /// The same for a scrape or the overview.
    pub(super) async fn prompt_snapshot(&self) -> Result<SnapshotPermit, HttpError> {
        self.wait_in(&self.prompt).await
    }

    async fn wait_in(&self, line: &Line) -> Result<SnapshotPermit, HttpError> {
        let full = |_| {
            HttpError::too_many(
                format!(
                    "{} answers are being made here, and more are not started; ask again in a moment",
                    line.most
                ),
                self.again.after(Instant::now()),
            )
        };
        let admitted = Arc::clone(&line.admitted)
            .try_acquire_owned()
            .map_err(full)?;
        let running = Arc::clone(&line.running).acquire_owned().await;
        Ok(SnapshotPermit {
            // Never closed.
            _running: running
                .map_err(|_| HttpError::internal("the line of those who ask is closed"))?,
            _admitted: admitted,
        })
    }

    /// An answer that a thread goes on writing while its client reads; it keeps the records of so many tasks.
    pub(super) fn written(
        &self,
        tasks: usize,
        first: Bytes,
        rest: Pieces,
    ) -> Result<Body, HttpError> {
        self.or_no_room(self.reading.written(tasks, first, rest))
    }

    /// An answer that is in memory until its client has read it.
    pub(super) fn bytes(&self, bytes: Vec<u8>) -> Result<Body, HttpError> {
        self.or_no_room(self.reading.bytes(bytes))
    }

    fn or_no_room(&self, body: Option<Body>) -> Result<Body, HttpError> {
        body.ok_or_else(|| {
            HttpError::too_many(
                "other clients are reading so many large answers that this one has no room; ask again in a moment, or for fewer tasks with limit",
                self.again.after(Instant::now()),
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use std::future::Future as _;
    use std::pin::pin;
    use std::task::{Context, Waker};

    use super::*;

    // Through a private door: a thousand clients, and a minute that passes.
    #[test]
    fn a_crowd_that_was_refused_is_told_to_come_back_one_by_one() {
        let (again, now) = (RetryAfter::default(), Instant::now());
        assert_eq!(again.after(now), 2);
        let told: Vec<u64> = (1..1000).map(|_| again.after(now)).collect();
        assert!(told.is_sorted());
        assert_eq!(told.last(), Some(&51), "1,000 in 50 s");
        let at_once = |seconds| told.iter().filter(|told| **told == seconds).count();
        assert!((2..52).all(|seconds| at_once(seconds) <= 20));
        // Nobody is told to wait for longer than a minute, and the crowd is forgotten when it has come back.
        assert_eq!((0..1000).map(|_| again.after(now)).max(), Some(60));
        assert_eq!(again.after(now + Duration::from_secs(90)), 2);
    }

    // Through a private door: from outside, a look is over before the next one comes.
    #[tokio::test]
    async fn looks_wait_in_line_and_beyond_the_line_they_are_refused() {
        let admission = Admission::new();
        let mut running = Vec::new();
        for _ in 0..LOOKS {
            running.push(admission.snapshot().await.unwrap());
        }
        let mut context = Context::from_waker(Waker::noop());
        let mut line: Vec<_> = (LOOKS..ADMITTED)
            .map(|_| Box::pin(admission.snapshot()))
            .collect();
        for waiting in &mut line {
            assert!(waiting.as_mut().poll(&mut context).is_pending());
        }
        assert!(
            pin!(admission.snapshot()).poll(&mut context).is_ready(),
            "refused"
        );
        drop(running.pop());
        assert!(line[0].as_mut().poll(&mut context).is_ready());
        // All of which is nothing to a scrape.
        admission.prompt_snapshot().await.unwrap();
    }
}
