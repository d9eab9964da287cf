//! Waiting for an event that another thread brings about.
//!
//! A test waits for a condition, never for a time: it goes on at once when the condition holds, and
//! fails with the caller's line when it does not come. Not here: waiting for output of a child
//! process, which ends with that.

use std::time::{Duration, Instant};

/// How long a condition may take to come: far more than it needs on a machine that is busy with
/// other tests.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// Between two looks.
const PAUSE: Duration = Duration::from_millis(1);

/// Blocks this thread until the condition holds.
///
/// # Panics
///
/// If it does not hold within [`PATIENCE`].
#[track_caller]
pub fn until(mut condition: impl FnMut() -> bool) {
    until_some(|| condition().then_some(()));
}

/// Blocks this thread until there is an answer, and returns it.
///
/// # Panics
///
/// If there is none within [`PATIENCE`].
#[track_caller]
pub fn until_some<T>(mut ask: impl FnMut() -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(
            begun.elapsed() < PATIENCE,
            "waited in vain for {PATIENCE:?}"
        );
        std::thread::sleep(PAUSE);
    }
}

/// Lets the other tasks of a runtime run until the condition holds.
///
/// # Panics
///
/// If it does not hold within [`PATIENCE`].
pub async fn until_yielding(mut condition: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !condition() {
        assert!(
            begun.elapsed() < PATIENCE,
            "waited in vain for {PATIENCE:?}"
        );
        tokio::task::yield_now().await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_answer_ends_the_wait() {
        let mut asked = 0;
        let answer = until_some(|| {
            asked += 1;
            (asked == 3).then_some("there")
        });
        assert_eq!((answer, asked), ("there", 3));
    }
}
