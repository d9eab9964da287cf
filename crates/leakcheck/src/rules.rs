//! What a check leaves out, and why. Not here: the suppression file, which is made of such rules.

use std::borrow::Cow;
use std::fmt;
use std::panic::Location;

use taskscope::text::{MAX_NAME, bounded};
use taskscope::{TaskDump, TaskKind};

use crate::os::{Descriptor, OsThread};
use crate::report::text::tasks;
use crate::{Baseline, names};

/// Text that may hold something else: any number of `*`, each for any text, also none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Pattern(String);

impl Pattern {
    /// Whether it matches nothing, or would if anybody wrote it.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.trim().is_empty()
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it is one text and no other.
    pub(crate) fn is_exact(&self) -> bool {
        !self.0.contains('*')
    }

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

    /// Whether it matches a name, which was cut if it was long.
    fn matches_name(&self, name: &str) -> bool {
        self.matches(name) || (self.is_exact() && bounded(&self.0, MAX_NAME) == name)
    }

    /// Whether it matches a text of which only so many bytes were kept.
    fn matches_cut(&self, text: &str, kept: usize) -> bool {
        self.matches(text) || (text.len() >= kept && self.0.starts_with(text))
    }

    /// Whether it matches the whole text, or what comes after one of these separators.
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

    /// Whether it matches a file, or its end, with line and column or without.
    fn matches_place(&self, place: &Location<'_>) -> bool {
        let (file, line, column) = (place.file(), place.line(), place.column());
        let places = [
            file.to_owned(),
            format!("{file}:{line}"),
            format!("{file}:{line}:{column}"),
        ];
        places.iter().any(|place| self.matches_end(place, "/"))
    }

    /// Whether it matches a path of names, or some that follow each other there: `pool` and `pool::reap` match `db::pool::reap`.
    fn matches_names(&self, path: &str) -> bool {
        names::readings(path).iter().any(|path| {
            let names = names::names(path);
            let mut firsts = names.iter().enumerate();
            firsts.any(|(at, first)| {
                let mut lasts = names[at..].iter();
                lasts.any(|last| self.matches(&path[first.start..last.end]))
            })
        })
    }
}

/// How many bytes of a thread's name the kernel keeps.
const THREAD_NAME: usize = 15;

/// What a rule looks at.
#[derive(Debug, Clone)]
pub(crate) enum What {
    Name(Pattern),
    /// The place of the spawn: a file, perhaps with line and column; or the path of the future's function.
    Site(Pattern),
    /// Any function on the async stack.
    Function(Pattern),
    /// The task's scope, or one above it.
    Scope(Pattern),
    /// A thread of the operating system, by name.
    Thread(Pattern),
    /// A file descriptor, by what it leads to.
    Descriptor(Pattern),
    /// What was alive before.
    Baseline(Baseline),
    /// So many tasks that a library spawned with tokio's own function: untracked ones, and observed ones from such places.
    Foreign(usize, Vec<Pattern>),
}

/// One thing that a check leaves out.
#[derive(Debug, Clone)]
pub(crate) struct Rule {
    pub(crate) what: What,
    pub(crate) why: Cow<'static, str>,
    /// Whether it is all right if it matches nothing.
    pub(crate) optional: bool,
}

impl Rule {
    /// # Panics
    ///
    /// If the pattern or the reason is empty: such a rule does nothing, or nobody knows what it is there for.
    #[track_caller]
    pub(crate) fn new(what: What, why: Cow<'static, str>) -> Rule {
        let empty = match &what {
            What::Name(pattern)
            | What::Site(pattern)
            | What::Function(pattern)
            | What::Scope(pattern)
            | What::Thread(pattern)
            | What::Descriptor(pattern) => pattern.is_empty(),
            What::Baseline(_) | What::Foreign(..) => false,
        };
        assert!(
            !empty,
            "leakcheck: a rule with an empty pattern ignores nothing; say what is to be ignored"
        );
        require_reason(&why);
        Rule {
            what,
            why,
            optional: false,
        }
    }

    pub(crate) fn needs_stacks(&self) -> bool {
        self.what.needs_stacks()
    }
}

impl What {
    pub(crate) fn needs_stacks(&self) -> bool {
        matches!(self, What::Function(_))
    }

    pub(crate) fn covers(&self, task: &TaskDump) -> bool {
        match self {
            What::Name(pattern) => task
                .name
                .as_deref()
                .is_some_and(|name| pattern.matches_name(name)),
            What::Site(pattern) => {
                pattern.matches_place(task.site) || pattern.matches_names(task.future)
            }
            What::Function(pattern) => task.trace.as_ref().is_ok_and(|trace| {
                let mut frames = trace.branches().iter().flat_map(|branch| &branch.frames);
                frames.any(|frame| pattern.matches_names(&frame.function))
            }),
            What::Scope(pattern) => {
                std::iter::successors(task.scope.clone(), taskscope::ScopeInfo::parent)
                    .any(|scope| pattern.matches_name(scope.name()))
            }
            What::Baseline(before) => before.has(task),
            What::Thread(_) | What::Descriptor(_) => false,
            What::Foreign(_, places) => {
                task.kind == TaskKind::Observed
                    && places.iter().any(|place| place.matches_place(task.site))
            }
        }
    }

    /// How many tasks it covers at most.
    pub(crate) fn most(&self) -> usize {
        match self {
            What::Foreign(most, _) => *most,
            _ => usize::MAX,
        }
    }

    /// How many untracked tasks it covers at most.
    pub(crate) fn most_untracked(&self) -> usize {
        match self {
            What::Foreign(most, _) => *most,
            _ => 0,
        }
    }

    pub(crate) fn ignores_thread(&self, thread: &OsThread) -> bool {
        match self {
            What::Thread(pattern) => pattern.matches_cut(&thread.name, THREAD_NAME),
            _ => false,
        }
    }

    pub(crate) fn ignores_descriptor(&self, descriptor: &Descriptor) -> bool {
        match self {
            What::Descriptor(pattern) => pattern.matches(&descriptor.target),
            _ => false,
        }
    }
}

/// How many may be left, whatever they are.
#[derive(Debug, Clone)]
pub(crate) struct Allowed {
    pub(crate) most: usize,
    pub(crate) why: Cow<'static, str>,
    /// Whether it is all right if nothing is left.
    pub(crate) optional: bool,
}

impl Allowed {
    /// # Panics
    ///
    /// If none are allowed, or the reason is empty.
    #[track_caller]
    pub(crate) fn new(most: usize, why: Cow<'static, str>) -> Allowed {
        assert!(most > 0, "leakcheck: to allow no task at all does nothing");
        require_reason(&why);
        Allowed {
            most,
            why,
            optional: false,
        }
    }
}

/// # Panics
///
/// If the reason is empty.
#[track_caller]
fn require_reason(why: &str) {
    assert!(
        !why.trim().is_empty(),
        "leakcheck: a rule needs a reason, for whoever reads it next year"
    );
}

impl<T: Into<String>> From<T> for Pattern {
    fn from(text: T) -> Self {
        Pattern(text.into())
    }
}

/// As a report names it.
impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.what, self.why)
    }
}

impl fmt::Display for Allowed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "up to {} ({})", tasks(self.most), self.why)
    }
}

impl fmt::Display for What {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            What::Name(Pattern(text)) => write!(f, "name {text:?}"),
            What::Site(Pattern(text)) => write!(f, "spawned at {text:?}"),
            What::Function(Pattern(text)) => write!(f, "function {text:?}"),
            What::Scope(Pattern(text)) => write!(f, "scope {text:?}"),
            What::Thread(Pattern(text)) => write!(f, "thread {text:?}"),
            What::Descriptor(Pattern(text)) => write!(f, "descriptor {text:?}"),
            What::Baseline(_) => write!(f, "alive before"),
            What::Foreign(most, _) => write!(f, "up to {most} untracked"),
        }
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
                    pattern(text).matches_names(path),
                    "{text:?} should match {path:?}"
                );
            }
            for text in others {
                assert!(
                    !pattern(text).matches_names(path),
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
            ("rules.rs".to_owned(), true),
            ("src/rules.rs".to_owned(), true),
            ("leakcheck/src/rules.rs".to_owned(), true),
            (here.file().to_owned(), true),
            (format!("rules.rs:{line}"), true),
            (format!("src/rules.rs:{line}:{column}"), true),
            ("*/rules.rs".to_owned(), true),
            ("src/*.rs".to_owned(), true),
            ("ules.rs".to_owned(), false),
            ("rc/rules.rs".to_owned(), false),
            ("rules".to_owned(), false),
            ("src".to_owned(), false),
            ("leakcheck/rules.rs".to_owned(), false),
            (format!("rules.rs:{line}0"), false),
            (format!("rules.rs:{}", line + 1), false),
            (format!("rules.rs:{line}:{column}0"), false),
        ] {
            assert_eq!(pattern(&text).matches_place(here), is_match, "{text:?}");
        }
    }
}
