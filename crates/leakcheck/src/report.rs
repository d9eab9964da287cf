//! The report: what is left, in the order in which a person wants to read it.

use std::error::Error;
use std::fmt;
use std::time::Duration;

use taskscope::{Age, Dump, Group, Listed, ResourceDump};

use crate::os::{self, Descriptor, OsLeft, OsThread};

/// Tasks that were alive when they should not have been.
///
/// `Display` is the report: a headline, then a block for each distinct verdict, spawn site and stack.
#[derive(Clone)]
pub struct Leaks(Box<Found>);

/// Boxed, so that the `Ok` of a clean check stays small.
#[derive(Debug, Clone)]
struct Found {
    dump: Dump,
    untracked: usize,
    waited: Duration,
    /// Rules that matched nothing.
    unused: Vec<String>,
    os: OsLeft,
}

impl Leaks {
    pub(crate) fn new(
        dump: Dump,
        untracked: usize,
        waited: Duration,
        unused: Vec<String>,
    ) -> Leaks {
        Leaks(Box::new(Found {
            dump,
            untracked,
            waited,
            unused,
            os: OsLeft::default(),
        }))
    }

    pub(crate) fn with_os(mut self, os: OsLeft) -> Leaks {
        self.0.os = os;
        self
    }

    /// How many tasks there are, tracked and untracked.
    #[must_use]
    pub fn count(&self) -> usize {
        self.0.dump.tasks.len() + self.0.untracked
    }

    /// How many of them have no record, because plain `tokio::spawn` started them.
    #[must_use]
    pub fn untracked(&self) -> usize {
        self.0.untracked
    }

    /// All that is known about those that have one.
    #[must_use]
    pub fn dump(&self) -> &Dump {
        &self.0.dump
    }

    /// Threads that were left, if they were [asked for](crate::Options::threads). They are the process's.
    #[must_use]
    pub fn threads(&self) -> &[OsThread] {
        &self.0.os.threads
    }

    /// File descriptors that were left open, if they were [asked for](crate::Options::descriptors). They are the process's.
    #[must_use]
    pub fn descriptors(&self) -> &[Descriptor] {
        &self.0.os.descriptors
    }

    /// Calls on the blocking pool that have no record, because plain `tokio::task::spawn_blocking` made them; 0 without `--cfg tokio_unstable`.
    #[must_use]
    pub fn untracked_calls(&self) -> usize {
        self.0.os.calls
    }

    /// The rules that matched nothing, with their reasons.
    #[must_use]
    pub fn unused_rules(&self) -> &[String] {
        &self.0.unused
    }

    /// How long the check waited for them to end.
    #[must_use]
    pub fn waited(&self) -> Duration {
        self.0.waited
    }
}

impl Error for Leaks {}

/// The report, as `Display` writes it: this is what a test that returns `Result` or unwraps one shows.
impl fmt::Debug for Leaks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f)?;
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for Leaks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = os::subject(self.count(), &self.0.os);
        writeln!(
            f,
            "leakcheck: {what} still alive after {}",
            Age(self.0.waited)
        )?;
        let groups = self.0.dump.groups();
        let holdings = self.0.dump.holdings();
        for (at, group) in groups.iter().enumerate() {
            let held = group.tasks.iter().filter_map(|task| holdings.get(&task.id));
            let held = ResourceDump::kinds(held.flatten().copied());
            writeln!(f)?;
            write_group(f, at + 1, group, &held)?;
        }
        if self.0.untracked > 0 {
            writeln!(f)?;
            write_untracked(f, groups.len() + 1, self.0.untracked)?;
        }
        os::write_os(f, &self.0.os)?;
        if !self.0.unused.is_empty() {
            writeln!(f)?;
        }
        for rule in &self.0.unused {
            writeln!(f, "this rule matched nothing: {rule}")?;
        }
        Ok(())
    }
}

fn tasks(count: usize) -> String {
    if count == 1 {
        "1 task".to_owned()
    } else {
        format!("{count} tasks")
    }
}

/// `held`: the resources of these tasks, counted by kind.
fn write_group(
    f: &mut fmt::Formatter<'_>,
    number: usize,
    group: &Group<'_>,
    held: &[String],
) -> fmt::Result {
    let first = group.oldest();
    let youngest = group.tasks.last().map_or(first.age, |task| task.age);
    writeln!(
        f,
        "{number}. {} {}, {} since {}",
        tasks(group.tasks.len()),
        first.verdict,
        first.activity(),
        Age(first.state.since())
    )?;
    writeln!(f, "   spawned at {}", first.site)?;
    writeln!(f, "   future     {}", first.future)?;
    write_names(f, "name", &group.names())?;
    write_names(f, "scope", &group.scopes())?;
    if let Some(ended) = first.scope_ended {
        writeln!(f, "              ended {} ago", Age(ended))?;
    }
    let (shortest, longest) = (Age(youngest).to_string(), Age(first.age).to_string());
    if shortest == longest {
        writeln!(f, "   age        {longest}")?;
    } else {
        writeln!(f, "   age        {shortest} to {longest}")?;
    }
    let detached = group
        .tasks
        .iter()
        .filter(|task| task.detached.is_some())
        .count();
    if detached > 0 {
        writeln!(
            f,
            "   detached   {detached} of {}: nobody has kept the JoinHandle",
            group.tasks.len()
        )?;
    }
    if !held.is_empty() {
        writeln!(f, "   holds      {}", Listed(held))?;
    }
    match &first.trace {
        Ok(trace) => {
            writeln!(f, "   stack")?;
            write!(f, "{trace}")?;
            if first.branches_dropped + first.branches_cut > 0 {
                writeln!(
                    f,
                    "    (not the whole stack: {} branches were not kept, {} were cut at the root)",
                    first.branches_dropped, first.branches_cut
                )?;
            }
        }
        Err(why) => writeln!(
            f,
            "   stack      {}",
            why.to_string().trim_start_matches("no stack: ")
        )?,
    }
    writeln!(f, "   hint       {}", first.verdict.advice())
}

fn write_names<T: AsRef<str>>(f: &mut fmt::Formatter<'_>, what: &str, names: &[T]) -> fmt::Result {
    if names.is_empty() {
        return Ok(());
    }
    writeln!(f, "   {what:<10} {}", Listed(names))
}

fn write_untracked(f: &mut fmt::Formatter<'_>, number: usize, untracked: usize) -> fmt::Result {
    writeln!(
        f,
        "{number}. {} untracked: spawned with plain tokio::spawn, by this program or a library",
        tasks(untracked)
    )?;
    writeln!(
        f,
        "   hint       spawn with taskscope::spawn to see names, scopes and stacks; connections count: end the test's clients, then its server, before the check"
    )
}
