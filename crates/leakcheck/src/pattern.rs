//! Patterns: text with `*` for any text, matched against names, places and paths.
//!
//! Not here: which pattern a rule has for what ([`crate::rules`]), and how a path is cut into
//! segments ([`crate::symbol_path`]).

use std::panic::Location;

use taskscope::text::{MAX_NAME, bounded};

use crate::symbol_path;

/// A text in which each `*` stands for any text, also none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Pattern(String);

impl Pattern {
    /// Whether the pattern has no text, so that it matches nothing.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.trim().is_empty()
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether the pattern matches one text and no other.
    pub(crate) fn is_exact(&self) -> bool {
        !self.0.contains('*')
    }

    /// Whether the pattern matches the whole text.
    pub(crate) fn matches(&self, text: &str) -> bool {
        let mut parts = self.0.split('*');
        let first = parts.next().unwrap_or_default();
        let Some(mut rest) = text.strip_prefix(first) else {
            return false;
        };
        let mut parts: Vec<&str> = parts.collect();
        let Some(last) = parts.pop() else {
            return rest.is_empty();
        };
        for part in parts {
            match rest.find(part) {
                Some(at) => rest = &rest[at + part.len()..],
                None => return false,
            }
        }
        rest.ends_with(last)
    }

    /// Whether the pattern matches a name, which taskscope has cut if it was long.
    pub(crate) fn matches_name(&self, name: &str) -> bool {
        self.matches(name) || (self.is_exact() && bounded(&self.0, MAX_NAME) == name)
    }

    /// Whether the pattern matches a text of which at most `kept` bytes were kept.
    pub(crate) fn matches_cut(&self, text: &str, kept: usize) -> bool {
        self.matches(text) || (text.len() >= kept && self.0.starts_with(text))
    }

    /// Whether the pattern matches the whole text, or all that follows one of the separators.
    fn matches_end(&self, text: &str, separator: &str) -> bool {
        let mut from = 0;
        loop {
            if self.matches(&text[from..]) {
                return true;
            }
            match text[from..].find(separator) {
                Some(at) => from += at + separator.len(),
                None => return false,
            }
        }
    }

    /// Whether the pattern matches a file or the end of its path, with or without line and column.
    pub(crate) fn matches_place(&self, place: &Location<'_>) -> bool {
        let (file, line, column) = (place.file(), place.line(), place.column());
        let places = [
            file.to_owned(),
            format!("{file}:{line}"),
            format!("{file}:{line}:{column}"),
        ];
        places.iter().any(|place| self.matches_end(place, "/"))
    }

    /// Whether the pattern matches some consecutive segments of a path: `pool` and `pool::reap`
    /// match `db::pool::reap`.
    pub(crate) fn matches_segments(&self, path: &str) -> bool {
        symbol_path::spellings(path).iter().any(|path| {
            let segments = symbol_path::segments(path);
            let mut firsts = segments.iter().enumerate();
            firsts.any(|(at, first)| {
                let mut lasts = segments[at..].iter();
                lasts.any(|last| self.matches(&path[first.start..last.end]))
            })
        })
    }
}

impl<T: Into<String>> From<T> for Pattern {
    fn from(text: T) -> Self {
        Pattern(text.into())
    }
}

#[cfg(test)]
mod tests {
    use super::Pattern;

    fn pattern(text: &str) -> Pattern {
        text.into()
    }

    #[test]
    fn a_star_stands_for_anything_and_for_nothing() {
        for (text, matching, others) in [
            (
                "pool",
                &["pool"][..],
                &["", "pools", "apool", "poo", "POOL"][..],
            ),
            ("*", &["", "pool", "*"], &[]),
            ("**", &["", "pool"], &[]),
            ("pool*", &["pool", "pool 7", "pool*"], &["apool", "poo"]),
            ("*pool", &["pool", "db pool", "poolpool"], &["pools", "ool"]),
            ("*pool*", &["pool", "a pool 7"], &["poo", ""]),
            (
                "p*l",
                &["pl", "pool", "pl and pool"],
                &["p", "l", "po", "lp", "pools"],
            ),
            // No part of the text counts twice.
            ("ab*ba", &["abba", "abxba"], &["aba", "ab", "ba"]),
            ("a*a", &["aa"], &["a"]),
            (
                "a*b*c",
                &["abc", "a b c", "abbbc", "axbxbxc"],
                &["acb", "ab", "bc", "abcd"],
            ),
            ("a*bc*c", &["abcc", "a bc bc c"], &["abc", "abcb"]),
            ("*a*a*", &["aa", "xaxax"], &["a", ""]),
            ("gr\u{fc}n*", &["gr\u{fc}n"], &["gr\u{fc}", "gru\u{308}n"]),
        ] {
            for other in matching {
                assert!(
                    pattern(text).matches(other),
                    "{text:?} should match {other:?}"
                );
            }
            for other in others {
                assert!(
                    !pattern(text).matches(other),
                    "{text:?} should not match {other:?}"
                );
            }
        }
    }

    #[test]
    fn names_are_matched_whole_wherever_they_are_in_a_path() {
        let reap = "db::pool::reap::{{closure}}";
        let run = "db::Reaper<alloc::string::String>::run::{{closure}}::{{closure}}";
        let poll = "<tokio::sync::oneshot::Receiver<T> as core::future::future::Future>::poll";
        for (path, matching, others) in [
            (
                reap,
                &[
                    "db",
                    "pool",
                    "reap",
                    "db::pool",
                    "pool::reap",
                    "db::pool::reap",
                    "{{closure}}",
                    "reap::{{closure}}",
                    "*",
                    "db*",
                    "d*p",
                    reap,
                ][..],
                &[
                    "poo",
                    "ool",
                    "pools",
                    "db::reap",
                    "b::pool",
                    "pool::rea",
                    "::pool",
                    "pool::",
                    "reap::db",
                    "closure",
                    "pool*::db",
                ][..],
            ),
            (
                "db::pools::reap",
                &["pools", "pool*", "pools::reap", "db::pool*::reap"],
                &["pool", "db::pool", "pool::reap"],
            ),
            (
                run,
                &[
                    "Reaper",
                    "Reaper::run",
                    "db::Reaper",
                    "run",
                    "Reaper<alloc::string::String>",
                    "Reaper<*String>::run",
                    run,
                ],
                &[
                    "String",
                    "alloc",
                    "string",
                    "Reaper<",
                    "Reap",
                    "alloc::string::String",
                ],
            ),
            (
                poll,
                &[
                    "oneshot::Receiver",
                    "Receiver::poll",
                    "Future::poll",
                    "poll",
                    "tokio::sync",
                    "tokio::*::poll",
                    poll,
                ],
                &[
                    "T",
                    "Receiver::Future",
                    "oneshot::Sender",
                    "Future::Receiver",
                ],
            ),
        ] {
            for text in matching {
                assert!(
                    pattern(text).matches_segments(path),
                    "{text:?} should match {path:?}"
                );
            }
            for text in others {
                assert!(
                    !pattern(text).matches_segments(path),
                    "{text:?} should not match {path:?}"
                );
            }
        }
    }

    #[test]
    fn a_file_is_matched_from_its_end_by_whole_names() {
        let here = std::panic::Location::caller();
        let (line, column) = (here.line(), here.column());
        for (text, is_match) in [
            ("pattern.rs".to_owned(), true),
            ("src/pattern.rs".to_owned(), true),
            ("leakcheck/src/pattern.rs".to_owned(), true),
            (here.file().to_owned(), true),
            (format!("pattern.rs:{line}"), true),
            (format!("src/pattern.rs:{line}:{column}"), true),
            ("*/pattern.rs".to_owned(), true),
            ("src/*.rs".to_owned(), true),
            ("ules.rs".to_owned(), false),
            ("rc/pattern.rs".to_owned(), false),
            ("rules".to_owned(), false),
            ("src".to_owned(), false),
            ("leakcheck/pattern.rs".to_owned(), false),
            (format!("pattern.rs:{line}0"), false),
            (format!("pattern.rs:{}", line + 1), false),
            (format!("pattern.rs:{line}:{column}0"), false),
        ] {
            assert_eq!(pattern(&text).matches_place(here), is_match, "{text:?}");
        }
    }
}
