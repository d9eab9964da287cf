//! The endpoint on a loopback address, on a thread and a runtime of its own.
//!
//! A runtime of its own, because the question is often why the application's runtime does not answer. Not here: the pages
//! (`http/`).

use std::io;
use std::net::{SocketAddr, TcpListener, ToSocketAddrs};
use std::sync::mpsc;
use std::thread::{self, JoinHandle};

use axum::extract::Request;
use axum::http::header::HOST;
use axum::http::uri::Authority;
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::get;
use axum::{Extension, Router};
use tokio::sync::oneshot;

use crate::http::{self, HttpError, OwnRuntime};

/// Where the router is nested.
const PREFIX: &str = "/debug/profile";
/// Where clients of Go look.
const GO_PREFIX: &str = "/debug/pprof";

/// Serves the endpoint at `http://addr/debug/profile`, on a thread of its own, until the returned [`Server`] is dropped.
///
/// The pages are those of [`router`](crate::router). The thread `taskprof-http` runs its own current-thread tokio runtime, so
/// it answers when the application's runtime is stuck, and no runtime is needed to call this. If there is one, its untracked tasks
/// are counted from the start. `/` redirects to the index. The same pages are at `/debug/pprof`, where clients of Go look.
///
/// Only loopback addresses are accepted, and only requests to `localhost` or a loopback address are answered: a web page
/// that resolves its own name to 127.0.0.1 gets 403.
///
/// # Errors
///
/// `InvalidInput` for an address that other machines can reach: a profile names functions, files and threads, a capture
/// costs CPU time, and nobody is asked for a password here. Nest [`router`](crate::router) into an application that checks
/// who is asking, or tunnel to the loopback address.
///
/// Otherwise whatever the system says when the address cannot be resolved or bound, with the address in the text.
///
/// # Examples
///
/// ```
/// let server = taskprof::serve("127.0.0.1:0")?;
/// println!("http://{}/debug/profile", server.local_addr());
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn serve(addr: impl ToSocketAddrs) -> io::Result<Server> {
    let addrs: Vec<SocketAddr> = addr
        .to_socket_addrs()
        .map_err(|e| {
            explain(
                &e,
                "taskprof cannot resolve the address it should listen on",
            )
        })?
        .collect();
    if let Some(public) = addrs.iter().find(|addr| !addr.ip().is_loopback()) {
        return Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            format!(
                "taskprof does not listen on {public}: it is not a loopback address, and this server asks nobody for a \
                 password; use 127.0.0.1 or [::1], or nest taskprof::router() behind your own access control"
            ),
        ));
    }
    let listed: Vec<String> = addrs.iter().map(ToString::to_string).collect();
    let listed = listed.join(", ");
    let listener = TcpListener::bind(&*addrs)
        .map_err(|e| explain(&e, &format!("taskprof cannot listen on {listed}")))?;
    listener.set_nonblocking(true)?;
    let local_addr = listener.local_addr()?;

    let watched = tokio::runtime::Handle::try_current()
        .ok()
        .map(|runtime| taskscope::watch(&runtime));
    let (stop, stopped) = oneshot::channel();
    let (ready_tx, ready) = mpsc::channel();
    let thread = thread::Builder::new()
        .name("taskprof-http".to_owned())
        .spawn(move || run(listener, &ready_tx, stopped))
        .map_err(|e| explain(&e, "taskprof cannot start its server thread"))?;
    match ready.recv() {
        Ok(Ok(())) => Ok(Server {
            local_addr,
            stop: Some(stop),
            thread: Some(thread),
            _watched: watched,
        }),
        Ok(Err(e)) => Err(explain(&e, "taskprof cannot start its runtime")),
        Err(mpsc::RecvError) => Err(io::Error::other(
            "the taskprof server thread panicked while starting; its message is on standard error",
        )),
    }
}

fn explain(error: &io::Error, what: &str) -> io::Error {
    io::Error::new(error.kind(), format!("{what}: {error}"))
}

/// The whole life of the server thread.
fn run(
    listener: TcpListener,
    ready: &mpsc::Sender<io::Result<()>>,
    stopped: oneshot::Receiver<()>,
) {
    let started = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .and_then(|runtime| {
            let listener = {
                let _context = runtime.enter();
                tokio::net::TcpListener::from_std(listener)?
            };
            Ok((runtime, listener))
        });
    let (runtime, listener) = match started {
        Ok(started) => started,
        Err(e) => {
            // Received by `serve`, which waits for it.
            let _ = ready.send(Err(e));
            return;
        }
    };
    runtime.spawn(async move {
        // Never returns: accept errors are retried inside.
        let _ = axum::serve(listener, app()).await;
    });
    let _ = ready.send(Ok(()));
    // Both outcomes mean the same: told to stop, or the `Server` is gone.
    let _ = runtime.block_on(stopped);
    // Dropping a current-thread runtime drops its tasks: connections close, captures end.
}

fn app() -> Router {
    let router = http::router::<()>();
    let pages = Router::new()
        .route("/", get(async || Redirect::temporary(PREFIX)))
        // Not `nest`, which would not answer with a slash at the end.
        .nest_service(PREFIX, router.clone())
        .nest_service(GO_PREFIX, router);
    http::protected(
        pages
            .layer(Extension(OwnRuntime))
            .layer(from_fn(loopback_host)),
    )
}

/// Answers only requests that name a loopback host.
///
/// Loopback keeps other machines out, but not the browser on this one: a page can point its own name at 127.0.0.1 and
/// then read what it gets (DNS rebinding). Its requests still carry that name.
async fn loopback_host(request: Request, next: Next) -> Response {
    let Some(host) = request.headers().get(HOST) else {
        return next.run(request).await;
    };
    let authority: Option<Authority> = host.to_str().ok().and_then(|host| host.parse().ok());
    if authority.is_some_and(|authority| is_loopback(authority.host())) {
        next.run(request).await
    } else {
        HttpError::forbidden(
            "this server answers only to localhost and loopback addresses; the Host header of the request names another",
        )
        .into_response()
    }
}

fn is_loopback(host: &str) -> bool {
    let ip = host.trim_start_matches('[').trim_end_matches(']');
    host.eq_ignore_ascii_case("localhost")
        || ip
            .parse::<std::net::IpAddr>()
            .is_ok_and(|ip| ip.is_loopback())
}

/// A running server, from [`serve`]. Dropping it stops the server.
///
/// Drop does not wait: open connections close and captures end a moment later. [`Server::shutdown`] waits for that.
#[must_use = "dropping it stops the server; keep it as long as the endpoint should answer"]
#[derive(Debug)]
pub struct Server {
    local_addr: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
    /// The runtime that it was started from: shown also while none of its tasks has a record.
    _watched: Option<taskscope::RuntimeGuard>,
}

impl Server {
    /// The address it listens on, with the port that the system chose if 0 was asked for.
    pub fn local_addr(&self) -> SocketAddr {
        self.local_addr
    }

    /// Stops the server and waits until its thread has ended and the port is free.
    ///
    /// Takes milliseconds: captures are abandoned, not waited for. Blocks all the same: call it off async workers.
    pub fn shutdown(mut self) {
        self.stop.take();
        if let Some(thread) = self.thread.take() {
            // A panic of the thread has been printed; there is nothing left to stop.
            let _ = thread.join();
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Dropping the sender is the signal.
        self.stop.take();
    }
}
