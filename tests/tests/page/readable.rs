//! Colours that can be read, in light and dark, and what a screen reader needs.

use taskscope_tests::browser::Browser;

use crate::capture::graph_opens;
use crate::stage::{Stage, VIEWS};

/// Finds text with too little contrast to what is behind it (WCAG 2, 1.4.3), and how light the page
/// is.
const CONTRAST: &str = "
    const parse = text => { const of = text.match(/[\\d.]+/g).map(Number); return text.startsWith('color(srgb')
        ? [...of.slice(0, 3).map(one => one * 255), of[3] ?? 1] : [...of.slice(0, 3), of[3] ?? 1] };
    const over = (top, under) => [0, 1, 2].map(at => top[at] * top[3] + under[at] * (1 - top[3])).concat(1);
    const light = colour => { const [r, g, b] = colour.slice(0, 3).map(one => one / 255)
        .map(one => one <= 0.04045 ? one / 12.92 : ((one + 0.055) / 1.055) ** 2.4); return 0.2126 * r + 0.7152 * g + 0.0722 * b };
    const canvas = matchMedia('(prefers-color-scheme: dark)').matches
        && getComputedStyle(document.documentElement).colorScheme.includes('dark') ? [18, 18, 18, 1] : [255, 255, 255, 1];
    const behind = one => { const layers = []; for (let up = one; up; up = up.parentElement) layers.push(parse(getComputedStyle(up).backgroundColor));
        return layers.reduceRight((under, top) => over(top, under), canvas) };
    const low = [];
    let texts = 0;
    const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    while (walk.nextNode()) {
        const one = walk.currentNode.parentElement;
        if (!walk.currentNode.textContent.trim() || !one.checkVisibility({ opacityProperty: true, visibilityProperty: true })) continue;
        if (one.closest('option, [disabled], title, svg')) continue;
        texts += 1;
        const style = getComputedStyle(one);
        const back = behind(one);
        const [bright, dim] = [light(over(parse(style.color), back)), light(back)].sort((a, b) => b - a);
        const size = parseFloat(style.fontSize), large = size >= 24 || size >= 18.66 && +style.fontWeight >= 700;
        const ratio = (bright + 0.05) / (dim + 0.05);
        if (ratio < (large ? 3 : 4.5)) low.push(one.tagName + ' ' + walk.currentNode.textContent.trim().slice(0, 30) + ' ' + ratio.toFixed(2));
    }
    return { low: [...new Set(low)].slice(0, 20), texts, page: light(behind(document.body)) }";

fn pages(stage: &Stage) -> Vec<String> {
    let dump: serde_json::Value =
        serde_json::from_str(stage.get("/tasks?format=json&stacks=none").text()).unwrap();
    let mut pages: Vec<String> = VIEWS.iter().map(|(_, path)| (*path).to_owned()).collect();
    pages.push("/page/tasks?group=none".to_owned());
    pages.push("/page/tasks?group=alike".to_owned());
    pages.push(format!("/page/tasks/{}", dump["tasks"][0]["id"]));
    pages.push("/page/profiles?open=1".to_owned());
    pages
}

fn in_light_and_in_dark(browser: &Browser, look: impl Fn(bool)) {
    look(false);
    browser.dark();
    look(true);
}

#[test]
fn text_can_be_read_in_light_and_in_dark() {
    let stage = Stage::new();
    let _open = stage.a_shop();
    assert_eq!(stage.get("/tasks?format=svg").status, 200);
    let browser = Browser::start();
    in_light_and_in_dark(&browser, |dark| {
        for path in pages(&stage) {
            browser.goto(&stage.page(&path));
            let seen = browser.script(CONTRAST);
            assert_eq!(seen["low"], serde_json::json!([]), "{path}, dark: {dark}");
            assert!(seen["texts"].as_u64().unwrap() > 5, "{path}: {seen}");
            let light = seen["page"].as_f64().unwrap();
            assert_eq!(
                light < 0.1,
                dark,
                "{path}: the background has a luminance of {light}"
            );
        }
    });
}

/// Finds words around a flame graph with too little contrast to what is behind them, and how light
/// that is.
const GRAPH: &str = "
    const light = text => { const [r, g, b] = text.match(/[\\d.]+/g).slice(0, 3).map(one => one / 255)
        .map(one => one <= 0.04045 ? one / 12.92 : ((one + 0.055) / 1.055) ** 2.4); return 0.2126 * r + 0.7152 * g + 0.0722 * b };
    const fill = getComputedStyle(document.querySelector('svg > rect')).fill;
    const backs = (fill.startsWith('url') ? [...document.querySelectorAll('#background stop')].map(one => getComputedStyle(one).stopColor) : [fill]).map(light);
    const low = [];
    for (const id of ['title', 'subtitle', 'details', 'unzoom', 'search', 'matched']) {
        const style = getComputedStyle(document.getElementById(id));
        const ratios = backs.map(back => [light(style.fill), back].sort((a, b) => b - a)).map(([bright, dim]) => (bright + 0.05) / (dim + 0.05));
        if (Math.min(...ratios) < 4.5 || style.opacity < 1) low.push(id + ' ' + Math.min(...ratios).toFixed(2) + ' ' + style.opacity);
    }
    return { low, back: backs[0], around: getComputedStyle(document.documentElement).backgroundColor }";

#[test]
fn the_words_around_a_flame_graph_can_be_read_in_light_and_in_dark() {
    let stage = Stage::new();
    let _open = stage.a_shop();
    assert_eq!(stage.get("/tasks?format=svg").status, 200);
    let browser = Browser::start();
    in_light_and_in_dark(&browser, |dark| {
        browser.goto(&stage.page("/page/profiles?open=1"));
        graph_opens(&browser);
        browser.inside("iframe#graph", || {
            let seen = browser.script(GRAPH);
            assert_eq!(seen["low"], serde_json::json!([]), "dark: {dark}");
            let light = seen["back"].as_f64().unwrap();
            assert_eq!(light < 0.1, dark, "the background's luminance is {light}");
            // Where the frame is larger than the picture.
            let around = if dark {
                "rgb(13, 17, 23)"
            } else {
                "rgba(0, 0, 0, 0)"
            };
            assert_eq!(seen["around"], around);
        });
    });
}

#[test]
fn the_rule_of_contrast_sees_text_that_is_too_pale() {
    let stage = Stage::new();
    let _open = stage.a_shop();
    let browser = Browser::start();
    browser.goto(&stage.page(""));
    browser.script("document.querySelector('h1').style.color = '#ddd'");
    let seen = browser.script(CONTRAST);
    assert!(seen["low"].to_string().contains("H1"), "{seen}");
}

#[test]
fn no_page_breaks_a_rule_of_accessibility() {
    let stage = Stage::new();
    let _open = stage.a_shop();
    assert_eq!(stage.get("/tasks?format=svg").status, 200);
    let browser = Browser::start();
    in_light_and_in_dark(&browser, |dark| {
        for path in pages(&stage) {
            browser.goto(&stage.page(&path));
            assert_eq!(
                browser.accessibility(),
                Vec::<String>::new(),
                "{path}, dark: {dark}"
            );
        }
    });
    browser.phone();
    for path in pages(&stage) {
        browser.goto(&stage.page(&path));
        assert_eq!(
            browser.accessibility(),
            Vec::<String>::new(),
            "{path} on a phone"
        );
    }
    // The control: a picture without words.
    browser.script("document.querySelector('main').append(document.createElement('button'))");
    let found = browser.accessibility();
    assert!(
        found.iter().any(|rule| rule.starts_with("button-name")),
        "{found:?}"
    );
}

/// Rules of this page that axe-core has not.
const RULES: &str = "const wrong = [];
    const is = (fine, words) => { if (!fine) wrong.push(words) };
    is(document.documentElement.lang, 'html has a language');
    is(document.title.trim(), 'there is a title');
    is(document.querySelectorAll('h1').length === 1, 'one h1');
    is(document.querySelectorAll('header, body > header').length === 1, 'one header');
    is(document.querySelectorAll('main#main').length === 1, 'one main');
    const first = document.querySelector('a, button, input, select, summary');
    is(first?.getAttribute('href') === '#main', 'the first thing that takes the focus is the skip link');
    for (const table of document.querySelectorAll('table')) {
        is(table.querySelector('th'), 'a table has heads: ' + table.id);
        is(table.caption || table.getAttribute('aria-label') || table.getAttribute('aria-labelledby') || table.closest('section')?.querySelector('h2'), 'a table has a name: ' + table.id);
    }
    for (const head of document.querySelectorAll('th')) is(['col', 'row', 'colgroup', 'rowgroup'].includes(head.scope), 'a head has a scope: ' + head.textContent.trim());
    for (const field of document.querySelectorAll('input:not([type=hidden]), select, textarea'))
        is([...field.labels].some(label => label.textContent.trim()) || field.getAttribute('aria-label') || field.getAttribute('aria-labelledby'), 'a field has a label: ' + field.outerHTML.slice(0, 80));
    for (const graph of document.querySelectorAll('iframe')) is(graph.title, 'a frame has a title');
    for (const chart of document.querySelectorAll('main svg')) is(chart.getAttribute('aria-hidden') === 'true' || (chart.getAttribute('role') === 'img' && (chart.getAttribute('aria-label') || chart.getAttribute('aria-labelledby'))), 'a chart is an image with a name, or hidden beside its words');
    for (const bar of document.querySelectorAll('progress')) is(bar.getAttribute('aria-label') || bar.labels.length, 'a progress bar has a name');
    let level = 1;
    for (const heading of document.querySelectorAll('h1, h2, h3, h4')) { const now = +heading.tagName[1]; is(now <= level + 1, 'headings skip no level: ' + heading.textContent); level = now }
    return wrong";

#[test]
fn landmarks_heads_labels_and_names_are_there() {
    let stage = Stage::new();
    let _open = stage.a_shop();
    assert_eq!(stage.get("/tasks?format=svg").status, 200);
    let browser = Browser::start();
    for path in pages(&stage) {
        browser.goto(&stage.page(&path));
        assert_eq!(browser.script(RULES), serde_json::json!([]), "{path}");
    }
}
