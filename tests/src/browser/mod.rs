//! A real browser for tests: Debian's Chromium, headless, by `chromedriver` and the W3C protocol.
//!
//! Owns a browser of its own for each [`Browser`]: its processes and its profile folder end with
//! it, also when the test panics or is killed. `act.rs` has what a person does, `see.rs` what a
//! person sees, `device.rs` the device and its settings, and `log.rs` what no page may do (complain
//! on the console, ask another host, open a dialog), looked at when a `Browser` is dropped. Plain
//! calls that block: the test's own runtime may be blocked or busy, and knows nothing of the one in
//! here. Not here: what the pages should look like.

mod act;
mod axe;
mod device;
mod driver;
mod log;
mod see;

use std::cell::RefCell;
use std::fmt::{self, Debug};
use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
pub use thirtyfour::Key;
use thirtyfour::error::{WebDriverErrorInner, WebDriverResult};
use thirtyfour::{By, Capabilities, WebDriver, WebElement};
use tokio::runtime::Runtime;

use self::driver::Driver;
use self::log::Logs;
pub use self::log::{Complaint, Message, Request};

/// The longest that anything may take. A very busy machine needs seconds for what takes
/// milliseconds otherwise.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// Between two looks at the page.
const PAUSE: Duration = Duration::from_millis(20);

/// A browser with one window.
///
/// # Panics
///
/// Every method panics, and says what it waited for, if that has not come within [`PATIENCE`]; at
/// once if a page has opened a dialog. Dropping it panics if a page has complained: see
/// [`Browser::complaints`].
///
/// # Limitations
///
/// Its calls block and bring a runtime of their own, so they must not be made from inside of one.
pub struct Browser {
    // Fields are dropped in this order: the session before the process that serves it.
    web: WebDriver,
    runtime: Runtime,
    driver: Driver,
    logs: RefCell<Logs>,
}

impl Debug for Browser {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Browser").finish_non_exhaustive()
    }
}

impl Browser {
    /// A browser with a window of 1280 by 900, a light colour scheme and JavaScript.
    #[must_use]
    pub fn start() -> Self {
        Browser::with(&json!({}))
    }

    /// The same with JavaScript switched off in its settings.
    #[must_use]
    pub fn without_script() -> Self {
        Browser::with(&json!({ "profile.managed_default_content_settings.javascript": 2 }))
    }

    fn with(settings: &Value) -> Self {
        let driver = Driver::start();
        let arguments = [
            "--headless",
            // Chromium's sandbox refuses to work for root, which containers are.
            "--no-sandbox",
            "--disable-gpu",
            "--disable-quic",
            "--disable-dev-shm-usage",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--hide-scrollbars",
            "--force-color-profile=srgb",
            // The browser ends when the driver does, whatever ended that.
            "--remote-debugging-pipe",
        ];
        let mut arguments: Vec<String> = arguments.map(str::to_owned).into();
        arguments.push(format!("--user-data-dir={}", driver.profile().display()));
        let wanted = json!({
            "browserName": "chrome",
            // A dialog stays, so that nobody overlooks it.
            "unhandledPromptBehavior": "ignore",
            "goog:loggingPrefs": { "browser": "ALL", "performance": "ALL" },
            "goog:chromeOptions": { "args": arguments, "prefs": settings },
        });
        let Value::Object(wanted) = wanted else {
            unreachable!("an object was written above")
        };
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime of one thread");
        let web = runtime
            .block_on(
                WebDriver::builder(driver.address(), Capabilities::from(wanted))
                    .request_timeout(2 * PATIENCE)
                    .connect(),
            )
            .unwrap_or_else(|error| panic!("chromium does not start: {error}"));
        let browser = Browser {
            web,
            runtime,
            driver,
            logs: RefCell::default(),
        };
        browser.desktop();
        browser.light();
        browser
    }

    /// Waits for an answer of the driver.
    fn ask<T>(&self, question: impl Future<Output = WebDriverResult<T>>) -> WebDriverResult<T> {
        let answer = self.runtime.block_on(question);
        if let Err(error) = &answer
            && let WebDriverErrorInner::UnexpectedAlertOpen(alert) = error.as_inner()
        {
            panic!("the page has opened a dialog: {alert}");
        }
        answer
    }

    /// Tries until it works; what is there one moment may be replaced in the next.
    fn until<T>(&self, what: &str, mut attempt: impl FnMut() -> WebDriverResult<T>) -> T {
        let begun = Instant::now();
        loop {
            match attempt() {
                Ok(value) => return value,
                Err(error) if begun.elapsed() < PATIENCE => {
                    let _ = error;
                    std::thread::sleep(PAUSE);
                }
                Err(error) => panic!("{what}: {error}\nat {}", self.place()),
            }
        }
    }

    /// Waits until a condition holds, and returns what it found.
    pub fn wait<T>(&self, what: &str, mut condition: impl FnMut() -> Option<T>) -> T {
        let begun = Instant::now();
        loop {
            if let Some(found) = condition() {
                return found;
            }
            assert!(
                begun.elapsed() < PATIENCE,
                "waited in vain for {what}\nat {}",
                self.place()
            );
            std::thread::sleep(PAUSE);
        }
    }

    /// Runs the body of a function in the page until it returns something that is true in
    /// JavaScript, and returns that.
    pub fn wait_for(&self, what: &str, body: &str) -> Value {
        self.wait(what, || {
            // While a page is being replaced, nothing can be run in it.
            let value = self.try_script(body, &[]).ok()?;
            let empty =
                value.is_null() || value == json!(false) || value == json!(0) || value == json!("");
            (!empty).then_some(value)
        })
    }

    /// Runs the body of a function in the page and returns its result. No policy of the page
    /// forbids it.
    pub fn script(&self, body: &str) -> Value {
        self.script_with(body, &[])
    }

    /// The same with arguments, which are `arguments[0]` and so on.
    pub fn script_with(&self, body: &str, arguments: &[Value]) -> Value {
        self.try_script(body, arguments)
            .unwrap_or_else(|error| panic!("{body}: {error}\nat {}", self.place()))
    }

    fn try_script(&self, body: &str, arguments: &[Value]) -> WebDriverResult<Value> {
        Ok(self
            .ask(self.web.execute(body, arguments.to_vec()))?
            .json()
            .clone())
    }

    /// Runs a command of the browser's debugger (CDP).
    fn devtools(&self, command: &str, parameters: &Value) -> Value {
        self.ask(self.web.cdp().send_raw(command, parameters))
            .unwrap_or_else(|error| panic!("{command}: {error}"))
    }

    fn element(&self, css: &str) -> WebDriverResult<WebElement> {
        self.ask(self.web.find(By::Css(css)))
    }

    /// The folder of the browser's profile and its temporary files. It is in the command lines of
    /// the browser's processes, and is removed with the browser.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.driver.folder()
    }

    /// Where the browser is, and the beginning of what it shows, for messages.
    fn place(&self) -> String {
        let shown = self.try_script(
            "return location.href + '\\n' + (document.body?.innerText ?? '').slice(0, 2000)",
            &[],
        );
        match shown {
            Ok(Value::String(shown)) => shown,
            other => format!("{other:?}"),
        }
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        let complaints = if std::thread::panicking() {
            Vec::new()
        } else {
            self.complaints()
        };
        // The session is ended here and not by its own `Drop`, which would block.
        let ended = self.runtime.block_on(async {
            tokio::time::timeout(Duration::from_secs(10), self.web.clone().quit()).await
        });
        let _ = ended;
        self.driver.stop();
        // One panic more while panicking would hide the first one.
        if !std::thread::panicking() {
            assert!(
                complaints.is_empty(),
                "pages have complained, or done what none may do: {complaints:#?}"
            );
        }
    }
}
