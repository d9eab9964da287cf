//! A tracked resource in a dump, and how it is printed. Not here: how it is registered (`mod.rs`).

use std::collections::BTreeMap;
use std::fmt;
use std::panic::Location;
use std::time::Duration;

use crate::{Age, Name, Plain, Quoted, ScopeInfo};

/// A tracked resource in a dump.
///
/// `Display` prints one line: `pg connection held for 4.5s, acquired at src/db.rs:12:9 by task 17
/// "audit" for "POST /orders"`.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ResourceDump {
    /// The kind of resource, in the words of the code that tracks it.
    pub kind: &'static str,
    /// Where it was acquired.
    pub site: &'static Location<'static>,
    /// Time since then.
    pub age: Duration,
    /// The scope for which it was acquired.
    pub scope: Option<ScopeInfo>,
    /// How long ago that scope, or one above it, had ended.
    pub scope_ended: Option<Duration>,
    /// The task that acquired it. `None`: a plain thread or the future of `block_on` did.
    pub acquired_by: Option<Holder>,
    /// The task that has used it last, which is the one that acquired it if none has since. `None`:
    /// used outside of any task.
    pub last_used_by: Option<Holder>,
    /// Time since that use, to about a millisecond.
    pub unused_for: Duration,
}

/// A task that acquired or used a resource.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Holder {
    /// Tokio's id of the task.
    pub task: u64,
    /// The name it was spawned with.
    pub name: Option<Name>,
    /// Where it was spawned, if that is known.
    pub spawned: Option<&'static Location<'static>>,
    /// Whether the task is still alive.
    pub state: HolderState,
}

/// Whether a task that acquired or used a resource is still alive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum HolderState {
    /// It is alive.
    Alive,
    /// It has ended. The resource is held by something else: another task, a structure, a future
    /// that nobody polls.
    Gone,
    /// It has no record, so this is not known.
    Untracked,
}

impl fmt::Display for HolderState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            HolderState::Alive => "alive",
            HolderState::Gone => "gone",
            HolderState::Untracked => "untracked",
        })
    }
}

impl ResourceDump {
    /// Whether this resource looks like a leak: the scope for which it was acquired has ended.
    #[must_use]
    pub fn is_leak_suspect(&self) -> bool {
        self.scope_ended.is_some()
    }

    /// Counts resources by kind, in words and in alphabetical order: `1 pg connection`, `3 upload
    /// permit`.
    pub fn kinds<'a>(resources: impl IntoIterator<Item = &'a ResourceDump>) -> Vec<String> {
        let mut kinds: BTreeMap<&str, usize> = BTreeMap::new();
        for resource in resources {
            *kinds.entry(resource.kind).or_default() += 1;
        }
        let words = kinds.iter().map(|(kind, count)| format!("{count} {kind}"));
        words.collect()
    }
}

impl fmt::Display for ResourceDump {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (kind, age) = (Plain(self.kind), Age(self.age));
        write!(
            f,
            "{kind} held for {age}, acquired at {} by ",
            Plain(self.site.to_string())
        )?;
        write_holder(f, self.acquired_by.as_ref())?;
        if let Some(scope) = &self.scope {
            write!(f, " for {}", Quoted(scope.name()))?;
            if let Some(ago) = self.scope_ended {
                write!(f, ", which ended {} ago", Age(ago))?;
            }
        }
        let task = |holder: &Option<Holder>| holder.as_ref().map(|holder| holder.task);
        if task(&self.last_used_by) != task(&self.acquired_by) {
            f.write_str(", last used by ")?;
            write_holder(f, self.last_used_by.as_ref())?;
        }
        Ok(())
    }
}

fn write_holder(f: &mut fmt::Formatter<'_>, holder: Option<&Holder>) -> fmt::Result {
    let Some(holder) = holder else {
        return f.write_str("no task");
    };
    write!(f, "task {}", holder.task)?;
    if let Some(name) = &holder.name {
        write!(f, " {}", Quoted(name))?;
    }
    match holder.state {
        HolderState::Alive => Ok(()),
        state => write!(f, " ({state})"),
    }
}
