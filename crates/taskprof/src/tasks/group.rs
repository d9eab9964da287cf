//! Groups of similar tasks, summed up while they are read: those of
//! [`Dump::groups`](taskscope::Dump::groups), without the tasks.
//!
//! The key of a group is a type parameter, because the tab with the tasks groups by other
//! properties, too. Not here: how groups are shown (`text.rs`, the pages).

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap};
use std::hash::Hash;
use std::panic::Location;
use std::sync::Arc;
use std::time::Duration;

use taskscope::heap::Held;
use taskscope::{
    TaskDump, Verdict, WaitKind,
    dump::{NoTrace, State},
};

use super::Holds;
use super::distinct::Distinct;

/// Groups that are kept; tasks of further groups are counted.
const MAX_GROUPS: usize = 4096;
/// Scopes of a group that are listed, in the order in which they were read.
const MAX_SCOPES: usize = 4;

/// The key of similar tasks: verdict, spawn site and stack.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Likeness {
    verdict: Verdict,
    background: bool,
    site: &'static Location<'static>,
    /// The address of the stack, which also decides the wait reason. The group keeps a task with
    /// that stack, so no other stack gets the address.
    stack: Result<usize, (NoTrace, Option<WaitKind>)>,
}

impl Likeness {
    pub(crate) fn of(task: &TaskDump) -> Likeness {
        Likeness {
            verdict: task.verdict,
            background: task.background,
            site: task.site,
            stack: match &task.trace {
                Ok(trace) => Ok(Arc::as_ptr(trace.stack()).addr()),
                Err(why) => Err((*why, task.wait_reason().kinds.first().copied())),
            },
        }
    }
}

/// A group of tasks, summed up.
#[derive(Debug, Clone)]
pub(crate) struct Summary {
    at: usize,
    pub(crate) oldest: TaskDump,
    /// The task that has been in its state longest, if that is not `oldest`.
    longest: Option<Box<TaskDump>>,
    longest_at: usize,
    pub(crate) tasks: usize,
    /// The shortest and the longest time that one has been in its state.
    pub(crate) since: (Duration, Duration),
    pub(crate) age: (Duration, Duration),
    pub(crate) detached: usize,
    pub(crate) names: Distinct,
    pub(crate) scopes: Distinct,
    pub(crate) threads: Distinct,
    /// The number of resources that they hold, by kind.
    pub(crate) held: BTreeMap<&'static str, usize>,
    /// Memory that they hold, estimated from samples.
    pub(crate) memory: Held,
    pub(crate) verdicts: BTreeMap<Verdict, usize>,
    /// The names of the first scopes, at most [`MAX_SCOPES`].
    pub(crate) first_scopes: Vec<String>,
    pub(crate) without_scope: bool,
    pub(crate) several_sites: bool,
}

impl Summary {
    fn new(at: usize, task: TaskDump) -> Summary {
        let (since, age) = (task.state.since(), task.age);
        Summary {
            at,
            longest: None,
            longest_at: at,
            tasks: 0,
            since: (since, since),
            age: (age, age),
            detached: 0,
            names: Distinct::default(),
            scopes: Distinct::default(),
            threads: Distinct::default(),
            held: BTreeMap::new(),
            memory: Held::default(),
            verdicts: BTreeMap::new(),
            first_scopes: Vec::new(),
            without_scope: false,
            several_sites: false,
            oldest: task,
        }
    }

    /// The task that has been in its state longest; the youngest of equals.
    pub(crate) fn longest(&self) -> &TaskDump {
        self.longest.as_deref().unwrap_or(&self.oldest)
    }

    fn add(&mut self, at: usize, task: &TaskDump, held: Holds<'_>) {
        self.tasks += 1;
        self.memory += held.memory;
        let since = task.state.since();
        let longest = self.longest().state.since();
        // Among equals, the last by age wins.
        if (since, at) > (longest, self.longest_at) {
            self.longest = Some(Box::new(task.clone()));
            self.longest_at = at;
        }
        self.since = (self.since.0.min(since), self.since.1.max(since));
        self.age = (self.age.0.min(task.age), self.age.1.max(task.age));
        self.detached += usize::from(task.detached.is_some());
        if let Some(name) = &task.name {
            self.names.add(name);
        }
        match &task.scope {
            Some(scope) => {
                let name = scope.name();
                self.scopes.add(name);
                let known = self.first_scopes.iter().any(|known| known == name);
                if self.first_scopes.len() < MAX_SCOPES && !known {
                    self.first_scopes.push(name.to_owned());
                }
            }
            None => self.without_scope = true,
        }
        if let Some(thread) = thread(task) {
            self.threads.add(&thread);
        }
        for kind in held.kinds {
            *self.held.entry(kind).or_default() += 1;
        }
        *self.verdicts.entry(task.verdict).or_default() += 1;
        self.several_sites |= self.oldest.site != task.site;
    }
}

/// The thread that is polling the task, and the kernel's id of it.
fn thread(task: &TaskDump) -> Option<String> {
    match &task.state {
        State::Running {
            thread: Some(thread),
            ..
        } => Some(format!("{} ({})", thread.name, thread.os_id)),
        _ => None,
    }
}

/// Groups of tasks by a key.
#[derive(Debug)]
pub(crate) struct Groups<K> {
    places: HashMap<K, usize>,
    groups: Vec<(K, Summary)>,
    last: Option<usize>,
    /// The number of tasks in groups beyond the limit.
    pub(crate) left_out: usize,
}

impl<K> Default for Groups<K> {
    fn default() -> Self {
        Groups {
            places: HashMap::new(),
            groups: Vec::new(),
            last: None,
            left_out: 0,
        }
    }
}

impl<K: Hash + Eq + Clone> Groups<K> {
    /// Adds a task. `at`: its position among all tasks, oldest first.
    pub(crate) fn add(&mut self, key: K, at: usize, task: TaskDump, held: Holds<'_>) {
        // Similar tasks mostly come one after the other.
        let place = match self.last {
            Some(last) if self.groups[last].0 == key => Some(last),
            _ => self.places.get(&key).copied(),
        };
        let place = match place {
            Some(place) => place,
            None if self.groups.len() >= MAX_GROUPS => {
                self.left_out += 1;
                return;
            }
            None => {
                self.places.insert(key.clone(), self.groups.len());
                self.groups.push((key, Summary::new(at, task.clone())));
                self.groups.len() - 1
            }
        };
        self.last = Some(place);
        let summary = &mut self.groups[place].1;
        summary.add(at, &task, held);
        if at < summary.at {
            summary.at = at;
            let younger = std::mem::replace(&mut summary.oldest, task);
            summary.longest.get_or_insert_with(|| Box::new(younger));
        }
    }

    /// Each group with its key, in no particular order.
    pub(crate) fn into_groups(self) -> Vec<(K, Summary)> {
        self.groups
    }
}

impl Groups<Likeness> {
    /// The groups, largest first and then by spawn site: a total order, so that two dumps of the
    /// same tasks read alike.
    pub(crate) fn in_order(self) -> Vec<Summary> {
        let mut groups: Vec<Summary> = self.groups.into_iter().map(|(_, group)| group).collect();
        groups.sort_by_key(|group| {
            let site = group.oldest.site;
            let place = (site.file(), site.line(), site.column());
            (Reverse(group.tasks), place, group.oldest.id)
        });
        groups
    }
}

#[cfg(test)]
mod tests {
    use taskscope::{
        DumpOptions,
        text::{Age, Listed},
    };

    use super::*;

    // Through a private door: the sums of a group are seen from outside only as words.
    #[tokio::test]
    async fn summed_up_in_any_order_groups_are_those_of_a_dump() {
        for n in 0..40 {
            let wait = tokio::time::sleep(Duration::from_secs(1_000));
            let builder = taskscope::Builder::new().name(format!("n{}", n % 12));
            match n % 4 {
                0 => drop(builder.background().spawn(wait)),
                1 => drop(builder.spawn(std::future::pending::<()>())),
                2 => drop(taskscope::spawn(wait)),
                _ => drop(builder.spawn(wait)),
            }
        }
        tokio::task::yield_now().await;
        let dump = DumpOptions::new().capture().await;
        assert!(dump.tasks.len() >= 40);
        let whole = dump.groups();
        assert!(whole.len() >= 4);
        let mut order: Vec<(usize, &TaskDump)> = dump.tasks.iter().enumerate().collect();
        for turn in 0..3 {
            let mut groups = Groups::default();
            for (at, task) in &order {
                groups.add(Likeness::of(task), *at, (*task).clone(), Holds::default());
            }
            let summed = groups.in_order();
            assert_eq!(summed.len(), whole.len());
            for (sum, group) in summed.iter().zip(&whole) {
                assert_eq!(sum.tasks, group.tasks.len(), "turn {turn}");
                assert_eq!(sum.oldest.id, group.oldest().id);
                assert_eq!(sum.names.to_string(), Listed(&group.names()).to_string());
                let longest = group.tasks.iter().max_by_key(|task| task.state.since());
                assert_eq!(Some(sum.longest().id), longest.map(|task| task.id));
                let ages = group.tasks.iter().map(|task| task.age);
                assert_eq!(Some(sum.age.1), ages.max(), "{}", Age(sum.age.1));
            }
            order.reverse();
            order.rotate_left(7 * turn);
        }
    }
}
