//! The spawn tree: which task spawned which, among those of one dump.
//!
//! Nothing here recurses: a chain of tasks can be as long as there are tasks.

use std::collections::HashMap;

use super::{Dump, TaskDump};

/// The spawn tree of a dump: see [`Dump::tree`].
#[derive(Debug, Clone)]
pub struct SpawnTree<'a> {
    tasks: &'a [TaskDump],
    /// Places in `tasks`, by id.
    places: HashMap<u64, usize>,
    /// Places of the children, in order, by the id of the parent, which may not be in the dump.
    children: HashMap<u64, Vec<usize>>,
    roots: Vec<usize>,
}

impl Dump {
    /// Returns the tree of which task spawned which.
    ///
    /// A parent that has ended or is otherwise not in the dump is known by its id only: its
    /// children are [roots](SpawnTree::roots), and their [`TaskDump::parent`] has that id.
    ///
    /// # Examples
    ///
    /// ```
    /// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
    /// taskscope::spawn_named("acceptor", async {
    ///     taskscope::spawn_named("connection", std::future::pending::<()>()).await
    /// });
    /// tokio::task::yield_now().await;
    /// tokio::task::yield_now().await;
    ///
    /// let dump = taskscope::dump().await;
    /// let lines: Vec<_> = dump
    ///     .tree()
    ///     .walk()
    ///     .map(|(depth, task)| format!("{}{}", "  ".repeat(depth), task.name.as_deref().unwrap_or("?")))
    ///     .collect();
    /// assert_eq!(lines, ["acceptor", "  connection"]);
    /// # });
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[must_use]
    pub fn tree(&self) -> SpawnTree<'_> {
        let tasks = &self.tasks[..];
        let places: HashMap<_, _> = tasks
            .iter()
            .enumerate()
            .map(|(at, task)| (task.id, at))
            .collect();
        let mut children: HashMap<u64, Vec<usize>> = HashMap::new();
        let mut roots = Vec::new();
        for (at, task) in tasks.iter().enumerate() {
            if let Some(parent) = task.parent {
                children.entry(parent).or_default().push(at);
            }
            if task
                .parent
                .is_none_or(|parent| !places.contains_key(&parent))
            {
                roots.push(at);
            }
        }
        SpawnTree {
            tasks,
            places,
            children,
            roots,
        }
    }
}

impl<'a> SpawnTree<'a> {
    /// The task with this id.
    #[must_use]
    pub fn task(&self, id: u64) -> Option<&'a TaskDump> {
        self.places.get(&id).map(|at| &self.tasks[*at])
    }

    /// Tasks that none of the others spawned, oldest first.
    pub fn roots(&self) -> impl Iterator<Item = &'a TaskDump> + '_ {
        self.roots.iter().map(|at| &self.tasks[*at])
    }

    /// Tasks that the one with this id spawned, oldest first; it may have ended itself.
    pub fn children(&self, id: u64) -> impl Iterator<Item = &'a TaskDump> + '_ {
        let children = self.children.get(&id).map_or(&[][..], Vec::as_slice);
        children.iter().map(|at| &self.tasks[*at])
    }

    /// The tasks that it descends from, its parent first, up to the first that is not in the dump.
    pub fn ancestors(&self, task: &TaskDump) -> impl Iterator<Item = &'a TaskDump> + '_ {
        let mut next = task.parent;
        // No task spawns its own ancestor; but no reader may hang if an id says so.
        std::iter::from_fn(move || {
            let task = self.task(next?)?;
            next = task.parent;
            Some(task)
        })
        .take(self.tasks.len())
    }

    /// All tasks with their depth, each followed by what it spawned: the order in which a tree is
    /// printed.
    pub fn walk(&self) -> impl Iterator<Item = (usize, &'a TaskDump)> + '_ {
        let mut rest: Vec<_> = self.roots.iter().rev().map(|at| (0, *at)).collect();
        std::iter::from_fn(move || {
            let (depth, at) = rest.pop()?;
            let task = &self.tasks[at];
            let children = self.children.get(&task.id).map_or(&[][..], Vec::as_slice);
            rest.extend(children.iter().rev().map(|at| (depth + 1, *at)));
            Some((depth, task))
        })
        .take(self.tasks.len())
    }
}
