//! Keeps the scope of an upgraded connection, such as a WebSocket, open until the connection is dropped.
//!
//! The response to an upgrade is a head without a body, so nothing of it lives on; what does is hyper's `Upgraded`, which a
//! handler gets by awaiting the `OnUpgrade` in its request. Neither of them can hold a guard, and neither can be made by anybody but
//! hyper. So hyper makes a second one: a server connection of its own over a pretended socket, which reads one request for an
//! upgrade, answers it, and becomes an `Upgraded` around that socket. The pretended socket then passes everything through to
//! the real one, and holds the guard:
//!
//! ```text
//!  request ──▶ intercept: OnUpgrade ◀─ taken      the stand-in's OnUpgrade ─▶ into the request
//!  response 101 ──▶ keep_open: a task awaits the real Upgraded, then lets the stand-in answer
//!  handler's task ◀── Upgraded( TokioIo( Kept { the real Upgraded, the guard } ) )
//! ```
//!
//! All of it happens only for requests that ask for an upgrade. If a future hyper does not play along, the request stays
//! as it was, and the scope ends with the response.
//! Not here: in which scope the handler's task runs ([`crate::carry`]).

use std::convert::Infallible;
use std::fmt;
use std::future::Future;
use std::io;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker, ready};

use http::{Extensions, Request, Response, StatusCode, header};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::runtime::Handle;
use tokio::sync::oneshot;

use super::guard::RequestGuard;

/// What the stand-in reads.
const REQUEST: &[u8] =
    b"GET / HTTP/1.1\r\nhost: stand-in\r\nconnection: upgrade\r\nupgrade: stand-in\r\n\r\n";

/// What ends the head of its answer.
const END_OF_HEAD: [u8; 4] = *b"\r\n\r\n";

/// The real connection, on its way to the stand-in.
type Delivery = Arc<Mutex<Option<(Upgraded, RequestGuard)>>>;

/// An upgrade that the client asked for.
pub(super) struct Upgrade {
    original: OnUpgrade,
    delivery: Delivery,
    answer: oneshot::Sender<()>,
    stand_in: Pin<Box<dyn Future<Output = ()> + Send>>,
}

impl Upgrade {
    /// Puts a stand-in into the place of hyper's `OnUpgrade`, if there is one.
    pub(super) fn intercept(extensions: &mut Extensions) -> Option<Box<Upgrade>> {
        // Looked for first: almost no request has one.
        let original = extensions.get::<OnUpgrade>()?.clone();
        let delivery = Delivery::default();
        let (answer, answered) = oneshot::channel();
        let (stand_in, ours) = stand_in(delivery.clone(), answered)?;
        extensions.insert(ours);
        Some(Box::new(Upgrade {
            original,
            delivery,
            answer,
            stand_in,
        }))
    }

    /// The upgrade was agreed to: the guard goes with the connection.
    pub(super) fn keep_open(self, guard: RequestGuard) {
        let Ok(runtime) = Handle::try_current() else {
            // Nobody to wait for the connection. Dropping the stand-in tells the handler that the upgrade has failed.
            return;
        };
        // Ends as soon as the head of the response has been sent, or the connection has been closed.
        runtime.spawn(async move {
            if let Ok(connection) = self.original.await {
                let delivered = (connection, guard);
                *self.delivery.lock().unwrap_or_else(PoisonError::into_inner) = Some(delivered);
                // The stand-in holds the receiver.
                let _ = self.answer.send(());
                self.stand_in.await;
            }
        });
    }
}

impl fmt::Debug for Upgrade {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Upgrade").finish_non_exhaustive()
    }
}

/// A connection that somebody drives.
type Connection = Pin<Box<dyn Future<Output = ()> + Send>>;

/// A server connection that has read its request and answers it when told, and the `OnUpgrade` that this one request got.
fn stand_in(
    delivery: Delivery,
    answered: oneshot::Receiver<()>,
) -> Option<(Connection, OnUpgrade)> {
    let (found, mut upgrade) = oneshot::channel();
    let once = Mutex::new(Some((found, answered)));
    let service = service_fn(move |mut request: Request<Incoming>| {
        let first = once.lock().unwrap_or_else(PoisonError::into_inner).take();
        async move {
            if let Some((found, answered)) = first {
                // The receiver is a few lines below; an error on the other side means that nobody will answer.
                let _ = found.send(hyper::upgrade::on(&mut request));
                let _ = answered.await;
            }
            let mut response = Response::new(String::new());
            *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
            let upgrade = http::HeaderValue::from_static("upgrade");
            response.headers_mut().insert(header::CONNECTION, upgrade);
            Ok::<_, Infallible>(response)
        }
    });
    let socket = TokioIo::new(Kept {
        unread: REQUEST,
        written: [0; 4],
        delivery,
        open: None,
    });
    let connection = http1::Builder::new()
        .serve_connection(socket, service)
        .with_upgrades();
    let mut stand_in = Box::pin(async move {
        // An error is told to whoever awaits the `OnUpgrade`.
        let _ = connection.await;
    });
    // Up to the point at which the service waits to be told. Whoever tells it polls again, with a waker.
    let polled = stand_in
        .as_mut()
        .poll(&mut Context::from_waker(Waker::noop()));
    match (polled, upgrade.try_recv()) {
        (Poll::Pending, Ok(upgrade)) => Some((stand_in, upgrade)),
        _ => None,
    }
}

/// The pretended socket: a request to read, a head to swallow, and from then on the real connection.
struct Kept {
    /// The rest of the request.
    unread: &'static [u8],
    /// The last bytes that were written and went nowhere.
    written: [u8; 4],
    delivery: Delivery,
    open: Option<Open>,
}

/// The real connection and the scope that is open as long as it lives.
struct Open {
    connection: TokioIo<Upgraded>,
    // After the connection: the scope ends when it has been dropped.
    end: End,
}

/// How the connection ends.
struct End {
    guard: Option<RequestGuard>,
    /// We were the first to end it.
    closed_here: bool,
    client_gone: bool,
}

impl Drop for End {
    fn drop(&mut self) {
        if let Some(guard) = self.guard.take()
            && !self.client_gone
        {
            guard.complete();
        }
    }
}

impl Open {
    /// A connection that fails, or that the client has closed, has lost its client, unless this side closed it.
    fn note<T>(&mut self, result: &io::Result<T>) {
        if result.is_err() && !self.end.closed_here {
            self.end.client_gone = true;
        }
    }
}

impl Kept {
    /// Takes over the real connection as soon as the last byte of the head is in. How many bytes belonged to the head.
    fn swallow(&mut self, bytes: &[u8]) -> io::Result<usize> {
        for (at, &byte) in bytes.iter().enumerate() {
            self.written.rotate_left(1);
            self.written[3] = byte;
            if self.written == END_OF_HEAD {
                let delivered = self
                    .delivery
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .take();
                let (connection, guard) = delivered.ok_or(io::ErrorKind::NotConnected)?;
                self.open = Some(Open {
                    connection: TokioIo::new(connection),
                    end: End {
                        guard: Some(guard),
                        closed_here: false,
                        client_gone: false,
                    },
                });
                return Ok(at + 1);
            }
        }
        Ok(bytes.len())
    }
}

impl AsyncRead for Kept {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if !self.unread.is_empty() {
            let (now, later) = self.unread.split_at(self.unread.len().min(buf.remaining()));
            buf.put_slice(now);
            self.unread = later;
            return Poll::Ready(Ok(()));
        }
        let Some(open) = &mut self.open else {
            // Hyper looks whether its client is still there. Nobody needs to be woken: the answer does not depend on it.
            return Poll::Pending;
        };
        let (before, room) = (buf.filled().len(), buf.remaining());
        let result = ready!(pin!(&mut open.connection).poll_read(cx, buf));
        open.note(&result);
        let closed = result.is_ok() && room > 0 && buf.filled().len() == before;
        if closed && !open.end.closed_here {
            open.end.client_gone = true;
        }
        Poll::Ready(result)
    }
}

impl AsyncWrite for Kept {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let Some(open) = &mut self.open else {
            return Poll::Ready(self.swallow(bytes));
        };
        let result = ready!(pin!(&mut open.connection).poll_write(cx, bytes));
        open.note(&result);
        Poll::Ready(result)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let Some(open) = &mut self.open else {
            let first = slices.iter().find(|slice| !slice.is_empty());
            return self.poll_write(cx, first.map_or(&[], |slice| slice));
        };
        let result = ready!(pin!(&mut open.connection).poll_write_vectored(cx, slices));
        open.note(&result);
        Poll::Ready(result)
    }

    fn is_write_vectored(&self) -> bool {
        let open = self.open.as_ref();
        open.is_some_and(|open| open.connection.is_write_vectored())
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Some(open) = &mut self.open else {
            return Poll::Ready(Ok(()));
        };
        let result = ready!(pin!(&mut open.connection).poll_flush(cx));
        open.note(&result);
        Poll::Ready(result)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Some(open) = &mut self.open else {
            return Poll::Ready(Ok(()));
        };
        if !open.end.client_gone {
            open.end.closed_here = true;
        }
        pin!(&mut open.connection).poll_shutdown(cx)
    }
}
