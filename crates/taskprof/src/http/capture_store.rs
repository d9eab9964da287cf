//! The store of finished captures, each with a number: shown again, shared and compared without
//! sampling again.
//!
//! Bounded in number and bytes; the oldest goes first. What is made in a moment, and what was asked
//! for by Go's names, is often the work of a scraper that comes every few seconds: few of those are
//! kept, so that they do not push out captures that a person wants to see again. Not here: their
//! page (`captures.rs`).

use std::collections::VecDeque;
use std::mem::{size_of, size_of_val};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::SystemTime;

use crate::profile::{Frame, Label, LabelValue, Profile};
use crate::source::Source;

/// Captures of one router that are stored.
pub(super) const MAX_STORED: usize = 32;
/// Brief captures among them.
const MAX_BRIEF: usize = 8;
/// Bytes that brief captures take together, about: whoever asks for a profile of the moment and
/// does not come back leaves little.
const MAX_BRIEF_BYTES: usize = 4 << 20;
/// Bytes that all stored captures take together, about.
pub(super) const MAX_BYTES: usize = 64 << 20;

/// How long a capture is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Retention {
    /// As long as there is room: it took time, and was asked for by our name.
    Long,
    /// Shorter: it shows one moment, or was asked for by Go's name.
    Brief,
}

/// A capture that is over.
#[derive(Debug)]
pub(super) struct StoredCapture {
    /// Its number in its router, from 1.
    pub(super) id: u64,
    pub(super) source: &'static Source,
    pub(super) profile: Arc<Profile>,
    pub(super) finished: SystemTime,
    retention: Retention,
    bytes: usize,
}

#[derive(Debug, Default)]
struct State {
    last: u64,
    bytes: usize,
    /// Oldest first.
    captures: VecDeque<Arc<StoredCapture>>,
}

#[derive(Debug)]
pub(super) struct CaptureStore(Mutex<State>);

impl CaptureStore {
    pub(super) fn new() -> Self {
        CaptureStore(Mutex::default())
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        crate::sync::lock(&self.0)
    }

    /// Stores a capture, and gives it with its number.
    pub(super) fn insert(
        &self,
        source: &'static Source,
        retention: Retention,
        profile: Profile,
    ) -> Arc<StoredCapture> {
        crate::metrics::counters::captured(source.name);
        let bytes = weight(&profile);
        let profile = Arc::new(profile);
        let mut dropped = Vec::new();
        let mut state = self.lock();
        state.last += 1;
        let capture = Arc::new(StoredCapture {
            id: state.last,
            source,
            profile,
            finished: SystemTime::now(),
            retention,
            bytes,
        });
        state.bytes += bytes;
        state.captures.push_back(Arc::clone(&capture));
        let brief = |capture: &Arc<StoredCapture>| capture.retention == Retention::Brief;
        loop {
            let all = state.captures.iter().filter(|capture| brief(capture));
            let (count, bytes) = all.fold((0, 0), |(count, bytes), capture| {
                (count + 1, bytes + capture.bytes)
            });
            if count <= MAX_BRIEF && bytes <= MAX_BRIEF_BYTES {
                break;
            }
            let oldest = state.captures.iter().position(brief);
            dropped.extend(oldest.and_then(|at| state.captures.remove(at)));
        }
        let mut bytes = state.bytes - dropped.iter().map(|capture| capture.bytes).sum::<usize>();
        while state.captures.len() > MAX_STORED || bytes > MAX_BYTES {
            // One that is too large by itself goes, too.
            let Some(oldest) = state.captures.pop_front() else {
                break;
            };
            bytes -= oldest.bytes;
            dropped.push(oldest);
        }
        state.bytes = bytes;
        drop(state);
        // Outside the lock: it may be much.
        drop(dropped);
        capture
    }

    pub(super) fn get(&self, id: u64) -> Option<Arc<StoredCapture>> {
        self.lock()
            .captures
            .iter()
            .find(|capture| capture.id == id)
            .cloned()
    }

    /// All that are stored, the newest first.
    pub(super) fn list(&self) -> Vec<Arc<StoredCapture>> {
        self.lock().captures.iter().rev().cloned().collect()
    }
}

/// Bytes that a profile takes in memory, about; names that several share are counted each time.
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

    fn ids(captures: &CaptureStore) -> Vec<u64> {
        captures.list().iter().map(|capture| capture.id).collect()
    }

    // Through a private door: 64 MB of stacks are not so easily had from outside.
    #[test]
    fn the_oldest_go_when_there_are_too_many_bytes() {
        let source = source::ALL[0];
        let captures = CaptureStore::new();
        let third = MAX_BYTES / 3;
        for _ in 0..4 {
            captures.insert(source, Retention::Long, of(third));
        }
        assert_eq!(ids(&captures), [4, 3]);
        // Too large by itself: it is answered, and not kept.
        let large = captures.insert(source, Retention::Long, of(MAX_BYTES + 1));
        assert_eq!((large.id, ids(&captures)), (5, vec![]));
        captures.insert(source, Retention::Long, of(1));
        assert_eq!(ids(&captures), [6]);
    }

    #[test]
    fn the_captures_of_a_scraper_do_not_push_out_those_of_a_human() {
        let source = source::ALL[0];
        let captures = CaptureStore::new();
        captures.insert(source, Retention::Long, of(1));
        for _ in 0..100 {
            captures.insert(source, Retention::Brief, of(1));
        }
        assert_eq!(ids(&captures), [101, 100, 99, 98, 97, 96, 95, 94, 1]);
        for _ in 0..100 {
            captures.insert(source, Retention::Long, of(1));
        }
        assert_eq!(ids(&captures).len(), MAX_STORED);
    }
}
