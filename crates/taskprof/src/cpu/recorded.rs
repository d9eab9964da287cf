//! What an asker gets: the sum of the slices in its window.
//!
//! Not here: when a slice begins and ends (`share.rs`), what a sum becomes (`profile.rs`).

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::sampler::{RawProfile, RawStack};

/// The sum of some slices.
#[derive(Debug, Default)]
pub(super) struct Recorded {
    /// `None` before the first slice.
    pub(super) raw: Option<RawProfile>,
    pub(super) slices: u32,
    /// Time between the slices, in which nothing was sampled.
    pub(super) gaps: Duration,
    last_end: Option<Instant>,
    index: HashMap<(Vec<usize>, bool, Arc<str>), usize>,
}

impl Recorded {
    pub(super) fn add(&mut self, slice: &RawProfile, began: Instant, ended: Instant) {
        self.slices += 1;
        if let Some(last_end) = self.last_end.replace(ended) {
            self.gaps += began.saturating_duration_since(last_end);
        }
        let first = self.raw.is_none();
        let raw = self.raw.get_or_insert_with(|| RawProfile {
            stacks: Vec::new(),
            ..slice.clone()
        });
        if !first {
            raw.duration += slice.duration;
            raw.cpu_time = raw
                .cpu_time
                .and_then(|sum| sum.checked_add(slice.cpu_time?));
            for remark in &slice.remarks {
                if !raw.remarks.contains(remark) {
                    raw.remarks.push(remark.clone());
                }
            }
        }
        for stack in &slice.stacks {
            let key = (
                stack.frames.clone(),
                stack.truncated,
                Arc::clone(&stack.thread),
            );
            let at = *self.index.entry(key).or_insert_with(|| {
                raw.stacks.push(RawStack {
                    count: 0,
                    ..stack.clone()
                });
                raw.stacks.len() - 1
            });
            raw.stacks[at].count = raw.stacks[at].count.saturating_add(stack.count);
        }
    }
}
