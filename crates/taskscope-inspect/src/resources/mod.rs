//! Tracked resources: their registry, and how a dump reads it.
//!
//! Each resource has one small entry of its own, which its holder writes without a lock. The
//! registry only points at the entries.
//!
//! Not here: the wrapper (`taskscope::Tracked`).

mod dump;
mod registry;

use std::collections::HashMap;
use std::fmt;
use std::panic::Location;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::runtime::{Handle, Id};

pub use self::dump::{Holder, HolderState, ResourceDump};
use self::registry::Place;
pub use self::registry::count;
use crate::{Name, ScopeInfo, clock, current, ids, pool, record, runtime};
use taskscope_core::Owner;

/// Two stores of the time of a use are at least this far apart, in raw ticks: below a millisecond.
const COARSE: u64 = 1 << 20;

/// The registry's entry for one resource.
struct Entry {
    kind: &'static str,
    site: &'static Location<'static>,
    /// Raw ticks.
    acquired_at: u64,
    scope: Option<Arc<dyn Owner>>,
    runtime: Option<Id>,
    acquirer: User,
    /// Name of the acquirer, if it has a record: it may have ended when a dump asks.
    name: Option<Name>,
    spawned: Option<&'static Location<'static>>,
    /// A [`User`].
    used_by: AtomicU64,
    /// Raw ticks, coarse.
    used_at: AtomicU64,
}

/// A task by its id, with a bit that says whether it has a record. 0: no task.
#[derive(Clone, Copy, PartialEq, Eq)]
struct User(u64);

impl User {
    const NOBODY: User = User(0);

    fn current() -> User {
        match record::current_id() {
            Some(id) => User(id << 1 | 1),
            None => tokio::task::try_id().map_or(User::NOBODY, |id| User(ids::number(id) << 1)),
        }
    }

    fn id(self) -> u64 {
        self.0 >> 1
    }

    fn has_record(self) -> bool {
        self.0 & 1 == 1
    }
}

/// A resource in the registry, until it is dropped.
pub struct Registered {
    entry: Arc<Entry>,
    _place: Place,
}

impl fmt::Debug for Registered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Registered").field(&self.kind()).finish()
    }
}

impl Registered {
    /// Registers a resource of this kind, acquired by the running code.
    #[track_caller]
    pub fn new(kind: &'static str) -> Registered {
        let now = clock::coarse();
        let user = User::current();
        let task = record::with_current(|record, meta| {
            let runtime = runtime::get(record.runtime()).map(|runtime| runtime.id());
            (record.name(), meta.site, runtime)
        });
        let (name, spawned, runtime) = match task {
            Some((name, spawned, runtime)) => (name, Some(spawned), runtime),
            None => {
                let runtime = Handle::try_current().ok().map(|runtime| runtime.id());
                (None, None, runtime)
            }
        };
        let entry = Arc::new(Entry {
            kind,
            site: Location::caller(),
            acquired_at: now,
            scope: current::scope(),
            runtime,
            acquirer: user,
            name,
            spawned,
            used_by: AtomicU64::new(user.0),
            used_at: AtomicU64::new(now),
        });
        Registered {
            _place: Place::of(entry.clone()),
            entry,
        }
    }

    /// The kind that it was registered with.
    pub fn kind(&self) -> &'static str {
        self.entry.kind
    }

    /// The running code is using the resource. Relaxed: two facts for humans, and each is true by
    /// itself.
    #[inline]
    pub fn used(&self) {
        let (user, now) = (User::current(), clock::coarse());
        // Several threads may share the resource: they should not fight for its cache line.
        if self.entry.used_by.load(Ordering::Relaxed) != user.0 {
            self.entry.used_by.store(user.0, Ordering::Relaxed);
        }
        if now.saturating_sub(self.entry.used_at.load(Ordering::Relaxed)) > COARSE {
            self.entry.used_at.store(now, Ordering::Relaxed);
        }
    }
}

/// Tasks that a dump has to look up, by id: `None` until found alive.
type Living = HashMap<u64, Option<(Option<Name>, &'static Location<'static>)>>;

/// The resources that are held, oldest first; of one scope and one runtime, if given. `now` is in
/// raw ticks.
pub(crate) fn collect(
    scope: Option<&ScopeInfo>,
    runtime: Option<Id>,
    now: u64,
) -> Vec<ResourceDump> {
    let mut entries = registry::entries();
    entries.retain(|entry| {
        scope.is_none_or(|selected| {
            entry
                .scope
                .as_ref()
                .is_some_and(|scope| selected.facts().contains(&**scope))
        }) && runtime.is_none_or(|runtime| entry.runtime == Some(runtime))
    });
    if entries.is_empty() {
        return Vec::new();
    }
    entries.sort_by_key(|entry| entry.acquired_at);
    let living = living(&entries);
    entries
        .iter()
        .map(|entry| entry.read(&living, now))
        .collect()
}

/// How many are held, by kind.
pub(crate) fn by_kind() -> Vec<(&'static str, usize)> {
    let mut kinds: HashMap<&'static str, usize> = HashMap::new();
    for entry in registry::entries() {
        *kinds.entry(entry.kind).or_default() += 1;
    }
    kinds.into_iter().collect()
}

/// Finds out which tasks of the entries are alive. Walks over the records once, and only if there
/// are resources.
fn living(entries: &[Arc<Entry>]) -> Living {
    let users = entries
        .iter()
        .flat_map(|entry| [entry.acquirer, entry.user()])
        .filter(|user| user.has_record());
    let mut living: Living = users.map(|user| (user.id(), None)).collect();
    for hold in pool::live() {
        if let Some(found) = living.get_mut(&hold.record().id()) {
            *found = Some((hold.record().name(), hold.meta().site));
        }
    }
    living
}

impl Entry {
    fn user(&self) -> User {
        User(self.used_by.load(Ordering::Relaxed))
    }

    fn read(&self, living: &Living, now: u64) -> ResourceDump {
        let scope = self.scope.clone().map(|scope| ScopeInfo::new(scope));
        ResourceDump {
            kind: self.kind,
            site: self.site,
            age: clock::between(self.acquired_at, now),
            scope_ended: scope.as_ref().and_then(ScopeInfo::ended),
            scope,
            acquired_by: self.holder(self.acquirer, living),
            last_used_by: self.holder(self.user(), living),
            unused_for: clock::between(self.used_at.load(Ordering::Relaxed), now),
        }
    }

    fn holder(&self, user: User, living: &Living) -> Option<Holder> {
        if user == User::NOBODY {
            return None;
        }
        let found = living.get(&user.id()).cloned().flatten();
        let state = match &found {
            Some(_) => HolderState::Alive,
            None if user.has_record() => HolderState::Gone,
            None => HolderState::Untracked,
        };
        let is_acquirer = user == self.acquirer;
        let (name, spawned) = match found {
            Some((name, spawned)) => (name, Some(spawned)),
            None if is_acquirer => (self.name.clone(), self.spawned),
            None => (None, None),
        };
        Some(Holder {
            task: user.id(),
            name,
            spawned,
            state,
        })
    }
}
