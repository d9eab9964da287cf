//! Sums of all samples by stack and owner.
//!
//! # Bounds
//!
//! At most [`MAX_ROWS`] sums; later samples are added to the sum of their stack without an owner,
//! and there are at most 32,770 stacks. At most [`MAX_OWNERS`] tasks are remembered beyond those
//! that still hold memory. Not here: the thread (`collector.rs`), the profile (`profile.rs`).

use std::collections::{HashMap, HashSet};
use std::panic::Location;
use std::sync::{Arc, Mutex, MutexGuard};

use callstack::heap::{self, Label, StackId, Weight};
use taskscope::attribution::{self, TaskKey};
use taskscope::text::{MAX_NAME, bounded};

/// At most this many sums with an owner.
const MAX_ROWS: usize = 32_768;
/// At most this many owners are remembered by the key of their task.
const MAX_OWNERS: usize = 16_384;

/// The owner of a sample: the properties that tasks have in common, as there are too many tasks.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub(super) struct Owner {
    /// The name of the scope: the route of a request.
    pub(super) route: Option<Arc<str>>,
    /// The name of the task.
    pub(super) task: Option<Arc<str>>,
    /// Where it was spawned; `None`: no task, or one that is not known any more.
    pub(super) site: Option<&'static Location<'static>>,
}

/// All sums, and the owners that are known.
#[derive(Debug, Default)]
pub(super) struct Table {
    allocated: HashMap<(StackId, Owner), Weight>,
    owners: HashMap<Label, Owner>,
    routes: HashSet<Arc<str>>,
    /// Samples whose row had no place.
    without_row: u64,
}

static TABLE: Mutex<Option<Table>> = Mutex::new(None);

/// Locks the sums and adds all samples up to now.
pub(super) fn up_to_date() -> TableGuard {
    // Every sum is changed as a whole.
    let mut guard = crate::sync::lock(&TABLE);
    let table = guard.get_or_insert_default();
    heap::drain(&mut |event| table.add(event.stack, event.label, event.weight));
    if table.owners.len() > MAX_OWNERS {
        table.forget_owners();
    }
    TableGuard(guard)
}

/// The lock, of a table that is there.
pub(super) struct TableGuard(MutexGuard<'static, Option<Table>>);

impl TableGuard {
    /// Allocated and held memory of each stack and owner.
    pub(super) fn rows(&mut self) -> HashMap<(StackId, Owner), [Weight; 2]> {
        let Some(table) = &mut *self.0 else {
            return HashMap::new();
        };
        let mut rows: HashMap<_, [Weight; 2]> = table
            .allocated
            .iter()
            .map(|(row, allocated)| (row.clone(), [*allocated, Weight::default()]))
            .collect();
        heap::unlabelled(&mut |stack, weight| {
            rows.entry((stack, Owner::default())).or_default()[0] += weight;
        });
        for (row, held) in table.held() {
            rows.entry(row).or_default()[1] += held;
        }
        rows
    }

    /// Held memory by owner.
    pub(super) fn held_by_owner(&mut self) -> HashMap<Owner, Weight> {
        let mut sums: HashMap<Owner, Weight> = HashMap::new();
        if let Some(table) = &mut *self.0 {
            for ((_, owner), weight) in table.held() {
                *sums.entry(owner).or_default() += weight;
            }
        }
        sums
    }

    pub(super) fn without_row(&self) -> u64 {
        self.0.as_ref().map_or(0, |table| table.without_row)
    }
}

impl Table {
    fn add(&mut self, stack: StackId, label: Label, weight: Weight) {
        let row = (stack, self.owner(label));
        let has_room = self.allocated.len() < MAX_ROWS;
        if has_room || self.allocated.contains_key(&row) {
            *self.allocated.entry(row).or_default() += weight;
            return;
        }
        self.without_row += 1;
        *self.allocated.entry((stack, Owner::default())).or_default() += weight;
    }

    fn owner(&mut self, label: Label) -> Owner {
        if label == [0, 0] {
            return Owner::default();
        }
        if let Some(owner) = self.owners.get(&label) {
            return owner.clone();
        }
        let Some(facts) = attribution::facts(TaskKey::from_words(label)) else {
            return Owner::default();
        };
        let route = facts.scope.as_ref().map(|scope| scope.name());
        let owner = Owner {
            route: route.map(|route| self.shared(route)),
            task: facts.name.as_deref().map(|name| self.shared(name)),
            site: Some(facts.site),
        };
        self.owners.insert(label, owner.clone());
        owner
    }

    /// One copy of every text.
    fn shared(&mut self, text: &str) -> Arc<str> {
        let text = &*bounded(text, MAX_NAME);
        if let Some(known) = self.routes.get(text) {
            return Arc::clone(known);
        }
        let new: Arc<str> = text.into();
        if self.routes.len() < MAX_OWNERS {
            self.routes.insert(Arc::clone(&new));
        }
        new
    }

    /// Held samples by stack and owner.
    fn held(&mut self) -> HashMap<(StackId, Owner), Weight> {
        // By key first: the look-up of an owner takes locks, and there are fewer tasks than
        // samples.
        let mut by_label: HashMap<(StackId, Label), Weight> = HashMap::new();
        heap::live(&mut |sample| {
            *by_label.entry((sample.stack, sample.label)).or_default() += sample.weight;
        });
        let mut held: HashMap<(StackId, Owner), Weight> = HashMap::new();
        for ((stack, label), weight) in by_label {
            *held.entry((stack, self.owner(label))).or_default() += weight;
        }
        held
    }

    /// Forgets owners that hold nothing.
    fn forget_owners(&mut self) {
        let mut holders: HashSet<Label> = HashSet::new();
        heap::live(&mut |sample| {
            holders.insert(sample.label);
        });
        self.owners.retain(|label, _| holders.contains(label));
    }
}
