//! Large answers that their clients still read: the memory they keep, and which of them has to go
//! when there is no room.
//!
//! An answer of up to [`SMALL`] bytes is in memory as a whole and no business of this file. A
//! larger one has a place: it is written by a thread while it is read, or waits as bytes. Places
//! are bounded in number, in bytes, and in tasks whose records are kept. When a new answer finds no
//! room, those go that have waited for their client for longest, if that is [`SLOW`] or more: their
//! connections break off, and what they keep is gone at once. So a slow reader pays with its own
//! place, and never with somebody else's. Who finds no room even then is refused. Not here: how
//! many answers are made at a time (`admission.rs`); how a connection ends that takes nothing at
//! all (`serve/`).

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use axum::body::{Body, Bytes};
use http_body::Frame;
use tokio::sync::mpsc;

/// Answers of at most this many bytes need no place.
pub(super) const SMALL: usize = 256 * 1024;
/// Bytes that are handed on at a time.
const CHUNK: usize = 64 * 1024;
/// Answers that are being read at the same time.
const MAX_DOWNLOADS: usize = 64;
/// Bytes of them that are in memory.
const MAX_BYTES: usize = 48 << 20;
/// Tasks whose records they keep: some 40 MB. A larger answer is alone.
const MAX_TASKS: usize = 2 << 20;
/// A client that has not taken the next 64 KB in this time is slow.
const SLOW: Duration = Duration::from_secs(2);

/// The chunks of an answer that a thread writes.
pub(super) type Chunks = mpsc::Receiver<io::Result<Bytes>>;

/// The answers of one router that are being read.
#[derive(Debug, Default)]
pub(super) struct Downloads(Mutex<Vec<Arc<Download>>>);

/// One answer that is being read.
#[derive(Debug)]
struct Download {
    weight: Weight,
    state: Mutex<State>,
}

/// The memory that an answer keeps.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Weight {
    pub(super) tasks: usize,
    pub(super) bytes: usize,
}

#[derive(Debug)]
struct State {
    rest: Rest,
    /// Since when the client has had a chunk to take. `None`: it is not the client that is waited
    /// for.
    waits_since: Option<Instant>,
}

/// The part that is to come.
#[derive(Debug)]
enum Rest {
    Written {
        first: Bytes,
        chunks: Chunks,
    },
    Bytes(Bytes),
    /// It had to go.
    CutOff,
}

impl Downloads {
    fn lock(&self) -> MutexGuard<'_, Vec<Arc<Download>>> {
        crate::sync::lock(&self.0)
    }

    /// An answer that a thread writes, of which the first bytes are here. `None`: there is no room.
    pub(super) fn written(
        self: &Arc<Self>,
        tasks: usize,
        first: Bytes,
        chunks: Chunks,
    ) -> Option<Body> {
        let bytes = first.len();
        self.admit(Weight { tasks, bytes }, Rest::Written { first, chunks })
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
        let mut downloads = self.lock();
        let mut cut_off = Vec::new();
        while !has_room(&downloads, weight) {
            let slowest = downloads
                .iter()
                .enumerate()
                .filter_map(|(at, download)| Some((download.lock().waits_since?, at)))
                .min()?;
            if now.duration_since(slowest.0) < SLOW {
                return None;
            }
            cut_off.push(downloads.swap_remove(slowest.1));
        }
        let download = Arc::new(Download {
            weight,
            state: Mutex::new(State {
                rest,
                waits_since: Some(now),
            }),
        });
        downloads.push(Arc::clone(&download));
        drop(downloads);
        for slow in cut_off {
            let rest = std::mem::replace(&mut slow.lock().rest, Rest::CutOff);
            // Its thread ends now.
            drop(rest);
        }
        Some(Body::new(Read {
            download,
            downloads: Arc::clone(self),
        }))
    }
}

/// Whether one more fits in. One that is too large by itself has to be alone.
fn has_room(downloads: &[Arc<Download>], new: Weight) -> bool {
    let tasks: usize = downloads.iter().map(|it| it.weight.tasks).sum();
    let bytes: usize = downloads.iter().map(|it| it.weight.bytes).sum();
    downloads.len() < MAX_DOWNLOADS
        && (tasks == 0 || new.tasks == 0 || tasks + new.tasks <= MAX_TASKS)
        && (bytes == 0 || bytes + new.bytes <= MAX_BYTES)
}

impl Download {
    fn lock(&self) -> MutexGuard<'_, State> {
        crate::sync::lock(&self.state)
    }
}

/// The server's end. Dropping it gives the place away.
struct Read {
    download: Arc<Download>,
    downloads: Arc<Downloads>,
}

impl http_body::Body for Read {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        let mut state = self.download.lock();
        let chunk = match &mut state.rest {
            Rest::Written { first, .. } if !first.is_empty() => Poll::Ready(Some(Ok(next(first)))),
            Rest::Written { chunks, .. } => chunks.poll_recv(cx),
            Rest::Bytes(bytes) if bytes.is_empty() => Poll::Ready(None),
            Rest::Bytes(bytes) => Poll::Ready(Some(Ok(next(bytes)))),
            Rest::CutOff => Poll::Ready(Some(Err(io::Error::other(
                "cut off: others want to read, and this client is slow",
            )))),
        };
        state.waits_since = chunk.is_ready().then(Instant::now);
        chunk.map(|chunk| chunk.map(|chunk| chunk.map(Frame::data)))
    }
}

impl Drop for Read {
    fn drop(&mut self) {
        let mut downloads = self.downloads.lock();
        downloads.retain(|download| !Arc::ptr_eq(download, &self.download));
    }
}

fn next(bytes: &mut Bytes) -> Bytes {
    bytes.split_to(bytes.len().min(CHUNK))
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt as _;

    use super::*;

    fn all(downloads: &Downloads) -> usize {
        downloads.lock().len()
    }

    /// As if so much time had passed.
    fn age(downloads: &Downloads, time: Duration) {
        for download in downloads.lock().iter() {
            let mut state = download.lock();
            state.waits_since = state.waits_since.map(|since| since - time);
        }
    }

    // Through a private door: seconds that pass, and millions of tasks.
    #[tokio::test]
    async fn who_is_slow_goes_when_others_want_the_place_and_nobody_else_does() {
        let downloads = Arc::new(Downloads::default());
        let large = || downloads.bytes(vec![b'x'; MAX_BYTES / 2]);
        let (first, second) = (large().unwrap(), large().unwrap());
        assert!(large().is_none(), "both have only begun");
        age(&downloads, SLOW);
        let mut second = second;
        second.frame().await.unwrap().unwrap();
        let third = large().unwrap();
        assert!(first.collect().await.is_err(), "cut off");
        assert_eq!(all(&downloads), 2);
        let whole = second.collect().await.unwrap().to_bytes();
        assert_eq!(whole.len(), MAX_BYTES / 2 - CHUNK);
        drop(third);
        assert_eq!(all(&downloads), 0);
    }

    #[tokio::test]
    async fn a_writer_that_is_cut_off_is_told_and_one_that_is_waited_for_stays() {
        let downloads = Arc::new(Downloads::default());
        let write = |tasks| {
            let (sender, chunks) = mpsc::channel(1);
            let body = downloads.written(tasks, Bytes::new(), chunks);
            (sender, body)
        };
        let (waited_for, body) = write(MAX_TASKS);
        let mut body = body.unwrap();
        let mut context = Context::from_waker(std::task::Waker::noop());
        let poll = http_body::Body::poll_frame(Pin::new(&mut body), &mut context);
        assert!(poll.is_pending());
        age(&downloads, SLOW);
        assert!(write(1).1.is_none());
        assert!(!waited_for.is_closed());
        drop(body);
        let (slow, body) = write(MAX_TASKS);
        age(&downloads, SLOW);
        let (next, other) = write(10 * MAX_TASKS);
        assert!(slow.is_closed() && !next.is_closed());
        drop((body, other));
        assert_eq!(all(&downloads), 0);
    }

    #[tokio::test]
    async fn small_answers_need_no_place() {
        let downloads = Arc::new(Downloads::default());
        let small = downloads.bytes(vec![b'x'; SMALL]).unwrap();
        assert_eq!(all(&downloads), 0);
        assert_eq!(small.collect().await.unwrap().to_bytes().len(), SMALL);
    }
}
