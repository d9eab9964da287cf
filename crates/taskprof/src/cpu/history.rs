//! The last ten minutes of CPU samples, stored while sampling is always on.
//!
//! Owned here: segments of ten seconds, each of bounded size, and sums by scope since the process
//! began, for metrics. Ids of requests are not stored. Not here: the sampler and its thread
//! (`session.rs`).

use std::cmp::Reverse;
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use super::recording::Recording;
use crate::error::Error;
use crate::sampler::{Collected, RawSample};

/// The age at which samples are dropped.
pub const RETENTION: Duration = Duration::from_secs(600);
/// The length of a segment, which is the resolution of the past.
pub const SEGMENT: Duration = Duration::from_secs(10);

/// At most this many distinct stacks with labels in a segment.
const ROWS: usize = 512;
/// At most this many addresses in them: 128 KiB. With the rows, sixty segments take at most 13 MB,
/// and far less when equal stacks are shared.
const FRAMES: usize = 16 * 1024;
/// At most this many names of scopes have a sum of their own; later ones share one.
pub(super) const MAX_SCOPES: usize = 100;

/// CPU time by scope since sampling was first always on.
#[derive(Debug, Clone, Default)]
pub(crate) struct ByScope {
    pub(crate) scopes: BTreeMap<Arc<str>, Duration>,
    /// Time of scopes that came after the first [`MAX_SCOPES`].
    pub(crate) overflow: Duration,
    /// Time of tasks without a scope, and outside of tasks.
    pub(crate) unscoped: Duration,
    pub(crate) lost: u64,
}

/// CPU time of the last minutes.
#[derive(Debug, Clone)]
pub(crate) struct Recent {
    /// Largest first. `None`: no route, or outside of any task.
    pub(crate) by_route: Vec<(Option<Arc<str>>, Duration)>,
    pub(crate) total: Duration,
    /// The age of the first sample.
    pub(crate) over: Duration,
}

/// The segments and the sums.
pub(super) struct History {
    inner: Mutex<Inner>,
}

#[derive(Debug)]
struct Inner {
    /// Its subscriber number and frequency, while it is on.
    on: Option<(u64, i32)>,
    segments: VecDeque<Segment>,
    sums: ByScope,
    failed: Option<String>,
}

#[derive(Debug)]
struct Segment {
    began: Instant,
    /// `None` for the segment that is still filled.
    ended: Option<Instant>,
    recording: Recording,
}

impl Segment {
    fn new(now: Instant, hz: i32) -> Segment {
        let mut recording = Recording::bounded(hz, ROWS, FRAMES);
        recording.begin(now);
        Segment {
            began: now,
            ended: None,
            recording,
        }
    }

    fn end(&mut self, now: Instant) {
        if self.ended.is_none() {
            self.ended = Some(now);
            self.recording.end(now);
        }
    }
}

pub(super) static HISTORY: History = History {
    inner: Mutex::new(Inner {
        on: None,
        segments: VecDeque::new(),
        sums: ByScope {
            scopes: BTreeMap::new(),
            overflow: Duration::ZERO,
            unscoped: Duration::ZERO,
            lost: 0,
        },
        failed: None,
    }),
};

impl History {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        // Sums and segments that are never left half-written.
        crate::sync::lock(&self.inner)
    }

    /// The subscriber number and the frequency, while it is on.
    pub(super) fn on(&self) -> Option<(u64, i32)> {
        self.lock().on
    }

    pub(super) fn switched_on(&self, number: u64, hz: i32) {
        let mut inner = self.lock();
        inner.on = Some((number, hz));
        inner.failed = None;
    }

    pub(super) fn switched_off(&self) {
        let mut inner = self.lock();
        inner.on = None;
        inner.end(Instant::now());
    }

    // ---- the sampling thread's side
    // ------------------------------------------------------------------------------

    pub(super) fn begin(&self, now: Instant, hz: i32) {
        self.lock().begin(now, hz);
    }

    pub(super) fn failed(&self, error: &Error) {
        let mut inner = self.lock();
        inner.on = None;
        inner.failed = Some(error.to_string());
        inner.end(Instant::now());
    }

    pub(super) fn add(&self, sample: &RawSample<'_>, stack: &Arc<[usize]>) {
        let mut inner = self.lock();
        let sample = RawSample {
            request: None,
            ..*sample
        };
        if let Some(segment) = inner.segments.back_mut() {
            segment.recording.add(&sample, stack);
        }
        inner.sums.add(&sample);
    }

    pub(super) fn comment(&self, comments: &[String]) {
        let mut inner = self.lock();
        if let Some(segment) = inner.segments.back_mut() {
            segment.recording.comments = comments.to_vec();
        }
    }

    pub(super) fn account(&self, collected: &Collected, hz: i32) {
        let mut inner = self.lock();
        let lost: u64 = collected.lost.iter().map(|(_, count)| count).sum();
        inner.sums.lost += lost;
        let now = Instant::now();
        let Some(segment) = inner.segments.back_mut() else {
            return;
        };
        segment.recording.account(collected, hz);
        if now.saturating_duration_since(segment.began) >= SEGMENT {
            let hz = segment.recording.hz;
            inner.begin(now, hz);
        }
    }

    // ---- the subscribers' side
    // ----------------------------------------------------------------------------------------

    /// CPU time by scope.
    #[cfg(feature = "metrics")]
    pub(super) fn by_scope(&self) -> ByScope {
        self.lock().sums.clone()
    }

    /// CPU time by route in all segments; `None` if there are none.
    pub(super) fn recent(&self) -> Option<Recent> {
        let inner = self.lock();
        let first = inner.segments.front()?;
        let now = Instant::now();
        let mut sums: BTreeMap<Option<Arc<str>>, Duration> = BTreeMap::new();
        for (key, weight) in inner
            .segments
            .iter()
            .flat_map(|segment| segment.recording.rows())
        {
            let route = key.task.as_ref().and_then(|task| task.route.clone());
            *sums.entry(route).or_default() += weight.cpu;
        }
        let over = now.saturating_duration_since(first.began);
        drop(inner);
        let total = sums.values().sum();
        let mut by_route: Vec<_> = sums.into_iter().collect();
        by_route.sort_by_key(|(_, cpu)| Reverse(*cpu));
        Some(Recent {
            by_route,
            total,
            over,
        })
    }

    /// The sum of all segments that overlap the window of this length that began `ago`.
    pub(super) fn window(&self, ago: Duration, duration: Duration) -> Result<Recording, Error> {
        let inner = self.lock();
        let now = Instant::now();
        let overlaps = |segment: &&Segment| {
            let begins = now.saturating_duration_since(segment.began);
            let ends = segment
                .ended
                .map_or(Duration::ZERO, |ended| now.saturating_duration_since(ended));
            begins > ago.saturating_sub(duration) && ends < ago
        };
        let mut sum: Option<Recording> = None;
        for segment in inner.segments.iter().filter(overlaps) {
            let mut recording = segment.recording.clone();
            if segment.ended.is_none() {
                recording.end(now);
            }
            match &mut sum {
                // With room for all of them: nothing loses its stack that had one in its segment.
                None => {
                    let mut wide = Recording::new(recording.hz);
                    wide.started = recording.started;
                    wide.merge(&recording);
                    sum = Some(wide);
                }
                Some(sum) => sum.merge(&recording),
            }
        }
        match (sum, &inner.failed, inner.on) {
            (Some(sum), ..) => Ok(sum),
            (None, Some(why), _) => Err(Error::unavailable(format!(
                "nothing was sampled then: sampling that is always on has ended: {why}"
            ))),
            (None, None, None) => Err(Error::unavailable(
                "the past is not kept in this process; switch it on with taskprof::cpu().always_on(), which samples at 19 Hz from then on",
            )),
            (None, None, Some(_)) => Err(Error::unavailable(format!(
                "nothing was sampled then: the last {} seconds are kept, and sampling began {} seconds ago",
                RETENTION.as_secs(),
                inner.segments.front().map_or(0, |segment| now
                    .saturating_duration_since(segment.began)
                    .as_secs())
            ))),
        }
    }
}

impl Inner {
    fn begin(&mut self, now: Instant, hz: i32) {
        self.end(now);
        self.segments.push_back(Segment::new(now, hz));
        let old = |segment: &Segment| {
            segment
                .ended
                .is_some_and(|ended| now.saturating_duration_since(ended) > RETENTION)
        };
        while self.segments.front().is_some_and(old) {
            self.segments.pop_front();
        }
    }

    fn end(&mut self, now: Instant) {
        if let Some(segment) = self.segments.back_mut() {
            segment.end(now);
        }
    }
}

impl ByScope {
    fn add(&mut self, sample: &RawSample<'_>) {
        let scope = sample.task.and_then(|task| task.scope.as_ref());
        let sum = match scope {
            None => &mut self.unscoped,
            Some(scope) if self.scopes.contains_key(scope) || self.scopes.len() < MAX_SCOPES => {
                self.scopes.entry(Arc::clone(scope)).or_default()
            }
            Some(_) => &mut self.overflow,
        };
        *sum = sum.saturating_add(sample.cpu);
    }
}
