//! The totals: rows by activity, stack, spawn site and scope.
//!
//! There are several tables, so that threads that poll do not meet; and they never wait: one that
//! finds all tables taken counts its stretch as lost. Not here: which stretches are added
//! (`record.rs`, `long_waits.rs`).

use std::collections::HashMap;
use std::hash::{Hash, Hasher};
use std::panic::Location;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError};

use callstack::Stack;

use super::{Activity, MAX_ROWS};
use crate::{NoTrace, threads};

const TABLES: usize = 16;

/// The key of a row: two stretches with equal keys are summed up together.
#[derive(Clone)]
pub(super) struct Key {
    pub(super) activity: Activity,
    pub(super) stack: Result<Arc<Stack>, NoTrace>,
    pub(super) site: &'static Location<'static>,
    /// Tasks of one spawn site share a type, mostly: any of theirs will do.
    pub(super) future: fn() -> &'static str,
    pub(super) scope: Option<Arc<str>>,
    pub(super) background: bool,
    /// The stack is that of an earlier wait of the task.
    pub(super) earlier: bool,
}

impl Key {
    /// Equal stacks are one: they are interned.
    fn identity(
        &self,
    ) -> (
        Activity,
        Result<*const Stack, NoTrace>,
        &Location<'_>,
        Option<&str>,
        [bool; 2],
    ) {
        let stack = self.stack.as_ref().map(Arc::as_ptr).map_err(|why| *why);
        (
            self.activity,
            stack,
            self.site,
            self.scope.as_deref(),
            [self.background, self.earlier],
        )
    }

    /// The key of the row of its spawn site that takes time for which there is no row.
    fn without_room(&self) -> Key {
        Key {
            stack: self
                .stack
                .as_ref()
                .map_or_else(|why| Err(*why), |_| Err(NoTrace::NoRoom)),
            scope: None,
            earlier: false,
            ..*self
        }
    }
}

impl PartialEq for Key {
    fn eq(&self, other: &Key) -> bool {
        self.identity() == other.identity()
    }
}

impl Eq for Key {}

impl Hash for Key {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.identity().hash(state);
    }
}

/// The number of stretches, and their time in nanoseconds.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Sum {
    pub(super) count: u64,
    pub(super) time: u64,
}

impl Sum {
    pub(super) fn add(&mut self, more: Sum) {
        self.count = self.count.saturating_add(more.count);
        self.time = self.time.saturating_add(more.time);
    }
}

pub(super) type Rows = HashMap<Key, Sum>;

static SUMS: [Mutex<Option<Rows>>; TABLES] = [const { Mutex::new(None) }; TABLES];
/// Rows with a place of their own, in all tables.
static COUNT: AtomicUsize = AtomicUsize::new(0);
pub(super) static LOST: AtomicU64 = AtomicU64::new(0);
/// Stretches that went to a row of their spawn site because there was no room for a row of their
/// own.
pub(super) static WITHOUT_ROOM: AtomicU64 = AtomicU64::new(0);

/// Adds to a row, on a thread that must not wait.
pub(super) fn add(key: Key, more: Sum) {
    let first = usize::from(threads::slot().index());
    for table in 0..TABLES {
        let rows = match SUMS[(first + table) % TABLES].try_lock() {
            Ok(rows) => rows,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            Err(TryLockError::WouldBlock) => continue,
        };
        let left_over = put(rows, key, more);
        // Dropped without the lock: this may be the last reference to a stack.
        drop(left_over);
        return;
    }
    LOST.fetch_add(1, Ordering::Relaxed);
}

/// Adds many, on a thread that may wait.
pub(super) fn add_all(more: Rows) {
    for (at, (key, sum)) in more.into_iter().enumerate() {
        let left_over = put(lock(&SUMS[at % TABLES]), key, sum);
        drop(left_over);
    }
}

/// Adds to a row. Returns the key if the row was there already.
fn put(mut rows: MutexGuard<'_, Option<Rows>>, key: Key, more: Sum) -> Option<Key> {
    let rows = rows.get_or_insert_default();
    if let Some(sum) = rows.get_mut(&key) {
        sum.add(more);
        return Some(key);
    }
    if COUNT.fetch_add(1, Ordering::Relaxed) >= MAX_ROWS {
        COUNT.fetch_sub(1, Ordering::Relaxed);
        WITHOUT_ROOM.fetch_add(1, Ordering::Relaxed);
        let row = rows.entry(key.without_room()).or_default();
        row.add(more);
        return Some(key);
    }
    rows.insert(key, more);
    None
}

/// Adds to the rows of a report, not to the tables. `others` rows were in the last report. If there
/// would be one row too many, the time goes where it will go when it is recorded.
pub(super) fn add_to(rows: &mut Rows, others: usize, key: Key, more: Sum) {
    let has_room = rows.len().max(others) < MAX_ROWS || rows.contains_key(&key);
    let key = if has_room { key } else { key.without_room() };
    rows.entry(key).or_default().add(more);
}

/// All rows, added up.
pub(super) fn snapshot() -> Rows {
    let mut all = Rows::new();
    for table in &SUMS {
        let rows = lock(table).clone();
        for (key, sum) in rows.into_iter().flatten() {
            all.entry(key).or_default().add(sum);
        }
    }
    all
}

fn lock(table: &'static Mutex<Option<Rows>>) -> MutexGuard<'static, Option<Rows>> {
    // A panic half-way leaves a number that is wrong by one stretch.
    table.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SUM: Sum = Sum { count: 1, time: 10 };

    /// One test at a time: each counts all rows, or takes all tables.
    static TURN: Mutex<()> = Mutex::new(());

    fn turn() -> MutexGuard<'static, ()> {
        TURN.lock().unwrap_or_else(PoisonError::into_inner)
    }

    #[test]
    fn who_finds_all_tables_taken_does_not_wait_and_counts_what_it_had_as_lost() {
        let _turn = turn();
        let key = || Key {
            activity: Activity::Running,
            stack: Err(NoTrace::Running),
            site: Location::caller(),
            future: || "",
            scope: None,
            background: false,
            earlier: false,
        };
        let before = LOST.load(Ordering::Relaxed);
        let mut taken: Vec<_> = SUMS.iter().map(lock).collect();
        add(key(), SUM);
        assert_eq!(LOST.load(Ordering::Relaxed), before + 1);
        // One is enough.
        taken.pop();
        add(key(), SUM);
        assert_eq!(LOST.load(Ordering::Relaxed), before + 1);
        let removed = SUMS[TABLES - 1]
            .lock()
            .unwrap()
            .as_mut()
            .unwrap()
            .remove(&key());
        COUNT.fetch_sub(1, Ordering::Relaxed);
        assert_eq!(removed.map(|sum| (sum.count, sum.time)), Some((1, 10)));
    }

    #[test]
    fn what_is_told_of_waits_that_go_on_has_the_same_limit_of_rows() {
        let key = |scope: usize| Key {
            activity: Activity::Waiting,
            stack: Err(NoTrace::NoAnswer),
            site: Location::caller(),
            future: || "",
            scope: Some(scope.to_string().into()),
            background: false,
            earlier: false,
        };
        let mut rows = Rows::new();
        for scope in 0..MAX_ROWS + 100 {
            add_to(&mut rows, 0, key(scope), SUM);
        }
        assert_eq!(rows.len(), MAX_ROWS + 1);
        // One that has a row keeps it.
        add_to(&mut rows, 0, key(0), SUM);
        assert_eq!(rows[&key(0)].count, 2);
        assert_eq!(rows[&key(0).without_room()].count, 100);
        // The last report had that many rows.
        let mut rows = Rows::new();
        add_to(&mut rows, MAX_ROWS, key(0), SUM);
        assert!(rows.contains_key(&key(0).without_room()));
    }

    #[test]
    fn rows_are_apart_if_they_differ_in_anything_but_the_future() {
        let key = Key {
            activity: Activity::Waiting,
            stack: Err(NoTrace::NoAnswer),
            site: Location::caller(),
            future: || "one",
            scope: None,
            background: false,
            earlier: false,
        };
        let named = |name: &str| Some(Arc::from(name));
        let stack = Stack::intern(&[7, 8, 9]);
        let others = [
            Key {
                activity: Activity::Running,
                ..key.clone()
            },
            Key {
                stack: Err(NoTrace::Ended),
                ..key.clone()
            },
            Key {
                stack: Ok(stack.clone()),
                ..key.clone()
            },
            Key {
                stack: Ok(Stack::intern(&[7, 8])),
                ..key.clone()
            },
            Key {
                site: Location::caller(),
                ..key.clone()
            },
            Key {
                scope: named("a"),
                ..key.clone()
            },
            Key {
                scope: named("b"),
                ..key.clone()
            },
            Key {
                background: true,
                ..key.clone()
            },
        ];
        let mut rows: Rows = others
            .iter()
            .map(|key| (key.clone(), Sum::default()))
            .collect();
        assert!(rows.insert(key.clone(), Sum::default()).is_none());
        assert_eq!(rows.len(), others.len() + 1);
        let same = Key {
            scope: named("a"),
            future: || "other",
            ..key
        };
        assert!(rows.contains_key(&same));
    }

    #[test]
    fn rows_beyond_the_limit_share_one_for_each_spawn_site_and_lose_no_time() {
        let _turn = turn();
        let key = |scope: usize| Key {
            activity: Activity::Waiting,
            stack: Ok(Stack::intern(&[1, 2])),
            site: Location::caller(),
            future: || "",
            scope: Some(scope.to_string().into()),
            background: false,
            earlier: false,
        };
        let keys = 2 * MAX_ROWS;
        for _ in 0..2 {
            (0..keys).for_each(|scope| add(key(scope), SUM));
        }
        let all = snapshot();
        assert!(all.len() <= MAX_ROWS + 1, "{}", all.len());
        let without_room: Vec<_> = all
            .iter()
            .filter(|(key, _)| key.stack.is_err())
            .map(|(key, sum)| (key.stack.clone().unwrap_err(), key.scope.clone(), sum.count))
            .collect();
        let expected = (NoTrace::NoRoom, None, 2 * (keys - MAX_ROWS) as u64);
        assert_eq!(without_room, [expected]);
        let total = all.values().map(|sum| sum.time).sum::<u64>();
        assert_eq!(total, 2 * 10 * keys as u64);
    }
}
