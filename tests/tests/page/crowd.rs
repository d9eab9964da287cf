//! A hundred thousand tasks: the Tasks view opens, scrolls, filters, sorts and groups as with ten.

use serde_json::{Value, json};
use taskscope::Scope;
use taskscope_tests::browser::Browser;

use crate::stage::{
    Stage, apply_filter, choice_with, count_shown, filter, numbers, wait_for_count,
};

const MANY: u64 = 100_000;

/// The rows that are in the window now: their ids from the top down.
const IN_WINDOW: &str = "return [...document.querySelectorAll('table#tasks tr[data-id]')]
    .map(row => [row.getBoundingClientRect(), row.dataset.id])
    .filter(([box]) => box.bottom > 0 && box.top < innerHeight && box.height > 0)
    .sort((one, other) => one[0].top - other[0].top).map(([, id]) => +id)";

/// Scrolls whatever the table scrolls in.
fn scroll(browser: &Browser, share: f64) {
    browser.script_with(
        "let on = document.querySelector('table#tasks');
         while (on && !(on.scrollHeight > on.clientHeight + 1 && /auto|scroll/.test(getComputedStyle(on).overflowY))) on = on.parentElement;
         on ??= document.scrollingElement;
         on.scrollTop = (on.scrollHeight - on.clientHeight) * arguments[0];
         // The last row may be above what comes after the table.
         if (arguments[0] === 1) document.querySelector('table#tasks').scrollIntoView({ block: 'end' })",
        &[json!(share)],
    );
}

fn rows(browser: &Browser, what: &str, fit: impl Fn(&[u64]) -> bool) -> Vec<u64> {
    browser.wait(what, || {
        let ids: Vec<u64> = serde_json::from_value(browser.script(IN_WINDOW)).unwrap();
        (!ids.is_empty() && fit(&ids)).then_some(ids)
    })
}

fn sorted(ids: &[u64]) -> bool {
    ids.is_sorted()
}

#[test]
fn a_hundred_thousand_tasks_are_scrolled_filtered_sorted_grouped_and_opened() {
    let stage = Stage::new();
    let day = Scope::new("day shift");
    let night = Scope::new("night shift");
    stage.waiting(&day, "courier", 60_000);
    stage.sleeping(&night, "watchman", 39_993);
    stage.stuck(&night, "statue", 7);
    stage.settled();
    let browser = Browser::start();

    browser.goto(&stage.page("/page/tasks?group=none&sort=id"));
    wait_for_count(&browser, MANY);
    let top = rows(&browser, "the first rows", sorted);
    scroll(&browser, 0.5);
    let middle = rows(&browser, "rows of the middle", |ids| {
        ids[0] > top[0] && sorted(ids)
    });
    scroll(&browser, 1.0);
    let end = rows(&browser, "the last rows", |ids| {
        ids[0] > middle[0] && sorted(ids)
    });
    // All there is, and not all of it at once.
    let whole = browser.script("return document.querySelectorAll('table#tasks tr').length");
    assert!(
        whole.as_u64().unwrap() < 5_000,
        "{whole} rows in the document"
    );
    let reference = stage
        .get("/tasks?format=json&stacks=none")
        .text()
        .to_owned();
    let dump: Value = serde_json::from_str(&reference).unwrap();
    let mut ids: Vec<u64> = dump["tasks"]
        .as_array()
        .unwrap()
        .iter()
        .map(|task| task["id"].as_u64().unwrap())
        .collect();
    ids.sort_unstable();
    assert_eq!(ids.len() as u64, MANY);
    assert_eq!(ids[0], top[0]);
    assert_eq!(ids.last(), end.last());
    let at = ids.binary_search(&middle[0]).unwrap();
    assert!((45_000..55_000).contains(&at), "the middle is row {at}");
    // Back to the top: rows that have gone come again.
    scroll(&browser, 0.0);
    assert_eq!(
        rows(&browser, "the first rows again", |ids| ids[0] == top[0])[0],
        top[0]
    );

    // The other way, by the head of the column.
    browser.script("document.querySelector('table#tasks thead a[href*=\"sort=-id\"], table#tasks th a[href*=\"sort=-id\"]').setAttribute('data-mine', '')");
    browser.click("[data-mine]");
    let last = *ids.last().unwrap();
    rows(&browser, "the last ids first", |shown| {
        shown[0] == last && shown.iter().rev().is_sorted()
    });
    assert!(
        browser.address().contains("sort=-id"),
        "{}",
        browser.address()
    );

    // Filters, each alone. A look may not last long enough to know what every task waits for: the
    // choice says of how many it is known.
    for (select, choice, many) in [
        ("verdict", "stuck", Some(7)),
        ("wait", "mpsc recv", None),
        ("scope", "day shift", Some(60_000)),
    ] {
        browser.goto(&stage.page("/page/tasks?group=none"));
        wait_for_count(&browser, MANY);
        let css = format!("form#filter select[name={select}]");
        let value = choice_with(&browser, &css, choice);
        let words = browser.script_with(
            "return [...document.querySelectorAll(arguments[0] + ' option')].find(one => one.value === arguments[1]).textContent",
            &[json!(css), json!(value)],
        );
        let said = *numbers(words.as_str().unwrap()).last().unwrap();
        assert!((1..=60_000).contains(&said), "{words}");
        assert_eq!(many.unwrap_or(said), said, "{words}");
        filter(&browser, &css, &value);
        wait_for_count(&browser, said);
        assert!(
            count_shown(&browser).contains(&MANY),
            "{:?}",
            browser.texts("#count")
        );
        assert!(
            browser.address().contains(&format!("{select}=")),
            "{}",
            browser.address()
        );
        rows(&browser, "rows of the filter", |_| true);
    }
    browser.goto(&stage.page("/page/tasks?group=none"));
    wait_for_count(&browser, MANY);
    browser.type_into("form#filter input[name=q]", "statue");
    browser.press(&taskscope_tests::browser::Key::Enter);
    wait_for_count(&browser, 7);
    assert_eq!(browser.count("table#tasks tr[data-id]"), 7);
    // A search that matches nothing says so.
    browser.type_into("form#filter input[name=q]", "nobody has this name");
    browser.press(&taskscope_tests::browser::Key::Enter);
    wait_for_count(&browser, 0);
    assert_eq!(browser.count("table#tasks tr[data-id]"), 0);

    // Two at the same time, by the form.
    browser.goto(&stage.page("/page/tasks?group=none"));
    let css = "form#filter select[name=scope]";
    browser.choose(css, &choice_with(&browser, css, "night shift"));
    apply_filter(&browser);
    wait_for_count(&browser, 40_000);
    let css = "form#filter select[name=verdict]";
    browser.choose(css, &choice_with(&browser, css, "stuck"));
    apply_filter(&browser);
    wait_for_count(&browser, 7);

    // Groups.
    browser.goto(&stage.page("/page/tasks?group=none"));
    filter(&browser, "form#filter select[name=group]", "name");
    browser.wait_for_element("table#groups");
    for name in ["courier", "watchman", "statue"] {
        browser.wait_for_text(name);
    }

    // One, with its stack, and back to where one was.
    browser.goto(&stage.page("/page/tasks?group=none&sort=id&q=courier"));
    wait_for_count(&browser, 60_000);
    scroll(&browser, 0.5);
    rows(&browser, "rows of the middle", |ids| ids[0] > top[0]);
    browser.script(
        "const row = [...document.querySelectorAll('table#tasks tr[data-id]')]
            .find(row => row.getBoundingClientRect().top > innerHeight / 3);
         row.querySelector('a').setAttribute('data-mine', '')",
    );
    browser.click_through("[data-mine]");
    assert!(
        browser.text("#stack").contains("wait_for_a_parcel"),
        "{}",
        browser.text("#stack")
    );
    browser.back();
    wait_for_count(&browser, 60_000);
    rows(&browser, "rows after going back", |_| true);
}
