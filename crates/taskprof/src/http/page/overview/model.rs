//! What the first page shows, before it is put into any form.

use std::cmp::Reverse;
use std::collections::{BTreeSet, HashMap};
use std::panic::Location;
use std::sync::Arc;
use std::time::Duration;

use taskscope::census::{self, Census};
use taskscope::heap::Held;
use taskscope::{SiteGrowth, State, TaskDump, Verdict};

use crate::cpu::Recent;
use crate::error::Error;
use crate::http::page::tasks::label;
use crate::tasks::{self, Chosen, Groups, Head, Holds, Likeness, Summary};

/// Rows of each table; more are counted.
pub(super) const SHOWN: usize = 10;
/// A poll that takes this long, or took, is listed.
const LONG_POLL: Duration = Duration::from_millis(10);
/// Places with suspects that are told apart.
const MAX_SUSPECTS: usize = 1024;

pub(super) struct Seen {
    pub(super) tasks: Arc<Tasks>,
    pub(super) now: Census,
    /// Oldest first.
    pub(super) history: Vec<Census>,
    /// While sampling is always on, and ten minutes longer.
    pub(super) cpu: Option<Recent>,
}

/// What the first page shows of the tasks, summed up while they were read.
#[derive(Debug)]
pub(super) struct Tasks {
    pub(super) head: Head,
    /// Those with the most tasks first, then sites that only grow.
    pub(super) suspects: Vec<Suspect>,
    /// Those that have been waiting for longest, without those that are meant to; of tasks that are alike the one that waits for longest.
    pub(super) waits: Vec<Summary>,
    /// Polls that go on first, then those that have been caught; each by how long it took.
    pub(super) polls: Vec<Poll>,
}

/// Tasks that look leaked and have the same name, scope and spawn site.
#[derive(Debug)]
pub(super) struct Suspect {
    pub(super) label: String,
    pub(super) scope: Option<String>,
    pub(super) site: &'static Location<'static>,
    /// None if only the growth of the site is suspicious.
    pub(super) tasks: usize,
    pub(super) verdicts: BTreeSet<Verdict>,
    pub(super) oldest: Option<Duration>,
    /// As far as it is sampled.
    pub(super) memory: Held,
    pub(super) trend: Option<SiteGrowth>,
    at: usize,
}

/// A poll that is going on for long, or did.
#[derive(Debug)]
pub(super) struct Poll {
    pub(super) task: TaskDump,
    pub(super) lasted: Duration,
    /// How long ago it was seen. `None`: it goes on.
    pub(super) ago: Option<Duration>,
    at: usize,
}

impl Tasks {
    /// Looks at the tasks.
    ///
    /// # Errors
    ///
    /// If there is no memory for it.
    pub(super) fn take(chosen: Chosen) -> Result<Tasks, Error> {
        let growth = taskscope::growth();
        let mut suspects = Suspects::default();
        let mut waits = Groups::default();
        let mut polls = Vec::new();
        // By a site that only grows: what its first task is called.
        let mut grown: HashMap<&'static Location<'static>, Option<(usize, String)>> = growth
            .iter()
            .filter(|growth| growth.only_grows())
            .map(|growth| (growth.site, None))
            .collect();
        let head = tasks::fold(&chosen, &mut |at, task, held| {
            if task.is_leak_suspect() {
                suspects.add(at, &task, held);
            }
            if let Some(first) = grown.get_mut(task.site)
                && first.as_ref().is_none_or(|(before, _)| at < *before)
            {
                *first = Some((at, label(&task).to_owned()));
            }
            add_poll(&mut polls, at, &task);
            if matches!(task.state, State::Idle { .. }) && !task.background {
                waits.add(Likeness::of(&task), at, task, held);
            }
        })?;
        sort_polls(&mut polls);
        let mut waits = waits.in_order();
        waits.sort_by_key(|group| Reverse(group.longest().state.since()));
        let mut grown: HashMap<_, _> = grown.into_iter().collect();
        let label = |site| grown.remove(site).flatten().map(|(_, label)| label);
        Ok(Tasks {
            head,
            suspects: suspects.with_trends(growth, label),
            waits,
            polls,
        })
    }
}

type Place = (String, Option<String>, &'static Location<'static>);

#[derive(Default)]
struct Suspects {
    places: HashMap<Place, usize>,
    all: Vec<Suspect>,
}

impl Suspects {
    fn add(&mut self, at: usize, task: &TaskDump, held: Holds<'_>) {
        let scope = task.scope.as_ref().map(|scope| scope.name().to_owned());
        let mut place = (label(task).to_owned(), scope, task.site);
        if self.all.len() >= MAX_SUSPECTS && !self.places.contains_key(&place) {
            place = ("(others)".to_owned(), None, task.site);
        }
        let place = *self.places.entry(place).or_insert_with_key(|place| {
            let (label, scope, site) = place.clone();
            self.all.push(Suspect {
                label,
                scope,
                site,
                tasks: 0,
                verdicts: BTreeSet::new(),
                oldest: None,
                memory: Held::default(),
                trend: None,
                at,
            });
            self.all.len() - 1
        });
        let suspect = &mut self.all[place];
        suspect.tasks += 1;
        suspect.memory += held.memory;
        suspect.verdicts.insert(task.verdict);
        suspect.oldest = suspect.oldest.max(Some(task.age));
        suspect.at = suspect.at.min(at);
    }

    /// Adds the growth of each site, and the sites of which only that is suspicious.
    fn with_trends(
        self,
        growth: Vec<SiteGrowth>,
        mut label: impl FnMut(&'static Location<'static>) -> Option<String>,
    ) -> Vec<Suspect> {
        let mut suspects = self.all;
        suspects.sort_by_key(|suspect| (Reverse(suspect.tasks), suspect.at));
        for growth in growth {
            let mut known = false;
            for suspect in suspects.iter_mut().filter(|it| it.site == growth.site) {
                suspect.trend = Some(growth.clone());
                known = true;
            }
            if !known && growth.only_grows() {
                suspects.push(Suspect {
                    label: label(growth.site).unwrap_or_default(),
                    scope: None,
                    site: growth.site,
                    tasks: 0,
                    verdicts: BTreeSet::new(),
                    oldest: None,
                    memory: Held::default(),
                    trend: Some(growth),
                    at: usize::MAX,
                });
            }
        }
        suspects
    }
}

fn add_poll(polls: &mut Vec<Poll>, at: usize, task: &TaskDump) {
    let (lasted, ago) = match (&task.state, &task.long_poll) {
        (State::Running { since, .. }, _) if *since >= LONG_POLL => (*since, None),
        (_, Some(poll)) if poll.over => (poll.lasted, Some(poll.ago)),
        _ => return,
    };
    polls.push(Poll {
        task: task.clone(),
        lasted,
        ago,
        at,
    });
    if polls.len() > 8 * SHOWN {
        sort_polls(polls);
    }
}

fn sort_polls(polls: &mut Vec<Poll>) {
    polls.sort_by_key(|poll| (poll.ago.is_some(), Reverse(poll.lasted), poll.at));
    polls.truncate(SHOWN);
}

impl Seen {
    pub(super) fn new(tasks: Arc<Tasks>) -> Self {
        let now = census::take();
        let mut history = census::history();
        history.push(now.clone());
        Seen {
            tasks,
            now,
            history,
            cpu: crate::cpu::recent(),
        }
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
