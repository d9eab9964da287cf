//! Time limits that hyper does not have for HTTP/2, and that nobody has before it is clear which
//! protocol a client speaks.
//!
//! They run beside the connection, because one that waits is not asked anything. Not here: a socket
//! that takes no bytes (`write_timeout.rs`), a peer that is gone without a word (the pings of
//! `protocols.rs`), the body of a request (`body.rs`).

use std::time::Instant;

use tokio::time::sleep_until;

use super::activity::Activity;
use super::limits::Limits;

/// Returns when the client has used up its time: for its first or next request, or for taking the
/// next chunk of an answer.
pub(super) async fn expired(activity: Activity, limits: Limits) {
    // Whatever begins while this sleeps has at least this much time.
    let nap = limits.header_timeout.min(limits.write_timeout);
    loop {
        let now = Instant::now();
        let mut look_again = now + nap;
        if let Some(due) = activity.due(&limits) {
            if due <= now {
                return;
            }
            look_again = look_again.min(due);
        }
        sleep_until(look_again.into()).await;
    }
}
