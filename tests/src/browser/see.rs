//! The page as a person sees it: texts, numbers of elements, pictures.

use std::path::Path;

use serde_json::{Value, json};

use super::Browser;

impl Browser {
    /// The text, as shown, of the first element that a selector matches. Waits for the element.
    pub fn text(&self, css: &str) -> String {
        self.until(&format!("the text of {css}"), || {
            let element = self.element(css)?;
            self.ask(element.text())
        })
    }

    /// The texts of all elements that a selector matches now, shown or not.
    pub fn texts(&self, css: &str) -> Vec<String> {
        let texts = self.script_with(
            "return [...document.querySelectorAll(arguments[0])].map(one => one.textContent.trim())",
            &[json!(css)],
        );
        strings(&texts)
    }

    /// How many elements a selector matches now.
    pub fn count(&self, css: &str) -> usize {
        let count = self.script_with(
            "return document.querySelectorAll(arguments[0]).length",
            &[json!(css)],
        );
        usize::try_from(count.as_u64().expect("a number")).expect("a small one")
    }

    /// Waits until a selector matches something.
    pub fn wait_for_element(&self, css: &str) {
        self.wait_for(
            css,
            &format!("return document.querySelector({css:?}) !== null"),
        );
    }

    /// Waits until the document shows a text.
    pub fn wait_for_text(&self, text: &str) {
        self.wait_for(
            &format!("the text {text:?}"),
            &format!("return document.body.innerText.includes({text:?})"),
        );
    }

    /// The address that is open.
    pub fn address(&self) -> String {
        let address = self.script("return location.href");
        address.as_str().expect("a text").to_owned()
    }

    /// An attribute of the first element that a selector matches.
    pub fn attribute(&self, css: &str, name: &str) -> Option<String> {
        let value = self.script_with(
            "return document.querySelector(arguments[0])?.getAttribute(arguments[1])",
            &[json!(css), json!(name)],
        );
        value.as_str().map(str::to_owned)
    }

    /// Writes a picture of the window to a PNG file.
    pub fn screenshot(&self, file: &Path) {
        self.ask(self.web.screenshot(file))
            .unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    }
}

/// The strings of a JSON array.
///
/// # Panics
///
/// If it is not one.
#[must_use]
pub(super) fn strings(array: &Value) -> Vec<String> {
    let texts = array.as_array().expect("an array").iter();
    texts
        .map(|text| text.as_str().expect("a text").to_owned())
        .collect()
}
