//! The limits that several files of the server need; the table in `mod.rs` has all of them.

use std::time::Duration;

/// The longest head of a request, in bytes: twice as much as a browser sends that has collected
/// cookies on localhost.
pub(super) const MAX_HEAD: usize = 64 * 1024;

/// Connections that wait to be accepted, if the system allows that many.
pub(super) const BACKLOG: i32 = 4096;

/// Limits of each connection, and of their number.
#[derive(Debug, Clone)]
pub(super) struct Limits {
    /// For a request to arrive: its head, and again its body.
    pub(super) header_timeout: Duration,
    /// Without progress in a write.
    pub(super) write_timeout: Duration,
    pub(super) max_connections: usize,
    /// Whether to speak HTTP/2 with those who begin with it.
    #[cfg(feature = "console")]
    pub(super) http2: bool,
}
