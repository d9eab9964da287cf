//! Sentences about the watchdog's threshold have the one that is in force.

use taskscope::{Watchdog, verdict::BLOCKING_THRESHOLD};

use crate::service::{THRESHOLD, service};

#[test]
fn pages_say_how_long_a_poll_may_take_here() {
    let service = service();
    assert_eq!(Watchdog::active_threshold(), THRESHOLD);
    assert_ne!(THRESHOLD, BLOCKING_THRESHOLD);
    for page in [service.get(""), service.page_of("blocked")] {
        assert!(page.contains("in one poll for more than 30ms"), "{page}");
        assert!(
            !page.contains("100 ms") && !page.contains("100ms"),
            "{page}"
        );
    }
}
