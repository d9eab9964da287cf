//! The endpoint on an address or a socket of its own, on a thread and a runtime of its own.
//!
//! A runtime of its own, because the question is often why the application's runtime does not
//! answer. Nothing binds by itself, and what is bound without further words can be reached from
//! this machine only. Not here: the pages (`http/`), the token (`guard/`), how many answers are
//! made at a time (`http/admission.rs`), large answers that are being read (`http/downloads.rs`).
//!
//! # Limits
//!
//! | limit | starts at | reset by | on expiry |
//! | --- | --- | --- | --- |
//! | header timeout (15 s), HTTP/1: hyper | connection, end of an answer | the head of a request | connection closes |
//! | header timeout, before the first request and over HTTP/2: `idle_timeout.rs` | connection, end of the last answer | a request | connection closes |
//! | header timeout again, for a body: `body.rs` | head of the request | nothing | the body is an error, the request fails |
//! | write timeout (30 s): `write_timeout.rs` | a write that waits | a byte that the client takes | the write fails, connection closes |
//! | write timeout, HTTP/2: `chunked.rs`, `idle_timeout.rs` | a chunk of 16 KB that is handed over | the next chunk | connection closes |
//! | write timeout, HTTP/2 pings: `protocols.rs` | ping, each write timeout | its answer | connection closes |
//! | connections (256): `connections.rs` | accept | end of a connection | the one that is idle for 250 ms goes, else the slowest after 2 s |
//! | full for 1 s: `connections.rs` | all busy | a slot that becomes free | 503, `Retry-After` 2; 16 more for metrics and overview, 3 s each |
//! | head of a request, 64 KB: `protocols.rs` | first byte | end of the head | 431 |
//! | streams, 16 a connection of HTTP/2: `protocols.rs` | request | end of its answer | the stream is refused |

mod activity;
mod body;
mod builder;
#[cfg(feature = "console")]
mod chunked;
mod connections;
mod console;
mod host;
#[cfg(feature = "console")]
mod idle_timeout;
mod limits;
mod origin;
mod protocols;
mod running;
mod unix;
mod write_timeout;

use std::io;
use std::net::ToSocketAddrs;
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::get;
use axum::{Extension, Router};

#[cfg(not(feature = "console"))]
use self::body::ResponseBody as Answer;
pub use self::builder::{
    DEFAULT_HEADER_TIMEOUT, DEFAULT_MAX_CONNECTIONS, DEFAULT_WRITE_TIMEOUT, ServerBuilder,
};
#[cfg(feature = "console")]
use self::chunked::Chunked as Answer;
use self::host::Hosts;
pub use self::running::{Server, UnixServer};
use crate::guard::{RequireBearer, Token};
use crate::http::{self, OwnRuntime, headers};

/// Path where the router is nested.
const PREFIX: &str = "/debug/profile";
/// Path where clients of Go look.
const GO_PREFIX: &str = "/debug/pprof";

/// Serves the endpoint at `http://addr/debug/profile`, on a thread of its own, until the returned
/// [`Server`] is dropped.
///
/// The pages are those of [`router`](crate::router). The thread `taskprof-http` runs its own
/// current-thread tokio runtime, so it answers when the application's runtime is stuck, and no
/// runtime is needed to call this. If there is one, its untracked tasks are counted from the start.
/// `/` redirects there. The same pages are at `/debug/pprof`, where clients of Go look.
///
/// Only loopback addresses are accepted, and only requests to `localhost` or a loopback address are
/// answered: a web page that resolves its own name to 127.0.0.1 gets 403. So does one that asks
/// without such tricks: it could not read the answer, but have it made. [`server`] has more: a
/// token, other addresses, a Unix socket, limits.
///
/// # Errors
///
/// `InvalidInput` for an address that other machines can reach: a profile names functions, files
/// and threads, a capture costs CPU time, and nobody is asked for a password here. Say twice that
/// it is meant, with [`ServerBuilder::allow_remote`] and [`ServerBuilder::bearer_token`]; or nest
/// [`router`](crate::router) into an application that checks who is asking, or tunnel to the
/// loopback address.
///
/// Otherwise whatever the system says when the address cannot be resolved or bound, with the
/// address in the text.
///
/// # Examples
///
/// ```
/// let server = taskprof::serve("127.0.0.1:0")?;
/// println!("http://{}/debug/profile", server.local_addr());
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// # Limitations
///
/// Every process and every user of this machine can connect to a loopback address. A Unix socket
/// ([`ServerBuilder::bind_unix`]) is for one user, and a token keeps others out here, too.
pub fn serve(addr: impl ToSocketAddrs) -> io::Result<Server> {
    server().bind(addr)
}

/// Configures the endpoint on a thread of its own: with a token, on other addresses, on a Unix
/// socket, or with other limits.
///
/// Nothing happens until [`bind`](ServerBuilder::bind) or [`bind_unix`](ServerBuilder::bind_unix).
/// For a loopback address without any of this there is [`serve`](crate::serve()).
///
/// # Examples
///
/// ```
/// # let path = std::env::temp_dir().join(format!("taskprof-doc-{}.sock", std::process::id()));
/// // curl --unix-socket /run/shop/profile.sock http://localhost/debug/profile
/// let server = taskprof::server().bind_unix(&path)?;
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn server() -> ServerBuilder {
    ServerBuilder::new()
}

/// Whether a path is that of the metrics or of the overview.
fn is_prompt(path: &str) -> bool {
    [PREFIX, GO_PREFIX].into_iter().any(|prefix| {
        let page = path.strip_prefix(prefix);
        page.is_some_and(|page| ["", "/", "/metrics"].contains(&page))
    })
}

/// Says in the error what could not be done.
fn explain(error: &io::Error, what: &str) -> io::Error {
    io::Error::new(error.kind(), format!("{what}: {error}"))
}

/// The pages with everything around them. Without `hosts` every name is answered: for a server that
/// no name leads to. `console` has routes that are served beside the pages.
fn app(hosts: Option<Hosts>, token: Option<Token>, console: Router) -> Router {
    let router = http::router::<()>();
    let pages = Router::new()
        .route("/", get(async || Redirect::temporary(PREFIX)))
        // Not `nest`, which would not answer with a slash at the end.
        .nest_service(PREFIX, router.clone())
        .nest_service(GO_PREFIX, router)
        .merge(console)
        .layer(Extension(OwnRuntime));
    let mut app = http::protected(pages);
    // Around all of it: also what does not exist is for those only who may come in.
    if let Some(token) = token {
        app = app.layer(RequireBearer::new(token));
    }
    // Further out than the token: a page that may not ask need not know that there is one, and no
    // browser shall ask for a password for it.
    let app = app.layer(from_fn_with_state(Arc::new(hosts), admit));
    // Outermost, so that every refusal is understood.
    #[cfg(feature = "console")]
    let app = app.layer(axum::middleware::from_fn(crate::console::in_grpc));
    app
}

/// Refuses requests to other hosts, and those that a page of another site makes.
async fn admit(State(hosts): State<Arc<Option<Hosts>>>, request: Request, next: Next) -> Response {
    let admitted = hosts
        .iter()
        .try_for_each(|hosts| hosts.check(&request))
        .and_then(|()| origin::check(&request));
    match admitted {
        Ok(()) => next.run(request).await,
        Err(refused) => headers::set(refused.into_response()).await,
    }
}
