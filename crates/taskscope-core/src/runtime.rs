//! The runtimes that tasks were spawned on, and how many of their tasks nobody can see into.
//!
//! A record has the index of its runtime in the table here. An entry holds a tokio `Handle`, which
//! keeps the runtime's file descriptors open, so it must not stay longer than the program's own use
//! of the runtime: `sweep` removes entries without a live task and without a guard, a moment
//! after the last has gone. A program that makes runtimes faster than that sweeps itself, whenever
//! it has made some (`make_room`). Nothing is counted per spawn: who wants to know counts the
//! records.
//!
//! Which runtime a new task is on costs as much to ask as everything else that a spawn does. So a
//! task inherits its parent's, and its first poll checks that (the code in between may have entered
//! another runtime), unless the thread was seen to work for that runtime before and is in no other
//! task's poll. Not here: tokio's own metrics beyond the one count, which taskprof shows.

mod info;

use std::cell::Cell;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicU16, AtomicU32, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::runtime::{Handle, Id, RuntimeFlavor};

pub use self::info::RuntimeInfo;
use crate::record::{Record, Traits};
use crate::threads::Slot;
use crate::{pool, text, threads};

/// A runtime in the table.
#[derive(Debug)]
pub struct RuntimeEntry {
    handle: Handle,
    id: Id,
    number: u64,
    /// [`RuntimeGuard`]s.
    guards: AtomicUsize,
    /// The slot of the thread that has looked it up since the last sweep: a task may be about to be
    /// spawned. 0: none has; [`SEVERAL`]: who knows.
    touched: AtomicU16,
    /// Whether tokio counts tasks of `spawn_local` with the runtime's: yes for a `LocalRuntime`, no
    /// for a `LocalSet`.
    locals_counted: AtomicBool,
}

/// Entries by index; index 0 is no runtime.
static RUNTIMES: Mutex<Vec<Option<Arc<RuntimeEntry>>>> = Mutex::new(Vec::new());
/// Counts removals: a thread that remembers an index forgets it when this moves.
static REMOVALS: AtomicU32 = AtomicU32::new(1);

/// At most this many runtimes are entered without a look whether others are gone.
const FEW: usize = 4;
/// Where there are many records, they are looked at for every so many of them a runtime.
const RECORDS: usize = 1 << 14;
/// Runtimes that were entered since the last look.
static ENTERED: AtomicUsize = AtomicUsize::new(0);
/// How many may be before the next one.
static ROOM: AtomicUsize = AtomicUsize::new(FEW);
/// No thread's slot of its own.
const SEVERAL: u16 = u16::MAX;

/// How often runtimes have been removed.
pub fn removals() -> u32 {
    REMOVALS.load(Ordering::Acquire)
}

/// The index of futures that no runtime drives.
pub const NONE: u16 = 0;

fn table() -> MutexGuard<'static, Vec<Option<Arc<RuntimeEntry>>>> {
    RUNTIMES.lock().unwrap_or_else(PoisonError::into_inner)
}

thread_local! {
    /// The runtime that this thread looked up last; its index is in the thread's slot.
    static LAST: Cell<Option<Id>> = const { Cell::new(None) };
}

/// The index of the runtime that a spawn function of tokio would use now; `inherited` is that of
/// the task that spawns.
///
/// # Panics
///
/// Like those, if there is none.
#[inline]
#[track_caller]
pub fn of_spawn(inherited: Option<u16>) -> u16 {
    match inherited {
        Some(index) => index,
        None => index_of(&Handle::current()),
    }
}

/// The same for what needs no runtime.
pub fn or_none(inherited: Option<u16>) -> u16 {
    inherited
        .or_else(|| Some(index_of(&Handle::try_current().ok()?)))
        .unwrap_or(NONE)
}

/// Before the first poll of a task: sees to it that its record names the runtime that polls it.
/// `nested`: the thread is in the middle of another task's poll, and so perhaps in a runtime inside
/// of the one that it works for.
#[inline]
pub(crate) fn check(record: &'static Record, slot: &Slot, nested: bool) {
    let removals = REMOVALS.load(Ordering::Acquire);
    if !nested && slot.works_for(record.runtime(), removals) {
        return;
    }
    if let Ok(handle) = Handle::try_current() {
        let index = index_of(&handle);
        record.set_runtime(index);
        if !nested {
            slot.set_works_for(index, removals);
        }
    }
}

/// Before the first poll of what nobody knows the runtime of: a task that was spawned by others,
/// whose hook could only guess, or a future that somebody else drives, such as the root of
/// `block_on`, which is made before the runtime is entered.
#[cold]
pub(crate) fn found(record: &'static Record) {
    if let Ok(handle) = Handle::try_current() {
        record.set_runtime(index_of(&handle));
    }
}

/// The index of a runtime; enters it into the table if it is new.
pub fn index_of(handle: &Handle) -> u16 {
    let id = handle.id();
    let removals = REMOVALS.load(Ordering::Acquire);
    let slot = threads::slot();
    if LAST.with(Cell::get) == Some(id)
        && let Some(index) = slot.runtime(removals)
    {
        return index;
    }
    let index = find_or_insert(handle, id);
    LAST.with(|last| last.set(Some(id)));
    slot.set_runtime(index, removals);
    index
}

fn find_or_insert(handle: &Handle, id: Id) -> u16 {
    let by = threads::slot().index();
    if let Some(index) = find(&table(), id, by) {
        return index;
    }
    make_room(by);
    let mut table = table();
    // Another thread may have been quicker.
    find(&table, id, by).unwrap_or_else(|| insert(&mut table, handle, id, by))
}

fn find(table: &[Option<Arc<RuntimeEntry>>], id: Id, by: u16) -> Option<u16> {
    let (index, entry) = table
        .iter()
        .enumerate()
        .find_map(|(index, slot)| Some((index, slot.as_ref().filter(|entry| entry.id == id)?)))?;
    let before = entry.touched.load(Ordering::Relaxed);
    let touched = if before == 0 || before == by {
        by
    } else {
        SEVERAL
    };
    entry.touched.store(touched, Ordering::Relaxed);
    u16::try_from(index).ok()
}

fn insert(table: &mut Vec<Option<Arc<RuntimeEntry>>>, handle: &Handle, id: Id, by: u16) -> u16 {
    if table.is_empty() {
        table.push(None);
    }
    let free = table.iter().skip(1).position(Option::is_none);
    let index = free.map_or(table.len(), |free| free + 1);
    // More than 65,535 runtimes at the same time: they share the last place.
    let short = u16::try_from(index).unwrap_or(u16::MAX);
    let index = usize::from(short);
    if index == table.len() {
        table.push(None);
    }
    table[index] = Some(Arc::new(RuntimeEntry {
        handle: handle.clone(),
        id,
        // Tokio shows the number only as text.
        number: id.to_string().parse().unwrap_or(0),
        guards: AtomicUsize::new(0),
        touched: AtomicU16::new(by),
        locals_counted: AtomicBool::new(false),
    }));
    short
}

/// Before a runtime is entered: forgets those that are gone, whenever so many were entered since
/// that was last done. So the file descriptors of dropped runtimes are closed before there are
/// many, whatever sweeps there are in between.
#[cold]
fn make_room(by: u16) {
    if ENTERED.fetch_add(1, Ordering::Relaxed) < ROOM.load(Ordering::Relaxed) {
        return;
    }
    // The one that is about to be entered.
    ENTERED.store(1, Ordering::Relaxed);
    let touched = forget_unused(Some(by));
    let entries = table().iter().flatten().count();
    // A sweep looks at every runtime and every record, so that a runtime more costs no more than a
    // number of them. Those that are only kept until the next sweep do not count: there would be
    // more and more of them.
    let in_use = entries.saturating_sub(touched);
    let room = FEW.max(in_use).max(pool::exist() / RECORDS);
    ROOM.store(room, Ordering::Relaxed);
}

/// The runtime with this index, unless it has been removed.
pub fn get(index: u16) -> Option<Arc<RuntimeEntry>> {
    table().get(usize::from(index))?.clone()
}

/// Tasks that tokio counts on all runtimes in the table.
#[cfg(tokio_unstable)]
pub fn alive() -> usize {
    let entries = table().clone();
    entries.iter().flatten().map(|entry| entry.alive()).sum()
}

/// Removes the runtimes that have neither a live task nor a guard, and were not looked up since the
/// last sweep.
pub(crate) fn sweep() {
    forget_unused(None);
}

/// The same; `by` is the slot of a thread that has done with all runtimes that it has looked up.
/// Returns how many were looked up by others.
fn forget_unused(by: Option<u16>) -> usize {
    let by = by.filter(|by| *by != SEVERAL);
    let mut touched_by_others = 0;
    let unused: Vec<usize> = {
        let table = table();
        let entries = table.iter().enumerate();
        entries
            .filter_map(|(index, slot)| {
                let entry = slot.as_ref()?;
                let touched = entry.touched.swap(0, Ordering::Relaxed);
                let free = touched == 0 || Some(touched) == by;
                touched_by_others += usize::from(!free);
                let unused = entry.guards.load(Ordering::Relaxed) == 0 && free;
                unused.then_some(index)
            })
            .collect()
    };
    if unused.is_empty() {
        return touched_by_others;
    }
    let mut waiting = unused;
    for record in pool::all() {
        if record.is_live() {
            waiting.retain(|index| *index != usize::from(record.runtime()));
            if waiting.is_empty() {
                return touched_by_others;
            }
        }
    }
    let mut removed = Vec::new();
    {
        let mut table = table();
        for index in waiting {
            let still = table[index].as_ref().is_some_and(|entry| {
                entry.guards.load(Ordering::Relaxed) == 0
                    && entry.touched.load(Ordering::Relaxed) == 0
            });
            if still {
                removed.push(table[index].take());
            }
        }
        // 0 says that a thread has looked nothing up.
        if REMOVALS.fetch_add(1, Ordering::Release) == u32::MAX - 1 {
            REMOVALS.store(1, Ordering::Release);
        }
    }
    // Outside the lock: dropping a handle may be the end of a runtime's driver, and of what the
    // application gave its builder. Whose destructor panics does not hurt the thread that happens
    // to be here.
    for entry in removed {
        let _ = catch_unwind(AssertUnwindSafe(|| drop(entry)));
    }
    touched_by_others
}

/// Live records of one runtime.
#[derive(Debug, Clone, Copy, Default)]
pub struct Tracked {
    /// Tasks that any worker may run.
    tasks: usize,
    /// Tasks of `spawn_local`.
    local: usize,
    /// Tasks that are being polled, and futures that somebody else drives.
    running: usize,
}

/// Live records by the index of their runtime.
#[derive(Debug, Default)]
pub struct Tally(Vec<Tracked>);

impl Tally {
    /// Counts a live record.
    pub fn add(&mut self, record: &Record) {
        let traits = record.traits();
        if traits.has(Traits::BLOCKING) {
            return;
        }
        let index = usize::from(record.runtime());
        if self.0.len() <= index {
            self.0.resize(index + 1, Tracked::default());
        }
        let tracked = &mut self.0[index];
        tracked.running += usize::from(record.thread() != 0);
        if !traits.is_task() {
            return;
        }
        if traits.has(Traits::LOCAL) {
            tracked.local += 1;
        } else {
            tracked.tasks += 1;
        }
    }

    /// Counts all live records.
    pub fn take() -> Tally {
        let mut tally = Tally::default();
        for record in pool::all().filter(|record| record.is_live()) {
            tally.add(record);
        }
        tally
    }

    /// Every runtime that has a live task of ours or a guard.
    pub fn runtimes(&self) -> Vec<RuntimeInfo> {
        self.each().into_iter().map(|(info, _)| info).collect()
    }

    /// The same, and how many of its tasks with a record are being polled.
    pub fn each(&self) -> Vec<(RuntimeInfo, usize)> {
        let entries: Vec<_> = table()
            .iter()
            .cloned()
            .enumerate()
            .filter_map(|(index, entry)| Some((index, entry?)))
            .collect();
        entries
            .into_iter()
            .filter_map(|(index, entry)| {
                let tracked = self.0.get(index).copied().unwrap_or_default();
                let shown =
                    entry.guards.load(Ordering::Relaxed) > 0 || tracked.tasks + tracked.local > 0;
                shown.then(|| (entry.info(tracked), tracked.running))
            })
            .collect()
    }
}

impl RuntimeEntry {
    /// Tasks that tokio counts for this runtime.
    pub fn alive(&self) -> usize {
        self.handle.metrics().num_alive_tasks()
    }

    /// Learns from one `spawn_local`, by the counts before and after it, whether tokio counts such
    /// tasks. Only a `LocalRuntime` does, and stable tokio has no way to ask for one.
    pub fn learn_local(&self, before: usize, after: usize) {
        let counted =
            after == before + 1 && self.handle.runtime_flavor() == RuntimeFlavor::CurrentThread;
        self.locals_counted.store(counted, Ordering::Relaxed);
    }

    /// Tokio's id of the runtime.
    pub fn id(&self) -> Id {
        self.id
    }

    /// The same as a number, as `Display` prints it.
    pub fn number(&self) -> u64 {
        self.number
    }

    fn info(&self, tracked: Tracked) -> RuntimeInfo {
        let alive = self.alive();
        let counted = if self.locals_counted.load(Ordering::Relaxed) {
            tracked.tasks + tracked.local
        } else {
            tracked.tasks
        };
        RuntimeInfo {
            id: self.id,
            number: self.number,
            name: self.handle.name().map(|name| text::name(name.into())),
            flavor: flavor_name(&self.handle),
            workers: self.handle.metrics().num_workers(),
            tracked: tracked.tasks + tracked.local,
            untracked: alive.saturating_sub(counted),
            handle: self.handle.clone(),
        }
    }
}

fn flavor_name(handle: &Handle) -> &'static str {
    match handle.runtime_flavor() {
        RuntimeFlavor::CurrentThread => "current_thread",
        RuntimeFlavor::MultiThread => "multi_thread",
        _ => "other",
    }
}

/// Keeps a runtime in every dump while it has no task with a record.
#[must_use = "the runtime is forgotten again when the guard is dropped"]
pub struct RuntimeGuard(Arc<RuntimeEntry>);

impl Clone for RuntimeGuard {
    fn clone(&self) -> Self {
        RuntimeGuard::new(self.0.clone())
    }
}

impl Drop for RuntimeGuard {
    fn drop(&mut self) {
        self.0.guards.fetch_sub(1, Ordering::Relaxed);
    }
}

impl RuntimeGuard {
    fn new(entry: Arc<RuntimeEntry>) -> RuntimeGuard {
        entry.guards.fetch_add(1, Ordering::Relaxed);
        RuntimeGuard(entry)
    }
}

impl fmt::Debug for RuntimeGuard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("RuntimeGuard").finish()
    }
}

/// Makes a runtime known before its first task with a record, so that dumps count its tasks from
/// the start.
///
/// A runtime is known by itself as long as one of the tasks that `taskscope::spawn` started on
/// it is alive.
///
/// # Limitations
///
/// The guard holds a tokio `Handle`. Drop it before you expect the runtime's file descriptors to be
/// closed.
pub fn register_runtime(handle: &Handle) -> RuntimeGuard {
    loop {
        let index = find_or_insert(handle, handle.id());
        // Just looked up, so the next sweep spares it; should two sweeps pass here, it is looked up
        // again.
        if let Some(entry) = get(index) {
            return RuntimeGuard::new(entry);
        }
    }
}
