//! The HTTP endpoint: over real connections to `serve()`, and nested into routers.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "helpers of tests; the exemption in clippy.toml covers only test functions"
)]

mod ask;
#[path = "../common/busy.rs"]
mod busy;
mod captures;
mod client;
mod clients;
mod cpu;
mod filters;
mod fuzz;
#[path = "../common/go.rs"]
mod go;
mod gos;
mod pages;
mod refused;
mod serve;
mod serve_any_header;
mod serve_guard;
mod serve_host;
#[cfg(all(feature = "console", tokio_unstable))]
mod serve_http2;
mod serve_limits;
mod serve_origin;
mod serve_remote;
mod serve_stall;
mod serve_token;
mod serve_unix;
mod slow_readers;
mod sources;
#[path = "../common/xml.rs"]
mod xml;

use std::net::SocketAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};

use taskprof::Server;

/// Takes the turn to capture, until this is dropped; waits while another test has it.
///
/// Captures share one sampler, and some tests look whether it runs. Each test has a thread and a
/// runtime of its own, so a turn may be kept across an await.
fn my_turn() -> Turn {
    static TURN: Mutex<()> = Mutex::new(());
    Turn {
        _held: TURN.lock().unwrap_or_else(PoisonError::into_inner),
    }
}

struct Turn {
    _held: MutexGuard<'static, ()>,
}

/// A server for one test, which is shut down when this is dropped.
///
/// The drop waits until the server is gone, so that a capture that the test leaves running has been
/// abandoned before the next test asks for one.
struct Served(Option<Server>);

impl Served {
    fn local_addr(&self) -> SocketAddr {
        self.0.as_ref().unwrap().local_addr()
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        self.0.take().unwrap().shutdown();
    }
}

/// Wraps a server that was built.
fn served(server: std::io::Result<Server>) -> Served {
    Served(Some(server.unwrap()))
}

fn server() -> Served {
    Served(Some(taskprof::serve("127.0.0.1:0").unwrap()))
}
