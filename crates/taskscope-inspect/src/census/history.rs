//! The series of censuses: its switch, the last ten minutes, and the baseline of the next one.
//!
//! Nothing is counted under the lock: it is held to check whether a count is due, to store one, and
//! to copy the stored ones. Not here: how tasks are counted (`count.rs`).

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use super::count::Classified;
use super::load::{self, Readings};
use super::names::Counting;
use super::spinning::{Spinning, Suspects};
use super::{Breakdown, CENSUS_HISTORY_LEN, CENSUS_PERIOD, Census, ScopeNames, count};
use crate::dump::State;
use crate::record::Hold;
use crate::{RuntimeInfo, Verdict, maintenance};

/// The time between two censuses is at least this many times the time that one took.
const SHARE: u32 = 100;

/// A census outside of the series compares with one that is at least this old: a shorter time says
/// nothing.
const LEAST: Duration = Duration::from_millis(500);

/// The earlier readings that a census compares with.
struct Baseline {
    suspects: Suspects,
    readings: Readings,
}

struct Entry {
    at: Instant,
    census: Census,
}

struct Series {
    entries: VecDeque<Entry>,
    /// Baselines from the last census of the series and from the one before.
    baselines: [Option<Arc<Baseline>>; 2],
    /// When the next census is due; `None`: at once. Switching the series off and on again does not
    /// bring it forward.
    due: Option<Instant>,
}

static ON: AtomicBool = AtomicBool::new(false);
static SERIES: Mutex<Series> = Mutex::new(Series {
    entries: VecDeque::new(),
    baselines: [None, None],
    due: None,
});

fn series() -> MutexGuard<'static, Series> {
    // Only whole values are put in and taken out.
    SERIES.lock().unwrap_or_else(PoisonError::into_inner)
}

pub(super) fn start() -> bool {
    let mut series = series();
    if ON.swap(true, Ordering::Relaxed) {
        return false;
    }
    // Readings from before the series was switched off say nothing of now.
    series.baselines = [None, None];
    drop(series);
    // The watch thread has censuses taken, also while there is no task.
    maintenance::wake();
    true
}

pub(super) fn stop() -> bool {
    ON.swap(false, Ordering::Relaxed)
}

pub(super) fn is_on() -> bool {
    ON.load(Ordering::Relaxed)
}

/// Whether the next census is due. Does not wait: called on the watch thread.
pub(crate) fn is_due() -> bool {
    if !is_on() {
        return false;
    }
    let Ok(series) = SERIES.try_lock() else {
        return false;
    };
    series.due.is_none_or(|due| Instant::now() >= due)
}

/// Takes the next census of the series if it is due. For the thread of long jobs, the only one that
/// calls it.
pub(crate) fn job() -> Option<Duration> {
    if !is_due() {
        return None;
    }
    let before = series().baselines[0].clone();
    let Counted {
        at,
        census,
        baseline,
        ..
    } = count_all(before.as_deref(), |_, _, _| ());
    let mut series = series();
    let older = series.baselines[0].replace(Arc::new(baseline));
    let oldest = std::mem::replace(&mut series.baselines[1], older);
    let gone = (series.entries.len() == CENSUS_HISTORY_LEN).then(|| series.entries.pop_front());
    // The shorter of two: one that the machine has held up says nothing of the next.
    let last = series.entries.back().map(|entry| entry.census.took);
    let took = last.map_or(census.took, |last| last.min(census.took));
    let rest = CENSUS_PERIOD.max(took.saturating_mul(SHARE));
    series.due = Some(Instant::now() + rest);
    series.entries.push_back(Entry { at, census });
    drop(series);
    drop((oldest, gone, before));
    None
}

/// The baseline of a census that is not part of the series.
fn baseline() -> Option<Arc<Baseline>> {
    let series = series();
    let old_enough = |baseline: &&Arc<Baseline>| baseline.readings.age() >= LEAST;
    let baselines = is_on().then_some(&series.baselines);
    let mut both = baselines.into_iter().flatten().flatten();
    both.find(old_enough).cloned()
}

pub(super) fn take() -> Census {
    count_all(baseline().as_deref(), |_, _, _| ()).census
}

pub(super) fn take_by_scope(names: &mut ScopeNames) -> Breakdown {
    let mut counting = Counting::new(names);
    let counted = count_all(baseline().as_deref(), |hold, state, classified| {
        counting.add(hold, state, classified);
    });
    counting.finish(counted.census, counted.infos)
}

pub(super) fn history() -> Vec<Census> {
    let series = series();
    let now = Instant::now();
    let aged = |entry: &Entry| Census {
        ago: now.saturating_duration_since(entry.at),
        ..entry.census.clone()
    };
    series.entries.iter().map(aged).collect()
}

struct Counted {
    at: Instant,
    census: Census,
    infos: Vec<RuntimeInfo>,
    baseline: Baseline,
}

fn count_all(before: Option<&Baseline>, mut f: impl FnMut(&Hold, &State, &Classified)) -> Counted {
    let (taken_at, at) = (SystemTime::now(), Instant::now());
    let spinning = before.map_or_else(Spinning::default, |before| before.suspects.spinning());
    let mut by_verdict = [0; Verdict::ALL.len()];
    let mut suspects = 0;
    let (tally, may_spin) = count::classify_all(&spinning, |hold, state, classified| {
        by_verdict[classified.verdict as usize] += 1;
        suspects += usize::from(classified.suspect);
        f(hold, state, classified);
    });
    let loads = load::read(&tally, before.map(|before| &before.readings));
    let census = Census {
        taken_at,
        ago: Duration::ZERO,
        took: at.elapsed(),
        by_verdict,
        suspects,
        untracked: loads.infos.iter().map(|info| info.untracked).sum(),
        runtimes: loads.loads,
        runtimes_left_out: loads.left_out,
    };
    Counted {
        at,
        census,
        infos: loads.infos,
        baseline: Baseline {
            suspects: may_spin,
            readings: loads.readings,
        },
    }
}
