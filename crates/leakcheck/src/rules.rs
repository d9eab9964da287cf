//! Rules: what a check leaves out, each with its reason.
//!
//! Not here: how a pattern matches ([`crate::pattern`]), and `leakcheck.toml`, whose entries are
//! made of the same matchers ([`crate::suppressions`]).

use std::borrow::Cow;
use std::fmt;

use taskscope::{TaskDump, TaskKind};

use crate::Baseline;
use crate::os::{Descriptor, OsThread, counted};
use crate::pattern::Pattern;

/// How many bytes of a thread's name the kernel keeps.
const MAX_THREAD_NAME: usize = 15;

/// The condition of a rule.
#[derive(Debug, Clone)]
pub(crate) enum Matcher {
    /// The task's name.
    Name(Pattern),
    /// The spawn site (a file, perhaps with line and column), or the path of the spawned function.
    Site(Pattern),
    /// Any function on the async stack.
    Function(Pattern),
    /// The task's scope, or one above it.
    Scope(Pattern),
    /// The name of a thread of the operating system.
    Thread(Pattern),
    /// The target of a file descriptor.
    Descriptor(Pattern),
    /// Everything that was alive at that time.
    Baseline(Baseline),
    /// Up to this many tasks that a library has spawned with tokio's own function: untracked tasks,
    /// and observed tasks with one of these spawn sites.
    LibraryTasks(usize, Vec<Pattern>),
}

/// A matcher with the reason why a check ignores what it matches.
#[derive(Debug, Clone)]
pub(crate) struct Rule {
    pub(crate) matcher: Matcher,
    pub(crate) reason: Cow<'static, str>,
    /// Whether the rule may match nothing.
    pub(crate) optional: bool,
}

impl Rule {
    /// Makes a rule.
    ///
    /// # Panics
    ///
    /// If the pattern or the reason is empty: such a rule does nothing, or nobody knows why it
    /// exists.
    #[track_caller]
    pub(crate) fn new(matcher: Matcher, reason: Cow<'static, str>) -> Rule {
        let empty = match &matcher {
            Matcher::Name(pattern)
            | Matcher::Site(pattern)
            | Matcher::Function(pattern)
            | Matcher::Scope(pattern)
            | Matcher::Thread(pattern)
            | Matcher::Descriptor(pattern) => pattern.is_empty(),
            Matcher::Baseline(_) | Matcher::LibraryTasks(..) => false,
        };
        assert!(
            !empty,
            "leakcheck: a rule with an empty pattern ignores nothing; say what is to be ignored"
        );
        require_reason(&reason);
        Rule {
            matcher,
            reason,
            optional: false,
        }
    }

    pub(crate) fn needs_stacks(&self) -> bool {
        self.matcher.needs_stacks()
    }
}

impl Matcher {
    pub(crate) fn needs_stacks(&self) -> bool {
        matches!(self, Matcher::Function(_))
    }

    pub(crate) fn covers(&self, task: &TaskDump) -> bool {
        match self {
            Matcher::Name(pattern) => task
                .name
                .as_deref()
                .is_some_and(|name| pattern.matches_name(name)),
            Matcher::Site(pattern) => {
                pattern.matches_place(task.site) || pattern.matches_segments(task.future)
            }
            Matcher::Function(pattern) => task.trace.as_ref().is_ok_and(|trace| {
                let mut frames = trace.branches().iter().flat_map(|branch| &branch.frames);
                frames.any(|frame| pattern.matches_segments(&frame.function))
            }),
            Matcher::Scope(pattern) => {
                std::iter::successors(task.scope.clone(), taskscope::ScopeInfo::parent)
                    .any(|scope| pattern.matches_name(scope.name()))
            }
            Matcher::Baseline(before) => before.has(task),
            Matcher::Thread(_) | Matcher::Descriptor(_) => false,
            Matcher::LibraryTasks(_, places) => {
                task.kind == TaskKind::Observed
                    && places.iter().any(|place| place.matches_place(task.site))
            }
        }
    }

    /// The most tasks that it covers.
    pub(crate) fn most(&self) -> usize {
        match self {
            Matcher::LibraryTasks(most, _) => *most,
            _ => usize::MAX,
        }
    }

    /// The most untracked tasks that it covers.
    pub(crate) fn most_untracked(&self) -> usize {
        match self {
            Matcher::LibraryTasks(most, _) => *most,
            _ => 0,
        }
    }

    pub(crate) fn ignores_thread(&self, thread: &OsThread) -> bool {
        match self {
            Matcher::Thread(pattern) => pattern.matches_cut(&thread.name, MAX_THREAD_NAME),
            _ => false,
        }
    }

    pub(crate) fn ignores_descriptor(&self, descriptor: &Descriptor) -> bool {
        match self {
            Matcher::Descriptor(pattern) => pattern.matches(&descriptor.target),
            _ => false,
        }
    }
}

/// How many tasks may be left, whatever they are.
#[derive(Debug, Clone)]
pub(crate) struct Allowed {
    pub(crate) most: usize,
    pub(crate) reason: Cow<'static, str>,
    /// Whether there may be nothing to allow.
    pub(crate) optional: bool,
}

impl Allowed {
    /// Allows this many tasks.
    ///
    /// # Panics
    ///
    /// If `most` is 0, or the reason is empty.
    #[track_caller]
    pub(crate) fn new(most: usize, reason: Cow<'static, str>) -> Allowed {
        assert!(most > 0, "leakcheck: to allow no task at all does nothing");
        require_reason(&reason);
        Allowed {
            most,
            reason,
            optional: false,
        }
    }
}

/// Checks the reason of a rule.
///
/// # Panics
///
/// If it is empty.
#[track_caller]
fn require_reason(reason: &str) {
    assert!(
        !reason.trim().is_empty(),
        "leakcheck: a rule needs a reason, for whoever reads it next year"
    );
}

/// The rule as a report names it.
impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.matcher, self.reason)
    }
}

impl fmt::Display for Allowed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "up to {} ({})", counted(self.most, "task"), self.reason)
    }
}

impl fmt::Display for Matcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Matcher::Name(pattern) => write!(f, "name {:?}", pattern.as_str()),
            Matcher::Site(pattern) => write!(f, "spawned at {:?}", pattern.as_str()),
            Matcher::Function(pattern) => write!(f, "function {:?}", pattern.as_str()),
            Matcher::Scope(pattern) => write!(f, "scope {:?}", pattern.as_str()),
            Matcher::Thread(pattern) => write!(f, "thread {:?}", pattern.as_str()),
            Matcher::Descriptor(pattern) => write!(f, "descriptor {:?}", pattern.as_str()),
            Matcher::Baseline(_) => write!(f, "alive before"),
            Matcher::LibraryTasks(most, _) => write!(f, "up to {most} untracked"),
        }
    }
}
