//! What the first page shows, before it is put into any form.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::panic::Location;
use std::sync::Arc;
use std::time::Duration;

use taskscope::census::{self, Census};
use taskscope::{Dump, Group, SiteGrowth, State, TaskDump};

use crate::cpu::Recent;
use crate::http::page::tasks::label;

/// Rows of each table; more are counted.
pub(super) const SHOWN: usize = 10;
/// A poll that takes this long, or took, is listed.
const LONG_POLL: Duration = Duration::from_millis(10);

pub(super) struct Seen {
    pub(super) dump: Arc<Dump>,
    pub(super) now: Census,
    /// Oldest first.
    pub(super) history: Vec<Census>,
    growth: Vec<SiteGrowth>,
    /// While sampling is always on, and ten minutes longer.
    pub(super) cpu: Option<Recent>,
}

/// Tasks that look leaked and have the same name, scope and spawn site.
pub(super) struct Suspect<'a> {
    pub(super) label: &'a str,
    pub(super) scope: Option<&'a str>,
    pub(super) site: &'static Location<'static>,
    /// Oldest first. Empty if only the growth of the site is suspicious.
    pub(super) tasks: Vec<&'a TaskDump>,
    pub(super) trend: Option<&'a SiteGrowth>,
}

/// A task that waits, and how many others wait in the same way.
pub(super) struct Wait<'a> {
    pub(super) task: &'a TaskDump,
    pub(super) alike: usize,
}

/// A poll that is going on for long, or did.
pub(super) struct Poll<'a> {
    pub(super) task: &'a TaskDump,
    pub(super) lasted: Duration,
    /// How long ago it was seen. `None`: it goes on.
    pub(super) ago: Option<Duration>,
}

impl Seen {
    pub(super) fn new(dump: Arc<Dump>) -> Self {
        let now = census::take();
        let mut history = census::history();
        history.push(now.clone());
        Seen {
            dump,
            now,
            history,
            growth: taskscope::growth(),
            cpu: crate::cpu::recent(),
        }
    }

    /// Those with the most tasks first.
    pub(super) fn suspects(&self) -> Vec<Suspect<'_>> {
        let trends: HashMap<_, _> = self
            .growth
            .iter()
            .map(|growth| (growth.site, growth))
            .collect();
        let mut known = HashMap::new();
        let mut suspects: Vec<Suspect<'_>> = Vec::new();
        for task in self.dump.tasks.iter().filter(|task| task.is_leak_suspect()) {
            let scope = task.scope.as_ref().map(|scope| scope.name());
            let at = *known
                .entry((label(task), scope, task.site))
                .or_insert_with(|| {
                    suspects.push(Suspect {
                        label: label(task),
                        scope,
                        site: task.site,
                        tasks: Vec::new(),
                        trend: trends.get(task.site).copied(),
                    });
                    suspects.len() - 1
                });
            suspects[at].tasks.push(task);
        }
        suspects.sort_by_key(|suspect| Reverse(suspect.tasks.len()));
        let growing = self.growth.iter().filter(|growth| {
            growth.only_grows() && !suspects.iter().any(|suspect| suspect.site == growth.site)
        });
        let growing: Vec<Suspect<'_>> = growing
            .map(|growth| Suspect {
                label: self
                    .dump
                    .tasks
                    .iter()
                    .find(|task| task.site == growth.site)
                    .map_or("", label),
                scope: None,
                site: growth.site,
                tasks: Vec::new(),
                trend: Some(growth),
            })
            .collect();
        suspects.extend(growing);
        suspects
    }

    /// Those that have been waiting for longest, without those that are meant to; of tasks that are alike the one that waits for longest.
    pub(super) fn oldest_waits(&self) -> Vec<Wait<'_>> {
        let idle = |task: &&TaskDump| matches!(task.state, State::Idle { .. }) && !task.background;
        let mut waits: Vec<Wait<'_>> = Group::of(self.dump.tasks.iter().filter(idle))
            .into_iter()
            .filter_map(|group| {
                let longest = group.tasks.iter().max_by_key(|task| task.state.since())?;
                Some(Wait {
                    task: longest,
                    alike: group.tasks.len() - 1,
                })
            })
            .collect();
        waits.sort_by_key(|wait| Reverse(wait.task.state.since()));
        waits
    }

    /// Polls that go on first, then those that have been caught; each by how long it took.
    pub(super) fn longest_polls(&self) -> Vec<Poll<'_>> {
        let mut polls: Vec<Poll<'_>> = Vec::new();
        for task in &self.dump.tasks {
            match (&task.state, &task.long_poll) {
                (State::Running { since, .. }, _) if *since >= LONG_POLL => polls.push(Poll {
                    task,
                    lasted: *since,
                    ago: None,
                }),
                (_, Some(poll)) if poll.over => polls.push(Poll {
                    task,
                    lasted: poll.lasted,
                    ago: Some(poll.ago),
                }),
                _ => {}
            }
        }
        polls.sort_by_key(|poll| (poll.ago.is_some(), Reverse(poll.lasted)));
        polls.truncate(SHOWN);
        polls
    }

    /// What has changed, verdict by verdict, from the first count that is kept to now; those that never were are left out.
    pub(super) fn changes(&self) -> Vec<(taskscope::Verdict, usize, usize)> {
        let first = &self.history[0];
        taskscope::Verdict::ALL
            .into_iter()
            .filter(|verdict| self.history.iter().any(|census| census.of(*verdict) > 0))
            .map(|verdict| (verdict, first.of(verdict), self.now.of(verdict)))
            .collect()
    }
}
