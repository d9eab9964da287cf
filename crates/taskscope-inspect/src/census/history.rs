//! The switch, the ten minutes that are kept, and what a census compares with.
//!
//! Nobody counts under the lock: it is held to look whether a count is due, to put one away, and to copy those that are kept.

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

/// A census may take this part of the time.
const SHARE: u32 = 100;

/// A census outside of the series compares with one that is at least so old: of a shorter time there is nothing to say.
const LEAST: Duration = Duration::from_millis(500);

/// What the next census compares with.
struct Baseline {
    suspects: Suspects,
    readings: Readings,
}

struct Kept {
    at: Instant,
    census: Census,
}

struct Series {
    kept: VecDeque<Kept>,
    /// Of the last census of the series, and of the one before.
    baselines: [Option<Arc<Baseline>>; 2],
    /// `None`: at once. Switching off and on again is no way around the pace.
    due: Option<Instant>,
}

static ON: AtomicBool = AtomicBool::new(false);
static SERIES: Mutex<Series> = Mutex::new(Series {
    kept: VecDeque::new(),
    baselines: [None, None],
    due: None,
});

fn series() -> MutexGuard<'static, Series> {
    // Whole values are put in and taken out.
    SERIES.lock().unwrap_or_else(PoisonError::into_inner)
}

pub(super) fn start() -> bool {
    let mut series = series();
    if ON.swap(true, Ordering::Relaxed) {
        return false;
    }
    // What was read long ago says nothing of now.
    series.baselines = [None, None];
    drop(series);
    // It sees to it that censuses are taken, also while there is no task.
    maintenance::wake();
    true
}

pub(super) fn stop() -> bool {
    ON.swap(false, Ordering::Relaxed)
}

pub(super) fn is_on() -> bool {
    ON.load(Ordering::Relaxed)
}

/// Whether the next census is due. For the upkeep thread, which must not wait.
pub(crate) fn is_due() -> bool {
    if !is_on() {
        return false;
    }
    let Ok(series) = SERIES.try_lock() else {
        return false;
    };
    series.due.is_none_or(|due| Instant::now() >= due)
}

/// Takes the next census of the series if it is due. On the one thread that does.
pub(crate) fn look() -> Option<Duration> {
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
    let gone = (series.kept.len() == CENSUS_HISTORY_LEN).then(|| series.kept.pop_front());
    let rest = CENSUS_PERIOD.max(census.took.saturating_mul(SHARE));
    series.due = Some(Instant::now() + rest);
    series.kept.push_back(Kept { at, census });
    drop(series);
    drop((oldest, gone, before));
    None
}

/// What a census beside the series compares with.
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
    counting.told(counted.census, counted.infos)
}

pub(super) fn history() -> Vec<Census> {
    let series = series();
    let now = Instant::now();
    let aged = |kept: &Kept| Census {
        ago: now.saturating_duration_since(kept.at),
        ..kept.census.clone()
    };
    series.kept.iter().map(aged).collect()
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
    let (tally, may_spin) = count::each(&spinning, |hold, state, classified| {
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
