//! Finds, reads and parses `leakcheck.toml`, with a sentence for every error in it.
//!
//! Not here: what an entry matches ([`super::entry`]), and how the file is written
//! ([`super::update`]).

use std::fs::File;
use std::io::{self, ErrorKind, Read as _};
use std::ops::Range;
use std::path::PathBuf;

use toml_edit::{Document, Item, Key, Table};

use super::entry::{About, Entry};
use crate::paths::{self, SUPPRESSIONS, SUPPRESSIONS_VARIABLE};
use crate::pattern::Pattern;
use crate::rules::Matcher;

/// The key of the list of entries.
pub(super) const LIST: &str = "leak";

/// The keys of an entry, as an error names them.
const KEYS: &str = "test, name, spawned_at, function, scope, future, thread, descriptor, untracked, untracked_calls, count and reason";

/// The path of the file.
#[derive(Debug)]
pub(super) struct Source {
    pub(super) path: PathBuf,
    /// Whether the environment variable names it, so that it must exist.
    is_named: bool,
}

impl Source {
    /// Finds the file, whether it exists or not; `None` outside of a workspace.
    pub(super) fn find() -> Option<Source> {
        if let Some(path) = paths::from_variable(SUPPRESSIONS_VARIABLE) {
            return Some(Source {
                path,
                is_named: true,
            });
        }
        Some(Source {
            path: paths::workspace_root()?.join(SUPPRESSIONS),
            is_named: false,
        })
    }

    /// Reads the entries. A file that does not exist has none, unless the variable names it.
    ///
    /// # Errors
    ///
    /// A sentence with the file, the line and what to do, if it cannot be read or parsed.
    pub(super) fn read(&self) -> Result<Vec<Entry>, String> {
        let read = || {
            let mut text = String::new();
            paths::open_regular(File::options().read(true), &self.path)?
                .read_to_string(&mut text)?;
            io::Result::Ok(text)
        };
        match read() {
            Ok(text) => self.parse(&text),
            Err(error) if error.kind() == ErrorKind::NotFound && !self.is_named => Ok(Vec::new()),
            Err(error) => Err(self.describe(&error)),
        }
    }

    /// Describes an error of reading or writing the file.
    pub(super) fn describe(&self, error: &std::io::Error) -> String {
        let path = self.path.display();
        match self.is_named {
            true => format!("{path}: {error} ({SUPPRESSIONS_VARIABLE} names this file)"),
            false => format!("{path}: {error}"),
        }
    }

    pub(super) fn parse(&self, text: &str) -> Result<Vec<Entry>, String> {
        entries(text).map_err(|Invalid { line, problem }| {
            format!("{}:{line}: {problem}", self.path.display())
        })
    }
}

/// An error in the file.
struct Invalid {
    line: usize,
    problem: String,
}

fn entries(text: &str) -> Result<Vec<Entry>, Invalid> {
    let line = |span: Option<Range<usize>>| {
        let start = span.map_or(0, |span| span.start).min(text.len());
        let before = &text.as_bytes()[..start];
        before.iter().filter(|byte| **byte == b'\n').count() + 1
    };
    let document = Document::parse(text).map_err(|error| Invalid {
        line: line(error.span()),
        problem: format!(
            "not TOML: {}",
            error.message().trim_end().replace('\n', ", ")
        ),
    })?;
    let mut entries = Vec::new();
    for (key, item) in document.as_table() {
        let at = line(document.as_table().key(key).and_then(Key::span));
        let Some(tables) = item.as_array_of_tables().filter(|_| key == LIST) else {
            return Err(Invalid {
                line: at,
                problem: format!("unknown key `{key}`; each leak goes below a line `[[{LIST}]]`"),
            });
        };
        for table in tables {
            entries.push(entry(table, &line)?);
        }
    }
    Ok(entries)
}

fn entry(table: &Table, line: &dyn Fn(Option<Range<usize>>) -> usize) -> Result<Entry, Invalid> {
    let (mut test, mut matchers, mut future) = (None, Vec::new(), None);
    let (mut untracked, mut count, mut reason) = (Vec::new(), None, None);
    for (key, item) in table {
        let at = line(table.key(key).and_then(Key::span));
        let wrong = |problem: String| Invalid { line: at, problem };
        let text = || text(key, item).map_err(wrong);
        match key {
            "test" => test = Some(Pattern::from(text()?)),
            "name" => matchers.push(Matcher::Name(text()?.into())),
            "spawned_at" => matchers.push(Matcher::Site(text()?.into())),
            "function" => matchers.push(Matcher::Function(text()?.into())),
            "scope" => matchers.push(Matcher::Scope(text()?.into())),
            "future" => future = Some(Pattern::from(text()?)),
            "thread" => matchers.push(Matcher::Thread(text()?.into())),
            "descriptor" => matchers.push(Matcher::Descriptor(text()?.into())),
            "reason" => reason = Some(text()?),
            "untracked" if item.as_bool() == Some(true) => untracked.push(About::Untracked),
            "untracked_calls" if item.as_bool() == Some(true) => {
                untracked.push(About::UntrackedCalls);
            }
            "untracked" | "untracked_calls" => {
                return Err(wrong(format!("`{key}` is `true`, or left out")));
            }
            "count" => {
                let number = item
                    .as_integer()
                    .and_then(|number| usize::try_from(number).ok());
                let problem = "`count` is how many of these are left: a number from 1";
                let number = number.filter(|number| *number > 0);
                count = Some(number.ok_or_else(|| wrong(problem.to_owned()))?);
            }
            _ => return Err(wrong(format!("unknown key `{key}`; there are {KEYS}"))),
        }
    }
    let at = line(table.span());
    let wrong = |problem: &str| Invalid {
        line: at,
        problem: problem.to_owned(),
    };
    let has_conditions = !matchers.is_empty() || future.is_some();
    let is_os = |matcher: &Matcher| matches!(matcher, Matcher::Thread(_) | Matcher::Descriptor(_));
    let about = match (has_conditions, untracked.pop()) {
        (true, None) => About::Matching { matchers, future },
        (false, Some(about)) => about,
        (true, Some(_)) => {
            return Err(wrong(
                "only the number of untracked tasks is known, and of untracked calls; take out `untracked`, or what else is to match",
            ));
        }
        (false, None) => {
            return Err(wrong(
                "this entry does not say which tasks; add `spawned_at`, `future`, `name`, `function` or `scope`, or a `thread` or a `descriptor`",
            ));
        }
    };
    let is_mixed = match &about {
        About::Matching { matchers, future } => {
            matchers.iter().any(is_os) && (matchers.len() > 1 || future.is_some())
        }
        _ => !untracked.is_empty(),
    };
    if is_mixed {
        return Err(wrong(
            "an entry is about tasks, or calls, or a thread, or a descriptor; make one of each",
        ));
    }
    Ok(Entry {
        test,
        about,
        count: count.ok_or_else(|| wrong("`count` is missing: how many of these are left"))?,
        reason: reason.ok_or_else(|| wrong("`reason` is missing: why is this leak there?"))?,
        line: at,
    })
}

/// The text of a key; an error if it is empty or no text.
fn text(key: &str, item: &Item) -> Result<String, String> {
    match item.as_str() {
        None => Err(format!("`{key}` is a text, in quotes")),
        Some(text) if !text.trim().is_empty() => Ok(text.to_owned()),
        Some(_) if key == "reason" => Err(
            "the reason is empty; say why this leak is there, for whoever reads it next year"
                .to_owned(),
        ),
        Some(_) => Err(format!(
            "`{key}` is empty, so it matches nothing; fill it in or take it out"
        )),
    }
}
