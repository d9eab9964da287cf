//! What a check may be told.

use std::borrow::Cow;
use std::time::Duration;

use taskscope::ScopeRef;

use crate::Baseline;
use crate::os::{Before, DescriptorsBefore, ThreadsBefore};
use crate::rules::{Allowed, Pattern, Rule, What};

/// How long tasks that are just ending are waited for: 1 s.
pub const DEFAULT_SETTLE: Duration = Duration::from_secs(1);

/// How a check is made.
///
/// # Patterns
///
/// Names, places, functions and scopes are given as text in which `*` stands for anything. A place is a file as the compiler names it, or its end, with a line and
/// a column or without (`src/pool.rs`, `pool.rs:41`), or the path of the spawned function, or a part of that between `::` (`db::pool`, `reap`).
/// So is a function.
///
/// Every rule has a reason. A rule that matched nothing is named on standard error, so that it does not outlive what it was
/// written for; with [`deny_unused`](Options::deny_unused) it fails the check.
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
    /// What [`Options::if_any`] is about.
    last: Option<Last>,
    pub(crate) deny_unused: bool,
    /// Whose tasks, if not those of the runtime.
    pub(crate) scope: Option<ScopeRef>,
    /// Whose report it is.
    pub(crate) test: Option<Cow<'static, str>>,
    /// The test has failed already: what it has not spawned is no evidence.
    pub(crate) failed: bool,
    /// Which threads and descriptors were there when they were asked for.
    pub(crate) os: Before,
}

/// Which kind of rule came last.
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
    /// Waits up to [`DEFAULT_SETTLE`], and ignores nothing.
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
            os: Before::default(),
        }
    }

    /// Waits up to this long, in real time, for tasks that are just ending. The default is [`DEFAULT_SETTLE`].
    ///
    /// The wait is over as soon as nothing is left, so a clean test does not pay for a long one; a leaking test does. On a machine that is too busy to
    /// give the runtime its turns, it is longer.
    pub fn settle(mut self, settle: Duration) -> Options {
        self.settle = settle;
        self
    }

    /// Looks at the tasks that belong to this scope, or one below it, and at no others: for tests that share a runtime.
    ///
    /// Untracked tasks belong to no scope, so none are reported.
    pub fn scope(mut self, scope: &ScopeRef) -> Options {
        self.scope = Some(scope.clone());
        self
    }

    /// The name of the test, for the report and for `leakcheck.toml`.
    ///
    /// [`#[leakcheck::test]`](crate::test) gives the test's own path, [`assert_none!`](crate::assert_none) that of the function it stands in.
    pub fn test(mut self, name: impl Into<Cow<'static, str>>) -> Options {
        self.test = Some(name.into());
        self
    }

    /// Unless it has a name already.
    pub(crate) fn test_or(self, name: impl Into<Cow<'static, str>>) -> Options {
        match self.test {
            Some(_) => self,
            None => self.test(name),
        }
    }

    /// Ignores tasks with such a name.
    ///
    /// # Panics
    ///
    /// If the pattern or the reason is empty; so do the other rules.
    #[track_caller]
    pub fn ignore_name(
        self,
        name: impl Into<String>,
        why: impl Into<Cow<'static, str>>,
    ) -> Options {
        self.rule(What::Name(name.into().into()), why.into())
    }

    /// Ignores tasks that were spawned in such a file or at such a line, or whose code is in such a function or module.
    ///
    /// The file is that of the call. A path is that of the spawned code: `db::pool` is about `spawn(db::pool::reap())`, wherever that call stands, and about an async
    /// block that is written in there; not about what a function of `db::pool` spawns of other modules. For that, name its file.
    #[track_caller]
    pub fn ignore_spawned_at(
        self,
        place: impl Into<String>,
        why: impl Into<Cow<'static, str>>,
    ) -> Options {
        self.rule(What::Site(place.into().into()), why.into())
    }

    /// Ignores tasks with such a function anywhere on their async stack.
    ///
    /// The check then takes stacks in every look, which costs the tasks that are left a poll each.
    #[track_caller]
    pub fn ignore_function(
        self,
        function: impl Into<String>,
        why: impl Into<Cow<'static, str>>,
    ) -> Options {
        self.rule(What::Function(function.into().into()), why.into())
    }

    /// Ignores tasks that belong to a scope with such a name, or to one below it.
    #[track_caller]
    pub fn ignore_scope(
        self,
        scope: impl Into<String>,
        why: impl Into<Cow<'static, str>>,
    ) -> Options {
        self.rule(What::Scope(scope.into().into()), why.into())
    }

    /// Counts threads of the operating system, too, that begin from now on and have not ended by then.
    ///
    /// So this goes to the beginning of a test. In the attribute it does: `#[leakcheck::test(threads())]`. They settle like tasks; the report has the name of each, when it
    /// began, and what it does. Left out are threads that work for leakcheck or taskscope, idle ones of the blocking pools of the checked runtime and of every other
    /// one that taskscope knows, and those that run a call of `taskscope::spawn_blocking`, which counts by itself.
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
    /// * Threads are the process's: nothing tells which test began one. So this is for test binaries that run one test at a time (`cargo nextest`, or
    ///   `--test-threads=1`), or have only one.
    /// * Who began a thread is not known. Give it a name.
    /// * A call of plain `tokio::task::spawn_blocking` that does not end shows as a thread with the name of the runtime's threads. So do the worker that
    ///   tokio adds during `block_in_place`, and all threads of a runtime that the test has built and not shut down.
    /// * Pools that grow on first use, such as rayon's, need a rule: [`ignore_thread`](Options::ignore_thread).
    /// * Linux only. Elsewhere the check says that it could not see any, and passes.
    pub fn threads(mut self) -> Options {
        self.os.threads = Some(ThreadsBefore::take());
        self
    }

    /// Counts file descriptors, too, sockets among them, that are opened from now on and are still open then.
    ///
    /// Like [`threads`](Options::threads), it goes to the beginning of a test, and is for test binaries that run one test at a time: descriptors are the process's. The report
    /// has the path of a file; addresses and state of a socket, and which descriptor is at the other end if this process has that, too; and
    /// what kind of descriptor all others are.
    ///
    /// # Limitations
    ///
    /// * Who opened a descriptor is not known.
    /// * One that was closed, whose number then goes to the same file again, or to another `epoll`, is taken for the one before.
    /// * Linux only. Elsewhere the check says that it could not see any, and passes.
    pub fn descriptors(mut self) -> Options {
        self.os.descriptors = Some(DescriptorsBefore::take());
        self
    }

    /// Ignores [threads](Options::threads) with such a name. The kernel keeps 15 bytes of a name; the first 15 of the pattern are then enough.
    #[track_caller]
    pub fn ignore_thread(
        self,
        name: impl Into<String>,
        why: impl Into<Cow<'static, str>>,
    ) -> Options {
        self.rule(What::Thread(name.into().into()), why.into())
    }

    /// Ignores [descriptors](Options::descriptors) that lead to such a target, as [`Descriptor::target`](crate::Descriptor::target) has it: `/var/log/*`,
    /// `tcp *:5432 ESTABLISHED`, `epoll`.
    #[track_caller]
    pub fn ignore_descriptor(
        self,
        target: impl Into<String>,
        why: impl Into<Cow<'static, str>>,
    ) -> Options {
        self.rule(What::Descriptor(target.into().into()), why.into())
    }

    /// Ignores what was alive then.
    #[track_caller]
    pub fn ignore(self, before: &Baseline, why: impl Into<Cow<'static, str>>) -> Options {
        self.rule(What::Baseline(before.clone()), why.into())
    }

    /// Ignores what is alive now: see [`Baseline`].
    #[track_caller]
    pub fn ignore_current(self, why: impl Into<Cow<'static, str>>) -> Options {
        self.ignore(&Baseline::take(), why)
    }

    /// Passes with up to so many tasks left, tracked or not. If there are more, all of them are reported. Called again, it replaces what was allowed before.
    ///
    /// Like any rule, it is named if nothing was left that it could allow. Threads, descriptors and calls that are left count as well.
    ///
    /// # Panics
    ///
    /// If none are allowed, or the reason is empty.
    #[track_caller]
    pub fn allow(mut self, tasks: usize, why: impl Into<Cow<'static, str>>) -> Options {
        self.allowed = Some(Allowed::new(tasks, why.into()));
        self.last = Some(Last::Allowed);
        self
    }

    /// Ignores up to so many untracked tasks: those of a library that spawns with plain `tokio::spawn` and keeps them. Several such rules add up.
    ///
    /// # Panics
    ///
    /// If none are allowed, or the reason is empty.
    ///
    /// # Limitations
    ///
    /// Untracked tasks cannot be told apart: a leak takes the place of a task that is expected and not there.
    #[track_caller]
    pub fn allow_untracked(self, tasks: usize, why: impl Into<Cow<'static, str>>) -> Options {
        self.foreign(tasks, Vec::new(), why.into())
    }

    /// The last rule may match nothing: what it is for is there only sometimes.
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

    /// The same; of a runtime that is observed, tasks spawned at these places.
    #[track_caller]
    pub(crate) fn foreign(
        self,
        tasks: usize,
        places: Vec<Pattern>,
        why: Cow<'static, str>,
    ) -> Options {
        assert!(tasks > 0, "leakcheck: to allow no task at all does nothing");
        self.rule(What::Foreign(tasks, places), why)
    }

    #[track_caller]
    fn rule(mut self, what: What, why: Cow<'static, str>) -> Options {
        self.rules.push(Rule::new(what, why));
        self.last = Some(Last::Rule);
        self
    }

    pub(crate) fn needs_stacks(&self) -> bool {
        self.rules.iter().any(Rule::needs_stacks)
    }
}
