//! Bounded admission: how many captures and answers of one router may go on at the same time.
//!
//! Captures that take time are counted, and refused above [`MAX_CAPTURES`]. Answers about this
//! moment are short: a few are made at a time, some more wait in line, and whoever comes after them
//! is refused. Scrapes and the overview have a line of their own, so that they wait for nobody who
//! downloads. When an answer is made, its permit is free; the part that its client still reads is
//! the business of `downloads.rs`. A refusal is a 429 with `Retry-After`: the more were refused,
//! the later, so that a crowd comes back one by one and not all at once. Not here: which thread is
//! busy when (`cpu_permit.rs`), connections (`serve/connections.rs`).

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::body::{Body, Bytes};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::capture_store::CaptureStore;
use super::downloads::{Chunks, Downloads};
use super::error::HttpError;
use super::page::SnapshotCache;
use crate::sync::lock;

/// Captures of one router that take time and go on at the same time.
pub(crate) const MAX_CAPTURES: usize = 32;
/// Answers about this moment that are made at the same time.
const SNAPSHOTS: usize = 4;
/// Answers about this moment that are made or wait.
const SNAPSHOTS_ADMITTED: usize = 16;
/// Scrapes and overviews that are made at the same time: they are short, and there are few who ask
/// for them.
const PROMPT: usize = 4;
/// Scrapes and overviews that are made or wait.
const PROMPT_ADMITTED: usize = 64;

/// The shortest time that a refused client is told to wait.
const SOONEST: Duration = Duration::from_secs(2);
/// The longest time that a refused client is told to wait.
const LATEST: Duration = Duration::from_secs(60);
/// Time between two refused clients that come back.
const APART: Duration = Duration::from_millis(50);

/// State that the pages of one router share: its limits, and the captures and snapshots that it
/// stores.
#[derive(Debug)]
pub(super) struct Admission {
    pub(super) captures: CaptureStore,
    pub(super) snapshots: Arc<SnapshotCache>,
    timed: Arc<Semaphore>,
    snapshot_line: Line,
    prompt: Line,
    downloads: Arc<Downloads>,
    retry_after: RetryAfter,
}

/// Times at which refused clients may come back.
#[derive(Debug, Default)]
struct RetryAfter {
    /// The time that was given to the last one.
    last: Mutex<Option<Instant>>,
}

impl RetryAfter {
    /// Seconds that the next refused client is told to wait.
    fn next(&self, now: Instant) -> u64 {
        let mut last = lock(&self.last);
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

/// The right to make an answer about this moment; dropping it lets the next one in.
#[derive(Debug)]
pub(super) struct SnapshotPermit {
    _running: OwnedSemaphorePermit,
    _admitted: OwnedSemaphorePermit,
}

impl Admission {
    pub(super) fn new() -> Self {
        Admission {
            captures: CaptureStore::new(),
            snapshots: Arc::default(),
            timed: Arc::new(Semaphore::new(MAX_CAPTURES)),
            snapshot_line: Line::new(SNAPSHOTS, SNAPSHOTS_ADMITTED),
            prompt: Line::new(PROMPT, PROMPT_ADMITTED),
            downloads: Arc::default(),
            retry_after: RetryAfter::default(),
        }
    }

    /// Admits a capture that takes time.
    pub(super) fn capture(&self) -> Result<OwnedSemaphorePermit, HttpError> {
        Arc::clone(&self.timed).try_acquire_owned().map_err(|_| {
            self.refused(format!(
                "{MAX_CAPTURES} captures are running here, and more are not started; ask again when one has ended"
            ))
        })
    }

    /// Admits an answer about this moment, and waits in line for it.
    pub(super) async fn snapshot(&self) -> Result<SnapshotPermit, HttpError> {
        self.wait_in(&self.snapshot_line).await
    }

    /// As [`snapshot`](Self::snapshot), for a scrape or the overview.
    pub(super) async fn prompt_snapshot(&self) -> Result<SnapshotPermit, HttpError> {
        self.wait_in(&self.prompt).await
    }

    async fn wait_in(&self, line: &Line) -> Result<SnapshotPermit, HttpError> {
        let full = |_| {
            self.refused(format!(
                "{} answers are being made here, and more are not started; ask again in a moment",
                line.most
            ))
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

    /// The body of an answer that a thread goes on writing while its client reads; it keeps the
    /// records of this many tasks.
    pub(super) fn written(
        &self,
        tasks: usize,
        first: Bytes,
        rest: Chunks,
    ) -> Result<Body, HttpError> {
        self.or_no_room(self.downloads.written(tasks, first, rest))
    }

    /// The body of an answer that is in memory until its client has read it.
    pub(super) fn bytes(&self, bytes: Vec<u8>) -> Result<Body, HttpError> {
        self.or_no_room(self.downloads.bytes(bytes))
    }

    fn or_no_room(&self, body: Option<Body>) -> Result<Body, HttpError> {
        body.ok_or_else(|| {
            self.refused(
                "other clients are reading so many large answers that this one has no room; ask again in a moment, or for fewer tasks with limit",
            )
        })
    }

    fn refused(&self, why: impl Into<String>) -> HttpError {
        HttpError::too_many(why, self.retry_after.next(Instant::now()))
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
        assert_eq!(again.next(now), 2);
        let told: Vec<u64> = (1..1000).map(|_| again.next(now)).collect();
        assert!(told.is_sorted());
        assert_eq!(told.last(), Some(&51), "1,000 in 50 s");
        let at_once = |seconds| told.iter().filter(|told| **told == seconds).count();
        assert!((2..52).all(|seconds| at_once(seconds) <= 20));
        // Nobody is told to wait for longer than a minute, and the crowd is forgotten when it has
        // come back.
        assert_eq!((0..1000).map(|_| again.next(now)).max(), Some(60));
        assert_eq!(again.next(now + Duration::from_secs(90)), 2);
    }

    // Through a private door: from outside, an answer is made before the next client comes.
    #[tokio::test]
    async fn answers_wait_in_line_and_beyond_the_line_they_are_refused() {
        let admission = Admission::new();
        let mut running = Vec::new();
        for _ in 0..SNAPSHOTS {
            running.push(admission.snapshot().await.unwrap());
        }
        let mut context = Context::from_waker(Waker::noop());
        let mut line: Vec<_> = (SNAPSHOTS..SNAPSHOTS_ADMITTED)
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
