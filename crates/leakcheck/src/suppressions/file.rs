//! Where `leakcheck.toml` is, what may be in it, and what is said about what may not.

use std::fs::File;
use std::io::{self, ErrorKind, Read as _};
use std::ops::Range;
use std::path::PathBuf;

use toml_edit::{Document, Item, Key, Table};

use super::entry::{About, Entry};
use crate::place;
use crate::rules::{Pattern, What};

/// Its name, at the root of the workspace.
pub(super) const NAME: &str = "leakcheck.toml";

/// Names another file.
const VARIABLE: &str = "LEAKCHECK_SUPPRESSIONS";

/// The key of the list of entries.
pub(super) const LIST: &str = "leak";

const KEYS: &str = "test, name, spawned_at, function, scope, future, thread, descriptor, untracked, untracked_calls, count and reason";

/// Where the file is.
#[derive(Debug)]
pub(super) struct Source {
    pub(super) path: PathBuf,
    /// Somebody has said that it is there.
    is_named: bool,
}

impl Source {
    /// `None`: there is no workspace here.
    pub(super) fn find() -> Option<Source> {
        if let Some(path) = place::named_by(VARIABLE) {
            return Some(Source {
                path,
                is_named: true,
            });
        }
        Some(Source {
            path: place::root()?.join(NAME),
            is_named: false,
        })
    }

    /// The entries. None, if there is no such file, and nobody has said that there is.
    ///
    /// # Errors
    ///
    /// A sentence with the file, the line and what to do.
    pub(super) fn read(&self) -> Result<Vec<Entry>, String> {
        let read = || {
            let mut text = String::new();
            place::open(File::options().read(true), &self.path)?.read_to_string(&mut text)?;
            io::Result::Ok(text)
        };
        match read() {
            Ok(text) => self.parse(&text),
            Err(error) if error.kind() == ErrorKind::NotFound && !self.is_named => Ok(Vec::new()),
            Err(error) => Err(self.trouble(&error)),
        }
    }

    pub(super) fn trouble(&self, error: &std::io::Error) -> String {
        let path = self.path.display();
        match self.is_named {
            true => format!("{path}: {error} ({VARIABLE} names this file)"),
            false => format!("{path}: {error}"),
        }
    }

    pub(super) fn parse(&self, text: &str) -> Result<Vec<Entry>, String> {
        entries(text)
            .map_err(|Wrong { line, what }| format!("{}:{line}: {what}", self.path.display()))
    }
}

/// What is wrong with the file.
struct Wrong {
    line: usize,
    what: String,
}

fn entries(text: &str) -> Result<Vec<Entry>, Wrong> {
    let line = |span: Option<Range<usize>>| {
        let start = span.map_or(0, |span| span.start).min(text.len());
        let before = &text.as_bytes()[..start];
        before.iter().filter(|byte| **byte == b'\n').count() + 1
    };
    let document = Document::parse(text).map_err(|error| Wrong {
        line: line(error.span()),
        what: format!(
            "not TOML: {}",
            error.message().trim_end().replace('\n', ", ")
        ),
    })?;
    let mut entries = Vec::new();
    for (key, item) in document.as_table() {
        let at = line(document.as_table().key(key).and_then(Key::span));
        let Some(tables) = item.as_array_of_tables().filter(|_| key == LIST) else {
            return Err(Wrong {
                line: at,
                what: format!("unknown key `{key}`; each leak goes below a line `[[{LIST}]]`"),
            });
        };
        for table in tables {
            entries.push(entry(table, &line)?);
        }
    }
    Ok(entries)
}

fn entry(table: &Table, line: &dyn Fn(Option<Range<usize>>) -> usize) -> Result<Entry, Wrong> {
    let (mut test, mut what, mut future) = (None, Vec::new(), None);
    let (mut untracked, mut count, mut reason) = (Vec::new(), None, None);
    for (key, item) in table {
        let at = line(table.key(key).and_then(Key::span));
        let wrong = |what: String| Wrong { line: at, what };
        let text = || text(key, item).map_err(wrong);
        match key {
            "test" => test = Some(Pattern::from(text()?)),
            "name" => what.push(What::Name(text()?.into())),
            "spawned_at" => what.push(What::Site(text()?.into())),
            "function" => what.push(What::Function(text()?.into())),
            "scope" => what.push(What::Scope(text()?.into())),
            "future" => future = Some(Pattern::from(text()?)),
            "thread" => what.push(What::Thread(text()?.into())),
            "descriptor" => what.push(What::Descriptor(text()?.into())),
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
                let what = "`count` is how many of these are left: a number from 1";
                let number = number.filter(|number| *number > 0);
                count = Some(number.ok_or_else(|| wrong(what.to_owned()))?);
            }
            _ => return Err(wrong(format!("unknown key `{key}`; there are {KEYS}"))),
        }
    }
    let at = line(table.span());
    let wrong = |what: &str| Wrong {
        line: at,
        what: what.to_owned(),
    };
    let is_like = !what.is_empty() || future.is_some();
    let is_os = |what: &What| matches!(what, What::Thread(_) | What::Descriptor(_));
    let about = match (is_like, untracked.pop()) {
        (true, None) => About::Like { what, future },
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
        About::Like { what, future } => {
            what.iter().any(is_os) && (what.len() > 1 || future.is_some())
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

/// A text that says something.
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
