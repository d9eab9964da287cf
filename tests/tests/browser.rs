//! The way from the overview to a plain profile, and a flame graph by itself, in a real browser.

// Nothing here depends on that flag, and once is enough of what takes minutes.
#![cfg(not(tokio_unstable))]

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use taskscope_tests::browser::Browser;

/// The function that the flame graph has to show.
#[inline(never)]
fn weigh_the_parcels(stop: &AtomicBool) -> u64 {
    let mut weight = 1_u64;
    while !stop.load(Ordering::Relaxed) {
        for parcel in 0..100_000_u64 {
            weight = std::hint::black_box(weight.wrapping_mul(31).wrapping_add(parcel));
        }
    }
    weight
}

#[test]
fn the_addresses_and_a_searched_flame_graph_work_in_a_browser() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap();
    let server = {
        let _inside = runtime.enter();
        taskprof::serve("127.0.0.1:0").unwrap()
    };
    runtime.block_on(async {
        drop(taskscope::spawn_named(
            "courier",
            tokio::time::sleep(Duration::from_secs(600)),
        ));
    });
    let base = format!("http://{}/debug/profile", server.local_addr());
    let browser = Browser::start();

    browser.goto(&base);
    assert_eq!(browser.text("h1"), "Overview");
    // From there to everything there is.
    browser.leaving("all addresses", || {
        browser.click_link("All addresses and formats");
    });
    browser.leaving("the grouped tasks", || {
        browser.click("main a[href*='tasks?debug=1']");
    });
    assert!(browser.text("body").contains("courier"));

    let stop = Arc::new(AtomicBool::new(false));
    let busy = std::thread::spawn({
        let stop = stop.clone();
        move || weigh_the_parcels(&stop)
    });
    // The page's own script reads the search from the address, and says how much of the picture
    // matches.
    browser.goto(&format!(
        "{base}/cpu?seconds=1&format=svg&s=weigh_the_parcels"
    ));
    let matched = browser.wait_for(
        "the search to have matched",
        "return document.querySelector('#matched')?.textContent.startsWith('Matched: ') && document.querySelector('#matched').textContent",
    );
    stop.store(true, Ordering::Relaxed);
    busy.join().unwrap();
    assert_ne!(matched, "Matched: 0%");
    let titles = browser.texts("#frames title");
    assert!(
        titles
            .iter()
            .any(|title| title.contains("browser::weigh_the_parcels")),
        "{titles:?}"
    );
    assert_eq!(browser.text("#search"), "Reset Search");
}
