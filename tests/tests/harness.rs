//! The browser of the tests: what it shows is what is there, and each of its checks goes red.
//!
//! The pages are served from here; Taskscope has no part in it.

// Nothing here depends on that flag, and once is enough of what takes minutes.
#![cfg(not(tokio_unstable))]

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use taskscope_tests::browser::{Browser, Complaint};

/// A server of one page, and of nothing else; its thread ends with the process.
struct Site {
    port: u16,
    /// Paths that were asked for.
    asked: Arc<Mutex<Vec<String>>>,
}

impl Site {
    fn of(page: &'static str) -> Site {
        // On every address, so that there is another host to ask.
        let listener = TcpListener::bind((Ipv4Addr::UNSPECIFIED, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let paths = asked.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let (stream, paths) = (stream.unwrap(), paths.clone());
                // Browsers open connections that they do not use yet: nobody may wait behind one.
                std::thread::spawn(move || answer(stream, port, page, &paths));
            }
        });
        Site { port, asked }
    }

    fn address(&self) -> String {
        format!("http://127.0.0.1:{}/", self.port)
    }

    fn asked(&self) -> Vec<String> {
        let asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        asked.clone()
    }
}

fn answer(mut stream: TcpStream, port: u16, page: &str, paths: &Mutex<Vec<String>>) {
    let mut head = Vec::new();
    let mut piece = [0; 1024];
    while !head.windows(4).any(|end| end == b"\r\n\r\n") {
        match stream.read(&mut piece) {
            Ok(0) | Err(_) => return,
            Ok(read) => head.extend_from_slice(&piece[..read]),
        }
    }
    let head = String::from_utf8_lossy(&head).into_owned();
    if let Some(path) = head.split(' ').nth(1) {
        let mut paths = paths.lock().unwrap_or_else(PoisonError::into_inner);
        paths.push(path.to_owned());
    }
    let page = page.replace("PORT", &port.to_string());
    let length = page.len();
    let _ = write!(
        stream,
        "HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=utf-8\r\nContent-Length: {length}\r\n\
         Connection: close\r\n\r\n{page}"
    );
}

const GOOD: &str = "<!doctype html><html lang=en><title>Good</title><main><h1>Parcels</h1>\
    <p id=seen>none</p><script>document.getElementById('seen').textContent = 'by script'; console.info('fine')</script>\
    <label>Find <input id=what></label><button id=go onclick=\"document.getElementById('seen').textContent = what.value\">Go</button>\
    <p style=height:3000px></p></main>";

/// Drops a browser and returns the message of its panic, if it panics.
fn drop_of(browser: Browser) -> Result<(), String> {
    catch_unwind(AssertUnwindSafe(|| drop(browser))).map_err(|message| {
        message
            .downcast_ref::<String>()
            .cloned()
            .unwrap_or_else(|| "a panic without words".to_owned())
    })
}

#[test]
fn a_page_without_a_fault_raises_no_complaint() {
    let site = Site::of(GOOD);
    let browser = Browser::start();
    browser.goto(&site.address());
    assert_eq!(browser.text("h1"), "Parcels");
    assert_eq!(browser.text("#seen"), "by script");
    browser.type_into("#what", "a parcel");
    browser.click("#go");
    assert_eq!(browser.text("#seen"), "a parcel");
    // A line below the level of a warning is heard, and is no complaint.
    let said = browser.messages();
    assert!(
        said.iter().any(|line| line.message.contains("fine")),
        "{said:?}"
    );
    assert!(
        browser
            .requests()
            .iter()
            .any(|request| request.url == site.address()),
        "{:?}",
        browser.requests()
    );
    assert_eq!(browser.accessibility(), Vec::<String>::new());
    assert_eq!(drop_of(browser), Ok(()));
}

#[test]
fn a_line_on_the_console_an_uncaught_error_and_a_refused_script_fail_the_test() {
    let browser = Browser::start();
    for (page, words) in [
        (
            "<!doctype html><title>x</title><script>console.error('out of parcels')</script>",
            "out of parcels",
        ),
        (
            "<!doctype html><title>x</title><script>console.warn('few parcels')</script>",
            "few parcels",
        ),
        (
            "<!doctype html><title>x</title><script>nothing.here()</script>",
            "nothing is not defined",
        ),
        (
            "<!doctype html><title>x</title><meta http-equiv=Content-Security-Policy content=\"default-src 'none'\">\
             <script>var never = 1</script>",
            "Content Security Policy",
        ),
    ] {
        let site = Site::of(page);
        browser.goto(&site.address());
        let complaints = browser.wait("a complaint", || {
            let complaints = browser.complaints();
            (!complaints.is_empty()).then_some(complaints)
        });
        assert!(
            matches!(&complaints[..], [Complaint::Console(line)] if line.message.contains(words)),
            "{complaints:?}"
        );
        browser.forgive(|_| true);
    }
    // The driver hands out what it has once; the last page says it again.
    browser.reload();
    let end = drop_of(browser).unwrap_err();
    assert!(end.contains("Content Security Policy"), "{end}");
}

#[test]
fn a_request_to_another_host_fails_the_test() {
    let browser = Browser::start();
    // By number, by name, by a name that is none, by a link that nobody has clicked on, in a frame.
    for (page, host) in [
        (
            "<!doctype html><title>x</title><link rel=stylesheet href=http://127.0.0.2:PORT/style.css>",
            "http://127.0.0.2:",
        ),
        (
            "<!doctype html><title>x</title><img alt='' src=http://localhost:PORT/picture>",
            "http://localhost:",
        ),
        (
            "<!doctype html><title>x</title><script>fetch('http://elsewhere.invalid/', {mode: 'no-cors'}).catch(() => 0)</script>",
            "http://elsewhere.invalid/",
        ),
        (
            "<!doctype html><title>x</title><iframe src=http://127.0.0.3:PORT/frame></iframe>",
            "http://127.0.0.3:",
        ),
        (
            "<!doctype html><title>x</title><script>new WebSocket('ws://127.0.0.4:PORT/')</script>",
            "ws://127.0.0.4:",
        ),
    ] {
        let site = Site::of(page);
        browser.goto(&site.address());
        browser.wait(host, || {
            browser
                .complaints()
                .into_iter()
                .find_map(|complaint| match complaint {
                    Complaint::Elsewhere(request) => request.url.starts_with(host).then_some(()),
                    _ => None,
                })
        });
        browser.forgive(|_| true);
    }
    browser.reload();
    // Also without what the console says of it.
    browser.forgive(|complaint| matches!(complaint, Complaint::Console(_)));
    let end = drop_of(browser).unwrap_err();
    assert!(
        end.contains("Elsewhere") && end.contains("ws://127.0.0.4:"),
        "{end}"
    );
}

#[test]
fn a_dialog_fails_the_test() {
    let site = Site::of(
        "<!doctype html><title>x</title><h1>Before</h1><script>setTimeout(() => alert('boo'))</script>",
    );
    let browser = Browser::start();
    let seen = catch_unwind(AssertUnwindSafe(|| {
        browser.goto(&site.address());
        browser.wait_for("what never comes", "return false");
    }));
    let words = seen.unwrap_err().downcast::<String>().unwrap();
    assert!(words.contains("opened a dialog"), "{words}");
    let end = drop_of(browser).unwrap_err();
    assert!(end.contains("Dialog") && end.contains("boo"), "{end}");
}

#[test]
fn a_phone_is_narrow_dark_is_dark_and_without_script_none_runs() {
    let site = Site::of(GOOD);
    let browser = Browser::start();
    let device = "return [innerWidth, innerHeight, devicePixelRatio, navigator.maxTouchPoints > 0,
        matchMedia('(prefers-color-scheme: dark)').matches]";
    browser.goto(&site.address());
    assert_eq!(
        browser.script(device),
        serde_json::json!([1280, 900, 1, false, false])
    );
    browser.phone();
    browser.dark();
    browser.goto(&site.address());
    // A page without a viewport is laid out wide, as on a phone.
    browser.script("document.head.insertAdjacentHTML('beforeend', '<meta name=viewport content=\"width=device-width\">')");
    browser.wait_for("the width of a phone", "return innerWidth === 390");
    assert_eq!(
        browser.script(device).as_array().unwrap()[2..].to_vec_of_bools(),
        [true, true, true]
    );

    let silent = Browser::without_script();
    silent.goto(&site.address());
    assert_eq!(silent.text("#seen"), "none");
}

/// The last three of the device's figures, as what they mean.
trait Figures {
    fn to_vec_of_bools(&self) -> Vec<bool>;
}

impl Figures for [serde_json::Value] {
    fn to_vec_of_bools(&self) -> Vec<bool> {
        self.iter().map(|one| one == 3 || one == true).collect()
    }
}

#[test]
fn a_hidden_window_is_hidden_until_it_is_shown() {
    let site = Site::of(GOOD);
    let browser = Browser::start();
    browser.goto(&site.address());
    browser.script("window.states = []; document.onvisibilitychange = () => states.push(document.visibilityState)");
    browser.hide();
    browser.show();
    assert_eq!(
        browser.script("return window.states"),
        serde_json::json!(["hidden", "visible"])
    );
    assert_eq!(
        browser.script("return [innerWidth, innerHeight]"),
        serde_json::json!([1280, 900])
    );
}

#[test]
fn requests_are_counted_as_the_server_counts_them() {
    let site = Site::of(
        "<!doctype html><title>x</title><link rel=icon href=data:,><script>\
        let n = 0; setInterval(() => { if (n < 5) fetch('/poll?' + n++) }, 20)</script>",
    );
    let browser = Browser::start();
    browser.goto(&site.address());
    browser.wait("five requests", || (site.asked().len() == 6).then_some(()));
    browser.settle(Duration::from_millis(500));
    let mut of_page: Vec<String> = browser
        .requests()
        .iter()
        .filter_map(|request| {
            request
                .url
                .strip_prefix(&site.address())
                .map(|path| format!("/{path}"))
        })
        .collect();
    let mut asked = site.asked();
    // Two that are sent at the same time may arrive in either order.
    of_page.sort();
    asked.sort();
    assert_eq!(of_page, asked);
}

#[test]
fn a_page_that_goes_on_asking_while_it_is_hidden_is_seen() {
    let site = Site::of(
        "<!doctype html><title>x</title><link rel=icon href=data:,><script>\
        setInterval(() => fetch('/poll'), 50)</script>",
    );
    let browser = Browser::start();
    browser.goto(&site.address());
    browser.hide();
    let before = browser.requests().len();
    browser.wait("requests of a hidden page", || {
        (browser.requests().len() > before + 3).then_some(())
    });
}

/// Processes whose command line has a word in it.
fn processes_with(word: &str) -> usize {
    let processes = std::fs::read_dir("/proc").unwrap().flatten();
    processes
        .filter(|process| {
            let line = std::fs::read(process.path().join("cmdline")).unwrap_or_default();
            String::from_utf8_lossy(&line).contains(word)
        })
        .count()
}

#[test]
fn nothing_is_left_of_a_browser_whose_test_panics() {
    let site = Site::of(GOOD);
    let folder = Mutex::new(String::new());
    let end = catch_unwind(|| {
        let browser = Browser::start();
        browser.goto(&site.address());
        *folder.lock().unwrap() = browser.folder().display().to_string();
        assert!(processes_with(&browser.folder().display().to_string()) > 2);
        panic!("as tests do");
    });
    assert_eq!(*end.unwrap_err().downcast::<&str>().unwrap(), "as tests do");
    let folder = folder.into_inner().unwrap_or_else(PoisonError::into_inner);
    assert!(!Path::new(&folder).exists());
    assert_eq!(processes_with(&folder), 0);
}
