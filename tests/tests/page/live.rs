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
    // What was sent in the moment before is known by now or in a moment.
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
fn what_a_person_has_selected_focused_or_opened_stays_when_the_numbers_change() {
    let stage = Stage::new();
    let orders = Scope::new("POST /orders");
    stage.waiting(&orders, "courier", 10);
    stage.settled();
    let browser = Browser::start();
    browser.goto(&stage.page(""));
    browser.script("window.notReloaded = true; document.querySelector('[data-live] a, nav[aria-label=Views] a').focus();
        window.focusedText = document.activeElement.textContent");
    stage.waiting(&orders, "courier", 1);
    wait_for_idle(&browser, 11);
    browser.wait_for(
        "the focus to be where it was",
        "return document.activeElement.textContent === window.focusedText",
    );
}

#[test]
fn the_page_says_when_the_service_is_gone_and_goes_on_when_it_is_back() {
    let stage = Stage::new();
    let orders = Scope::new("POST /orders");
    stage.waiting(&orders, "courier", 10);
    stage.settled();
    let browser = Browser::start();
    browser.goto(&stage.page(""));
    browser.script("window.notReloaded = true");
    wait_for_idle(&browser, 10);
    let before = browser.text("body");
    drop(stage);
    browser.wait_for(
        "a word about the service that is gone",
        &format!("return document.body.innerText !== {before:?} && /no answer|not answer|gone|lost|stopped|cannot|stale|offline|unreachable/i.test(document.body.innerText)"),
    );
    // The browser itself notes each request that fails.
    browser.forgive(|complaint| {
        format!("{complaint:?}").contains("ERR_CONNECTION_REFUSED")
            || format!("{complaint:?}").contains("ERR_EMPTY_RESPONSE")
            || format!("{complaint:?}").contains("ERR_CONNECTION_RESET")
    });
}
