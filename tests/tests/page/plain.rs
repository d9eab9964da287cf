//! JavaScript off: everything is still there, with links and forms.

use taskscope::Scope;
use taskscope_tests::browser::Browser;

use crate::stage::{Busy, Stage, VIEWS, choice_with, wait_for_count, weigh_the_parcels};

const SEND: &str = "form#filter button, form#filter input[type=submit]";

#[test]
fn without_script_every_view_opens_and_the_filter_works() {
    let stage = Stage::new();
    let _open = stage.a_shop();
    let browser = Browser::without_script();
    browser.goto(&stage.page(""));
    for (name, _) in VIEWS.into_iter().chain([VIEWS[0]]) {
        browser.leaving(name, || browser.click_link(name));
        assert_eq!(browser.texts("[aria-current=page]"), [name]);
    }
    assert!(browser.text("#verdicts").contains("stuck"));

    browser.leaving("Tasks", || browser.click_link("Tasks"));
    browser.choose("form#filter select[name=group]", "none");
    let verdict = "form#filter select[name=verdict]";
    browser.choose(verdict, &choice_with(&browser, verdict, "stuck"));
    browser.leaving("the filtered tasks", || browser.click(SEND));
    wait_for_count(&browser, 2);
    assert_eq!(browser.count("table#tasks tr[data-id]"), 2);
    // The choice made before stays chosen.
    assert_eq!(
        browser.script("return document.querySelector('form#filter select[name=group]').value"),
        "none"
    );
    browser.click_through("table#tasks tr[data-id] a");
    assert!(browser.text("h1").contains("config-watcher"));
    browser.back();
    browser.type_into("form#filter input[name=q]", "nobody");
    browser.leaving("no task", || browser.click(SEND));
    wait_for_count(&browser, 0);
}

#[test]
fn without_script_pages_of_rows_are_behind_links() {
    let stage = Stage::new();
    let orders = Scope::new("POST /orders");
    stage.waiting(&orders, "courier", 1_500);
    stage.settled();
    let browser = Browser::without_script();
    browser.goto(&stage.page("/page/tasks?group=none&sort=id"));
    wait_for_count(&browser, 1_500);
    let mut seen = std::collections::BTreeSet::new();
    let mut pages = 0;
    loop {
        pages += 1;
        let rows = browser.script("return [...document.querySelectorAll('table#tasks tr[data-id]')].map(row => +row.dataset.id)");
        let rows: Vec<u64> = serde_json::from_value(rows).unwrap();
        assert!(!rows.is_empty() && rows.len() < 1_500, "{}", rows.len());
        for row in rows {
            assert!(seen.insert(row), "{row} is on two pages");
        }
        let next = browser.script(
            "const next = document.querySelector('nav.pages a[rel=next]')
                ?? [...document.querySelectorAll('nav.pages a')].find(link => /next/i.test(link.textContent));
             next?.setAttribute('data-mine-next', ''); return !!next",
        );
        if next == false || pages > 100 {
            break;
        }
        browser.click_through("[data-mine-next]");
    }
    assert_eq!(seen.len(), 1_500, "on {pages} pages");
    assert!(pages > 1);
}

#[test]
fn without_script_a_capture_is_taken_by_the_form() {
    let stage = Stage::new();
    let _open = stage.a_shop();
    let browser = Browser::without_script();
    browser.goto(&stage.page("/page/profiles"));
    browser.choose("form#capture select[name=source]", "cpu");
    browser.type_into("form#capture input[name=seconds]", "1");
    let _busy = Busy::with(weigh_the_parcels);
    browser.click("form#capture button");
    // A page of progress, which leads to the result by itself or by a link.
    browser.wait_for(
        "the way to the result",
        "return document.querySelector('iframe#graph, main a[href*=\"open=\"], main a[href*=\"captures/\"]') !== null",
    );
    if browser.count("iframe#graph") == 0 {
        browser.click("main a[href*=\"open=\"], main a[href*=\"captures/\"]");
    }
    browser.wait_for_element("iframe#graph");
    assert_eq!(browser.count("table#captures tr[data-capture]"), 1);
    browser.inside("iframe#graph", || {
        browser.wait_for(
            "the frames",
            "return document.querySelectorAll('#frames rect').length > 0",
        );
    });
}
