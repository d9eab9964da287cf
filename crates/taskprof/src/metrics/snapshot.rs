//! The figures of one scrape: numbers only, and a bounded number of them.
//!
//! Not here: names and help of the metrics (`table.rs`), bounds of labels (`labels.rs`).

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use taskscope::census::{self, Breakdown};
use taskscope::sampling::{self, Dropped, Histograms};
use taskscope::stats::Stats;

use super::labels::{self, ScopeCounts};
use crate::cpu::ByScope;
use crate::cpu_permit;
use crate::offload::CancelCheck;
use crate::source;

pub(super) struct Snapshot {
    pub(super) began: Instant,
    pub(super) breakdown: Breakdown,
    pub(super) scopes: BTreeMap<String, ScopeCounts>,
    pub(super) runtimes: Vec<Runtime>,
    pub(super) runtimes_overflow: usize,
    /// Tracked values by kind.
    pub(super) resources: BTreeMap<String, usize>,
    pub(super) resources_overflow: usize,
    /// Live tasks of the spawn sites that grow most.
    pub(super) growing: BTreeMap<String, usize>,
    /// The number of all spawn sites that only grow.
    pub(super) growing_sites: usize,
    pub(super) histograms: Histograms,
    pub(super) losses: Dropped,
    pub(super) stats: Stats,
    pub(super) cpu: ByScope,
    /// Whether the CPU is sampled all the time.
    pub(super) cpu_sampled: bool,
    /// CPU seconds by the label of the scope.
    pub(super) cpu_by_scope: BTreeMap<String, f64>,
    pub(super) held: HeldMemory,
}

/// Memory that is held, in bytes, by the scope that it was allocated for.
#[derive(Default)]
pub(super) struct HeldMemory {
    pub(super) by_scope: BTreeMap<String, usize>,
    pub(super) overflow: u64,
    pub(super) without_scope: u64,
}

/// The figures of one runtime.
pub(super) struct Runtime {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) workers: usize,
    pub(super) live: u64,
    pub(super) untracked: usize,
    pub(super) global_queue: usize,
    pub(super) busy_ratio: f64,
    pub(super) blocked: usize,
    pub(super) busy: Duration,
    pub(super) parks: u64,
}

impl Snapshot {
    pub(super) fn take(began: Instant, cancel: &CancelCheck) -> Snapshot {
        let permit = cpu_permit::PROMPT.acquire_blocking();
        // Before the count: a runtime that is gone is forgotten first.
        let stats = taskscope::stats();
        let breakdown = census::take_by_scope(labels::series().scopes());
        let (growing, growing_sites) = growing();
        let (resources, resources_overflow) = resources();
        let scopes = labels::by_scope(&breakdown);
        let cpu = crate::cpu::by_scope();
        let mut cpu_by_scope = BTreeMap::new();
        for (scope, time) in &cpu.scopes {
            *cpu_by_scope.entry(labels::cut(scope)).or_default() += time.as_secs_f64();
        }
        drop(permit);
        // This takes 50 ms, in which other scrapes may go on.
        let (runtimes, runtimes_overflow) = runtimes(&breakdown, cancel);
        Snapshot {
            began,
            breakdown,
            scopes,
            runtimes,
            runtimes_overflow,
            resources,
            resources_overflow,
            growing,
            growing_sites,
            // Read after the others, so that no counter goes back between two scrapes.
            histograms: sampling::histograms(),
            losses: sampling::dropped(),
            stats,
            held: held(),
            cpu,
            cpu_sampled: crate::cpu::is_always_on(),
            cpu_by_scope,
        }
    }
}

/// Adds up counts whose labels became equal when they were cut: a scraper drops the whole answer
/// for two points with the same labels.
fn sum(counts: impl Iterator<Item = (String, usize)>) -> BTreeMap<String, usize> {
    let mut sums = BTreeMap::new();
    for (label, count) in counts {
        *sums.entry(label).or_default() += count;
    }
    sums
}

fn held() -> HeldMemory {
    let mut held = HeldMemory::default();
    let mut series = labels::series();
    let mut listed = Vec::new();
    for (route, memory) in crate::heap::held::by_route() {
        match route {
            None => held.without_scope += memory.bytes(),
            Some(route) if series.admit_holder(&route) => {
                listed.push((labels::cut(&route), memory.bytes() as usize));
            }
            Some(_) => held.overflow += memory.bytes(),
        }
    }
    held.by_scope = sum(listed.into_iter());
    held
}

fn growing() -> (BTreeMap<String, usize>, usize) {
    // Sites that only grow come first, by how much they grow.
    let sites = taskscope::growth();
    let growing = sites.iter().take_while(|site| site.only_grows());
    let most = growing.clone().take(labels::MAX_SITES);
    let listed = most.map(|site| (labels::cut_path(&site.site.to_string()), site.alive()));
    (sum(listed), growing.count())
}

fn resources() -> (BTreeMap<String, usize>, usize) {
    let mut series = labels::series();
    let mut all = census::resources();
    all.sort_unstable();
    let (listed, rest): (Vec<_>, Vec<_>) = all
        .into_iter()
        .partition(|(kind, _)| series.admit_kind(kind));
    let listed = listed
        .into_iter()
        .map(|(kind, count)| (labels::cut(kind), count));
    (sum(listed), rest.iter().map(|(_, count)| count).sum())
}

fn runtimes(breakdown: &Breakdown, cancel: &CancelCheck) -> (Vec<Runtime>, usize) {
    let watched = source::watch_runtimes(&breakdown.runtimes, cancel);
    let left_out = breakdown.census.runtimes_left_out;
    let mut series = labels::series();
    let mut listed = Vec::new();
    let mut overflow = left_out;
    for ((info, figures), load) in watched.into_iter().zip(&breakdown.census.runtimes) {
        if !series.admit_runtime(info.number) {
            overflow += 1;
            continue;
        }
        let metrics = info.handle().metrics();
        let figures = figures.unwrap_or_default();
        let time = figures.elapsed.as_secs_f64() * info.workers.max(1) as f64;
        let busy_ratio = figures.total_busy_duration.as_secs_f64() / time.max(f64::MIN_POSITIVE);
        listed.push(Runtime {
            id: info.number.to_string(),
            name: labels::cut(info.name.as_deref().unwrap_or_default()),
            workers: info.workers,
            live: figures.live_tasks_count as u64,
            untracked: info.untracked,
            global_queue: figures.global_queue_depth,
            // A poll that began before and has ended meanwhile counts as a whole.
            busy_ratio: busy_ratio.min(1.0),
            blocked: load
                .workers
                .iter()
                .filter(|worker| worker.in_one_poll)
                .count(),
            busy: (0..info.workers)
                .map(|worker| metrics.worker_total_busy_duration(worker))
                .sum(),
            parks: (0..info.workers)
                .map(|worker| metrics.worker_park_count(worker))
                .sum(),
        });
    }
    (listed, overflow)
}
