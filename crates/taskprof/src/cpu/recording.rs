//! The samples of one window, added up by stack and labels, in bounded memory.
//!
//! When a table fills, samples lose the id of their request first, then their stack, then their
//! task. Each loss is counted. Not here: when a window begins and ends (`session.rs`), the profile
//! that is made of it (`profile.rs`).

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use crate::sampler::{Collected, RawSample, RequestIds, StackEnd, TaskLabels};

/// At most this many distinct stacks with labels in a capture.
const ROWS: usize = 16_384;
/// At most this many addresses in them: 8 MiB.
const FRAMES: usize = 1 << 20;

/// The identity of a row.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Key {
    /// Leaf first. Empty and [`StackEnd::Lost`] if there was no room.
    pub(super) stack: Arc<[usize]>,
    pub(super) end: StackEnd,
    pub(super) thread: Arc<str>,
    pub(super) task: Option<Arc<TaskLabels>>,
    pub(super) request: Option<Arc<RequestIds>>,
}

/// The samples and the CPU time that a row stands for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Weight {
    pub(super) count: u64,
    pub(super) cpu: Duration,
}

impl Weight {
    fn add(&mut self, other: Weight) {
        self.count = self.count.saturating_add(other.count);
        self.cpu = self.cpu.saturating_add(other.cpu);
    }
}

/// The samples of one window.
#[derive(Debug, Clone)]
pub(super) struct Recording {
    rows: HashMap<Key, Weight>,
    most_rows: usize,
    frames: usize,
    most_frames: usize,
    pub(super) total: Weight,
    pub(super) started: SystemTime,
    began: Instant,
    pub(super) duration: Duration,
    /// `None` if it is not known for a part of the window.
    pub(super) cpu_time: Option<Duration>,
    /// The frequency requested.
    pub(super) hz: i32,
    /// The highest frequency at which the sampler ran.
    pub(super) sampled_hz: i32,
    /// How often the sampler was restarted.
    pub(super) restarts: u32,
    pub(super) lost: Vec<(Cow<'static, str>, u64)>,
    /// Sentences of the sampler, as of the end.
    pub(super) comments: Vec<String>,
    /// CPU time of threads that ended before they were ever sampled.
    pub(super) unseen: Duration,
    /// Samples whose task had already been forgotten.
    pub(super) unnamed: u64,
    /// Samples that lost their request, their stack, or their task, for want of room.
    pub(super) without_request: u64,
    pub(super) without_stack: u64,
    pub(super) without_task: u64,
}

impl Recording {
    pub(super) fn new(hz: i32) -> Recording {
        Recording::bounded(hz, ROWS, FRAMES)
    }

    /// A recording with room for this many rows and addresses.
    pub(super) fn bounded(hz: i32, most_rows: usize, most_frames: usize) -> Recording {
        Recording {
            rows: HashMap::new(),
            most_rows,
            frames: 0,
            most_frames,
            total: Weight::default(),
            started: SystemTime::now(),
            began: Instant::now(),
            duration: Duration::ZERO,
            cpu_time: Some(Duration::ZERO),
            hz,
            sampled_hz: 0,
            restarts: 0,
            lost: Vec::new(),
            comments: Vec::new(),
            unseen: Duration::ZERO,
            unnamed: 0,
            without_request: 0,
            without_stack: 0,
            without_task: 0,
        }
    }

    pub(super) fn begin(&mut self, now: Instant) {
        self.began = now;
        self.started = SystemTime::now();
    }

    pub(super) fn end(&mut self, now: Instant) {
        self.duration = now.saturating_duration_since(self.began);
    }

    pub(super) fn restarted(&mut self) {
        self.restarts += 1;
    }

    pub(super) fn rows(&self) -> impl Iterator<Item = (&Key, Weight)> {
        self.rows.iter().map(|(key, weight)| (key, *weight))
    }

    pub(super) fn add(&mut self, sample: &RawSample<'_>, stack: &Arc<[usize]>) {
        let key = Key {
            stack: Arc::clone(stack),
            end: sample.end,
            thread: Arc::clone(sample.thread),
            task: sample.task.cloned(),
            request: sample.request.cloned(),
        };
        let weight = Weight {
            count: sample.count,
            cpu: sample.cpu,
        };
        self.put(key, weight);
    }

    fn put(&mut self, mut key: Key, weight: Weight) {
        self.total.add(weight);
        if let Some(sum) = self.rows.get_mut(&key) {
            return sum.add(weight);
        }
        if key.request.is_some() && self.rows.len() >= self.most_rows / 2 {
            key.request = None;
            self.without_request += weight.count;
        }
        if let Some(sum) = self.rows.get_mut(&key) {
            return sum.add(weight);
        }
        let room =
            self.rows.len() < self.most_rows && self.frames + key.stack.len() <= self.most_frames;
        if !room {
            key.stack = Arc::from([]);
            key.end = StackEnd::Lost;
            key.request = None;
            self.without_stack += weight.count;
        }
        // A row for each task and thread that had no room above, and in the end one for all that
        // have none here.
        if !room && self.rows.len() >= self.most_rows + self.most_rows / 4 {
            let known = self.rows.contains_key(&key);
            if !known {
                key.task = None;
                key.thread = Arc::from("");
                self.without_task += weight.count;
            }
        }
        self.frames += key.stack.len();
        self.rows.entry(key).or_default().add(weight);
    }

    pub(super) fn account(&mut self, collected: &Collected, hz: i32) {
        self.unseen += collected.unseen;
        self.unnamed += collected.unnamed;
        self.sampled_hz = self.sampled_hz.max(hz);
        self.cpu_time = self
            .cpu_time
            .and_then(|sum| sum.checked_add(collected.cpu_time?));
        for (why, count) in collected.lost.iter().filter(|(_, count)| *count > 0) {
            self.add_lost(why, *count);
        }
    }

    fn add_lost(&mut self, why: &str, count: u64) {
        match self.lost.iter_mut().find(|(known, _)| known == why) {
            Some((_, sum)) => *sum = sum.saturating_add(count),
            None => self.lost.push((why.to_owned().into(), count)),
        }
    }

    /// Adds the recording of another window.
    pub(super) fn merge(&mut self, other: &Recording) {
        for (key, weight) in other.rows() {
            self.put(key.clone(), weight);
        }
        self.started = self.started.min(other.started);
        self.duration += other.duration;
        self.cpu_time = self
            .cpu_time
            .and_then(|sum| sum.checked_add(other.cpu_time?));
        self.sampled_hz = self.sampled_hz.max(other.sampled_hz);
        self.restarts += other.restarts;
        for (why, count) in &other.lost {
            self.add_lost(why, *count);
        }
        // Facts about the threads of one moment: the last one's will do.
        self.comments.clone_from(&other.comments);
        self.unseen += other.unseen;
        self.unnamed += other.unnamed;
        self.without_request += other.without_request;
        self.without_stack += other.without_stack;
        self.without_task += other.without_task;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // Through a private door: from outside it takes tens of thousands of stacks.
    #[test]
    fn what_has_no_room_is_folded_and_every_sample_is_counted() {
        let mut recording = Recording::bounded(99, 8, 1000);
        let thread: Arc<str> = Arc::from("worker");
        for n in 0..100_usize {
            let task = Arc::new(TaskLabels {
                name: Some(format!("task {n}").into()),
                ..TaskLabels::default()
            });
            let request = Arc::new(RequestIds {
                request_id: Some(n.to_string().into()),
                ..RequestIds::default()
            });
            let stack: Arc<[usize]> = Arc::from([n, 1]);
            let sample = RawSample {
                frames: &stack,
                end: StackEnd::Root,
                count: 2,
                cpu: Duration::from_millis(20),
                thread: &thread,
                task: Some(&task),
                request: Some(&request),
            };
            recording.add(&sample, &stack);
        }
        assert_eq!(recording.total.count, 200);
        let rows: Vec<_> = recording.rows().collect();
        assert_eq!(
            rows.iter().map(|(_, weight)| weight.count).sum::<u64>(),
            200
        );
        let cpu: Duration = rows.iter().map(|(_, weight)| weight.cpu).sum();
        assert_eq!(cpu, Duration::from_secs(2));
        assert_eq!(
            rows.len(),
            8 + 2 + 1,
            "with all, without stack, without anything"
        );
        assert_eq!(recording.without_request, 192, "all but the first four");
        assert_eq!(recording.without_stack, 184, "all but the first eight");
        assert_eq!(recording.without_task, 180, "all but two of those");
    }
}
