//! The live tasks that the hooks of one builder have reported, by tokio's number, and what keeps
//! that table from growing.
//!
//! A task is in the table from its spawn to its end. Tokio's hooks are not as regular as that:
//!
//! * Calls on the blocking pool and worker threads end without having been spawned. Nothing is
//!   found, and nothing happens but that the number is remembered for a while (see the next).
//! * A task that is spawned while its runtime shuts down ends before the spawn hook is called, on
//!   the same thread or on another. Each part of the table remembers the last [`GRAVES`] ends that
//!   it knew no task for, and takes in none of these.
//! * Should that memory be too short one day, or the end hook have been replaced on the builder,
//!   entries stay that are nobody's. [`sweep`] notices that there are more of them than tokio has
//!   tasks, and clears the table.
//!
//! Our own tasks fire the hooks, too. The spawn hook is told to let those pass
//! ([`crate::spawn_mark`]); later hooks find nothing.
//!
//! No lock is held while a record is published or a task ended: both may run other code.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use tokio::runtime::TaskMeta;

use crate::record::{self, Inherited, Meta, TaskGuard, Traits};
use crate::spawn_mark::take_ours;
use crate::{clock, current, ids, runtime};

/// Parts of a table, each with a lock of its own. A power of two.
const SHARDS: usize = 64;

/// Ends without a task that a part remembers.
const GRAVES: usize = 8;

/// The builder has made more than one runtime.
const SEVERAL: u64 = u64::MAX;

/// Shown as the type of the future: the hooks do not tell.
const FUTURE: &str = "(unknown)";

/// Tables that runtimes may still have.
static TABLES: Mutex<Vec<Weak<Tasks>>> = Mutex::new(Vec::new());

pub struct Tasks {
    shards: [Shard; SHARDS],
    /// The index of the runtime that polls the tasks, and its number above that. 0 until one is
    /// seen, and [`SEVERAL`] once another is.
    home: AtomicU64,
    /// The last sweep had its doubts.
    suspect: AtomicBool,
    /// Nothing is taken in any more.
    blind: AtomicBool,
}

/// On a cache line of its own, at least.
#[repr(align(64))]
#[derive(Default)]
struct Shard(Mutex<Part>);

#[derive(Default)]
struct Part {
    live: HashMap<u64, TaskGuard, BuildHasherDefault<Spread>>,
    /// Numbers of ends that had no task, and where the next goes.
    graves: [u64; GRAVES],
    next_grave: usize,
    /// Tasks taken in, and out again.
    entered: u64,
    left: u64,
}

/// Tokio counts tasks up, and the low bits choose the part.
#[derive(Default)]
struct Spread(u64);

impl Hasher for Spread {
    fn write(&mut self, _: &[u8]) {}
    fn write_u64(&mut self, number: u64) {
        self.0 = number.wrapping_mul(0x9E37_79B9_7F4A_7C15).rotate_left(32);
    }
    fn finish(&self) -> u64 {
        self.0
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Tasks {
    pub fn new() -> Arc<Tasks> {
        let tasks = Arc::new(Tasks {
            shards: std::array::from_fn(|_| Shard::default()),
            home: AtomicU64::new(0),
            suspect: AtomicBool::new(false),
            blind: AtomicBool::new(false),
        });
        lock(&TABLES).push(Arc::downgrade(&tasks));
        tasks
    }

    fn part(&self, id: u64) -> MutexGuard<'_, Part> {
        lock(&self.shards[id as usize % SHARDS].0)
    }

    fn parts(&self) -> impl Iterator<Item = MutexGuard<'_, Part>> {
        self.shards.iter().map(|shard| lock(&shard.0))
    }

    pub fn spawned(&self, meta: &TaskMeta<'_>) {
        let id = ids::number(meta.id());
        if take_ours() || id == 0 || self.blind.load(Ordering::Relaxed) {
            return;
        }
        let task = publish(meta, id);
        let refused = {
            let mut part = self.part(id);
            if part.graves.contains(&id) {
                Some(task)
            } else {
                part.entered += 1;
                part.live.insert(id, task)
            }
        };
        drop(refused);
    }

    pub fn poll_begins(&self, meta: &TaskMeta<'_>) {
        let id = ids::number(meta.id());
        let hold = {
            let part = self.part(id);
            part.live.get(&id).and_then(|task| task.get().try_hold())
        };
        if let Some(hold) = hold {
            let record = hold.get();
            let first = record.polls() == 0;
            record::begin_poll(hold);
            if first {
                self.learn_home(record.runtime());
            }
        }
    }

    pub fn ended(&self, meta: &TaskMeta<'_>) {
        let id = ids::number(meta.id());
        let task = {
            let mut part = self.part(id);
            let task = part.live.remove(&id);
            if task.is_some() {
                part.left += 1;
            } else {
                let next = part.next_grave;
                part.graves[next] = id;
                part.next_grave = (next + 1) % GRAVES;
            }
            task
        };
        if let Some(task) = &task {
            // Without a poll, in a runtime that is shut down: then its wait ends here.
            task.depart();
        }
        drop(task);
    }

    fn learn_home(&self, index: u16) {
        let known = self.home.load(Ordering::Relaxed);
        if known as u16 == index || known == SEVERAL {
            return;
        }
        if let Some(runtime) = runtime::get(index) {
            let number = runtime.number();
            let home = if known == 0 || known >> 16 == number {
                (number << 16) | u64::from(index)
            } else {
                SEVERAL
            };
            self.home.store(home, Ordering::Relaxed);
        }
    }

    /// As many tasks as tokio counts where this table's are, or more. `None` if that cannot be
    /// told.
    fn alive(&self) -> Option<usize> {
        let home = self.home.load(Ordering::Relaxed);
        if home == SEVERAL {
            return Some(runtime::alive());
        }
        let runtime = runtime::get(home as u16)?;
        (runtime.number() == home >> 16).then(|| runtime.alive())
    }

    /// Clears the table if it has entries that are nobody's, as seen by two sweeps.
    fn sweep(&self) {
        let entered: u64 = self.parts().map(|part| part.entered).sum();
        // In this order. Tokio counts a task from before its spawn hook until after its end hook,
        // so that those which had entered and had not left when it was asked cannot be more than it
        // counts.
        let Some(alive) = self.alive() else {
            return;
        };
        let left: u64 = self.parts().map(|part| part.left).sum();
        let too_many = entered.saturating_sub(left) > alive as u64;
        if !self.suspect.swap(too_many, Ordering::Relaxed) || !too_many {
            return;
        }
        // With none alive the runtime has shut down, and a few ends were missed. Otherwise they are
        // missed all the time.
        if alive > 0 {
            self.blind.store(true, Ordering::Relaxed);
        }
        for shard in &self.shards {
            let nobodys = {
                let mut part = lock(&shard.0);
                part.left = part.entered;
                std::mem::take(&mut part.live)
            };
            drop(nobodys);
        }
    }
}

/// The end of a poll. It need not look for the task: the thread knows what it is polling.
pub fn poll_ended(meta: &TaskMeta<'_>) {
    record::end_poll(ids::number(meta.id()));
}

/// Makes the record of a task that is being spawned by this thread.
fn publish(meta: &TaskMeta<'_>, id: u64) -> TaskGuard {
    let Inherited {
        parent,
        runtime,
        scope,
    } = record::inherited();
    let meta = Meta {
        site: meta.spawned_at(),
        future: || FUTURE,
        scope: scope.unwrap_or_else(current::scope),
        spawned_at: clock::coarse(),
        parent,
    };
    // The first poll puts the runtime right.
    let task = record::of_new_task(meta, Traits::OBSERVED, runtime::or_none(runtime), None);
    task.record().set_id(id);
    task
}

/// Clears tables of entries that are nobody's.
pub(crate) fn sweep() {
    let tables: Vec<Arc<Tasks>> = {
        let mut tables = lock(&TABLES);
        tables.retain(|table| table.strong_count() > 0);
        tables.iter().filter_map(Weak::upgrade).collect()
    };
    for table in tables {
        table.sweep();
    }
}
