//! The tables of functions and the waits that they mean: the only place that knows other people's
//! code by name.
//!
//! A row is `Kind [what it is made of]: "path"`: the path of a function, of its type, or of its
//! module. It names a wait where nothing further in has a name yet, or what has is one of those
//! that the row is made of, see [`super::classify`]. A timeout is made of a sleep, so it says
//! "timeout" of its timer, and leaves alone what it limits.
//!
//! Each row has a test with the real type, in `tests/waits` here or (for heavy crates) in the
//! package of tests across crates. Paths are those of debug information: of the module that a type
//! is defined in, not of the one that it is exported from. With nothing but line tables types are
//! missing, and so are the names of async functions: a row for a whole module, or for a method, is
//! found there as well; one for a type is not.

mod others;
mod tokio;

use super::WaitKind;

pub(super) struct Row {
    pub(super) kind: WaitKind,
    /// Kinds that a frame further in may have named before.
    pub(super) made_of: &'static [WaitKind],
    /// Paths of functions, types or modules.
    pub(super) at: &'static [&'static str],
}

/// Makes the rows of a table: `Kind [made, of]: "path", "path";`. A constant stands for a list that
/// is used often.
macro_rules! table {
    ($($kind:ident $made_of:tt: $($path:literal),+;)*) => {
        pub(super) const ROWS: &[Row] = &[
            $(Row {
                kind: $kind,
                made_of: table!(@made_of $made_of),
                at: &[$($path),+],
            },)*
        ];
    };
    (@made_of [$($kind:ident),*]) => { &[$($kind),*] };
    (@made_of $constant:ident) => { $constant };
}
use table;

/// All rows, in no order that matters: of the rows that match a function, the one with the longest
/// path is tried first.
pub(super) fn rows() -> impl Iterator<Item = &'static Row> {
    tokio::ROWS.iter().chain(others::ROWS)
}

/// Crates whose functions may lie between a leaf and the function that its author called: those of
/// the table, and those that only pass polls on.
pub(super) const LIBRARIES: &[&str] = &[
    "core",
    "std",
    "alloc",
    "tokio",
    "tokio_util",
    "tokio_stream",
    "futures_core",
    "futures_channel",
    "futures_sink",
    "futures_io",
    "futures_task",
    "futures_util",
    "async_channel",
    "async_lock",
    "event_listener",
    "event_listener_strategy",
    "atomic_waker",
    "flume",
    "tower",
    "tower_http",
    "tower_layer",
    "tower_service",
    "axum",
    "axum_core",
    "hyper",
    "hyper_util",
    "http_body",
    "http_body_util",
    "h2",
    "want",
    "rustls",
    "tokio_rustls",
    "hyper_rustls",
    "tokio_native_tls",
    "tonic",
    "tracing",
    "tracing_futures",
    "pin_project",
    "pin_project_lite",
    "mio",
    "taskscope",
    "taskscope_core",
];

/// Tokio's cell for one waker.
pub(super) const TOKIO_WAKER_CELL: &str = "tokio::sync::task::atomic_waker";

/// Modules that store a waker for another type, which is the one that waits.
pub(super) const WAKER_CELLS: &[&str] = &[
    TOKIO_WAKER_CELL,
    "futures_core::task::__internal::atomic_waker",
    "atomic_waker",
];
