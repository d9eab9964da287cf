//! Names are text on every page, whatever is in them.

use std::future::pending;

use taskscope::Scope;
use taskscope_tests::browser::Browser;

use crate::stage::{Stage, VIEWS};

const SCRIPT: &str = "<script>alert(1)</script>";
const IMAGE: &str = "\"'><img src=x onerror=alert(2)>";
const LINK: &str = "javascript:alert(3)//\u{202e}&lt;";
const DECENT: &str = "plain & simple";

/// Every element that a name could have made, and every attribute that could run.
const FOREIGN: &str = "return [
    ...document.querySelectorAll('img, script:not([src]), svg script, object, embed, base'),
    ...[...document.querySelectorAll('*')].filter(one => [...one.attributes].some(of =>
        of.name.startsWith('on') || /^\\s*javascript:/i.test(of.value) && ['href', 'src', 'action'].includes(of.name))),
    ].map(one => one.outerHTML)";

fn scene(stage: &Stage, names: [&'static str; 3]) -> Vec<Scope> {
    let [one, two, three] = names;
    let mut open = Vec::new();
    for name in names {
        let scope = Scope::new(name).label(one, two).label(two, one);
        let child = scope.child(three);
        stage.waiting(&scope, name, 2);
        stage.stuck(&child, name, 2);
        {
            let _inside = stage.runtime().enter();
            let labelled = taskscope::Builder::new()
                .name(name.to_owned())
                .label(one, two)
                .label(two, three)
                .scope(scope.to_ref());
            drop(labelled.spawn(async move {
                // A child of a task with such a name.
                drop(taskscope::spawn_named(name.to_owned(), pending::<()>()));
                pending::<()>().await;
            }));
        }
        let ended = Scope::new(name);
        stage.waiting(&ended, name, 3);
        open.extend([scope, child]);
    }
    stage.settled();
    open
}

/// All pages that show a name; of the tasks, those with the most to show.
fn pages(stage: &Stage, browser: &Browser) -> Vec<String> {
    let mut pages: Vec<String> = VIEWS.iter().map(|(_, path)| (*path).to_owned()).collect();
    for group in ["none", "alike", "scope", "verdict", "wait", "site", "name"] {
        pages.push(format!("/page/tasks?group={group}"));
    }
    browser.goto(&stage.page("/page/tasks?group=none"));
    browser.wait_for_element("table#tasks tr[data-id]");
    let ids = browser
        .script("return [...document.querySelectorAll('tr[data-id]')].map(row => row.dataset.id)");
    for id in ids.as_array().unwrap() {
        pages.push(format!("/page/tasks/{}", id.as_str().unwrap()));
    }
    pages
}

/// Text as it is compared: a browser shows one space for many.
fn squeezed(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
fn hostile_names_are_text_on_every_page_and_in_the_flame_graph() {
    let stage = Stage::new();
    let names = [SCRIPT, IMAGE, LINK];
    let _open = scene(&stage, names);
    let browser = Browser::start();
    let mut seen = String::new();
    for path in pages(&stage, &browser) {
        browser.goto(&stage.page(&path));
        let foreign = browser.script(FOREIGN);
        assert_eq!(foreign, serde_json::json!([]), "{path}");
        let shown = browser.script("return document.documentElement.textContent");
        seen.push_str(&format!("\n{path}: {}", squeezed(shown.as_str().unwrap())));
        if path.starts_with("/page/tasks/") {
            let title = squeezed(&browser.text("h1"));
            assert!(
                names
                    .iter()
                    .any(|name| title.contains(name.trim_end_matches("\u{202e}&lt;"))),
                "{path}: {title}"
            );
        }
    }
    // They are there, as text: hiding them would be no answer.
    for path in [
        "/page/tasks?group=name",
        "/page/tasks?group=scope",
        "/page/scopes",
    ] {
        let of = seen
            .lines()
            .find(|line| line.starts_with(&format!("{path}: ")))
            .unwrap();
        for name in [SCRIPT, IMAGE, "javascript:alert(3)"] {
            assert!(of.contains(name), "{name} is not on {path}: {of}");
        }
    }

    // Spawn sites carry the names in the flame graph of the tasks.
    browser.goto(&stage.page("/page/profiles"));
    browser.choose("form#capture select[name=source]", "tasks");
    // This moment, not what changes in some seconds.
    browser.type_into("form#capture input[name=seconds]", "");
    browser.click("form#capture button");
    browser.wait_for_element("iframe#graph");
    browser.inside("iframe#graph", || {
        browser.wait_for("frames", "return document.querySelectorAll('#frames title').length > 0");
        // The graph's own script is one; what a name could have made is none.
        let foreign = browser.script(
            "return [...document.querySelectorAll('img, foreignObject, #frames script')].map(one => one.outerHTML)",
        );
        assert_eq!(foreign, serde_json::json!([]));
    });
    // A search for such a name is text in its field, too.
    browser.goto(&stage.page("/page/tasks?group=none"));
    browser.type_into("form#filter input[name=q]", IMAGE);
    browser.press(&taskscope_tests::browser::Key::Enter);
    browser.wait_for(
        "the filter to be applied",
        "return location.search.includes('q=')",
    );
    browser.wait_for_element("table#tasks tr[data-id], #count");
    assert_eq!(browser.script(FOREIGN), serde_json::json!([]));
    assert_eq!(
        browser.script("return document.querySelector('form#filter input[name=q]').value"),
        IMAGE
    );
}

#[test]
fn a_decent_name_is_escaped_once() {
    let stage = Stage::new();
    let _open = scene(&stage, [DECENT; 3]);
    let browser = Browser::start();
    for path in [
        "/page/tasks?group=name",
        "/page/tasks?group=none",
        "/page/scopes",
    ] {
        browser.goto(&stage.page(path));
        browser.wait_for_text(DECENT);
        let shown = browser.script("return document.documentElement.textContent");
        let shown = shown.as_str().unwrap();
        assert!(
            !shown.contains("&amp;") && !shown.contains("&lt;"),
            "{path}: {shown}"
        );
        assert!(!stage.get(path).text().contains("&lt;script"), "{path}");
    }
}
