//! Growth: how many tasks of each spawn site are alive over time. A site that only grows is the
//! first suspect of a leak.
//!
//! Nothing is counted when a task is spawned. The thread `taskscope-count` counts the records now
//! and then, and stores the counts of each site in a small ring. Sites are places in the source, so
//! their number is bounded by the program.

use std::collections::HashMap;
use std::collections::VecDeque;
use std::panic::Location;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::{pool, record::Traits};

/// How often the tasks of each spawn site are counted: 10 s.
pub const GROWTH_PERIOD: Duration = Duration::from_secs(10);

/// Counts that are stored for each site: 60, so ten minutes.
pub const GROWTH_SAMPLES: usize = 60;

/// Counts that it takes to call a site growing: 3.
pub const GROWTH_MIN_SAMPLES: usize = 3;

/// The tasks of one spawn site over time.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct SiteGrowth {
    /// Where they are spawned.
    pub site: &'static Location<'static>,
    /// How long ago each count was, and how many were alive then; oldest first. Background tasks
    /// are left out.
    pub samples: Vec<(Duration, usize)>,
}

impl SiteGrowth {
    /// Tasks that were alive when they were last counted.
    #[must_use]
    pub fn alive(&self) -> usize {
        self.samples.last().map_or(0, |(_, alive)| *alive)
    }

    /// Tasks that were alive then beyond those at the first stored count.
    #[must_use]
    pub fn grew_by(&self) -> usize {
        let first = self.samples.first().map_or(0, |(_, alive)| *alive);
        self.alive().saturating_sub(first)
    }

    /// Whether their number has never gone down and has gone up, over at least
    /// [`GROWTH_MIN_SAMPLES`] counts.
    ///
    /// A service that is warming up or under growing load looks like that, too; one that has been
    /// up for long should not.
    #[must_use]
    pub fn only_grows(&self) -> bool {
        self.samples.len() >= GROWTH_MIN_SAMPLES
            && self.samples.is_sorted_by_key(|(_, alive)| *alive)
            && self.grew_by() > 0
    }
}

type Site = &'static Location<'static>;
type Ring = VecDeque<(Instant, usize)>;

struct Rings {
    sites: Option<HashMap<Site, Ring>>,
    counted_at: Option<Instant>,
}

static RINGS: Mutex<Rings> = Mutex::new(Rings {
    sites: None,
    counted_at: None,
});

fn rings() -> MutexGuard<'static, Rings> {
    RINGS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Whether the next count is due. Does not wait: called on the watch thread.
pub(crate) fn is_due() -> bool {
    let Ok(rings) = RINGS.try_lock() else {
        return false;
    };
    rings
        .counted_at
        .is_none_or(|at| at.elapsed() >= GROWTH_PERIOD)
}

/// Counts if it is time. For the thread of long jobs, which is woken then.
pub(crate) fn job() -> Option<Duration> {
    if is_due() {
        sample_growth();
    }
    None
}

/// Counts the tasks of each spawn site now, beside the counts that are made every [`GROWTH_PERIOD`]
/// while tasks are polled.
///
/// # Overhead
///
/// Reads every record: about 10 ms for a million.
pub fn sample_growth() {
    sample();
}

fn sample() {
    let mut alive: HashMap<Site, usize> = HashMap::new();
    for hold in pool::live() {
        if !hold.record().traits().has(Traits::BACKGROUND) {
            *alive.entry(hold.meta().site).or_default() += 1;
        }
    }
    let now = Instant::now();
    let mut rings = rings();
    rings.counted_at = Some(now);
    let sites = rings.sites.get_or_insert_default();
    for site in alive.keys() {
        sites.entry(site).or_default();
    }
    sites.retain(|site, ring| {
        if ring.len() == GROWTH_SAMPLES {
            ring.pop_front();
        }
        ring.push_back((now, alive.get(site).copied().unwrap_or(0)));
        ring.iter().any(|(_, alive)| *alive > 0)
    });
}

/// The spawn sites, suspects first: those that [only grow](SiteGrowth::only_grows), by how much;
/// then the others, by how many are alive.
///
/// # Examples
///
/// ```
/// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
/// for _ in 0..3 {
///     drop(taskscope::spawn(std::future::pending::<()>())); // one more each time
///     taskscope::growth::sample_growth();
/// }
/// let first = &taskscope::growth()[0];
/// assert!(first.only_grows());
/// assert_eq!((first.alive(), first.grew_by()), (3, 2));
/// # });
/// # Ok::<(), std::io::Error>(())
/// ```
#[must_use]
pub fn growth() -> Vec<SiteGrowth> {
    let now = Instant::now();
    let mut sites: Vec<SiteGrowth> = rings()
        .sites
        .iter()
        .flatten()
        .map(|(site, ring)| SiteGrowth {
            site,
            samples: ring
                .iter()
                .map(|(at, alive)| (now.saturating_duration_since(*at), *alive))
                .collect(),
        })
        .collect();
    sites.sort_by_key(|site| {
        let weight = if site.only_grows() { site.grew_by() } else { 0 };
        (
            std::cmp::Reverse((weight, site.alive())),
            site.site.file(),
            site.site.line(),
            site.site.column(),
        )
    });
    sites
}
