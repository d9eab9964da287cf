//! The facts of the first page, before they become HTML or text.
//!
//! Not here: its two forms (`html.rs`, `text.rs`), counts of earlier moments (`taskscope::census`).

use std::cmp::Reverse;
use std::collections::{BTreeSet, HashMap};
use std::panic::Location;
use std::sync::Arc;
use std::time::Duration;

use taskscope::census::{self, Census};
use taskscope::heap::Held;
use taskscope::{TaskDump, Verdict, dump::State, growth::SiteGrowth};

use crate::cpu::Recent;
use crate::error::Error;
use crate::http::page::tasks::label;
use crate::tasks::{self, DumpQuery, Groups, Head, Holds, Likeness, Summary};

/// Rows of each table; the others are counted.
pub(super) const MAX_ROWS: usize = 10;
/// Polls that take at least this long are listed.
pub(super) const LONG_POLL: Duration = Duration::from_millis(10);
/// Different places of suspects; further ones are counted together.
const MAX_SUSPECTS: usize = 1024;

/// All facts of the page.
pub(super) struct Overview {
    pub(super) tasks: Arc<TaskTotals>,
    /// The count of tasks for this page.
    pub(super) now: Census,
    /// Earlier counts and this one, oldest first.
    pub(super) history: Vec<Census>,
    /// CPU time by route, as long as samples of continuous sampling are stored.
    pub(super) cpu: Option<Recent>,
}

/// The facts about tasks, summed up while they were read.
#[derive(Debug)]
pub(super) struct TaskTotals {
    pub(super) head: Head,
    /// Places by their number of suspects, then spawn sites that only grow.
    pub(super) suspects: Vec<Suspect>,
    /// Groups of similar idle tasks by their longest wait, without background tasks.
    pub(super) waits: Vec<Summary>,
    /// Polls that are going on, then those that are over; each by their length.
    pub(super) polls: Vec<Poll>,
}

/// Tasks that look leaked and have the same name, scope and spawn site.
#[derive(Debug)]
pub(super) struct Suspect {
    pub(super) label: String,
    pub(super) scope: Option<String>,
    pub(super) site: &'static Location<'static>,
    /// The number of suspects; 0 if only the growth of the site is suspicious.
    pub(super) tasks: usize,
    pub(super) verdicts: BTreeSet<Verdict>,
    pub(super) oldest: Option<Duration>,
    /// Memory that they hold, estimated from samples.
    pub(super) memory: Held,
    pub(super) trend: Option<SiteGrowth>,
    at: usize,
}

/// A long poll.
#[derive(Debug)]
pub(super) struct Poll {
    pub(super) task: TaskDump,
    pub(super) lasted: Duration,
    /// How long ago it was seen; `None` if it is going on.
    pub(super) ago: Option<Duration>,
    at: usize,
}

impl TaskTotals {
    /// Reads all tasks, without polling any.
    ///
    /// # Errors
    ///
    /// If there is no memory for it.
    pub(super) fn read(query: DumpQuery) -> Result<TaskTotals, Error> {
        let growth = taskscope::growth();
        let mut suspects = Suspects::default();
        let mut waits = Groups::default();
        let mut polls = Vec::new();
        // By spawn site that only grows: the label of its oldest task.
        let mut grown: HashMap<&'static Location<'static>, Option<(usize, String)>> = growth
            .iter()
            .filter(|growth| growth.only_grows())
            .map(|growth| (growth.site, None))
            .collect();
        let head = tasks::fold(&query, &mut |at, task, held| {
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
        Ok(TaskTotals {
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

    /// Adds the growth of each site, and sites that are suspicious for their growth alone.
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
    if polls.len() > 8 * MAX_ROWS {
        sort_polls(polls);
    }
}

fn sort_polls(polls: &mut Vec<Poll>) {
    polls.sort_by_key(|poll| (poll.ago.is_some(), Reverse(poll.lasted), poll.at));
    polls.truncate(MAX_ROWS);
}

impl Overview {
    pub(super) fn new(tasks: Arc<TaskTotals>) -> Self {
        let now = census::take();
        let mut history = census::history();
        history.push(now.clone());
        Overview {
            tasks,
            now,
            history,
            cpu: crate::cpu::recent(),
        }
    }

    /// Tasks at the first stored count and now, for each verdict that had any in between.
    pub(super) fn changes(&self) -> Vec<(taskscope::Verdict, usize, usize)> {
        let first = &self.history[0];
        taskscope::Verdict::ALL
            .into_iter()
            .filter(|verdict| self.history.iter().any(|census| census.of(*verdict) > 0))
            .map(|verdict| (verdict, first.of(verdict), self.now.of(verdict)))
            .collect()
    }
}
