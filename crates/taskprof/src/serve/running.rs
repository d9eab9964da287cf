//! A server that runs, and how it stops.

use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::mpsc;
use std::thread::JoinHandle;

use axum::Router;
use tokio::sync::oneshot;

use super::connections;
use super::console::RunningConsole;
use super::explain;
use super::limits::Limits;
use super::unix::SocketFile;

/// The thread of a server. Dropping it tells the thread to end, and does not wait.
#[derive(Debug)]
pub(super) struct Running {
    /// Before `stop`: a path that nobody answers should not be there, and while the thread runs its
    /// inode number is not given away.
    file: Option<SocketFile>,
    /// Dropping the sender is the signal.
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
    console: RunningConsole,
    /// The runtime that it was started from: shown also while none of its tasks has a record.
    _watched: Option<taskscope::RuntimeGuard>,
}

/// The source of connections, before there is a runtime.
pub(super) enum Socket {
    Tcp(std::net::TcpListener),
    Unix(std::os::unix::net::UnixListener, SocketFile),
}

impl Running {
    pub(super) fn start(
        socket: Socket,
        app: Router,
        limits: Limits,
        console: RunningConsole,
    ) -> io::Result<Self> {
        #[cfg(feature = "console")]
        let limits = Limits {
            http2: console.needs_http2(),
            ..limits
        };
        let watched = tokio::runtime::Handle::try_current()
            .ok()
            .map(|runtime| taskscope::register_runtime(&runtime));
        let (listener, file) = match socket {
            Socket::Tcp(listener) => {
                listener.set_nonblocking(true)?;
                (Listener::Tcp(listener), None)
            }
            Socket::Unix(listener, file) => {
                listener.set_nonblocking(true)?;
                (Listener::Unix(listener), Some(file))
            }
        };
        let (ready_tx, ready) = mpsc::channel();
        let unobserved = console.unobserved();
        let thread = crate::thread::spawn("taskprof-http", move || {
            unobserved.run(|| run(listener, app, limits, &ready_tx));
        })
        .map_err(|e| explain(&e, "taskprof cannot start its server thread"))?;
        match ready.recv() {
            Ok(Ok(stop)) => Ok(Running {
                file,
                stop: Some(stop),
                thread: Some(thread),
                console,
                _watched: watched,
            }),
            Ok(Err(e)) => Err(explain(&e, "taskprof cannot start its runtime")),
            Err(mpsc::RecvError) => Err(io::Error::other(
                "the taskprof server thread panicked while starting; its message is on standard error",
            )),
        }
    }

    fn shutdown(mut self) {
        self.file.take();
        self.stop.take();
        if let Some(thread) = self.thread.take() {
            // A panic of the thread has been printed; there is nothing left to stop.
            let _ = thread.join();
        }
        self.console.shutdown();
    }
}

enum Listener {
    Tcp(std::net::TcpListener),
    Unix(std::os::unix::net::UnixListener),
}

/// Runs the server until it is stopped: the whole life of its thread.
fn run(
    listener: Listener,
    app: Router,
    limits: Limits,
    ready: &mpsc::Sender<io::Result<oneshot::Sender<()>>>,
) {
    let started = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .and_then(|runtime| {
            let context = runtime.enter();
            match listener {
                Listener::Tcp(listener) => {
                    let listener = tokio::net::TcpListener::from_std(listener)?;
                    runtime.spawn(connections::run(listener, app, limits));
                }
                Listener::Unix(listener) => {
                    let listener = tokio::net::UnixListener::from_std(listener)?;
                    runtime.spawn(connections::run(listener, app, limits));
                }
            }
            drop(context);
            Ok(runtime)
        });
    let runtime = match started {
        Ok(runtime) => runtime,
        Err(e) => {
            // Received by `start`, which waits for it.
            let _ = ready.send(Err(e));
            return;
        }
    };
    // Made on this thread, which the console does not observe.
    let (stop, stopped) = oneshot::channel();
    let _ = ready.send(Ok(stop));
    // Both outcomes mean the same: told to stop, or the `Running` is gone.
    let _ = runtime.block_on(stopped);
    // Dropping a current-thread runtime drops its tasks: connections close, captures end.
}

/// A server on an address, from [`serve`](crate::serve()) or
/// [`ServerBuilder::bind`](crate::ServerBuilder::bind). Dropping it stops the server.
///
/// Drop does not wait: open connections close and captures end a moment later. [`Server::shutdown`]
/// waits for that.
#[must_use = "dropping it stops the server; keep it as long as the endpoint should answer"]
#[derive(Debug)]
pub struct Server {
    pub(super) local_addr: SocketAddr,
    pub(super) running: Running,
}

impl Server {
    /// The address it listens on, with the port that the system chose if 0 was asked for.
    pub fn local_addr(&self) -> SocketAddr {
        self.local_addr
    }

    /// Stops the server and waits until its thread has ended and the port is free.
    ///
    /// Takes milliseconds: captures are abandoned, not waited for. Blocks all the same: call it off
    /// async workers.
    pub fn shutdown(self) {
        self.running.shutdown();
    }
}

/// A server on a Unix socket, from [`ServerBuilder::bind_unix`](crate::ServerBuilder::bind_unix).
/// Dropping it stops the server.
///
/// The file is removed at once, unless it is another one by now. Drop does not wait for the rest:
/// open connections close and captures end a moment later. [`UnixServer::shutdown`] waits for that.
#[must_use = "dropping it stops the server; keep it as long as the endpoint should answer"]
#[derive(Debug)]
pub struct UnixServer {
    pub(super) path: std::path::PathBuf,
    pub(super) running: Running,
}

impl UnixServer {
    /// The file of the socket; absolute, also if it was asked for by another path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Stops the server, removes the file and waits until the thread has ended.
    ///
    /// Takes milliseconds: captures are abandoned, not waited for. Blocks all the same: call it off
    /// async workers.
    pub fn shutdown(self) {
        self.running.shutdown();
    }
}
