//! Breakdowns: tasks by the name of their scope, their state and their verdict.
//!
//! Only the program's discipline bounds the names of scopes, and series in a store for metrics are
//! dear: so a breakdown has a limited number of names, the first ones, and counts all others
//! together. Not here: which metrics there are (taskprof).

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use super::Census;
use super::count::Classified;
use crate::State;
use crate::record::Hold;
use crate::{RuntimeInfo, Verdict};
use taskscope_core::Owner;

/// The names of scopes that tasks are counted by: the first ones, up to a limit.
///
/// A name keeps its place, so a series of counts goes on.
///
/// # Examples
///
/// ```
/// use taskscope::census::{self, ScopeNames};
/// use taskscope::{Scope, Verdict};
///
/// # tokio::runtime::Builder::new_current_thread().enable_time().build()?.block_on(async {
/// let request = Scope::new("GET /orders/{id}");
/// request.spawn(tokio::time::sleep(std::time::Duration::from_secs(600)));
/// tokio::task::yield_now().await;
/// drop(request);
///
/// let mut names = ScopeNames::new(100);
/// let breakdown = census::take_by_scope(&mut names);
/// let (name, counts) = breakdown.scopes().next().ok_or("no scope")?;
/// assert_eq!((name, counts.of(Verdict::Outlived)), ("GET /orders/{id}", 1));
/// # Ok::<(), &str>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct ScopeNames {
    places: HashMap<Arc<str>, usize>,
    names: Vec<Arc<str>>,
    most: usize,
}

impl ScopeNames {
    /// An empty list that takes at most this many names.
    #[must_use]
    pub fn new(most: usize) -> ScopeNames {
        ScopeNames {
            places: HashMap::new(),
            names: Vec::new(),
            most,
        }
    }

    /// The names that have a place, in the order in which they came.
    #[must_use]
    pub fn names(&self) -> &[Arc<str>] {
        &self.names
    }

    /// The place of a name, which is given one if there is room; `None`: there is no room.
    fn place(&mut self, name: &str, shared: impl FnOnce() -> Arc<str>) -> Option<usize> {
        if let Some(place) = self.places.get(name) {
            return Some(*place);
        }
        if self.names.len() == self.most {
            return None;
        }
        let (name, place) = (shared(), self.names.len());
        self.places.insert(Arc::clone(&name), place);
        self.names.push(name);
        Some(place)
    }
}

impl fmt::Debug for ScopeNames {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ScopeNames")
            .field("names", &self.names)
            .field("most", &self.most)
            .finish_non_exhaustive()
    }
}

/// Tasks by state and verdict.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    by_state: [[usize; Verdict::ALL.len()]; Counts::STATES.len()],
    suspects: usize,
}

impl Counts {
    /// The names of the states, as [`State::name`](crate::State::name) has them.
    pub const STATES: [&'static str; 3] = ["running", "scheduled", "idle"];

    /// Tasks with this verdict.
    #[must_use]
    pub fn of(&self, verdict: Verdict) -> usize {
        let states = self.by_state.iter();
        states.map(|verdicts| verdicts[verdict as usize]).sum()
    }

    /// Tasks in this state with this verdict; none in a state that is not one of
    /// [`Counts::STATES`].
    #[must_use]
    pub fn in_state(&self, state: &str, verdict: Verdict) -> usize {
        let at = Counts::STATES.iter().position(|name| *name == state);
        at.map_or(0, |at| self.by_state[at][verdict as usize])
    }

    /// Tasks that [look like a leak](crate::TaskDump::is_leak_suspect).
    #[must_use]
    pub fn suspects(&self) -> usize {
        self.suspects
    }

    /// All tasks.
    #[must_use]
    pub fn tasks(&self) -> usize {
        self.by_state.iter().flatten().sum()
    }

    fn add(&mut self, state: &State, verdict: Verdict, suspect: bool) {
        let at = match state {
            State::Running { .. } => 0,
            State::Scheduled { .. } => 1,
            State::Idle { .. } => 2,
        };
        self.by_state[at][verdict as usize] += 1;
        self.suspects += usize::from(suspect);
    }
}

/// A census with counts by scope.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Breakdown {
    /// The census of all tasks.
    pub census: Census,
    /// All tasks by state and verdict.
    pub all: Counts,
    /// Tasks of no scope.
    pub without_scope: Counts,
    /// Tasks of scopes whose names have no place.
    pub others: Counts,
    /// The runtimes of [`Census::runtimes`], in the same order. Do not keep their handles for
    /// longer than needed.
    pub runtimes: Vec<RuntimeInfo>,
    pub(super) by_scope: Vec<(Arc<str>, Counts)>,
}

impl Breakdown {
    /// Tasks by the name of their scope: every name that has a place, also one without a task now.
    ///
    /// A task counts for the innermost scope that it belongs to.
    pub fn scopes(&self) -> impl ExactSizeIterator<Item = (&str, &Counts)> {
        self.by_scope.iter().map(|(name, counts)| (&**name, counts))
    }
}

/// A breakdown that is being made.
pub(super) struct Counting<'n> {
    names: &'n mut ScopeNames,
    /// The scope of the last task: tasks of a scope are often side by side.
    last: Option<(Arc<dyn Owner>, Option<usize>)>,
    all: Counts,
    without_scope: Counts,
    others: Counts,
    by_place: Vec<Counts>,
}

impl<'n> Counting<'n> {
    pub(super) fn new(names: &'n mut ScopeNames) -> Self {
        Counting {
            by_place: vec![Counts::default(); names.names.len()],
            names,
            last: None,
            all: Counts::default(),
            without_scope: Counts::default(),
            others: Counts::default(),
        }
    }

    pub(super) fn add(&mut self, hold: &Hold, state: &State, classified: &Classified) {
        self.all.add(state, classified.verdict, classified.suspect);
        let counts = match &hold.meta().scope {
            None => &mut self.without_scope,
            Some(scope) => {
                let place = match &self.last {
                    Some((last, place)) if Arc::ptr_eq(last, scope) => *place,
                    _ => {
                        let place = self.names.place(scope.name(), || scope.name().clone());
                        self.last = Some((Arc::clone(scope), place));
                        place
                    }
                };
                match place {
                    None => &mut self.others,
                    Some(place) => {
                        if self.by_place.len() <= place {
                            self.by_place.resize(place + 1, Counts::default());
                        }
                        &mut self.by_place[place]
                    }
                }
            }
        };
        counts.add(state, classified.verdict, classified.suspect);
    }

    pub(super) fn finish(mut self, census: Census, runtimes: Vec<RuntimeInfo>) -> Breakdown {
        let names = self.names.names.iter().cloned();
        self.by_place.resize(names.len(), Counts::default());
        Breakdown {
            census,
            all: self.all,
            without_scope: self.without_scope,
            others: self.others,
            runtimes,
            by_scope: names.zip(self.by_place).collect(),
        }
    }
}
