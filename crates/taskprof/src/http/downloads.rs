//! Answers that their clients still read: what they keep, and who of them has to go when there is no room.
//!
//! An answer of up to [`SMALL`] bytes is in memory as a whole and no business of this file. A larger one has a place: it is written by a thread while it is read, or waits as bytes.
//! Places are bounded in number, in bytes, and in tasks whose records are kept. When a new answer finds no room, those go that have waited for their client
//! for longest, if that is [`SLOW`] or more: their connections break off, and what they keep is gone at once. So a slow reader pays with its own place, and
//! never with somebody else's. Who finds no room even then is refused. Not here: how many answers are made at a time (`admission.rs`); how a connection ends that takes nothing at all (`serve/`).

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use axum::body::{Body, Bytes};
use http_body::Frame;
use tokio::sync::mpsc;

/// Answers of so many bytes need no place.
pub(super) const SMALL: usize = 256 * 1024;
/// Bytes that are handed on at a time.
const PIECE: usize = 64 * 1024;
/// Answers that are being read at the same time.
const MAX_READERS: usize = 64;
/// Bytes of them that are in memory.
const MAX_BYTES: usize = 48 << 20;
/// Tasks whose records they keep: some 40 MB. A larger answer is alone.
const MAX_TASKS: usize = 2 << 20;
/// Who has not taken the next 64 KB in this time is slow.
const SLOW: Duration = Duration::from_secs(2);

/// The pieces of an answer that a thread writes.
pub(super) type Pieces = mpsc::Receiver<io::Result<Bytes>>;

/// The answers of one router that are being read.
#[derive(Debug, Default)]
pub(super) struct Readings(Mutex<Vec<Arc<Reading>>>);

/// One of them.
#[derive(Debug)]
struct Reading {
    weight: Weight,
    state: Mutex<State>,
}

/// What it keeps.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Weight {
    pub(super) tasks: usize,
    pub(super) bytes: usize,
}

#[derive(Debug)]
struct State {
    rest: Rest,
    /// Since when the client has had a piece to take. `None`: it is not the client that is waited for.
    waits_since: Option<Instant>,
}

/// What is to come.
#[derive(Debug)]
enum Rest {
    Written {
        first: Bytes,
        pieces: Pieces,
    },
    Bytes(Bytes),
    /// It had to go.
    CutOff,
}

impl Readings {
    fn lock(&self) -> MutexGuard<'_, Vec<Arc<Reading>>> {
        // Entries are added and removed as a whole.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// An answer that a thread writes, of which the first bytes are here. `None`: there is no room.
    pub(super) fn written(
        self: &Arc<Self>,
        tasks: usize,
        first: Bytes,
        pieces: Pieces,
    ) -> Option<Body> {
        let bytes = first.len();
        self.admit(Weight { tasks, bytes }, Rest::Written { first, pieces })
    }

    /// An answer that is in memory. `None`: there is no room.
    pub(super) fn bytes(self: &Arc<Self>, bytes: Vec<u8>) -> Option<Body> {
        if bytes.len() <= SMALL {
            return Some(bytes.into());
        }
        let weight = Weight {
            tasks: 0,
            bytes: bytes.len(),
        };
        self.admit(weight, Rest::Bytes(bytes.into()))
    }

    fn admit(self: &Arc<Self>, weight: Weight, rest: Rest) -> Option<Body> {
        let now = Instant::now();
        let mut readings = self.lock();
        let mut cut_off = Vec::new();
        while !has_room(&readings, weight) {
            let slowest = readings
                .iter()
                .enumerate()
                .filter_map(|(at, reading)| Some((reading.lock().waits_since?, at)))
                .min()?;
            if now.duration_since(slowest.0) < SLOW {
                return None;
            }
            cut_off.push(readings.swap_remove(slowest.1));
        }
        let reading = Arc::new(Reading {
            weight,
            state: Mutex::new(State {
                rest,
                waits_since: Some(now),
            }),
        });
        readings.push(Arc::clone(&reading));
        drop(readings);
        for slow in cut_off {
            let rest = std::mem::replace(&mut slow.lock().rest, Rest::CutOff);
            // Its thread ends now.
            drop(rest);
        }
        Some(Body::new(Read {
            reading,
            readings: Arc::clone(self),
        }))
    }
}

/// Whether one more fits in. One that is too large by itself has to be alone.
fn has_room(readings: &[Arc<Reading>], new: Weight) -> bool {
    let tasks: usize = readings.iter().map(|it| it.weight.tasks).sum();
    let bytes: usize = readings.iter().map(|it| it.weight.bytes).sum();
    readings.len() < MAX_READERS
        && (tasks == 0 || new.tasks == 0 || tasks + new.tasks <= MAX_TASKS)
        && (bytes == 0 || bytes + new.bytes <= MAX_BYTES)
}

impl Reading {
    fn lock(&self) -> MutexGuard<'_, State> {
        // A panic in between leaves an answer that goes on or breaks off.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The server's end. Dropping it gives the place away.
struct Read {
    reading: Arc<Reading>,
    readings: Arc<Readings>,
}

impl http_body::Body for Read {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        let mut state = self.reading.lock();
        let piece = match &mut state.rest {
            Rest::Written { first, .. } if !first.is_empty() => Poll::Ready(Some(Ok(next(first)))),
            Rest::Written { pieces, .. } => pieces.poll_recv(cx),
            Rest::Bytes(bytes) if bytes.is_empty() => Poll::Ready(None),
            Rest::Bytes(bytes) => Poll::Ready(Some(Ok(next(bytes)))),
            Rest::CutOff => Poll::Ready(Some(Err(io::Error::other(
                "cut off: others want to read, and this client is slow",
            )))),
        };
        state.waits_since = piece.is_ready().then(Instant::now);
        piece.map(|piece| piece.map(|piece| piece.map(Frame::data)))
    }
}

impl Drop for Read {
    fn drop(&mut self) {
        let mut readings = self.readings.lock();
        readings.retain(|reading| !Arc::ptr_eq(reading, &self.reading));
    }
}

fn next(bytes: &mut Bytes) -> Bytes {
    bytes.split_to(bytes.len().min(PIECE))
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt as _;

    use super::*;

    fn all(readings: &Readings) -> usize {
        readings.lock().len()
    }

    /// As if so much time had passed.
    fn age(readings: &Readings, time: Duration) {
        for reading in readings.lock().iter() {
            let mut state = reading.lock();
            state.waits_since = state.waits_since.map(|since| since - time);
        }
    }

    // Through a private door: seconds that pass, and millions of tasks.
    #[tokio::test]
    async fn who_is_slow_goes_when_others_want_the_place_and_nobody_else_does() {
        let readings = Arc::new(Readings::default());
        let large = || readings.bytes(vec![b'x'; MAX_BYTES / 2]);
        let (first, second) = (large().unwrap(), large().unwrap());
        assert!(large().is_none(), "both have only begun");
        age(&readings, SLOW);
        let mut second = second;
        second.frame().await.unwrap().unwrap();
        let third = large().unwrap();
        assert!(first.collect().await.is_err(), "cut off");
        assert_eq!(all(&readings), 2);
        let whole = second.collect().await.unwrap().to_bytes();
        assert_eq!(whole.len(), MAX_BYTES / 2 - PIECE);
        drop(third);
        assert_eq!(all(&readings), 0);
    }

    #[tokio::test]
    async fn a_writer_that_is_cut_off_is_told_and_one_that_is_waited_for_stays() {
        let readings = Arc::new(Readings::default());
        let write = |tasks| {
            let (sender, pieces) = mpsc::channel(1);
            let body = readings.written(tasks, Bytes::new(), pieces);
            (sender, body)
        };
        let (waited_for, body) = write(MAX_TASKS);
        let mut body = body.unwrap();
        let mut context = Context::from_waker(std::task::Waker::noop());
        let poll = http_body::Body::poll_frame(Pin::new(&mut body), &mut context);
        assert!(poll.is_pending());
        age(&readings, SLOW);
        assert!(write(1).1.is_none());
        assert!(!waited_for.is_closed());
        drop(body);
        let (slow, body) = write(MAX_TASKS);
        age(&readings, SLOW);
        let (next, other) = write(10 * MAX_TASKS);
        assert!(slow.is_closed() && !next.is_closed());
        drop((body, other));
        assert_eq!(all(&readings), 0);
    }

    #[tokio::test]
    async fn small_answers_need_no_place() {
        let readings = Arc::new(Readings::default());
        let small = readings.bytes(vec![b'x'; SMALL]).unwrap();
        assert_eq!(all(&readings), 0);
        assert_eq!(small.collect().await.unwrap().to_bytes().len(), SMALL);
    }
}
