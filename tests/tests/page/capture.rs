//! Captures: taken with a progress bar, cancelled, opened in place, searched, compared, downloaded.

use std::collections::BTreeMap;

use taskprof::write::{FORMATS, Format};
use taskscope_tests::browser::{Browser, Complaint};

use crate::stage::{Busy, Stage, lick_the_stamps, weigh_the_parcels};

/// Begins a capture on the Profiles view with the form.
fn take(browser: &Browser, source: &str, seconds: u32) {
    browser.choose("form#capture select[name=source]", source);
    browser.type_into("form#capture input[name=seconds]", &seconds.to_string());
    browser.click("form#capture button");
}

/// Waits for a flame graph in place, and until its script has run.
pub(crate) fn graph_opens(browser: &Browser) {
    browser.wait_for_element("iframe#graph");
    browser.inside("iframe#graph", || {
        browser.wait_for(
            "the flame graph's frames",
            "return document.querySelectorAll('#frames g, #frames rect').length > 0 && document.readyState === 'complete'",
        );
    });
}

/// Takes a capture and waits until it is shown. Its number.
fn taken(browser: &Browser, source: &str, seconds: u32) -> String {
    let before = browser.count("table#captures tr[data-capture]");
    take(browser, source, seconds);
    browser.wait("the capture to be listed", || {
        (browser.count("table#captures tr[data-capture]") > before).then_some(())
    });
    graph_opens(browser);
    let newest = browser.script(
        "return Math.max(...[...document.querySelectorAll('tr[data-capture]')].map(row => +row.dataset.capture))",
    );
    newest.to_string()
}

/// Marks the first frame whose title contains a text, so that it can be clicked on; returns its
/// width as shown.
fn mark(browser: &Browser, text: &str) -> f64 {
    browser
        .script_with(
            "const frame = [...document.querySelectorAll('#frames g')]
                .find(one => one.querySelector('title')?.textContent.includes(arguments[0]));
             if (!frame) return null;
             for (const old of document.querySelectorAll('[data-mine]')) old.removeAttribute('data-mine');
             const rect = frame.querySelector('rect');
             rect.setAttribute('data-mine', '');
             return rect.getBoundingClientRect().width",
            &[text.into()],
        )
        .as_f64()
        .unwrap_or_else(|| panic!("no frame has {text}: {:?}", browser.texts("#frames title")))
}

#[test]
fn a_capture_shows_its_progress_opens_in_place_and_its_graph_zooms_and_finds() {
    let stage = Stage::new();
    let _open = stage.a_shop();
    let browser = Browser::start();
    browser.goto(&stage.page("/page/profiles"));
    assert_eq!(browser.count("table#captures tr[data-capture]"), 0);
    let _busy = Busy::with(weigh_the_parcels);

    browser.script("window.notReloaded = true");
    take(&browser, "cpu", 2);
    let how_far = "const bar = document.querySelector('#progress progress, progress#progress');
        return bar?.checkVisibility() && bar.value > 0 ? bar.value / bar.max : null";
    let first = browser.wait_for("the progress bar to have moved", how_far);
    let first = first.as_f64().unwrap();
    assert!(first <= 1.0);
    // Further, or already done.
    browser.wait_for(
        "the progress bar to move on",
        &format!(
            "const now = (() => {{ {how_far} }})();
             return now > {first} || document.querySelector('iframe#graph') !== null"
        ),
    );
    graph_opens(&browser);
    assert!(
        browser.address().contains("open=1"),
        "{}",
        browser.address()
    );
    assert_eq!(browser.count("table#captures tr[data-capture]"), 1);

    browser.inside("iframe#graph", || {
        // A click on a frame makes it as wide as the picture.
        let before = mark(&browser, "weigh_the_parcels");
        let all = mark(&browser, "all");
        mark(&browser, "weigh_the_parcels");
        browser.click("[data-mine]");
        browser.wait("the frame to fill the picture", || {
            let now = mark(&browser, "weigh_the_parcels");
            (now >= before && now > 0.98 * all).then_some(())
        });
        browser.click("#unzoom");
        browser.wait("the picture to be whole again", || {
            ((mark(&browser, "weigh_the_parcels") - before).abs() < 1.0).then_some(())
        });
        // A search asks for a word with a dialog.
        browser.click("#search");
        browser.answer_dialog("weigh_the_parcels");
        let matched = browser.wait_for(
            "the search to have matched",
            "const said = document.querySelector('#matched')?.textContent ?? '';
             return said.startsWith('Matched: ') && said",
        );
        assert_ne!(matched, "Matched: 0%");
        // The same by the key, for a word that is not there.
        browser.click("#search");
        browser.press_with_ctrl('f');
        browser.answer_dialog("no_such_function");
        browser.wait_for(
            "the search to have found nothing",
            "const said = document.querySelector('#matched')?.textContent ?? '';
             return said === '' || said === 'Matched: 0%' || document.querySelector('#matched').classList.contains('hide')",
        );
    });
    browser.forgive(
        |complaint| matches!(complaint, Complaint::Dialog(text) if text.contains("search")),
    );
}

#[test]
fn a_capture_that_is_cancelled_ends_and_leaves_room_for_the_next() {
    let stage = Stage::new();
    let _open = stage.a_shop();
    let browser = Browser::start();
    browser.goto(&stage.page("/page/profiles"));
    take(&browser, "cpu", 120);
    browser.wait_for(
        "a capture under way",
        "return document.querySelector('#progress progress, progress#progress')?.checkVisibility()",
    );
    browser.click("#progress button, #progress a");
    browser.wait_for(
        "the progress to be gone",
        "return !document.querySelector('#progress progress, progress#progress')?.checkVisibility()",
    );
    assert_eq!(browser.count("iframe#graph"), 0);
    assert_eq!(browser.count("table#captures tr[data-capture]"), 0);
    // Well before the other would have ended; the one is the first.
    let _busy = Busy::with(weigh_the_parcels);
    let number = taken(&browser, "cpu", 1);
    assert_eq!(number, "1");
    assert_eq!(browser.count("table#captures tr[data-capture]"), 1);
}

#[test]
fn two_captures_are_compared_in_red_and_blue() {
    let stage = Stage::new();
    let _open = stage.a_shop();
    let browser = Browser::start();
    browser.goto(&stage.page("/page/profiles"));
    let base = {
        let _busy = (Busy::with(weigh_the_parcels), Busy::with(weigh_the_parcels));
        taken(&browser, "cpu", 1)
    };
    let colours = "let red = 0, blue = 0;
        for (const rect of document.querySelectorAll('#frames rect')) {
            const [r, g, b] = (rect.getAttribute('fill') ?? '').match(/\\d+/g)?.map(Number) ?? [0, 0, 0];
            if (r > b && g === b) red += 1;
            if (b > r && g === r) blue += 1;
        }
        return [red > 0, blue > 0]";
    // The control: one by itself has the colours of its modules.
    let alone = browser.inside("iframe#graph", || browser.script(colours));
    assert_eq!(alone, serde_json::json!([false, false]));
    let open = {
        // The one function runs once instead of twice, so there is less of it; a function that is
        // gone altogether would not be in the picture.
        let _busy = (Busy::with(weigh_the_parcels), Busy::with(lick_the_stamps));
        taken(&browser, "cpu", 1)
    };
    browser.click(&format!(
        "table#captures input[name=open][value=\"{open}\"]"
    ));
    browser.click(&format!(
        "table#captures input[name=base][value=\"{base}\"]"
    ));
    browser.leaving("the comparison", || browser.click_button("Compare"));
    graph_opens(&browser);
    let address = browser.address();
    assert!(
        address.contains(&format!("open={open}")) && address.contains(&format!("base={base}")),
        "{address}"
    );
    browser.inside("iframe#graph", || {
        assert_eq!(browser.script(colours), serde_json::json!([true, true]));
        mark(&browser, "lick_the_stamps");
    });
}

#[test]
fn what_can_be_downloaded_is_what_it_says() {
    let stage = Stage::new();
    let _open = stage.a_shop();
    let browser = Browser::start();
    browser.goto(&stage.page("/page/profiles"));
    let _busy = Busy::with(weigh_the_parcels);
    let number = taken(&browser, "cpu", 1);
    let links = browser.script(
        "return [...document.querySelectorAll('tr[data-capture] a[href]')].map(link => link.href)",
    );
    let mut formats: BTreeMap<&str, u16> = BTreeMap::new();
    for link in links.as_array().unwrap() {
        let link = link.as_str().unwrap();
        let Some(format) = FORMATS
            .iter()
            .find(|format| link.contains(&format!("format={}", format.name)))
        else {
            continue;
        };
        let answer = stage.get_url(link);
        let head = answer.head.to_ascii_lowercase();
        assert!(
            head.contains(&format!(
                "content-type: {}",
                format.content_type.to_ascii_lowercase()
            )),
            "{link}: {head}"
        );
        assert!(!answer.body.is_empty(), "{link}");
        formats.insert(format.name, answer.status);
    }
    let wanted: BTreeMap<&str, u16> = FORMATS.iter().map(|format| (format.name, 200)).collect();
    assert_eq!(formats, wanted, "capture {number}: {links}");
    assert!(Format::named("pprof").is_some());
}
