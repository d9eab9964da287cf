//! A body that a thread writes while the client reads, so that memory does not grow with the length
//! of the answer.
//!
//! Not here: what is written; who may read for how long (`downloads.rs`).

use std::io::{self, Write};

use axum::body::Bytes;
use tokio::sync::mpsc;

use super::downloads::{Chunks, SMALL};
use crate::cpu_permit::{self, CpuPermit};
use crate::error::Error;
use crate::fork;

/// Bytes in one chunk.
const CHUNK: usize = 64 * 1024;
/// Chunks that the thread may be ahead of the client.
const AHEAD: usize = 4;

/// Runs `produce` on a new thread of this name, and gives what it writes in chunks.
///
/// The thread waits while the client does not read, waits for a permit after each chunk, and
/// `produce` gets an error when the client is gone. A panic or an error of `produce` is the last
/// chunk, which breaks the connection off, so that nobody takes the part for the whole.
///
/// # Errors
///
/// If the thread could not be started.
pub(super) fn chunks(
    name: &str,
    produce: impl FnOnce(&mut dyn Write) -> io::Result<()> + Send + 'static,
) -> Result<Chunks, Error> {
    fork::check()?;
    let (sender, receiver) = mpsc::channel(AHEAD);
    crate::thread::spawn(name, move || {
        let mut out = Out {
            sender,
            chunk: Vec::with_capacity(CHUNK),
            complete: false,
            permit: Some(cpu_permit::WORK.acquire_blocking()),
        };
        // An error means that the client is gone, or breaks the connection off below.
        out.complete = produce(&mut out).and_then(|()| out.send()).is_ok();
    })
    .map_err(|e| crate::thread::not_started(name, e))?;
    Ok(receiver)
}

/// The first [`SMALL`] bytes, or all that there are; then there are no more chunks.
///
/// # Errors
///
/// Those of the thread, as far as it has come.
pub(super) async fn first(mut chunks: Chunks) -> io::Result<(Bytes, Option<Chunks>)> {
    let mut first = Vec::new();
    while first.len() < SMALL {
        match chunks.recv().await {
            Some(chunk) => first.extend_from_slice(&chunk?),
            None => return Ok((first.into(), None)),
        }
    }
    Ok((first.into(), Some(chunks)))
}

/// The thread's end.
struct Out {
    sender: mpsc::Sender<io::Result<Bytes>>,
    chunk: Vec<u8>,
    complete: bool,
    /// Not while it waits for the client.
    permit: Option<CpuPermit>,
}

impl Out {
    fn send(&mut self) -> io::Result<()> {
        let chunk = std::mem::replace(&mut self.chunk, Vec::with_capacity(CHUNK));
        self.permit = None;
        self.sender
            .blocking_send(Ok(chunk.into()))
            .map_err(|_| io::Error::from(io::ErrorKind::BrokenPipe))?;
        // A client that reads more than that is in nobody's way from now on.
        self.permit = Some(cpu_permit::DOWNLOADS.acquire_blocking());
        Ok(())
    }
}

impl Write for Out {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.chunk.extend_from_slice(bytes);
        if self.chunk.len() >= CHUNK {
            self.send()?;
        }
        Ok(bytes.len())
    }

    /// Chunks are sent when they are full: a flush in the middle would only make them small.
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for Out {
    fn drop(&mut self) {
        self.permit = None;
        if !self.complete {
            // Fails if the client is gone, who then needs no telling.
            let _ = self
                .sender
                .blocking_send(Err(io::Error::other("the answer could not be completed")));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn everything_that_was_written_arrives() {
        let chunks = chunks("test", |out| {
            (0..100_000).try_for_each(|n| writeln!(out, "{n}"))
        });
        let (first, rest) = first(chunks.unwrap()).await.unwrap();
        let (mut bytes, mut rest) = (first.to_vec(), rest.unwrap());
        while let Some(chunk) = rest.recv().await {
            bytes.extend_from_slice(&chunk.unwrap());
        }
        assert!(bytes.ends_with(b"\n99999\n"));
        assert_eq!(bytes.iter().filter(|&&byte| byte == b'\n').count(), 100_000);
    }

    #[tokio::test]
    async fn a_panic_or_an_error_is_told_before_or_after_the_first_bytes() {
        let failing: [fn(&mut dyn Write) -> io::Result<()>; 2] = [
            |_| panic!("half-way"),
            |_| Err(io::Error::other("half-way")),
        ];
        for fail in failing {
            let early = chunks("test", move |out| {
                writeln!(out, "half")?;
                fail(out)
            });
            assert!(first(early.unwrap()).await.is_err());
            let late = chunks("test", move |out| {
                out.write_all(&[b'x'; 2 * SMALL])?;
                fail(out)
            });
            let (_, rest) = first(late.unwrap()).await.unwrap();
            let (mut rest, mut last) = (rest.unwrap(), None);
            while let Some(chunk) = rest.recv().await {
                last = Some(chunk);
            }
            assert!(last.unwrap().is_err());
        }
    }

    #[tokio::test]
    async fn the_thread_waits_for_a_slow_client_and_ends_when_the_client_is_gone() {
        let (done, ended) = tokio::sync::oneshot::channel();
        let chunks = chunks("test", move |out| {
            let result = loop {
                if let Err(error) = out.write_all(&[b'x'; CHUNK]) {
                    break error.kind();
                }
            };
            let _ = done.send(result);
            Ok(())
        });
        let mut chunks = chunks.unwrap();
        chunks.recv().await.unwrap().unwrap();
        // While it waits, others get permits.
        for _ in 0..10 * AHEAD {
            drop(cpu_permit::WORK.acquire().await);
        }
        drop(chunks);
        assert_eq!(ended.await.unwrap(), io::ErrorKind::BrokenPipe);
    }
}
