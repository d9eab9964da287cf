//! A phone, and a slow line: nothing is wider than the screen, too small for a finger, or heavy.

use taskscope::Scope;
use taskscope_tests::browser::Browser;

use crate::stage::{Stage, VIEWS};

/// Finds what a finger must hit by itself and is smaller than 24 by 24 (WCAG 2.2, 2.5.8). Links and
/// choices in tables, which have room around them, are axe-core's.
const TOO_SMALL: &str = "return [...document.querySelectorAll('nav a, button, select, input:not([type=hidden], [type=radio]), summary')]
    .filter(one => one.checkVisibility())
    .map(one => [one, (one.type === 'checkbox' && one.closest('label') || one).getBoundingClientRect()])
    .filter(([, box]) => box.width < 24 || box.height < 24)
    .map(([one, box]) => one.outerHTML.slice(0, 120) + ' ' + box.width + 'x' + box.height)";

/// Finds what sticks out of the screen on the right and does not scroll in a box of its own, when
/// the document is too wide.
const STICKS_OUT: &str = "const wide = document.documentElement.scrollWidth;
    if (wide <= innerWidth) return [];
    const scrolls = one => { for (let up = one.parentElement; up && up !== document.body; up = up.parentElement)
        if (/auto|scroll|hidden/.test(getComputedStyle(up).overflowX)) return true; return false };
    return ['document: ' + wide + ' of ' + innerWidth].concat([...document.querySelectorAll('body *')]
        .filter(one => one.getBoundingClientRect().right > innerWidth + 1 && !scrolls(one))
        .map(one => one.tagName + '#' + one.id + '.' + one.className + ' ' + one.textContent.slice(0, 40)).slice(0, 10))";

fn pages(stage: &Stage) -> Vec<String> {
    let task = stage.get("/tasks?format=json&stacks=none");
    let dump: serde_json::Value = serde_json::from_str(task.text()).unwrap();
    let mut pages: Vec<String> = VIEWS.iter().map(|(_, path)| (*path).to_owned()).collect();
    pages.push("/page/tasks?group=none".to_owned());
    pages.push("/page/tasks?group=scope".to_owned());
    pages.push(format!("/page/tasks/{}", dump["tasks"][0]["id"]));
    // One after the capture that was just kept.
    pages.push("/page/profiles?open=1".to_owned());
    pages
}

#[test]
fn on_a_phone_no_page_scrolls_sideways_and_what_is_touched_is_large_enough() {
    let stage = Stage::new();
    let _open = stage.a_shop();
    let long = Scope::new(
        "GET /a/route/with/quite-a-long-name/{and}/{parameters}/that/does/not/break/anywhere",
    );
    stage.waiting(
        &long,
        "a_task_with_an_unusually_long_name_in_one_word_that_nobody_would_type_by_hand",
        3,
    );
    stage.settled();
    assert_eq!(stage.get("/tasks?format=svg").status, 200);
    let browser = Browser::start();
    browser.phone();
    for path in pages(&stage) {
        browser.goto(&stage.page(&path));
        assert_eq!(
            browser.script("return innerWidth"),
            390,
            "{path}: the viewport is the screen"
        );
        assert_eq!(browser.script(STICKS_OUT), serde_json::json!([]), "{path}");
        assert_eq!(browser.script(TOO_SMALL), serde_json::json!([]), "{path}");
    }
    // And on the smallest that is still around.
    browser.screen(320, 640, 2, true);
    for path in pages(&stage) {
        browser.goto(&stage.page(&path));
        assert_eq!(
            browser.script(STICKS_OUT),
            serde_json::json!([]),
            "{path} at 320"
        );
    }
    // A finger opens a view.
    browser.phone();
    browser.goto(&stage.page(""));
    browser.leaving("Scopes", || browser.click_link("Scopes"));
}

#[test]
fn no_view_weighs_more_than_200_kb_with_what_a_demo_has() {
    let stage = Stage::new();
    let mut scopes = stage.a_shop();
    for number in 0..60 {
        let request = Scope::new("POST /orders").label("request", format!("{number:08}"));
        stage.waiting(&request, "audit", 10);
        if number % 2 == 0 {
            scopes.push(request);
        }
    }
    stage.settled();
    let browser = Browser::start();
    for (name, path) in VIEWS {
        browser.goto(&stage.page(path));
        browser.settle(std::time::Duration::from_millis(200));
        // Before any compression; what the script has asked for since (rows, live numbers) counts
        // once.
        let weight = browser.script(
            "const once = new Map();
             for (const one of [...performance.getEntriesByType('navigation'), ...performance.getEntriesByType('resource')])
                 once.set(one.name, one.decodedBodySize);
             return Object.fromEntries(once)",
        );
        let bytes: u64 = weight
            .as_object()
            .unwrap()
            .values()
            .filter_map(serde_json::Value::as_u64)
            .sum();
        assert!(
            bytes > 1_000 && bytes < 200_000,
            "{name}: {bytes} bytes: {weight}"
        );
    }
}

#[test]
fn pages_carry_no_inline_script_or_style_and_forbid_both() {
    let stage = Stage::new();
    let _open = stage.a_shop();
    for path in pages(&stage) {
        if path.contains("open=") {
            continue;
        }
        let answer = stage.get(&path);
        let head = answer.head.to_ascii_lowercase();
        let policy = head
            .lines()
            .find(|line| line.starts_with("content-security-policy:"))
            .unwrap();
        for word in [
            "default-src 'none'",
            "script-src 'self'",
            "style-src 'self'",
        ] {
            assert!(policy.contains(word), "{path}: {policy}");
        }
        assert!(!policy.contains("unsafe"), "{path}: {policy}");
        let page = answer.text();
        for word in ["<style", " style=", "<script>", " onclick="] {
            assert!(!page.contains(word), "{word} in {path}: {page}");
        }
    }
}
