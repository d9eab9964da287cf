//! Memory held by each task: estimated from the samples of [`callstack::heap`].
//!
//! The allocator asks [`attribution::current`] for the task of an allocation; here the samples that
//! are still held are added up. Not here: stacks, and memory of tasks that have ended (`taskprof`).

use std::collections::HashMap;
use std::fmt;
use std::iter::Sum;
use std::ops::AddAssign;

use crate::attribution::{self, TaskKey};

/// Memory that is held, estimated from samples.
///
/// # Examples
///
/// ```
/// let mut held = taskscope::heap::Held::default();
/// held += taskscope::heap::Held::new(48_230_000, 90.4);
/// assert_eq!(held.to_string(), "48.2 MB");
/// assert_eq!(held.objects(), 90);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd, Default)]
pub struct Held {
    bytes: u64,
    objects: f64,
}

impl Held {
    /// Memory of `bytes` in `objects` allocations.
    #[must_use]
    pub fn new(bytes: u64, objects: f64) -> Self {
        Held { bytes, objects }
    }

    /// Estimated bytes.
    #[must_use]
    pub fn bytes(self) -> u64 {
        self.bytes
    }

    /// Estimated number of allocations.
    #[must_use]
    pub fn objects(self) -> u64 {
        self.objects.round() as u64
    }

    /// Whether no sample is held.
    #[must_use]
    pub fn is_nothing(self) -> bool {
        self.bytes == 0
    }
}

impl AddAssign for Held {
    fn add_assign(&mut self, other: Held) {
        self.bytes = self.bytes.saturating_add(other.bytes);
        self.objects += other.objects;
    }
}

impl Sum for Held {
    fn sum<I: Iterator<Item = Held>>(all: I) -> Held {
        all.fold(Held::default(), |mut sum, each| {
            sum += each;
            sum
        })
    }
}

/// The bytes with one digit behind the point: `48.2 MB`.
impl fmt::Display for Held {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const UNITS: [&str; 5] = ["B", "kB", "MB", "GB", "TB"];
        let mut number = self.bytes as f64;
        let mut unit = 0;
        // 999.95 would be written as 1000.0.
        while number >= 999.95 && unit + 1 < UNITS.len() {
            number /= 1000.0;
            unit += 1;
        }
        let text = match unit {
            0 => format!("{} B", self.bytes),
            unit => format!("{number:.1} {}", UNITS[unit]),
        };
        f.pad(&text)
    }
}

/// Labels every sample of the allocator with its task, from now on. Called again, it does nothing.
///
/// The first task with a record does it, and so does the endpoint of `taskprof`.
pub fn attribute() {
    attribution::label_heap_samples();
}

/// Memory that each task holds, by its id as in [`TaskDump::id`](crate::TaskDump::id); tasks
/// without a sample that is held are left out.
///
/// `None` if the program's allocator is no `callstack::heap::Sampler`. The memory of an `Arc` or a
/// message belongs to the task that allocated it, wherever it is now.
///
/// # Overhead
///
/// Reads the table of live samples: some hundred microseconds, and a look-up for each task in it.
#[must_use]
pub fn held_by_task() -> Option<HashMap<u64, Held>> {
    if callstack::heap::is_installed() {
        let mut by_key: HashMap<[u64; 2], Held> = HashMap::new();
        callstack::heap::live(&mut |sample| {
            if sample.label != [0, 0] {
                let held = Held::new(sample.weight.bytes(), sample.weight.count());
                *by_key.entry(sample.label).or_default() += held;
            }
        });
        let mut by_task: HashMap<u64, Held> = HashMap::new();
        for (key, held) in by_key {
            if let Some(facts) = attribution::facts(TaskKey::from_words(key))
                && !facts.ended
            {
                *by_task.entry(facts.id).or_default() += held;
            }
        }
        return Some(by_task);
    }
    None
}

#[cfg(test)]
mod tests {
    use super::Held;

    #[test]
    fn bytes_read_in_the_unit_that_leaves_few_digits() {
        for (bytes, text) in [
            (0, "0 B"),
            (999, "999 B"),
            (1000, "1.0 kB"),
            (999_949, "999.9 kB"),
            (999_950, "1.0 MB"),
            (48_000_000, "48.0 MB"),
            (7_100_000_000, "7.1 GB"),
            (u64::MAX, "18446744.1 TB"),
        ] {
            assert_eq!(Held::new(bytes, 1.0).to_string(), text);
        }
    }
}
