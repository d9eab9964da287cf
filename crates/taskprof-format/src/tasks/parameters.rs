//! The query parameters that choose tasks, as a client writes them.
//!
//! Not here: how a server reads them, and what else it takes (`http/parameters.rs` of `taskprof`).

use std::fmt::Write as _;

use serde::{Deserialize, Serialize};

/// Which tasks the sources `tasks`, `stuck` and `leaks` show. The default shows all of them.
///
/// A field has the name of its parameter. A server refuses a parameter that a source does not take:
/// `stuck` and `leaks` take no `verdict`, and `limit` goes with no condition that needs each task
/// (`q`, `wait`, `site`, `suspects`).
///
/// # Examples
///
/// ```
/// use taskprof_format::tasks::Parameters;
///
/// let parameters = Parameters {
///     scope: Some("POST /orders".to_owned()),
///     min_age: 60,
///     ..Parameters::default()
/// };
/// let path = format!("tasks?format=json&{}", parameters.to_query());
/// assert_eq!(path, "tasks?format=json&scope=POST+%2Forders&min_age=60");
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Parameters {
    /// Text in the name, a label, the scope, a place or the stack, without regard to case.
    pub q: Option<String>,
    /// A verdict as one word, such as `cancel-ignored`.
    pub verdict: Option<String>,
    /// A kind of wait, such as `mpsc recv`.
    pub wait: Option<String>,
    /// The name of the scope, or of one above it.
    pub scope: Option<String>,
    /// The spawn site, as `file:line:column`.
    pub site: Option<String>,
    /// The name of the task.
    pub name: Option<String>,
    /// Only leak suspects.
    pub suspects: bool,
    /// The least age, in seconds.
    pub min_age: u64,
    /// At most this many tasks, the oldest.
    pub limit: Option<u64>,
    /// `fresh` (the default), `cached` or `none`.
    pub stacks: Option<String>,
}

impl Parameters {
    /// The parameters as the part of a URL behind its `?`; empty for the default.
    #[must_use]
    pub fn to_query(&self) -> String {
        let mut query = String::new();
        for (name, value) in [
            ("q", &self.q),
            ("verdict", &self.verdict),
            ("wait", &self.wait),
            ("scope", &self.scope),
            ("site", &self.site),
            ("name", &self.name),
            ("suspects", &self.suspects.then(|| "1".to_owned())),
            (
                "min_age",
                &(self.min_age > 0).then(|| self.min_age.to_string()),
            ),
            ("limit", &self.limit.map(|limit| limit.to_string())),
            ("stacks", &self.stacks),
        ] {
            if let Some(value) = value {
                if !query.is_empty() {
                    query.push('&');
                }
                query.push_str(name);
                query.push('=');
                encode(value, &mut query);
            }
        }
        query
    }
}

/// Encodes a value as forms do: a space is a plus sign.
fn encode(value: &str, query: &mut String) {
    for byte in value.bytes() {
        match byte {
            b' ' => query.push('+'),
            b'*' | b'-' | b'.' | b'_' => query.push(byte.into()),
            _ if byte.is_ascii_alphanumeric() => query.push(byte.into()),
            // Writing to a String cannot fail.
            _ => drop(write!(query, "%{byte:02X}")),
        }
    }
}
