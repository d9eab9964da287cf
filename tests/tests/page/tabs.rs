//! Each view shows what is alive.

use taskscope_tests::browser::Browser;

use crate::stage::{Stage, VIEWS, numbers, wait_for_count};

/// The count of a verdict on the Overview.
fn verdict(browser: &Browser, name: &str) -> Vec<u64> {
    let cell = browser.texts(&format!("#verdicts tr[data-verdict=\"{name}\"] td.n"));
    numbers(cell.first().map_or("", String::as_str))
}

#[test]
fn the_overview_shows_verdicts_history_workers_suspects_and_what_waits_longest() {
    let stage = Stage::new();
    let _open = stage.a_shop();
    let browser = Browser::start();
    browser.goto(&stage.page(""));
    assert_eq!(verdict(&browser, "stuck"), [2]);
    assert_eq!(verdict(&browser, "idle"), [15]);
    assert_eq!(verdict(&browser, "outlived"), [5]);
    assert_eq!(verdict(&browser, "blocking"), [0]);
    for section in ["#history", "#workers", "#suspects", "#oldest", "#longest"] {
        assert_eq!(browser.count(section), 1, "{section}");
        assert_eq!(
            browser.count(&format!("{section} h2")),
            1,
            "{section} has a heading"
        );
    }
    // The chart draws, and says in words what it draws.
    assert!(browser.count("#history svg") >= 1);
    assert!(!browser.text("#history").is_empty());
    assert!(
        browser.text("#suspects").contains("config-watcher"),
        "{}",
        browser.text("#suspects")
    );
    assert!(browser.count("[data-live]") > 0);
}

#[test]
fn tasks_are_grouped_and_a_group_leads_to_its_tasks_and_a_task_to_its_stack() {
    let stage = Stage::new();
    let _open = stage.a_shop();
    let browser = Browser::start();
    for (group, of, many) in [
        ("name", "courier", 12),
        ("scope", "GET /stock", 5),
        ("verdict", "stuck", 2),
    ] {
        browser.goto(&stage.page(&format!("/page/tasks?group={group}")));
        browser.wait_for_element("table#groups");
        let row = format!(
            "return [...document.querySelectorAll('table#groups tr')].find(row => row.innerText.includes({of:?}))"
        );
        browser.wait_for(of, &row);
        assert_eq!(browser.count("table#tasks"), 0, "{group}");
        let shown = browser.script(&format!("{row}.innerText"));
        assert!(
            numbers(shown.as_str().unwrap()).contains(&many),
            "{group}: {shown}"
        );
        browser.script(&format!(
            "({}).querySelector('a').setAttribute('data-mine', '')",
            row.trim_start_matches("return ")
        ));
        browser.click_through("[data-mine]");
        wait_for_count(&browser, many);
        browser.wait_for_element("table#tasks tr[data-id]");
        let rows = browser.count("table#tasks tr[data-id]");
        assert_eq!(rows as u64, many, "{group}");
    }

    browser.goto(&stage.page("/page/tasks?group=none&q=courier"));
    wait_for_count(&browser, 12);
    let id = browser
        .attribute("table#tasks tr[data-id]", "data-id")
        .unwrap();
    browser.click_through("table#tasks tr[data-id] a");
    assert_eq!(browser.address(), stage.page(&format!("/page/tasks/{id}")));
    assert!(
        browser.text("h1").contains("courier"),
        "{}",
        browser.text("h1")
    );
    assert!(
        browser.text("#stack").contains("wait_for_a_parcel"),
        "{}",
        browser.text("#stack")
    );
    assert!(
        browser.text("#scope").contains("POST /orders"),
        "{}",
        browser.text("#scope")
    );
    assert!(
        browser.text("#facts").contains("stage.rs:"),
        "{}",
        browser.text("#facts")
    );
    browser.back();
    wait_for_count(&browser, 12);
}

#[test]
fn scopes_are_a_tree_with_counts_that_leads_to_the_tasks_of_each() {
    let stage = Stage::new();
    let _open = stage.a_shop();
    let browser = Browser::start();
    browser.goto(&stage.page("/page/scopes"));
    let tree = browser.texts("#scopes").concat();
    for name in ["POST /orders", "payment", "GET /stock"] {
        assert!(tree.contains(name), "{name}: {tree}");
    }
    // The tasks of a scope are behind its name or its number.
    browser.script(
        "const rows = [...document.querySelectorAll('#scopes a[href*=\"tasks\"]')];
         const stock = rows.find(link => decodeURIComponent(link.href).replaceAll('+', ' ').includes('GET /stock'));
         for (let up = stock; up; up = up.parentElement) if (up.tagName === 'DETAILS') up.open = true;
         stock.setAttribute('data-mine', '')",
    );
    browser.click_through("[data-mine]");
    wait_for_count(&browser, 5);
}

#[test]
fn links_lead_somewhere() {
    let stage = Stage::new();
    let _open = stage.a_shop();
    let browser = Browser::start();
    let task = {
        browser.goto(&stage.page("/page/tasks?group=none&q=courier"));
        browser.wait_for_element("table#tasks tr[data-id]");
        browser
            .attribute("table#tasks tr[data-id]", "data-id")
            .unwrap()
    };
    let task = format!("/page/tasks/{task}");
    let mut known = std::collections::BTreeSet::new();
    for path in VIEWS
        .map(|(_, path)| path)
        .into_iter()
        .chain([task.as_str(), "/page/tasks?group=scope"])
    {
        browser.goto(&stage.page(path));
        let links = browser.script(
            "return [...document.querySelectorAll('a[href]')].map(link => link.href.split('#')[0])",
        );
        for link in links.as_array().unwrap() {
            let link = link.as_str().unwrap().to_owned();
            // Links to captures, which take seconds, are for the tests of captures.
            if !known.insert(link.clone()) || link.contains("seconds=") {
                continue;
            }
            let answer = stage.get_url(&link);
            assert_eq!(answer.status, 200, "{link} on {path}: {}", answer.text());
        }
    }
    assert!(known.len() > 10, "{known:?}");
}
