//! Numbers change by themselves while somebody looks, and nothing is asked while nobody does.

use std::time::{Duration, Instant};

use taskscope::Scope;
use taskscope_tests::browser::Browser;

use crate::stage::{Stage, numbers};

/// Waits until the Overview shows so many idle tasks, in the document that was marked.
fn wait_for_idle(browser: &Browser, many: u64) {
    browser.wait(&format!("{many} idle tasks without a reload"), || {
        let shown = browser.texts("#verdicts tr[data-verdict=\"idle\"] td.n");
        let now = numbers(shown.first()?);
        (now.first() == Some(&many)).then_some(())
    });
    assert_eq!(browser.script("return window.notReloaded"), true);
}

/// How long it takes until the page has sent three more requests.
fn time_of_three(browser: &Browser) -> Duration {
    let before = browser.requests().len();
    let begun = Instant::now();
    browser.wait("three more requests", || {
        (browser.requests().len() >= before + 3).then_some(())
    });
    begun.elapsed()
}

#[test]
fn numbers_change_without_a_reload_and_nothing_is_asked_while_the_window_is_hidden() {
    let stage = Stage::new();
    let orders = Scope::new("POST /orders");
    stage.waiting(&orders, "courier", 10);
    stage.settled();
    let browser = Browser::start();
    browser.goto(&stage.page(""));
    browser.script("window.notReloaded = true");
    wait_for_idle(&browser, 10);
    stage.waiting(&orders, "courier", 7);
    wait_for_idle(&browser, 17);

    // The control: while it is visible, it asks.
    let three = time_of_three(&browser);
    browser.hide();
    // A request that was sent just before is in the log by the end of this sleep.
    std::thread::sleep(Duration::from_millis(500));
    let before = browser.requests().len();
    stage.waiting(&orders, "courier", 3);
    // Twice as long as three of them took; a page that went on asking would have asked.
    let end = Instant::now() + (2 * three).max(Duration::from_secs(5));
    while Instant::now() < end {
        std::thread::sleep(Duration::from_millis(100));
        let now = browser.requests();
        assert_eq!(
            now.len(),
            before,
            "asked while hidden: {:?}",
            &now[before..]
        );
    }
    browser.show();
    wait_for_idle(&browser, 20);
    assert!(browser.requests().len() > before);
    time_of_three(&browser);
}

#[test]
fn what_has_the_focus_keeps_it_and_what_is_selected_stays_when_the_numbers_change() {
    let stage = Stage::new();
    let orders = Scope::new("POST /orders");
    stage.waiting(&orders, "courier", 10);
    stage.settled();
    let browser = Browser::start();
    browser.goto(&stage.page(""));
    browser.script(
        "window.notReloaded = true;
         window.link = document.querySelector('#verdicts a[href*=\"verdict=idle\"]');
         window.link.focus()",
    );
    stage.waiting(&orders, "courier", 1);
    wait_for_idle(&browser, 11);
    // Another element, with the same address.
    let focused = "return [document.activeElement.href === window.link.href, document.activeElement !== window.link]";
    assert_eq!(browser.script(focused), serde_json::json!([true, true]));

    browser.script("getSelection().selectAllChildren(document.querySelector('#verdicts h2'))");
    let selected = "return getSelection().toString()";
    let heading = browser.script(selected);
    assert!(!heading.as_str().unwrap().is_empty());
    stage.waiting(&orders, "courier", 1);
    // Two of them have been answered with what is there now.
    time_of_three(&browser);
    assert_eq!(browser.script(selected), heading);
    wait_for_idle(&browser, 11);
    // The control: it was only the selection that kept it.
    browser.script("getSelection().removeAllRanges()");
    wait_for_idle(&browser, 12);
}

#[test]
fn the_page_says_when_the_service_is_gone_and_goes_on_when_it_is_back() {
    let mut stage = Stage::new();
    let orders = Scope::new("POST /orders");
    stage.waiting(&orders, "courier", 10);
    stage.settled();
    let browser = Browser::start();
    browser.goto(&stage.page(""));
    browser.script("window.notReloaded = true");
    wait_for_idle(&browser, 10);
    let status = "return document.querySelector('#live span').textContent";
    assert_eq!(browser.script(status), "live");
    stage.close();
    browser.wait_for(
        "a word about the service that is gone",
        "return document.querySelector('#live span').textContent.startsWith('no answer')",
    );
    stage.waiting(&orders, "courier", 1);
    stage.reopen();
    wait_for_idle(&browser, 11);
    assert_eq!(browser.script(status), "live");
    // The browser itself notes each request that fails.
    browser.forgive(|complaint| {
        format!("{complaint:?}").contains("ERR_CONNECTION_REFUSED")
            || format!("{complaint:?}").contains("ERR_EMPTY_RESPONSE")
            || format!("{complaint:?}").contains("ERR_CONNECTION_RESET")
    });
}
