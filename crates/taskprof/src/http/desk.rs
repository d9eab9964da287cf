//! What the pages of one router share: how much may go on at the same time, the captures that are kept, and the looks that are being read.
//!
//! Captures that take time are counted and refused above [`MAX_CAPTURES`]. Looks at this moment are short: a few run, some more wait in line,
//! and whoever comes after them is refused. Dumps that their clients still read are counted by their tasks. A refusal is a 429 that says when to ask again: the more were refused, the later, so that a crowd comes
//! back one by one and not all at once.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::error::HttpError;
use super::kept::Captures;
use super::page::Looks;

/// Captures of one router that take time and go on at the same time.
pub(crate) const MAX_CAPTURES: usize = 32;
/// Looks at this moment that run at the same time.
const LOOKS: usize = 4;
/// Looks that run, wait, or are being read by their client.
const ADMITTED: usize = 16;
/// Tasks in all the dumps that are being read by their clients, in [`SHARE`]s: some 600 MB. A larger dump is alone.
const READ: u32 = 2048;
/// Tasks.
const SHARE: usize = 1024;

/// What a client that was refused is told to wait at least.
const SOONEST: Duration = Duration::from_secs(2);
/// And at most.
const LATEST: Duration = Duration::from_secs(60);
/// Between two that were refused and come back.
const APART: Duration = Duration::from_millis(50);

/// What the pages of one router share.
#[derive(Debug)]
pub(super) struct Desk {
    pub(super) captures: Captures,
    pub(super) looks: Arc<Looks>,
    timed: Arc<Semaphore>,
    running: Arc<Semaphore>,
    admitted: Arc<Semaphore>,
    read: Arc<Semaphore>,
    again: Arc<Again>,
}

/// When those who were refused may come back.
#[derive(Debug, Default)]
struct Again {
    /// The time that was given to the last one.
    last: Mutex<Option<Instant>>,
}

impl Again {
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

/// The right to look; dropping it lets the next one in.
#[derive(Debug)]
pub(super) struct Look {
    _running: OwnedSemaphorePermit,
    admitted: OwnedSemaphorePermit,
    read: Arc<Semaphore>,
    again: Arc<Again>,
}

/// The right to have a dump in memory while the client reads.
#[derive(Debug)]
pub(super) struct Reading {
    _admitted: OwnedSemaphorePermit,
    _share: OwnedSemaphorePermit,
}

impl Look {
    /// The looking is over, and the client still reads so many tasks.
    pub(super) fn over(self, tasks: usize) -> Result<Reading, HttpError> {
        let shares = u32::try_from(tasks.div_ceil(SHARE)).map_or(READ, |shares| shares.min(READ));
        let share = self.read.try_acquire_many_owned(shares).map_err(|_| {
            HttpError::too_many(
                format!(
                    "other clients are reading dumps of so many tasks that these {tasks} have no room; ask again in a moment, or for fewer with limit"
                ),
                self.again.after(Instant::now()),
            )
        })?;
        Ok(Reading {
            _admitted: self.admitted,
            _share: share,
        })
    }
}

impl Desk {
    pub(super) fn new() -> Self {
        Desk {
            captures: Captures::new(),
            looks: Arc::default(),
            timed: Arc::new(Semaphore::new(MAX_CAPTURES)),
            running: Arc::new(Semaphore::new(LOOKS)),
            admitted: Arc::new(Semaphore::new(ADMITTED)),
            read: Arc::new(Semaphore::new(READ as usize)),
            again: Arc::default(),
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
    pub(super) async fn look(&self) -> Result<Look, HttpError> {
        let full = |_| {
            HttpError::too_many(
                format!(
                    "{ADMITTED} answers are being made or read here, and more are not started; ask again in a moment"
                ),
                self.again.after(Instant::now()),
            )
        };
        let admitted = Arc::clone(&self.admitted)
            .try_acquire_owned()
            .map_err(full)?;
        let running = Arc::clone(&self.running).acquire_owned().await;
        Ok(Look {
            // Never closed.
            _running: running
                .map_err(|_| HttpError::internal("the line of those who ask is closed"))?,
            admitted,
            read: Arc::clone(&self.read),
            again: Arc::clone(&self.again),
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
        let (again, now) = (Again::default(), Instant::now());
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
        let desk = Desk::new();
        let mut running = Vec::new();
        for _ in 0..LOOKS {
            running.push(desk.look().await.unwrap());
        }
        let mut context = Context::from_waker(Waker::noop());
        let mut line: Vec<_> = (LOOKS..ADMITTED).map(|_| Box::pin(desk.look())).collect();
        for waiting in &mut line {
            assert!(waiting.as_mut().poll(&mut context).is_pending());
        }
        assert!(pin!(desk.look()).poll(&mut context).is_ready(), "refused");
        drop(running.pop());
        assert!(line[0].as_mut().poll(&mut context).is_ready());
    }

    // Through a private door: from outside, these would be millions of tasks.
    #[tokio::test]
    async fn dumps_that_are_being_read_have_room_for_so_many_tasks_together() {
        let desk = Desk::new();
        let most = READ as usize * SHARE;
        let half = desk.look().await.unwrap().over(most / 2).unwrap();
        let other = desk.look().await.unwrap().over(most / 2).unwrap();
        assert!(desk.look().await.unwrap().over(1).is_err());
        // What is refused leaves the line.
        drop(half);
        desk.look().await.unwrap().over(most / 2).unwrap();
        drop(other);
        // One that is larger than everything is alone.
        let large = desk.look().await.unwrap().over(10 * most).unwrap();
        assert!(desk.look().await.unwrap().over(1).is_err());
        drop(large);
        assert_eq!(desk.read.available_permits(), READ as usize);
        assert_eq!(desk.admitted.available_permits(), ADMITTED);
    }
}
