//! `tokio::time`.

use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::{self, Instant};

use crate::row::{LONG, rows};

rows! {
    sleeping: "sleep" = ((), time::sleep(LONG));
    sleeping_in_a_box: "sleep" = ((), Box::pin(time::sleep(LONG)));
    sleeping_until_an_instant: "sleep" = ((), async {
        time::sleep_until(Instant::now() + LONG).await;
    });
    ticking: "interval tick" = ((), async {
        let mut interval = time::interval(LONG);
        interval.tick().await;
        interval.tick().await;
    });
    ticking_at_an_instant: "interval tick" = ((), async {
        time::interval_at(Instant::now() + LONG, LONG).tick().await;
    });
    a_timeout_shows_what_it_limits_and_its_timer: "oneshot recv | timeout" = {
        let (tx, rx) = oneshot::channel::<u8>();
        (tx, time::timeout(LONG, rx))
    };
    a_timeout_at_an_instant: "oneshot recv | timeout" = {
        let (tx, rx) = oneshot::channel::<u8>();
        (tx, async move { let _ = time::timeout_at(Instant::now() + LONG, rx).await; })
    };
    // A future that is nothing but a sleep cannot be told from the timer.
    a_timeout_of_a_sleep: "timeout | timeout" = ((), async {
        let _ = time::timeout(LONG, time::sleep(LONG)).await;
    });
    a_timeout_of_a_function_that_sleeps: "sleep | timeout" = ((), async {
        let _ = time::timeout(LONG, async { time::sleep(LONG).await }).await;
    });
    a_timeout_of_a_tick: "interval tick | timeout" = ((), async {
        let mut interval = time::interval_at(Instant::now() + LONG, LONG);
        let _ = time::timeout(LONG, interval.tick()).await;
    });
    a_timeout_in_a_timeout: "oneshot recv | timeout | timeout" = {
        let (tx, rx) = oneshot::channel::<u8>();
        (tx, async move { let _ = time::timeout(LONG, time::timeout(LONG, rx)).await; })
    };
    // So long that tokio sets no timer.
    a_timeout_without_an_end: "oneshot recv" = {
        let (tx, rx) = oneshot::channel::<u8>();
        (tx, async move { let _ = time::timeout(Duration::MAX, rx).await; })
    };
}
