//! Facts of sampled tasks that have ended: a bounded table, the oldest entry goes first.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};

use super::{MAX_ENDED, TaskFacts, TaskKey, of};
use crate::record::Hold;

#[derive(Default)]
struct Ended {
    facts: HashMap<TaskKey, Arc<TaskFacts>>,
    order: VecDeque<TaskKey>,
}

static ENDED: LazyLock<Mutex<Ended>> = LazyLock::new(Mutex::default);

fn table() -> MutexGuard<'static, Ended> {
    ENDED.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Keeps the facts of a sampled task that is ending. Called once a task, on the thread that ends
/// it.
pub(crate) fn keep(hold: &Hold) {
    let key = TaskKey(hold.get().sampled_key());
    let facts = Arc::new(of(hold, true));
    let old = {
        let mut table = table();
        let oldest = if table.order.len() >= MAX_ENDED {
            table.order.pop_front()
        } else {
            None
        };
        table.order.push_back(key);
        let old = oldest.and_then(|oldest| table.facts.remove(&oldest));
        table.facts.insert(key, facts);
        old
    };
    // Outside the lock: this may be the last reference to a scope.
    drop(old);
}

/// The facts of a task that has ended.
pub(super) fn find(key: TaskKey) -> Option<Arc<TaskFacts>> {
    table().facts.get(&key).cloned()
}
