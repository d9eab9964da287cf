//! Reads a request's head: the scope's name, its labels and its deadline.
//!
//! Everything here is the client's word. It becomes a label or a time within bounds, and never a
//! name or a panic.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use http::request::Parts;

use super::{Config, Counters, deadline, request_id};
use crate::Scope;

static REQUEST_ID: LazyLock<Arc<str>> = LazyLock::new(|| "request_id".into());
#[cfg(feature = "axum")]
static PEER: LazyLock<Arc<str>> = LazyLock::new(|| "peer".into());

/// A scope as the request's head asks for it, and the request's id.
pub(super) fn open_scope(parts: &Parts, config: &Config, counters: &Counters) -> (Scope, Arc<str>) {
    let name = name(parts, config);
    let id = id(parts, config, counters);
    let scope = match &config.parent {
        Some(parent) => parent.child(name),
        None => Scope::new(name),
    };
    let mut scope = scope
        .at_end(config.at_end)
        .label(REQUEST_ID.clone(), id.clone());
    #[cfg(feature = "axum")]
    if let Some(peer) = peer(parts) {
        scope = scope.label(PEER.clone(), peer);
    }
    if let Some(timeout) = timeout(parts, config, counters) {
        scope = scope.timeout(timeout);
    }
    (scope, id)
}

fn name(parts: &Parts, config: &Config) -> String {
    const NO_ROUTE: &str = "(no route)";
    let method = method(&parts.method);
    match &config.route {
        Some(route) => format!("{method} {}", route(parts).as_deref().unwrap_or(NO_ROUTE)),
        None => format!("{method} {}", matched(parts).unwrap_or(NO_ROUTE)),
    }
}

#[cfg(feature = "axum")]
fn matched(parts: &Parts) -> Option<&str> {
    let path = parts.extensions.get::<axum::extract::MatchedPath>();
    path.map(axum::extract::MatchedPath::as_str)
}

#[cfg(not(feature = "axum"))]
fn matched(_: &Parts) -> Option<&str> {
    None
}

#[cfg(feature = "axum")]
fn peer(parts: &Parts) -> Option<String> {
    use axum::extract::ConnectInfo;
    use std::net::SocketAddr;

    let peer = parts.extensions.get::<ConnectInfo<SocketAddr>>();
    peer.map(|ConnectInfo(peer)| peer.to_string())
}

/// Extension methods are the client's words; they must not become names.
fn method(method: &http::Method) -> &str {
    const KNOWN: [&str; 9] = [
        "GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH",
    ];
    let method = method.as_str();
    if KNOWN.contains(&method) {
        method
    } else {
        "(other method)"
    }
}

fn id(parts: &Parts, config: &Config, counters: &Counters) -> Arc<str> {
    let Some(value) = parts.headers.get(&config.id_header) else {
        return request_id::make_up().into();
    };
    match request_id::accept(value) {
        Some(id) => id.into(),
        None => {
            add(&counters.refused_request_ids, 1);
            request_id::make_up().into()
        }
    }
}

fn timeout(parts: &Parts, config: &Config, counters: &Counters) -> Option<Duration> {
    let mut asked = None;
    for header in &config.deadline_headers {
        let stated = header.read(&parts.headers);
        asked = deadline::shorter(asked, stated.shortest);
        add(&counters.malformed_deadlines, stated.malformed);
    }
    match (asked, config.max_timeout) {
        (Some(asked), Some(max)) if asked > max => {
            add(&counters.capped_deadlines, 1);
            Some(max)
        }
        (asked, _) => asked.or(config.default_timeout),
    }
}

fn add(counter: &AtomicU64, count: u64) {
    if count > 0 {
        counter.fetch_add(count, Ordering::Relaxed);
    }
}
