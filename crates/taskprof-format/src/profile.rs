//! The vocabulary that sources fill and writers print: profile, sample, stack, frame, label.
//!
//! The invariant: every sample has exactly one value per sample type of its profile. Writers refuse
//! a profile that breaks it. Below: differences and sums of two profiles (`combine.rs`), frames of
//! the runtime (`runtime.rs`). Not here: names of addresses (`resolve.rs`), any file format
//! (`write/`).

mod combine;
mod runtime;

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

pub use self::runtime::{RUNTIME, RuntimeFrames};

/// The kind and the unit of one column of values: `samples`/`count`, `cpu`/`nanoseconds`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct SampleType {
    /// The kind of thing that is counted.
    pub kind: Cow<'static, str>,
    /// The unit; viewers scale `nanoseconds` and `bytes` and take anything else as a count.
    pub unit: Cow<'static, str>,
}

impl SampleType {
    /// A sample type of this kind and unit.
    pub fn new(kind: impl Into<Cow<'static, str>>, unit: impl Into<Cow<'static, str>>) -> Self {
        SampleType {
            kind: kind.into(),
            unit: unit.into(),
        }
    }
}

/// One entry of a stack: a code address, or a name without one.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Frame {
    /// A return address as captured, looked up through [`callstack::symbolize`], which subtracts
    /// one.
    ///
    /// The program counter of an interrupted frame is no return address: store it plus one, so that
    /// the same subtraction finds the instruction that was running.
    Address(usize),
    /// A frame without an address: a spawn site, or a note such as `(no stack: the task was being
    /// polled)`.
    Named {
        /// The text that is shown.
        name: Arc<str>,
        /// The source file that the frame stands for.
        file: Option<Arc<str>>,
        /// The line in that file.
        line: Option<u32>,
    },
}

impl Frame {
    /// A frame that has only a name.
    pub fn named(name: impl Into<Arc<str>>) -> Self {
        Frame::Named {
            name: name.into(),
            file: None,
            line: None,
        }
    }
}

/// The value of a label.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum LabelValue {
    /// A text. Keep the number of distinct texts small: stores make a series of each (no task ids).
    Str(Arc<str>),
    /// A number and its unit.
    Num {
        /// The number.
        value: i64,
        /// Its unit, as in [`SampleType::unit`]; empty if it has none.
        unit: Cow<'static, str>,
    },
}

/// A key and a value that tell one sample from another with the same stack.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Label {
    /// The key; once per sample. Keys that begin with `pprof::` are reserved by the pprof tool.
    pub key: Cow<'static, str>,
    /// The value.
    pub value: LabelValue,
}

impl Label {
    /// A label with a text.
    pub fn str(key: impl Into<Cow<'static, str>>, value: impl Into<Arc<str>>) -> Self {
        Label {
            key: key.into(),
            value: LabelValue::Str(value.into()),
        }
    }

    /// A label with a number.
    pub fn num(
        key: impl Into<Cow<'static, str>>,
        value: i64,
        unit: impl Into<Cow<'static, str>>,
    ) -> Self {
        Label {
            key: key.into(),
            value: LabelValue::Num {
                value,
                unit: unit.into(),
            },
        }
    }
}

/// A stack, what was measured there, and labels.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Sample {
    /// The frames, leaf first. Empty is allowed: the sample counts, and nobody knows where.
    pub stack: Vec<Frame>,
    /// One value per sample type of the profile, in that order.
    pub values: Vec<i64>,
    /// Labels that tell this sample from others with the same stack.
    pub labels: Vec<Label>,
}

/// Samples, with the kinds and units of their values, when they were taken and for how long.
///
/// # Examples
///
/// ```
/// use taskprof_format::profile::{Frame, Profile, Sample, SampleType};
///
/// let mut profile = Profile::new([SampleType::new("tasks", "count")]);
/// for _ in 0..3 {
///     profile.samples.push(Sample {
///         stack: vec![Frame::named("recv"), Frame::named("worker")],
///         values: vec![1],
///         labels: vec![],
///     });
/// }
/// profile.aggregate();
/// assert_eq!(profile.samples.len(), 1);
/// assert_eq!(taskprof_format::write::folded(&profile, None)?, "worker;recv 3\n");
/// # Ok::<(), taskprof_format::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Profile {
    /// The columns of every sample's values; at least one.
    pub sample_types: Vec<SampleType>,
    /// The kind of the column to show first; `None` is the last one, as in the pprof tool.
    pub default_sample_type: Option<Cow<'static, str>>,
    /// The quantity between two samples, such as CPU time; `None` if nothing was sampled.
    pub period_type: Option<SampleType>,
    /// How much of [`period_type`](Self::period_type) lies between two samples; 0 if nothing was
    /// sampled.
    pub period: i64,
    /// When the capture began.
    pub time: SystemTime,
    /// How long it took; zero for a snapshot.
    pub duration: Duration,
    /// All samples.
    pub samples: Vec<Sample>,
    /// Whether the values are differences: some may be negative, and no samples means no change.
    pub is_difference: bool,
    /// Sentences for the reader, about samples that were lost or could not be taken. Writers print
    /// them where their format has a place.
    pub comments: Vec<String>,
}

impl Profile {
    /// An empty profile of these sample types that begins now.
    pub fn new(sample_types: impl IntoIterator<Item = SampleType>) -> Self {
        Profile {
            sample_types: sample_types.into_iter().collect(),
            default_sample_type: None,
            period_type: None,
            period: 0,
            time: SystemTime::now(),
            duration: Duration::ZERO,
            samples: Vec::new(),
            is_difference: false,
            comments: Vec::new(),
        }
    }

    /// Merges samples that have the same stack and the same labels (in any order); the values are
    /// added up.
    ///
    /// The last of several labels with one key is kept, as every format has room for one.
    ///
    /// The order of first appearance is kept. Sums saturate at the ends of `i64`.
    pub fn aggregate(&mut self) {
        let mut index: HashMap<(Vec<Frame>, Vec<Label>), usize> = HashMap::new();
        let mut merged: Vec<Sample> = Vec::new();
        for mut sample in self.samples.drain(..) {
            one_per_key(&mut sample.labels);
            let key = (sample.stack.clone(), sample.labels.clone());
            match index.get(&key) {
                // Samples of different width contradict the profile; they stay apart and the
                // writers refuse them.
                Some(&at) if merged[at].values.len() == sample.values.len() => {
                    for (sum, value) in merged[at].values.iter_mut().zip(&sample.values) {
                        *sum = sum.saturating_add(*value);
                    }
                }
                Some(_) => merged.push(sample),
                None => {
                    index.insert(key, merged.len());
                    merged.push(sample);
                }
            }
        }
        self.samples = merged;
    }

    /// The sum of every sample's value in this column; 0 for a column that does not exist.
    pub fn total(&self, column: usize) -> i64 {
        self.samples
            .iter()
            .filter_map(|sample| sample.values.get(column))
            .fold(0_i64, |sum, value| sum.saturating_add(*value))
    }

    /// The index of the column to show first.
    pub fn default_column(&self) -> usize {
        self.default_sample_type
            .as_deref()
            .and_then(|kind| self.column(kind))
            .unwrap_or_else(|| self.sample_types.len().saturating_sub(1))
    }

    /// The index of the column of this kind.
    pub fn column(&self, kind: &str) -> Option<usize> {
        self.sample_types.iter().position(|t| t.kind == kind)
    }
}

/// Sorts labels by key and keeps the last of each key.
fn one_per_key(labels: &mut Vec<Label>) {
    // Stable, and backwards: the last one comes first, which is the one that `dedup` keeps.
    labels.reverse();
    labels.sort_by(|a, b| a.key.cmp(&b.key));
    labels.dedup_by(|later, first| later.key == first.key);
}
