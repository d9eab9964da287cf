//! What a check leaves out, and why. Not here: the suppression file, which is made of such rules.

use std::borrow::Cow;
use std::fmt;

use taskscope::TaskDump;

use crate::Baseline;
use crate::os::{Descriptor, OsThread};

/// Text that may hold something else: any number of `*`, each for any text, also none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Pattern(String);

impl Pattern {
    fn matches(&self, text: &str) -> bool {
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

    /// Whether it matches a path of names, or some names at its beginning or end: `pool` and `pool::reap` match `db::pool::reap`.
    fn matches_names(&self, path: &str) -> bool {
        let mut to = path.len();
        loop {
            if self.matches_end(&path[..to], "::") {
                return true;
            }
            match path[..to].rfind("::") {
                Some(at) => to = at,
                None => return false,
            }
        }
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
            | What::Descriptor(pattern) => pattern.0.trim().is_empty(),
            What::Baseline(_) => false,
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
        matches!(self.what, What::Function(_))
    }

    pub(crate) fn ignores(&self, task: &TaskDump) -> bool {
        match &self.what {
            What::Name(pattern) => task
                .name
                .as_deref()
                .is_some_and(|name| pattern.matches(name)),
            What::Site(pattern) => {
                let file = task.site.file();
                let (line, column) = (task.site.line(), task.site.column());
                [
                    file.to_owned(),
                    format!("{file}:{line}"),
                    format!("{file}:{line}:{column}"),
                ]
                .iter()
                .any(|place| pattern.matches_end(place, "/"))
                    || pattern.matches_names(task.future)
            }
            What::Function(pattern) => task.trace.as_ref().is_ok_and(|trace| {
                let mut frames = trace.branches().iter().flat_map(|branch| &branch.frames);
                frames.any(|frame| pattern.matches_names(&frame.function))
            }),
            What::Scope(pattern) => {
                std::iter::successors(task.scope.clone(), taskscope::ScopeRef::parent)
                    .any(|scope| pattern.matches(scope.name()))
            }
            What::Baseline(before) => before.has(task),
            What::Thread(_) | What::Descriptor(_) => false,
        }
    }

    pub(crate) fn ignores_thread(&self, thread: &OsThread) -> bool {
        match &self.what {
            What::Thread(pattern) => pattern.matches_cut(&thread.name, THREAD_NAME),
            _ => false,
        }
    }

    pub(crate) fn ignores_descriptor(&self, descriptor: &Descriptor) -> bool {
        match &self.what {
            What::Descriptor(pattern) => pattern.matches(&descriptor.target),
            _ => false,
        }
    }
}

/// # Panics
///
/// If the reason is empty.
#[track_caller]
pub(crate) fn require_reason(why: &str) {
    assert!(
        !why.trim().is_empty(),
        "leakcheck: a rule needs a reason, for whoever reads it next year"
    );
}

impl From<String> for Pattern {
    fn from(text: String) -> Self {
        Pattern(text)
    }
}

/// As a report names it.
impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.what {
            What::Name(Pattern(text)) => write!(f, "name {text:?}")?,
            What::Site(Pattern(text)) => write!(f, "spawned at {text:?}")?,
            What::Function(Pattern(text)) => write!(f, "function {text:?}")?,
            What::Scope(Pattern(text)) => write!(f, "scope {text:?}")?,
            What::Thread(Pattern(text)) => write!(f, "thread {text:?}")?,
            What::Descriptor(Pattern(text)) => write!(f, "descriptor {text:?}")?,
            What::Baseline(_) => write!(f, "alive before")?,
        }
        write!(f, " ({})", self.why)
    }
}
