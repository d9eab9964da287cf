//! A person's actions: going somewhere, clicking, typing, pressing a key, scrolling.

use std::time::Duration;

use serde_json::json;
use thirtyfour::error::WebDriverResult;
use thirtyfour::{By, Key};

use super::{Browser, Complaint};

impl Browser {
    /// Opens an address and waits until it is loaded.
    ///
    /// An address that has no document, like a download, is an error.
    pub fn goto(&self, address: &str) {
        self.ask(self.web.goto(address))
            .unwrap_or_else(|error| panic!("{address} does not open: {error}"));
    }

    /// Goes back as with the browser's button.
    pub fn back(&self) {
        self.ask(self.web.back()).expect("there is a page before");
    }

    /// Loads the page again.
    pub fn reload(&self) {
        self.ask(self.web.refresh())
            .expect("a page can be loaded again");
    }

    /// Clicks on the first element that a selector matches, as soon as it can be clicked on.
    pub fn click(&self, css: &str) {
        self.until(&format!("a click on {css}"), || {
            let element = self.element(css)?;
            self.ask(element.click())
        });
    }

    /// Clicks on the first link with this text.
    pub fn click_link(&self, text: &str) {
        self.until(&format!("a click on the link {text}"), || {
            let link = self.ask(self.web.find(By::LinkText(text)))?;
            self.ask(link.click())
        });
    }

    /// Clicks on the first button with this text.
    pub fn click_button(&self, text: &str) {
        let path = format!("//button[normalize-space()='{text}']");
        self.until(&format!("a click on the button {text}"), || {
            let button = self.ask(self.web.find(By::XPath(path.as_str())))?;
            self.ask(button.click())
        });
    }

    /// Waits for a dialog that asks for a text, types it and says yes. The dialog remains a
    /// complaint that must be forgiven.
    pub fn answer_dialog(&self, text: &str) {
        // Not by `ask`, which panics when there is one.
        let answered = |run: &dyn Fn() -> WebDriverResult<()>| {
            self.until("a dialog to answer", run);
        };
        answered(&|| self.runtime.block_on(self.web.send_alert_text(text)));
        answered(&|| self.runtime.block_on(self.web.accept_alert()));
    }

    /// Clicks, and waits until another document is there and loaded.
    pub fn click_through(&self, css: &str) {
        self.leaving(&format!("the page behind {css}"), || self.click(css));
    }

    /// Does something, and waits until another document is there and loaded.
    pub fn leaving(&self, what: &str, act: impl FnOnce()) {
        // The mark is on the window and goes with the document; one in the document could be
        // restored.
        self.script("window.taskscopeLeaving = true");
        act();
        self.wait_for(
            what,
            "return !window.taskscopeLeaving && document.readyState === 'complete'",
        );
    }

    /// Empties a field and types into it.
    pub fn type_into(&self, css: &str, text: &str) {
        self.until(&format!("typing into {css}"), || {
            let field = self.element(css)?;
            self.ask(field.clear())?;
            self.ask(field.send_keys(text))
        });
    }

    /// Takes one of a `<select>`, by its value, and tells the page as a person's choice would.
    pub fn choose(&self, css: &str, value: &str) {
        let option = format!("{css} option[value=\"{value}\"]");
        self.until(&format!("choosing {value} in {css}"), || {
            let option = self.element(&option)?;
            self.ask(option.click())
        });
        self.wait_for(
            &format!("{value} to be chosen in {css}"),
            &format!("return document.querySelector({css:?})?.value === {value:?}"),
        );
    }

    /// Presses a key, with the focus where it is.
    pub fn press(&self, key: &Key) {
        let keys = self.web.action_chain().key_down(key.clone());
        self.ask(keys.key_up(key.clone()).perform())
            .unwrap_or_else(|error| panic!("pressing {key:?}: {error}"));
    }

    /// Types with the focus where it is.
    pub fn type_keys(&self, text: &str) {
        self.ask(self.web.action_chain().send_keys(text).perform())
            .unwrap_or_else(|error| panic!("typing {text}: {error}"));
    }

    /// Holds Ctrl and presses a key.
    pub fn press_with_ctrl(&self, key: char) {
        let keys = self
            .web
            .action_chain()
            .key_down(Key::Control)
            .key_down(key)
            .key_up(key)
            .key_up(Key::Control);
        self.ask(keys.perform())
            .unwrap_or_else(|error| panic!("pressing Ctrl {key}: {error}"));
    }

    /// Scrolls an element, or the document (`"html"`), to a share of its height: 0 is the top, 1
    /// the end.
    pub fn scroll(&self, css: &str, share: f64) {
        self.script_with(
            "const on = document.querySelector(arguments[0]);
             on.scrollTop = (on.scrollHeight - on.clientHeight) * arguments[1];",
            &[json!(css), json!(share)],
        );
    }

    /// Does something inside of a frame, and comes back to the page.
    pub fn inside<T>(&self, css: &str, act: impl FnOnce() -> T) -> T {
        self.until(&format!("the frame {css}"), || {
            let frame = self.element(css)?;
            self.ask(frame.enter_frame())
        });
        let result = act();
        self.ask(self.web.enter_default_frame())
            .expect("there is a page around the frame");
        result
    }

    /// Waits until the page has sent no request for a while, or panics.
    ///
    /// What it is for: to begin counting when all that is under way has been counted.
    pub fn settle(&self, quiet: Duration) {
        let mut last = (std::time::Instant::now(), self.requests().len());
        self.wait("the page to send no request for a while", || {
            let now = self.requests().len();
            if now != last.1 {
                last = (std::time::Instant::now(), now);
            }
            (last.0.elapsed() >= quiet).then_some(())
        });
    }

    /// Forgets the complaints that a test wants and has looked at.
    pub fn forgive(&self, which: impl Fn(&Complaint) -> bool) {
        // Also what has not been fetched yet.
        self.complaints();
        self.logs.borrow_mut().forgive(which);
    }
}
