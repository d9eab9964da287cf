//! Which protocol a client speaks: the first bytes tell.
//!
//! HTTP/2 without TLS begins with 24 bytes that are no request of HTTP/1. They are read here, byte for byte, and given to whoever reads on. Not here: how long
//! that may take (`overdue.rs`).

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, ReadBuf};

/// What a client that knows that this is HTTP/2 sends first (RFC 9113).
const PREFACE: &[u8; 24] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Protocol {
    Http1,
    Http2,
}

/// Reads until it is clear; also clear is the end of the stream.
pub(super) async fn sniff<S>(mut stream: S) -> io::Result<(Protocol, Sniffed<S>)>
where
    S: AsyncRead + Unpin,
{
    let mut bytes = [0; PREFACE.len()];
    let mut read = 0;
    let protocol = loop {
        match stream.read(&mut bytes[read..]).await? {
            0 => break Protocol::Http1,
            n => read += n,
        }
        if bytes[..read] != PREFACE[..read] {
            break Protocol::Http1;
        }
        if read == PREFACE.len() {
            break Protocol::Http2;
        }
    };
    let sniffed = Sniffed {
        stream,
        bytes,
        unread: 0..read,
    };
    Ok((protocol, sniffed))
}

/// The stream as it was before.
pub(super) struct Sniffed<S> {
    stream: S,
    bytes: [u8; PREFACE.len()],
    unread: std::ops::Range<usize>,
}

impl<S: AsyncRead + Unpin> AsyncRead for Sniffed<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.unread.is_empty() {
            return Pin::new(&mut self.stream).poll_read(cx, buf);
        }
        let n = self.unread.len().min(buf.remaining());
        let from = self.unread.start;
        buf.put_slice(&self.bytes[from..from + n]);
        self.unread.start += n;
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Sniffed<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is sniffed, and what is read afterwards.
    async fn told(pieces: &[&[u8]]) -> (Protocol, Vec<u8>) {
        let (mut client, server) = tokio::io::duplex(1024);
        let send = async {
            for piece in pieces {
                tokio::io::AsyncWriteExt::write_all(&mut client, piece)
                    .await
                    .unwrap();
                tokio::task::yield_now().await;
            }
            drop(client);
        };
        let receive = async {
            let (protocol, mut stream) = sniff(server).await.unwrap();
            let mut bytes = Vec::new();
            stream.read_to_end(&mut bytes).await.unwrap();
            (protocol, bytes)
        };
        tokio::join!(send, receive).1
    }

    #[tokio::test]
    async fn only_the_whole_preface_is_http_2_and_no_byte_is_lost() {
        let mut more = PREFACE.to_vec();
        more.extend(b"more");
        let each: Vec<&[u8]> = more.chunks(1).collect();
        assert_eq!(told(&each).await, (Protocol::Http2, more.clone()));
        assert_eq!(told(&[&more]).await, (Protocol::Http2, more.clone()));
        for http1 in [
            &b""[..],
            b"GET / HTTP/1.1\r\n\r\n",
            b"P",
            b"POST",
            &PREFACE[..23],
        ] {
            assert_eq!(told(&[http1]).await, (Protocol::Http1, http1.to_vec()));
        }
        let almost = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r!";
        assert_eq!(told(&[almost]).await, (Protocol::Http1, almost.to_vec()));
    }
}
