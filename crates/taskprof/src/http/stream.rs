//! A body that a thread writes while the client reads: what is in memory does not grow with what is written.
//!
//! Not here: what is written.

use std::io::{self, Write};
use std::pin::Pin;
use std::task::{Context, Poll};

use axum::body::{Body, Bytes};
use http_body::Frame;
use tokio::sync::mpsc;

use crate::error::Error;
use crate::turn::Turn;
use crate::{fork, our_thread};

/// Bytes in one piece.
const PIECE: usize = 64 * 1024;
/// Pieces that the thread may be ahead of the client.
const AHEAD: usize = 4;

/// The body that `produce` writes, on a new thread of this name.
///
/// The thread waits while the client does not read, takes turns with others after each piece, and `produce` gets an error when the client is gone. A panic or an error of
/// `produce` breaks the connection off, so that nobody takes the part for the whole.
///
/// # Errors
///
/// If the thread could not be started.
pub(super) fn body(
    name: &str,
    produce: impl FnOnce(&mut dyn Write) -> io::Result<()> + Send + 'static,
) -> Result<Body, Error> {
    fork::check()?;
    let (sender, receiver) = mpsc::channel(AHEAD);
    our_thread::start(name, move || {
        let mut pieces = Pieces {
            sender,
            piece: Vec::with_capacity(PIECE),
            complete: false,
            turn: Some(Turn::take()),
        };
        // An error means that the client is gone, or breaks the connection off below.
        pieces.complete = produce(&mut pieces).and_then(|()| pieces.send()).is_ok();
    })
    .map_err(|e| our_thread::not_started(name, e))?;
    Ok(Body::new(Received(receiver)))
}

/// The thread's end.
struct Pieces {
    sender: mpsc::Sender<io::Result<Bytes>>,
    piece: Vec<u8>,
    complete: bool,
    /// Not while it waits for the client.
    turn: Option<Turn>,
}

impl Pieces {
    fn send(&mut self) -> io::Result<()> {
        let piece = std::mem::replace(&mut self.piece, Vec::with_capacity(PIECE));
        self.turn = None;
        self.sender
            .blocking_send(Ok(piece.into()))
            .map_err(|_| io::Error::from(io::ErrorKind::BrokenPipe))?;
        self.turn = Some(Turn::take());
        Ok(())
    }
}

impl Write for Pieces {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.piece.extend_from_slice(bytes);
        if self.piece.len() >= PIECE {
            self.send()?;
        }
        Ok(bytes.len())
    }

    /// Pieces are sent when they are full: a flush in the middle would only make them small.
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for Pieces {
    fn drop(&mut self) {
        self.turn = None;
        if !self.complete {
            // Fails if the client is gone, who then needs no telling.
            let _ = self
                .sender
                .blocking_send(Err(io::Error::other("the answer could not be completed")));
        }
    }
}

/// The server's end.
struct Received(mpsc::Receiver<io::Result<Bytes>>);

impl http_body::Body for Received {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        let received = self.0.poll_recv(cx);
        received.map(|piece| piece.map(|piece| piece.map(Frame::data)))
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt as _;

    use super::*;

    #[tokio::test]
    async fn everything_that_was_written_arrives() {
        let body = body("test", |out| {
            (0..100_000).try_for_each(|n| writeln!(out, "{n}"))
        });
        let bytes = body.unwrap().collect().await.unwrap().to_bytes();
        assert!(bytes.ends_with(b"\n99999\n"));
        assert_eq!(bytes.iter().filter(|&&byte| byte == b'\n').count(), 100_000);
    }

    #[tokio::test]
    async fn a_panic_or_an_error_breaks_the_body_off() {
        let failing: [fn(&mut dyn Write) -> io::Result<()>; 2] = [
            |_| panic!("half-way"),
            |_| Err(io::Error::other("half-way")),
        ];
        for fail in failing {
            let body = body("test", move |out| {
                writeln!(out, "half")?;
                fail(out)
            });
            assert!(body.unwrap().collect().await.is_err());
        }
    }

    #[tokio::test]
    async fn the_thread_waits_for_a_slow_client_and_ends_when_the_client_is_gone() {
        let (done, ended) = tokio::sync::oneshot::channel();
        let body = body("test", move |out| {
            let result = loop {
                if let Err(error) = out.write_all(&[b'x'; PIECE]) {
                    break error.kind();
                }
            };
            let _ = done.send(result);
            Ok(())
        });
        let mut body = body.unwrap();
        body.frame().await.unwrap().unwrap();
        // While it waits, others have their turn.
        for _ in 0..10 * AHEAD {
            drop(Turn::wait().await);
        }
        drop(body);
        assert_eq!(ended.await.unwrap(), io::ErrorKind::BrokenPipe);
    }
}
