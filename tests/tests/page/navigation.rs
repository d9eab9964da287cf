//! Every view is one click away, wherever one is.

use taskscope_tests::browser::Browser;

use crate::stage::{Stage, VIEWS};

/// Checks the parts that are the same on every page.
fn is_a_page(browser: &Browser, view: &str) {
    assert_eq!(browser.count("h1"), 1, "{view}");
    assert_eq!(browser.count("main#main"), 1, "{view}");
    assert_eq!(browser.count("header nav[aria-label=Views]"), 1, "{view}");
    let links = browser.texts("header nav[aria-label=Views] a");
    assert_eq!(links, VIEWS.map(|(name, _)| name), "{view}");
}

#[test]
fn every_view_opens_by_clicking_through_the_navigation() {
    let stage = Stage::new();
    let _open = stage.a_shop();
    let browser = Browser::start();
    // With and without a slash at the end: links are relative to what is in front of it.
    for start in ["", "/"] {
        browser.goto(&stage.page(start));
        for (name, path) in VIEWS
            .into_iter()
            .chain(VIEWS)
            .chain([VIEWS[2], VIEWS[1], VIEWS[0]])
        {
            browser.leaving(name, || browser.click_link(name));
            is_a_page(&browser, name);
            assert_eq!(
                browser.texts("nav[aria-label=Views] [aria-current=page]"),
                [name],
                "only the view that is open is marked"
            );
            let address = browser.address();
            let wanted = stage.page(path);
            assert!(
                address.trim_end_matches('/') == wanted
                    || address.starts_with(&format!("{wanted}?")),
                "{name} leads to {address}"
            );
        }
    }
    // A task is below Tasks, and leads back.
    browser.goto(&stage.page("/page/tasks?group=none"));
    browser.wait_for_element("table#tasks tr[data-id] a");
    browser.click_through("table#tasks tr[data-id] a");
    is_a_page(&browser, "a task");
    for (name, path) in VIEWS {
        browser.leaving(name, || browser.click_link(name));
        is_a_page(&browser, name);
        assert!(browser.address().contains(path), "{name}");
        browser.back();
        browser.wait_for_element("#facts");
    }
}

#[test]
fn what_is_not_there_is_a_sentence_and_not_a_page() {
    let stage = Stage::new();
    let _open = stage.a_shop();
    for (path, status) in [
        ("/page/nothing", 404),
        ("/page/tasks/18446744073709551615", 404),
        ("/page/tasks/seven", 400),
        ("/page/tasks?group=colour", 400),
        ("/page/tasks?sort=colour", 400),
        ("/page/tasks?colour=red", 400),
        ("/page/profiles?open=99", 404),
        ("/page/capture?source=nothing&seconds=1", 400),
    ] {
        let answer = stage.get(path);
        // A path that nobody can mean is as well not there.
        let fits = answer.status == status || (status == 400 && answer.status == 404);
        assert!(fits, "{path}: {} {}", answer.status, answer.text());
        assert!(
            !answer.text().contains("<html"),
            "{path}: {}",
            answer.text()
        );
    }
    // The control.
    for (_, path) in VIEWS {
        assert_eq!(stage.get(path).status, 200, "{path}");
    }
}
