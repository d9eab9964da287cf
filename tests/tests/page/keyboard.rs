//! With the keyboard alone: where the focus goes, and that one sees it.

use taskscope_tests::browser::{Browser, Key};

use crate::stage::{Stage, VIEWS, wait_for_count};

/// The element that has the focus, in words.
fn focused(browser: &Browser) -> String {
    let text = browser.script(
        "const on = document.activeElement;
         return on.textContent.trim() || on.name || on.id || on.tagName",
    );
    text.as_str().unwrap().to_owned()
}

/// Whether one sees where the focus is: an outline or a shadow, or another colour or border than
/// without it.
const VISIBLE_FOCUS: &str = "const on = document.activeElement, box = on.getBoundingClientRect();
    const look = () => { const style = getComputedStyle(on);
        return [style.outlineStyle === 'none' || parseFloat(style.outlineWidth) === 0 ? '' : style.outlineColor + style.outlineWidth,
            style.boxShadow, style.backgroundColor, style.borderColor, style.textDecorationLine].join('|') };
    const shown = box.width > 0 && box.height > 0 && box.bottom > 0 && box.right > 0 && on.checkVisibility();
    const with_focus = look();
    on.blur();
    const without = look();
    on.focus({ focusVisible: true });
    return shown && with_focus !== without";

#[test]
fn the_skip_link_is_first_then_the_navigation_and_every_stop_is_seen() {
    let stage = Stage::new();
    let _open = stage.a_shop();
    let browser = Browser::start();
    for (name, path) in VIEWS {
        browser.goto(&stage.page(path));
        browser.press(&Key::Tab);
        assert_eq!(
            browser.script("return document.activeElement.getAttribute('href')"),
            "#main",
            "{name}: {}",
            focused(&browser)
        );
        assert_eq!(
            browser.script(VISIBLE_FOCUS),
            true,
            "{name}: the skip link shows when it has the focus"
        );
        for (view, _) in VIEWS {
            browser.press(&Key::Tab);
            assert_eq!(focused(&browser), view, "{name}");
            assert_eq!(browser.script(VISIBLE_FOCUS), true, "{name}: {view}");
        }
        // On from there, through what the view has.
        for _ in 0..8 {
            browser.press(&Key::Tab);
            if browser.script("return document.activeElement === document.body || document.activeElement.tagName === 'IFRAME'") == true {
                break;
            }
            assert_eq!(
                browser.script(VISIBLE_FOCUS),
                true,
                "{name}: {}",
                focused(&browser)
            );
        }
    }
}

#[test]
fn the_skip_link_leads_past_the_navigation() {
    let stage = Stage::new();
    let _open = stage.a_shop();
    let browser = Browser::start();
    browser.goto(&stage.page("/page/tasks"));
    browser.press(&Key::Tab);
    browser.press(&Key::Enter);
    browser.wait_for(
        "the address of the main part",
        "return location.hash === '#main'",
    );
    browser.press(&Key::Tab);
    assert_eq!(
        browser.script("return document.querySelector('main').contains(document.activeElement)"),
        true,
        "{}",
        focused(&browser)
    );
}

#[test]
fn a_view_a_filter_and_a_task_open_by_keys() {
    let stage = Stage::new();
    let _open = stage.a_shop();
    let browser = Browser::start();
    browser.goto(&stage.page(""));
    for _ in 0..3 {
        browser.press(&Key::Tab);
    }
    assert_eq!(focused(&browser), "Tasks");
    browser.leaving("Tasks", || browser.press(&Key::Enter));
    let mut stops = 0;
    while browser.script("return document.activeElement.name") != "q" {
        browser.press(&Key::Tab);
        stops += 1;
        assert!(
            stops < 30,
            "the search field is not reached: {}",
            focused(&browser)
        );
    }
    browser.goto(&stage.page("/page/tasks?group=none"));
    browser.script("document.querySelector('form#filter input[name=q]').focus()");
    browser.type_keys("courier");
    browser.press(&Key::Enter);
    wait_for_count(&browser, 12);
    browser.script("document.querySelector('table#tasks tr[data-id] a').focus()");
    browser.leaving("a task", || browser.press(&Key::Enter));
    assert!(browser.text("h1").contains("courier"));
}
