//! Rules for known pools: libraries that keep tasks on purpose, for idle connections.
//!
//! Each preset is a rule like any other: it has a number and a reason, and is named if it matches
//! nothing. The libraries spawn with tokio's own function, so only the number of their tasks is
//! known; on an observed runtime (`--cfg tokio_unstable`) also where they were spawned.
//!
//! Deliberately not here: deadpool, which has no task of its own. A loop that calls its `retain`
//! belongs to the program: spawn it with [`taskscope::background`].

use crate::Options;

/// The file in which hyper-util spawns the tasks of its client: its executor for tokio.
const HYPER_UTIL: &str = "hyper-util-*/src/rt/tokio.rs*";

/// The files in which bb8 spawns.
const BB8: &str = "bb8-*/src/*.rs*";

/// The file in which sqlx spawns the reaper of a pool. Its other tasks (a connection on its way
/// back to the pool) end by themselves.
const SQLX: &str = "sqlx-core-*/src/pool/inner.rs*";

/// # Known pools
///
/// The tasks of these pools are no leak while their owner lives, and often a little longer. It is
/// better to drop the client or the pool before the check; a preset is for one that is shared.
impl Options {
    /// Ignores up to this many keep-alive connections of hyper-util's legacy client. Each has a
    /// task until the server or the client closes it.
    ///
    /// Count one more for a client with a `pool_timer`: the task that closes connections which have
    /// been idle for too long.
    ///
    /// # Panics
    ///
    /// If the number is 0. The other presets panic in the same case.
    #[track_caller]
    pub fn keep_hyper_connections(self, connections: usize) -> Options {
        let why = "hyper-util's client keeps idle connections for the next request";
        self.library_tasks(connections, vec![HYPER_UTIL.into()], why.into())
    }

    /// Ignores up to this many keep-alive connections of one `reqwest::Client`, and its task that
    /// closes idle ones.
    ///
    /// # Examples
    ///
    /// ```
    /// // Two tests' worth of servers, one client for all tests.
    /// let options = leakcheck::Options::new().keep_reqwest_connections(2);
    /// # let _ = options;
    /// ```
    #[track_caller]
    pub fn keep_reqwest_connections(self, connections: usize) -> Options {
        assert!(
            connections > 0,
            "leakcheck: to allow no connection at all does nothing"
        );
        let why = "reqwest's client keeps idle connections for the next request, and a task that closes old ones";
        self.library_tasks(connections + 1, vec![HYPER_UTIL.into()], why.into())
    }

    /// Ignores the reapers of up to this many bb8 pools. Each ends up to 30 s after its pool has
    /// been dropped.
    #[track_caller]
    pub fn keep_bb8_reapers(self, pools: usize) -> Options {
        let why = "a bb8 pool has a task that closes old connections, which notices the end of the pool only at its next tick";
        self.library_tasks(pools, vec![BB8.into()], why.into())
    }

    /// Ignores the reapers of up to this many sqlx pools. Each begins with its pool, and ends as
    /// soon as the pool is closed or its last handle is dropped.
    ///
    /// So this is for a pool that outlives the test: in a static, or of a fixture. Handles are the
    /// clones of the pool and the connections taken out of it. `pool.close().await` waits for those
    /// connections, and ends the reaper even if handles are left. A pool with neither
    /// `max_lifetime` nor `idle_timeout` has no reaper.
    #[track_caller]
    pub fn keep_sqlx_reapers(self, pools: usize) -> Options {
        let why = "a sqlx pool has a task that closes old connections as long as the pool is open";
        self.library_tasks(pools, vec![SQLX.into()], why.into())
    }
}
