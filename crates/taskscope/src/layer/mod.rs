//! One scope for each HTTP request: tower layers.
//!
//! The scope is open from the request's head until the response body has ended or is dropped,
//! whichever comes first. A guard that travels with the request is what ends it, so streaming
//! answers keep their scope, and a client that goes away ends it at once.
//!
//! Not here: what a deadline does when it comes ([`crate::scope`]), retries, answers such as
//! `504 Gateway Timeout`.

mod body;
mod deadline;
mod forward;
mod guard;
mod request;
mod request_id;
mod service;

use std::fmt;
use std::panic::Location;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use http::HeaderName;
use http::request::Parts;
use tower_layer::Layer;

pub use self::body::ScopeBody;
pub use self::deadline::DeadlineHeader;
pub use self::forward::{ForwardDeadline, ForwardDeadlineLayer};
pub use self::request_id::MAX_REQUEST_ID;
pub use self::service::{ScopeFuture, ScopeService};
use crate::{AtEnd, Builder, ScopeRef};

/// The name of every request's record: which request it is says the scope.
const RECORD: &str = "request";

/// Opens a [`Scope`](crate::Scope) for each request, named `METHOD route`, such as
/// `GET /orders/{id}`.
///
/// Put it around axum's routes with `Router::layer`: there axum has matched the route. A request
/// that matched none is named `METHOD (no route)`, so that names stay few whatever clients ask for.
/// Elsewhere say with [`ScopeLayer::route`] what the route is.
///
/// The scope has the labels `request_id` and, if axum's `ConnectInfo<SocketAddr>` is there, `peer`.
///
/// The request itself has a record, too, until its response begins: dumps show a handler that waits
/// like a task named `request`, of the kind [`TaskKind::Driven`](crate::TaskKind::Driven), spawned
/// at the line of [`ScopeLayer::new`], and what it spawns has it as parent.
///
/// # Examples
///
/// ```
/// # #[cfg(feature = "axum")] {
/// use std::time::Duration;
/// use axum::{Router, routing::get};
/// use taskscope::{AtEnd, DeadlineHeader, Scope, ScopeLayer};
///
/// let app: Router = Router::new()
///     .route("/orders/{id}", get(|| async { Scope::current().map(|scope| scope.name().to_owned()).unwrap_or_default() }))
///     .layer(
///         ScopeLayer::new()
///             .at_end(AtEnd::Cancel)
///             .deadline_header(DeadlineHeader::Request)
///             .max_timeout(Duration::from_secs(60)),
///     );
/// # }
/// ```
///
/// # Deadlines
///
/// None, unless [`ScopeLayer::deadline_header`] or [`ScopeLayer::default_timeout`] asks for one.
/// Time counts from the moment at which the request's head has been read and the layer is called.
/// At the deadline the scope's token fires with
/// [`CancelReason::Deadline`](crate::CancelReason::Deadline), and that is all: nothing is aborted
/// and no answer is made up. Whoever wants a `504` selects on the token, or puts a timeout layer
/// inside of this one.
///
/// # Upgraded connections
///
/// The response to an upgrade is a head without a body, so the scope ends with it. Whoever goes on
/// with the connection, such as a WebSocket, keeps the scope open by
/// [`in_current_scope`](crate::in_current_scope), called in the handler that upgrades: the scope
/// then ends with the task that has the connection, and what that task spawns belongs to the
/// request.
///
/// ```
/// # #[cfg(feature = "axum")] {
/// use axum::extract::ws::{WebSocket, WebSocketUpgrade};
/// use axum::response::Response;
///
/// async fn handler(upgrade: WebSocketUpgrade) -> Response {
///     upgrade.on_upgrade(taskscope::in_current_scope(chat))
/// }
///
/// async fn chat(mut socket: WebSocket) {
///     while let Some(Ok(message)) = socket.recv().await {
///         if socket.send(message).await.is_err() {
///             return;
///         }
///     }
/// }
/// # }
/// ```
///
/// A handler that awaits hyper's `OnUpgrade` itself spawns that task by
/// [`Scope::spawn`](crate::Scope::spawn) of a guard, and moves the guard into it:
/// `Scope::current().and_then(|scope| scope.guard())`.
///
/// # Cancel safety
///
/// When hyper drops the handler or the body because the client has gone, the scope ends with
/// [`CancelReason::ClientGone`](crate::CancelReason::ClientGone); its token is cancelled if the
/// policy says so.
///
/// # Overhead
///
/// Under a microsecond a request for the scope with its labels, some 0.2 us for the record, and
/// 0.15 us each time that the request waits, beside an empty handler behind axum's routes (0.7 us)
/// on the machine of the benchmarks.
///
/// # Limitations
///
/// What happens after the response has begun is the body's: a body that waits is not in dumps, only
/// its scope stays open.
///
/// The layer sees that it was dropped, and not by whom. A timeout layer outside of this one that
/// gives up, or a server that is torn down with requests in flight, looks like a client that has
/// gone.
#[derive(Debug, Clone)]
#[must_use = "a layer does nothing until it is put around a service"]
pub struct ScopeLayer {
    config: Config,
    stats: Arc<Counters>,
}

/// The settings of a [`ScopeLayer`].
#[derive(Clone)]
struct Config {
    at_end: AtEnd,
    parent: Option<ScopeRef>,
    route: Option<RouteFn>,
    id_header: HeaderName,
    id_in_response: bool,
    deadline_headers: Vec<DeadlineHeader>,
    max_timeout: Option<Duration>,
    default_timeout: Option<Duration>,
    /// The declarations that the record of each request begins with.
    record: Builder,
}

type RouteFn = Arc<dyn Fn(&Parts) -> Option<Arc<str>> + Send + Sync>;

impl Default for ScopeLayer {
    #[track_caller]
    fn default() -> ScopeLayer {
        ScopeLayer::new()
    }
}

impl Config {
    #[track_caller]
    fn new() -> Config {
        Config {
            at_end: AtEnd::default(),
            parent: None,
            route: None,
            id_header: HeaderName::from_static("x-request-id"),
            id_in_response: false,
            deadline_headers: Vec::new(),
            max_timeout: None,
            default_timeout: None,
            record: Builder::new().name(RECORD).at(Location::caller()),
        }
    }
}

impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Config")
            .field("at_end", &self.at_end)
            .field("parent", &self.parent)
            .field("id_header", &self.id_header)
            .field("deadline_headers", &self.deadline_headers)
            .field("max_timeout", &self.max_timeout)
            .field("default_timeout", &self.default_timeout)
            .finish_non_exhaustive()
    }
}

impl ScopeLayer {
    /// Scopes that only report at their end, without deadlines; request ids from `x-request-id`.
    #[track_caller]
    pub fn new() -> ScopeLayer {
        ScopeLayer {
            config: Config::new(),
            stats: Arc::default(),
        }
    }

    /// Says what happens to tasks that are alive when a request ends. The default is
    /// [`AtEnd::Report`].
    pub fn at_end(mut self, policy: AtEnd) -> ScopeLayer {
        self.config.at_end = policy;
        self
    }

    /// Opens the scopes below this one: they are cancelled with it, and inherit its deadline. The
    /// default is scopes without a parent.
    ///
    /// A scope for the whole server, cancelled with
    /// [`CancelReason::Shutdown`](crate::CancelReason::Shutdown), tells every request at once.
    pub fn parent(mut self, scope: &ScopeRef) -> ScopeLayer {
        self.config.parent = Some(scope.clone());
        self
    }

    /// Takes the route from this function instead of from axum. `None`: the request matched no
    /// route.
    ///
    /// The answers become names, which group scopes: return one of a fixed set, and never the path
    /// as the client sent it.
    ///
    /// # Examples
    ///
    /// ```
    /// use taskscope::ScopeLayer;
    ///
    /// const METHODS: [&str; 2] = ["/shop.Orders/Get", "/shop.Orders/List"];
    /// let layer = ScopeLayer::new().route(|request| {
    ///     METHODS.into_iter().find(|method| *method == request.uri.path()).map(Into::into)
    /// });
    /// ```
    pub fn route<F>(mut self, route: F) -> ScopeLayer
    where
        F: Fn(&Parts) -> Option<Arc<str>> + Send + Sync + 'static,
    {
        self.config.route = Some(Arc::new(route));
        self
    }

    /// Takes the request id from this header. The default is `x-request-id`.
    ///
    /// An id that is empty, longer than [`MAX_REQUEST_ID`], or has anything but visible ASCII in it
    /// is refused and counted, and one is made up, as for a request without an id. Ids that are
    /// made up are unique in the process, and hard to guess.
    pub fn request_id_header(mut self, name: HeaderName) -> ScopeLayer {
        self.config.id_header = name;
        self
    }

    /// Puts the request id into the response, under the same header, unless the response has one.
    /// The default is not to.
    pub fn answer_request_id(mut self) -> ScopeLayer {
        self.config.id_in_response = true;
        self
    }

    /// Takes the scope's deadline from this header of the request. Called for both headers, the
    /// shorter time counts. The default is neither: a client that may set deadlines can also set
    /// ones that are too short.
    ///
    /// A value that is no time is ignored and counted in [`LayerStats::malformed_deadlines`]. Zero
    /// is a deadline that is over.
    pub fn deadline_header(mut self, header: DeadlineHeader) -> ScopeLayer {
        if !self.config.deadline_headers.contains(&header) {
            self.config.deadline_headers.push(header);
        }
        self
    }

    /// Shortens the times that clients ask for to this one. The default is no limit.
    pub fn max_timeout(mut self, timeout: Duration) -> ScopeLayer {
        self.config.max_timeout = Some(timeout);
        self
    }

    /// Gives requests that ask for no time this one. The default is no deadline.
    pub fn default_timeout(mut self, timeout: Duration) -> ScopeLayer {
        self.config.default_timeout = Some(timeout);
        self
    }

    /// Counts of what this layer, its clones and their services have met so far.
    #[must_use]
    pub fn stats(&self) -> LayerStats {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        LayerStats {
            malformed_deadlines: read(&self.stats.malformed_deadlines),
            capped_deadlines: read(&self.stats.capped_deadlines),
            refused_request_ids: read(&self.stats.refused_request_ids),
        }
    }
}

impl<S> Layer<S> for ScopeLayer {
    type Service = ScopeService<S>;

    fn layer(&self, inner: S) -> ScopeService<S> {
        ScopeService::new(inner, Arc::new(self.config.clone()), self.stats.clone())
    }
}

/// Counts of what a [`ScopeLayer`] had to ignore or to change. All zero: every client kept to the
/// rules.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct LayerStats {
    /// Values of deadline headers that were no times.
    pub malformed_deadlines: u64,
    /// Requests whose time was cut to [`ScopeLayer::max_timeout`].
    pub capped_deadlines: u64,
    /// Request ids that were too long or had illegal characters.
    pub refused_request_ids: u64,
}

/// Statistics, all relaxed: nothing is decided by them.
#[derive(Debug, Default)]
struct Counters {
    malformed_deadlines: AtomicU64,
    capped_deadlines: AtomicU64,
    refused_request_ids: AtomicU64,
}
