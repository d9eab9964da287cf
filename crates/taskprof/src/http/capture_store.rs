//! Finished captures, each with a number: shown again, shared and compared without sampling again.
//!
//! Bounded in number and bytes; the oldest goes first. What is made in a moment, and what was asked for by Go's names, is often the work of a
//! scraper that comes every few seconds: few of those are kept, so that they do not push out what a human wants to look at again.
//! Not here: their page (`captures.rs`).

use std::collections::VecDeque;
use std::mem::{size_of, size_of_val};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use crate::profile::{Frame, Label, LabelValue, Profile};
use crate::source::Source;

/// Captures of one router that are kept.
pub(super) const MAX_KEPT: usize = 32;
/// Of those, passing ones.
const MAX_PASSING: usize = 8;
/// Bytes that passing captures take together, about: whoever asks for a profile of the moment, and does not come back, leaves little.
const MAX_PASSING_BYTES: usize = 4 << 20;
/// Bytes that the kept captures take together, about.
pub(super) const MAX_BYTES: usize = 64 << 20;

/// What a capture is worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rank {
    /// It took time, and was asked for by our name.
    Long,
    /// It shows one moment, or was asked for by Go's name.
    Passing,
}

/// A capture that is over.
#[derive(Debug)]
pub(super) struct Kept {
    /// Its number in its router, from 1.
    pub(super) id: u64,
    pub(super) source: &'static Source,
    pub(super) profile: Arc<Profile>,
    pub(super) finished: SystemTime,
    rank: Rank,
    bytes: usize,
}

#[derive(Debug, Default)]
struct Shelf {
    last: u64,
    bytes: usize,
    /// Oldest first.
    kept: VecDeque<Arc<Kept>>,
}

#[derive(Debug)]
pub(super) struct Captures(Mutex<Shelf>);

impl Captures {
    pub(super) fn new() -> Self {
        Captures(Mutex::default())
    }

    fn lock(&self) -> MutexGuard<'_, Shelf> {
        // A panic in between leaves a capture too few or too many.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps a capture, and gives it with its number.
    pub(super) fn keep(&self, source: &'static Source, rank: Rank, profile: Profile) -> Arc<Kept> {
        crate::metrics::counters::captured(source.name);
        let bytes = weight(&profile);
        let profile = Arc::new(profile);
        let mut dropped = Vec::new();
        let mut shelf = self.lock();
        shelf.last += 1;
        let kept = Arc::new(Kept {
            id: shelf.last,
            source,
            profile,
            finished: SystemTime::now(),
            rank,
            bytes,
        });
        shelf.bytes += bytes;
        shelf.kept.push_back(Arc::clone(&kept));
        let passing = |kept: &Arc<Kept>| kept.rank == Rank::Passing;
        loop {
            let all = shelf.kept.iter().filter(|kept| passing(kept));
            let (count, bytes) = all.fold((0, 0), |(count, bytes), kept| {
                (count + 1, bytes + kept.bytes)
            });
            if count <= MAX_PASSING && bytes <= MAX_PASSING_BYTES {
                break;
            }
            let oldest = shelf.kept.iter().position(passing);
            dropped.extend(oldest.and_then(|at| shelf.kept.remove(at)));
        }
        let mut bytes = shelf.bytes - dropped.iter().map(|kept| kept.bytes).sum::<usize>();
        while shelf.kept.len() > MAX_KEPT || bytes > MAX_BYTES {
            // One that is too large by itself goes, too.
            let Some(oldest) = shelf.kept.pop_front() else {
                break;
            };
            bytes -= oldest.bytes;
            dropped.push(oldest);
        }
        shelf.bytes = bytes;
        drop(shelf);
        // Outside the lock: it may be much.
        drop(dropped);
        kept
    }

    pub(super) fn get(&self, id: u64) -> Option<Arc<Kept>> {
        self.lock().kept.iter().find(|kept| kept.id == id).cloned()
    }

    /// All that are kept, the newest first.
    pub(super) fn list(&self) -> Vec<Arc<Kept>> {
        self.lock().kept.iter().rev().cloned().collect()
    }
}

/// What a profile takes in memory, about; names that several share are counted each time.
fn weight(profile: &Profile) -> usize {
    let of_frame = |frame: &Frame| match frame {
        Frame::Named { name, file, .. } => name.len() + file.as_deref().map_or(0, str::len),
        _ => 0,
    };
    let of_label = |label: &Label| match &label.value {
        LabelValue::Str(text) => label.key.len() + text.len(),
        LabelValue::Num { .. } => label.key.len(),
    };
    let samples: usize = profile
        .samples
        .iter()
        .map(|sample| {
            size_of_val(sample)
                + sample.stack.len() * size_of::<Frame>()
                + sample.values.len() * size_of::<i64>()
                + sample.labels.len() * size_of::<Label>()
                + sample.stack.iter().map(of_frame).sum::<usize>()
                + sample.labels.iter().map(of_label).sum::<usize>()
        })
        .sum();
    samples + profile.comments.iter().map(String::len).sum::<usize>()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profile::{Sample, SampleType};
    use crate::source;

    fn of(bytes: usize) -> Profile {
        let mut profile = Profile::new([SampleType::new("tasks", "count")]);
        profile.samples.push(Sample {
            stack: vec![Frame::named("x".repeat(bytes))],
            values: vec![1],
            labels: vec![],
        });
        profile
    }

    fn ids(captures: &Captures) -> Vec<u64> {
        captures.list().iter().map(|kept| kept.id).collect()
    }

    // Through a private door: 64 MB of stacks are not so easily had from outside.
    #[test]
    fn the_oldest_go_when_there_are_too_many_bytes() {
        let source = source::ALL[0];
        let captures = Captures::new();
        let third = MAX_BYTES / 3;
        for _ in 0..4 {
            captures.keep(source, Rank::Long, of(third));
        }
        assert_eq!(ids(&captures), [4, 3]);
        // Too large by itself: it is answered, and not kept.
        let large = captures.keep(source, Rank::Long, of(MAX_BYTES + 1));
        assert_eq!((large.id, ids(&captures)), (5, vec![]));
        captures.keep(source, Rank::Long, of(1));
        assert_eq!(ids(&captures), [6]);
    }

    #[test]
    fn the_captures_of_a_scraper_do_not_push_out_those_of_a_human() {
        let source = source::ALL[0];
        let captures = Captures::new();
        captures.keep(source, Rank::Long, of(1));
        for _ in 0..100 {
            captures.keep(source, Rank::Passing, of(1));
        }
        assert_eq!(ids(&captures), [101, 100, 99, 98, 97, 96, 95, 94, 1]);
        for _ in 0..100 {
            captures.keep(source, Rank::Long, of(1));
        }
        assert_eq!(ids(&captures).len(), MAX_KEPT);
    }
}
