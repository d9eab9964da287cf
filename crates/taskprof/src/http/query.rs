//! Query parameters, parsed strictly: what is not known or not understood is an error that names
//! it, never a silent default.
//!
//! Not here: which parameters there are, and their ranges (`parameters.rs`).

use taskscope::text::MAX_NAME;
use taskscope::{Verdict, text::Quoted};

use super::error::HttpError;
use super::parameters::{Endpoint, Parameter, Values};

/// State that the script in a flame graph keeps in the address of the page: position and search
/// (source: inferno 0.12, `flamegraph.js`). A reload sends them to us.
const SVG_STATE: [&str; 3] = ["x", "y", "s"];

/// More of a client's text than this is not repeated to it.
const SHOWN: usize = 40;

/// A decoded query string.
#[derive(Debug)]
pub(crate) struct Query {
    pairs: Vec<(String, String)>,
}

impl Query {
    pub(crate) fn parse(raw: Option<&str>) -> Self {
        let raw = raw.unwrap_or_default().as_bytes();
        Query {
            pairs: form_urlencoded::parse(raw).into_owned().collect(),
        }
    }

    /// Drops parameters without a value: a form sends its empty fields, too.
    pub(crate) fn without_empty(mut self) -> Self {
        self.pairs.retain(|(_, value)| !value.is_empty());
        self
    }

    /// Refuses a parameter that the endpoint does not have, and one that is given twice. Where an
    /// SVG is answered, the parameters of its script are let through.
    pub(crate) fn only_known(&self, endpoint: Endpoint, svg: bool) -> Result<(), HttpError> {
        for (at, (name, _)) in self.pairs.iter().enumerate() {
            if svg && SVG_STATE.contains(&name.as_str()) {
                continue;
            }
            if !endpoint.parameters().any(|known| known.name == name) {
                let known: Vec<&str> = endpoint.parameters().map(|known| known.name).collect();
                let known = if known.is_empty() {
                    "none are known here".to_owned()
                } else {
                    format!("known here: {}", known.join(", "))
                };
                return Err(HttpError::bad_request(format!(
                    "unknown parameter {}; {known}",
                    quoted(name)
                )));
            }
            if self.pairs[..at].iter().any(|(earlier, _)| earlier == name) {
                return Err(HttpError::bad_request(format!(
                    "parameter {name} is given more than once; give it once"
                )));
            }
        }
        Ok(())
    }

    /// A whole number in the parameter's range; `None` if it is not given.
    pub(crate) fn number(&self, parameter: &Parameter) -> Result<Option<u64>, HttpError> {
        let name = parameter.name;
        let Some(text) = self.get(name) else {
            return Ok(None);
        };
        let Values::Number(least, most) = parameter.values else {
            return Err(HttpError::internal(format!("{name} is no number")));
        };
        // Digits only: `parse` alone would take `+5`.
        let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        match text.parse() {
            Ok(value) if digits && (least..=most).contains(&value) => Ok(Some(value)),
            _ => Err(HttpError::bad_request(format!(
                "parameter {name} must be a whole number from {least} to {most}, not {}",
                quoted(text)
            ))),
        }
    }

    /// The value of one of these words; `None` if the parameter is not given.
    pub(crate) fn choice<'c, T>(
        &self,
        parameter: &Parameter,
        choices: impl IntoIterator<Item = (&'c str, T), IntoIter: Clone>,
    ) -> Result<Option<T>, HttpError> {
        let name = parameter.name;
        let Some(text) = self.get(name) else {
            return Ok(None);
        };
        let choices = choices.into_iter();
        if let Values::Words(words) = parameter.values {
            debug_assert!(
                choices
                    .clone()
                    .map(|(word, _)| word)
                    .eq(words.iter().copied()),
                "the words of {name} are those of the table"
            );
        }
        match choices.clone().find(|(word, _)| *word == text) {
            Some((_, value)) => Ok(Some(value)),
            None => {
                let words: Vec<&str> = choices.map(|(word, _)| word).collect();
                Err(HttpError::bad_request(format!(
                    "parameter {name} must be one of {}, not {}",
                    words.join(", "),
                    quoted(text)
                )))
            }
        }
    }

    /// The value of one of these words, and whether a minus sign asks for the reverse; `None` if
    /// the parameter is not given.
    pub(crate) fn order<'c, T>(
        &self,
        parameter: &Parameter,
        choices: impl IntoIterator<Item = (&'c str, T)>,
    ) -> Result<Option<(T, bool)>, HttpError> {
        let Some(text) = self.get(parameter.name) else {
            return Ok(None);
        };
        let word = text.strip_prefix('-');
        let reversed = word.is_some();
        let word = word.unwrap_or(text);
        let mut words = Vec::new();
        for (choice, value) in choices {
            if choice == word {
                return Ok(Some((value, reversed)));
            }
            words.push(choice);
        }
        Err(HttpError::bad_request(format!(
            "parameter {} must be one of {}, each with - in front for the reverse, not {}",
            parameter.name,
            words.join(", "),
            quoted(text)
        )))
    }

    /// A verdict by its slug; `None` if the parameter is not given.
    pub(crate) fn verdict(&self, parameter: &Parameter) -> Result<Option<Verdict>, HttpError> {
        self.choice(
            parameter,
            Verdict::ALL.map(|verdict| (verdict.slug(), verdict)),
        )
    }

    /// A text that is not empty; `None` if the parameter is not given.
    pub(crate) fn text(&self, parameter: &Parameter) -> Result<Option<&str>, HttpError> {
        match self.get(parameter.name) {
            Some("") => Err(HttpError::bad_request(format!(
                "parameter {} is empty; leave it out to see everything",
                parameter.name
            ))),
            text => Ok(text),
        }
    }

    /// Whether the parameter is given at all.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    /// State that the script of an SVG has put into the address: each parameter once, and nothing
    /// longer than a name.
    pub(crate) fn svg_state(&self) -> Vec<(String, String)> {
        let state = SVG_STATE
            .iter()
            .filter_map(|name| self.pairs.iter().find(|(key, _)| key == name));
        state
            .filter(|(_, value)| value.chars().nth(MAX_NAME).is_none())
            .cloned()
            .collect()
    }

    /// The first value of a parameter, as it is.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.pairs
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.as_str())
    }
}

/// A client's text in quotes: short, on one line, without anything that hides.
fn quoted(text: &str) -> String {
    match text.char_indices().nth(SHOWN) {
        None => Quoted(text).to_string(),
        Some((end, _)) => format!("{}…", Quoted(&text[..end])),
    }
}
