//! The page while every worker of the service is blocked.

use std::sync::{Arc, Barrier, Mutex};

use taskscope_tests::browser::Browser;

use crate::stage::{Stage, VIEWS, numbers};

/// The lock that everybody waits for, with a name that can be found in a stack.
#[inline(never)]
fn wait_for_the_ledger(ledger: &Mutex<()>, entered: &Barrier) {
    entered.wait();
    drop(ledger.lock());
}

#[test]
fn every_view_answers_while_all_workers_are_blocked_and_shows_who_blocks() {
    let stage = Stage::new();
    let _open = stage.a_shop();
    let ledger = Arc::new(Mutex::new(()));
    let entered = Arc::new(Barrier::new(3));
    let held = ledger.lock().unwrap();
    for _ in 0..2 {
        let (ledger, entered) = (ledger.clone(), entered.clone());
        let _inside = stage.runtime().enter();
        drop(taskscope::spawn_named("posting", async move {
            wait_for_the_ledger(&ledger, &entered);
        }));
    }
    entered.wait();
    let browser = Browser::start();

    browser.goto(&stage.page(""));
    // A poll blocks once it has taken 100 ms, and its stack is taken soon after.
    browser.wait("two tasks to be blocking", || {
        let shown = browser.texts("#verdicts tr[data-verdict=\"blocking\"] td.n");
        if numbers(&shown.first()?.clone()).first() == Some(&2) {
            return Some(());
        }
        browser.reload();
        None
    });
    for (name, _) in VIEWS.into_iter().chain([VIEWS[0]]) {
        browser.leaving(name, || browser.click_link(name));
        assert_eq!(browser.count("h1"), 1, "{name}");
    }
    assert!(
        browser.text("#longest").contains("posting"),
        "{}",
        browser.text("#longest")
    );

    browser.goto(&stage.page("/page/tasks?group=none&verdict=blocking"));
    browser.wait_for_element("table#tasks tr[data-id]");
    assert_eq!(browser.count("table#tasks tr[data-id]"), 2);
    browser.click_through("table#tasks tr[data-id] a");
    assert!(
        browser.text("h1").contains("posting"),
        "{}",
        browser.text("h1")
    );
    assert!(
        browser.text("main").contains("blocking"),
        "{}",
        browser.text("main")
    );
    browser.wait("the stack of the blocked thread", || {
        if browser
            .text("main")
            .contains("blocked::wait_for_the_ledger")
        {
            return Some(());
        }
        browser.reload();
        None
    });

    // The control: let go, and nobody blocks any more.
    drop(held);
    browser.goto(&stage.page(""));
    browser.wait("nobody to be blocking", || {
        let shown = browser.texts("#verdicts tr[data-verdict=\"blocking\"] td.n");
        if numbers(&shown.first()?.clone()).first() == Some(&0) {
            return Some(());
        }
        browser.reload();
        None
    });
}
