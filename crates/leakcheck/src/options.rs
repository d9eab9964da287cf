//! [`Options`]: how long a check waits, what it ignores or allows, and what else it inspects.
//!
//! Not here: how rules match ([`crate::rules`]), and rules for known pools ([`crate::presets`]).

use std::borrow::Cow;
use std::time::Duration;

use taskscope::ScopeRef;

use crate::Baseline;
use crate::os::{DescriptorsBaseline, OsBaseline, ThreadsBaseline};
use crate::pattern::Pattern;
use crate::rules::{Allowed, Matcher, Rule};

/// How long a check waits for tasks that are just ending: 1 s.
pub const DEFAULT_SETTLE: Duration = Duration::from_secs(1);

/// The configuration of a check.
///
/// # Patterns
///
/// Names, places, functions and scopes are given as text in which `*` stands for any text. A place
/// is a file as the compiler names it, or the end of its path, with or without line and column
/// (`src/pool.rs`, `pool.rs:41`). It may also be the path of the spawned function, or some segments
/// of that between `::` (`db::pool`, `reap`); functions are given in the same way.
///
/// Every rule has a reason. A rule that matched nothing is named on standard error, so that it does
/// not outlive its purpose; with [`deny_unused`](Options::deny_unused) it fails the check.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
///
/// let options = leakcheck::Options::new()
///     .settle(Duration::from_secs(5))
///     .ignore_name("pool reaper", "belongs to the fixture")
///     .ignore_spawned_at("src/telemetry.rs", "flushes after the test, see #41");
/// # let _ = options;
/// ```
#[derive(Debug, Clone)]
#[must_use = "options do nothing until a check gets them"]
pub struct Options {
    pub(crate) settle: Duration,
    pub(crate) rules: Vec<Rule>,
    pub(crate) allowed: Option<Allowed>,
    /// The kind of rule that came last, for [`Options::if_any`].
    last: Option<Last>,
    pub(crate) deny_unused: bool,
    /// The scope whose tasks are checked; `None` for the whole runtime.
    pub(crate) scope: Option<ScopeRef>,
    /// The name of the test.
    pub(crate) test: Option<Cow<'static, str>>,
    /// Whether the test has failed already. Then it is no evidence that a leak is missing.
    pub(crate) failed: bool,
    /// The threads and descriptors that were there when their inspection was requested.
    pub(crate) os: OsBaseline,
}

/// A kind of rule.
#[derive(Debug, Clone, Copy)]
enum Last {
    Rule,
    Allowed,
}

impl Default for Options {
    fn default() -> Self {
        Options::new()
    }
}

impl Options {
    /// Options that wait up to [`DEFAULT_SETTLE`] and ignore nothing.
    pub fn new() -> Options {
        Options {
            settle: DEFAULT_SETTLE,
            rules: Vec::new(),
            allowed: None,
            last: None,
            deny_unused: false,
            scope: None,
            test: None,
            failed: false,
            os: OsBaseline::default(),
        }
    }

    /// Waits up to this long, in real time, for tasks that are just ending. The default is
    /// [`DEFAULT_SETTLE`].
    ///
    /// The wait is over as soon as nothing is left, so only a leaking test pays for a long one. On
    /// a machine that is too busy to run the runtime, the wait is longer.
    pub fn settle(mut self, settle: Duration) -> Options {
        self.settle = settle;
        self
    }

    /// Checks only the tasks that belong to this scope or one below it. For tests that share a
    /// runtime.
    ///
    /// Untracked tasks belong to no scope, so none are reported.
    pub fn scope(mut self, scope: &ScopeRef) -> Options {
        self.scope = Some(scope.clone());
        self
    }

    /// Names the test, for the report and for `leakcheck.toml`.
    ///
    /// By default, [`#[leakcheck::test]`](crate::test) gives the path of the test, and
    /// [`assert_none!`](crate::assert_none) that of the function it stands in.
    pub fn test(mut self, name: impl Into<Cow<'static, str>>) -> Options {
        self.test = Some(name.into());
        self
    }

    /// Names the test unless it has a name already.
    pub(crate) fn test_or(self, name: impl Into<Cow<'static, str>>) -> Options {
        match self.test {
            Some(_) => self,
            None => self.test(name),
        }
    }

    /// Ignores tasks whose name matches.
    ///
    /// # Panics
    ///
    /// If the pattern or the reason is empty. The other rules panic in the same case.
    #[track_caller]
    pub fn ignore_name(
        self,
        name: impl Into<String>,
        reason: impl Into<Cow<'static, str>>,
    ) -> Options {
        self.rule(Matcher::Name(name.into().into()), reason.into())
    }

    /// Ignores tasks that were spawned in a matching file or at a matching line, or whose code is
    /// in a matching function or module.
    ///
    /// The file is that of the call. A path is that of the spawned code: `db::pool` matches
    /// `spawn(db::pool::reap())`, wherever that call stands, and an async block that is written in
    /// `db::pool`. It does not match what a function of `db::pool` spawns from other modules; for
    /// that, name its file.
    #[track_caller]
    pub fn ignore_spawned_at(
        self,
        place: impl Into<String>,
        reason: impl Into<Cow<'static, str>>,
    ) -> Options {
        self.rule(Matcher::Site(place.into().into()), reason.into())
    }

    /// Ignores tasks with a matching function anywhere on their async stack.
    ///
    /// The check then takes stacks in every count, which polls each task that is left once more.
    #[track_caller]
    pub fn ignore_function(
        self,
        function: impl Into<String>,
        reason: impl Into<Cow<'static, str>>,
    ) -> Options {
        self.rule(Matcher::Function(function.into().into()), reason.into())
    }

    /// Ignores tasks that belong to a scope with a matching name, or to one below it.
    #[track_caller]
    pub fn ignore_scope(
        self,
        scope: impl Into<String>,
        reason: impl Into<Cow<'static, str>>,
    ) -> Options {
        self.rule(Matcher::Scope(scope.into().into()), reason.into())
    }

    /// Inspects threads of the operating system, too: those that begin from now on and have not
    /// ended when the check is made.
    ///
    /// So this call goes to the beginning of a test; in the attribute it is made there:
    /// `#[leakcheck::test(threads())]`. Threads settle like tasks. The report has the name of each,
    /// when it began, and its state. Left out are threads that work for leakcheck or taskscope,
    /// idle threads of the blocking pools of all runtimes that taskscope knows, and threads that
    /// run a call of `taskscope::spawn_blocking`, which counts by itself.
    ///
    /// # Examples
    ///
    /// ```
    /// # let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    /// let options = leakcheck::Options::new().threads();
    /// runtime.block_on(async { std::thread::spawn(|| { /* ... */ }).join() }).expect("it ends");
    /// leakcheck::assert_none_in!(&runtime, options);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    ///
    /// # Limitations
    ///
    /// * Threads belong to the process: nothing tells which test began one. So this is for test
    ///   binaries that run one test at a time (`cargo nextest`, or `--test-threads=1`), or have
    ///   only one test.
    /// * It is not known which code began a thread. Give it a name.
    /// * A call of plain `tokio::task::spawn_blocking` that does not end shows as a thread with the
    ///   name of the runtime's threads. So do the worker that tokio adds during `block_in_place`,
    ///   and all threads of a runtime that the test has built and not shut down.
    /// * Pools that grow on first use, such as rayon's, need a rule:
    ///   [`ignore_thread`](Options::ignore_thread).
    /// * Linux only. Elsewhere the check says that it could not see any, and passes.
    pub fn threads(mut self) -> Options {
        self.os.threads = Some(ThreadsBaseline::take());
        self
    }

    /// Inspects file descriptors, too, sockets among them: those that are opened from now on and
    /// are still open when the check is made.
    ///
    /// Like [`threads`](Options::threads), this goes to the beginning of a test, and is for test
    /// binaries that run one test at a time: descriptors belong to the process. The report has the
    /// path of a file, the addresses and the state of a socket, and the kind of any other
    /// descriptor. If the other end of a pipe or connection is in this process, too, the report
    /// names it.
    ///
    /// # Limitations
    ///
    /// * It is not known which code opened a descriptor.
    /// * If a descriptor is closed and its number then goes to the same file again, or to another
    ///   `epoll`, it is taken for the one before.
    /// * Linux only. Elsewhere the check says that it could not see any, and passes.
    pub fn descriptors(mut self) -> Options {
        self.os.descriptors = Some(DescriptorsBaseline::take());
        self
    }

    /// Ignores [threads](Options::threads) with a matching name. The kernel keeps 15 bytes of a
    /// name, so a pattern that begins with these 15 bytes matches.
    #[track_caller]
    pub fn ignore_thread(
        self,
        name: impl Into<String>,
        reason: impl Into<Cow<'static, str>>,
    ) -> Options {
        self.rule(Matcher::Thread(name.into().into()), reason.into())
    }

    /// Ignores [descriptors](Options::descriptors) with a matching
    /// [target](crate::Descriptor::target): `/var/log/*`, `tcp *:5432 ESTABLISHED`, `epoll`.
    #[track_caller]
    pub fn ignore_descriptor(
        self,
        target: impl Into<String>,
        reason: impl Into<Cow<'static, str>>,
    ) -> Options {
        self.rule(Matcher::Descriptor(target.into().into()), reason.into())
    }

    /// Ignores the tasks and calls that were alive when this baseline was taken.
    #[track_caller]
    pub fn ignore(self, before: &Baseline, reason: impl Into<Cow<'static, str>>) -> Options {
        self.rule(Matcher::Baseline(before.clone()), reason.into())
    }

    /// Ignores the tasks and calls that are alive now: see [`Baseline`].
    #[track_caller]
    pub fn ignore_current(self, reason: impl Into<Cow<'static, str>>) -> Options {
        self.ignore(&Baseline::take(), reason)
    }

    /// Passes with up to this many tasks left, tracked or not. If there are more, all of them are
    /// reported. A second call replaces the first.
    ///
    /// Threads, descriptors and calls that are left count as well. Like any rule, this one is named
    /// on standard error if nothing was left for it to allow.
    ///
    /// # Panics
    ///
    /// If `tasks` is 0, or the reason is empty.
    #[track_caller]
    pub fn allow(mut self, tasks: usize, reason: impl Into<Cow<'static, str>>) -> Options {
        self.allowed = Some(Allowed::new(tasks, reason.into()));
        self.last = Some(Last::Allowed);
        self
    }

    /// Ignores up to this many untracked tasks, for a library that spawns with plain `tokio::spawn`
    /// and keeps its tasks. Several such rules add up.
    ///
    /// # Panics
    ///
    /// If `tasks` is 0, or the reason is empty.
    ///
    /// # Limitations
    ///
    /// Untracked tasks cannot be told apart: a leak takes the place of a task that is expected and
    /// not there.
    #[track_caller]
    pub fn allow_untracked(self, tasks: usize, reason: impl Into<Cow<'static, str>>) -> Options {
        self.library_tasks(tasks, Vec::new(), reason.into())
    }

    /// Lets the rule before it match nothing, because its tasks are there only sometimes.
    ///
    /// # Panics
    ///
    /// If there is no rule.
    #[track_caller]
    pub fn if_any(mut self) -> Options {
        let optional = match self.last {
            Some(Last::Rule) => self.rules.last_mut().map(|rule| &mut rule.optional),
            Some(Last::Allowed) => self.allowed.as_mut().map(|allowed| &mut allowed.optional),
            None => None,
        };
        match optional {
            Some(optional) => *optional = true,
            None => panic!("leakcheck: `if_any` is about the rule before it, and there is none"),
        }
        self
    }

    /// Fails if a rule matched nothing.
    pub fn deny_unused(mut self) -> Options {
        self.deny_unused = true;
        self
    }

    /// Ignores up to this many untracked tasks and, on an observed runtime, tasks that were spawned
    /// at these places.
    #[track_caller]
    pub(crate) fn library_tasks(
        self,
        tasks: usize,
        places: Vec<Pattern>,
        reason: Cow<'static, str>,
    ) -> Options {
        assert!(tasks > 0, "leakcheck: to allow no task at all does nothing");
        self.rule(Matcher::LibraryTasks(tasks, places), reason)
    }

    #[track_caller]
    fn rule(mut self, matcher: Matcher, reason: Cow<'static, str>) -> Options {
        self.rules.push(Rule::new(matcher, reason));
        self.last = Some(Last::Rule);
        self
    }

    pub(crate) fn needs_stacks(&self) -> bool {
        self.rules.iter().any(Rule::needs_stacks)
    }
}
