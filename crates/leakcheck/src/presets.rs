//! Known pools: libraries that keep tasks on purpose, for connections that may be of use again.
//!
//! Each preset is a rule like any other: off until it is asked for, with a number, a reason, and a report if it matches nothing. The
//! libraries spawn with tokio's own function, so what can be told of their tasks is how many there are; of a runtime that is
//! observed (`--cfg tokio_unstable`), where they were spawned.
//!
//! Deliberately not here: deadpool, which has no task of its own (a loop that calls its `retain` is the program's: spawn it with
//! [`taskscope::background`]).

use crate::Options;

/// Where hyper-util spawns what its client needs: in its executor for tokio.
const HYPER_UTIL: &str = "hyper-util-*/src/rt/tokio.rs*";

const BB8: &str = "bb8-*/src/*.rs*";

/// Where sqlx spawns what looks after a pool. Its other tasks (a connection on its way back to the pool) end by themselves, and are not kept.
const SQLX: &str = "sqlx-core-*/src/pool/inner.rs*";

/// # Known pools
///
/// What these keep is no leak as long as their owner lives, and often a little longer. Better than a preset is to drop the
/// client or the pool before the check; that is not possible with one that is shared.
impl Options {
    /// Ignores up to so many keep-alive connections of hyper-util's legacy client: each has a task until the server or the client closes it.
    ///
    /// One more is needed for a client with a `pool_timer`: the task that closes connections which have been idle for too long.
    ///
    /// # Panics
    ///
    /// If there are none; so do the other presets.
    #[track_caller]
    pub fn keep_hyper_connections(self, connections: usize) -> Options {
        let why = "hyper-util's client keeps idle connections for the next request";
        self.foreign(connections, vec![HYPER_UTIL.into()], why.into())
    }

    /// Ignores up to so many keep-alive connections of one `reqwest::Client`, and the task with which it closes idle ones.
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
        self.foreign(connections + 1, vec![HYPER_UTIL.into()], why.into())
    }

    /// Ignores the reapers of up to so many bb8 pools: each ends up to 30 s after its pool has been dropped.
    #[track_caller]
    pub fn keep_bb8_reapers(self, pools: usize) -> Options {
        let why = "a bb8 pool has a task that closes old connections, which notices the end of the pool only at its next tick";
        self.foreign(pools, vec![BB8.into()], why.into())
    }

    /// Ignores the reapers of up to so many sqlx pools: each begins with its pool, and ends as soon as that is closed or its last handle is dropped.
    ///
    /// So it is for a pool that outlives the test: in a static, or of a fixture. A handle is each clone of the pool, and each connection that is taken out of it.
    /// `pool.close().await` waits for those connections, and ends the reaper even if handles are left. A pool with neither `max_lifetime` nor
    /// `idle_timeout` has no reaper.
    #[track_caller]
    pub fn keep_sqlx_reapers(self, pools: usize) -> Options {
        let why = "a sqlx pool has a task that closes old connections as long as the pool is open";
        self.foreign(pools, vec![SQLX.into()], why.into())
    }
}
