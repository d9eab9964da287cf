//! Profiles of all kinds for property tests, and the kept corpus of names that hurt.

use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use proptest::prelude::*;
use proptest::test_runner::FileFailurePersistence;
use taskprof_format::profile::{Frame, Label, LabelValue, Profile, Sample, SampleType};

/// Failures found once are tried first from then on.
pub(crate) fn config() -> ProptestConfig {
    ProptestConfig {
        failure_persistence: Some(Box::new(FileFailurePersistence::Direct(concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/tests/corpus/proptest-regressions.txt"
        )))),
        cases: 150,
        ..ProptestConfig::default()
    }
}

/// The names of `tests/corpus/names.txt`.
pub(crate) fn corpus() -> Vec<String> {
    include_str!("../corpus/names.txt")
        .lines()
        .filter(|line| !line.starts_with('#'))
        .map(|line| serde_json::from_str(line).unwrap_or_else(|e| panic!("{line}: {e}")))
        .collect()
}

/// Names from the corpus, from the characters that hurt, and from all others.
pub(crate) fn name() -> impl Strategy<Value = String> {
    const HURTS: &[char] = &[
        ';',
        ' ',
        '\\',
        'n',
        'u',
        '{',
        '}',
        '1',
        '2',
        '.',
        '#',
        '_',
        '[',
        'k',
        ']',
        '\n',
        '\t',
        '\r',
        '\0',
        '\u{ff1b}',
        '\u{a0}',
        '\u{2028}',
        '\u{202e}',
        '\u{ffff}',
        '<',
        '>',
        '&',
        '"',
        '\'',
        'a',
        ':',
        '-',
        '@',
        'x',
        '\u{1b}',
        '\u{7f}',
        '\u{9b}',
        '\u{ad}',
        '\u{200b}',
        '\u{200d}',
        '\u{2066}',
        '\u{feff}',
        '\u{fe0f}',
        '\u{fff9}',
        '\u{e0041}',
    ];
    let hurting = prop::collection::vec(prop::sample::select(HURTS), 1..12)
        .prop_map(|chars| chars.into_iter().collect::<String>());
    prop_oneof![
        2 => prop::sample::select(corpus()),
        2 => hurting,
        1 => any::<String>(),
        // So that stacks have something in common.
        2 => prop::sample::select(vec!["main", "a", "b", "a::b"]).prop_map(str::to_owned),
    ]
}

/// A frame with a name, or an address that belongs to nothing and so is called by its number.
pub(crate) fn frame() -> impl Strategy<Value = Frame> {
    let named = (
        name(),
        prop::option::of(name()),
        prop::option::of(any::<u32>()),
    )
        .prop_map(|(name, file, line)| Frame::Named {
            name: Arc::from(name),
            file: file.map(Arc::from),
            line,
        });
    prop_oneof![
        2 => name().prop_map(Frame::named),
        2 => named,
        1 => (1..20_usize).prop_map(Frame::Address),
    ]
}

fn label() -> impl Strategy<Value = Label> {
    let value = prop_oneof![
        name().prop_map(|text| LabelValue::Str(Arc::from(text))),
        (
            any::<i64>(),
            prop::sample::select(vec!["", "seconds", "bytes", "a\nb"])
        )
            .prop_map(|(value, unit)| LabelValue::Num {
                value,
                unit: unit.into(),
            }),
    ];
    (name(), value).prop_map(|(key, value)| Label {
        key: key.into(),
        value,
    })
}

fn sample(columns: usize, value: std::ops::Range<i64>) -> impl Strategy<Value = Sample> {
    (
        prop::collection::vec(frame(), 0..5),
        prop::collection::vec(value, columns),
        prop::collection::vec(label(), 0..4),
    )
        .prop_map(|(stack, values, labels)| Sample {
            stack,
            values,
            labels,
        })
}

/// Profiles of one to three columns, with values from this range.
pub(crate) fn profile(value: std::ops::Range<i64>) -> impl Strategy<Value = Profile> {
    (1..4_usize)
        .prop_flat_map(move |columns| {
            (
                prop::collection::vec((name(), unit()), columns),
                prop::collection::vec(sample(columns, value.clone()), 0..8),
                prop::option::of(0..columns),
                prop::option::of((name(), unit())),
                prop::collection::vec(name(), 0..3),
                (any::<i64>(), 0..2_000_000_000_u32, 0..1_000_000_000_000_u64),
            )
        })
        .prop_map(
            |(types, samples, default, period_type, comments, numbers)| {
                let (period, time, duration) = numbers;
                let mut profile = Profile::new(
                    types
                        .into_iter()
                        .map(|(kind, unit)| SampleType::new(kind, unit)),
                );
                profile.default_sample_type =
                    default.map(|at| profile.sample_types[at].kind.clone());
                profile.period_type = period_type.map(|(kind, unit)| SampleType::new(kind, unit));
                profile.period = period;
                profile.time = UNIX_EPOCH + Duration::from_secs(time.into());
                profile.duration = Duration::from_nanos(duration);
                profile.comments = comments;
                profile.samples = samples;
                profile
            },
        )
}

fn unit() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec!["count", "nanoseconds", "bytes", "seconds", "odd unit"])
}

/// Two profiles of the same kind, with samples in common and samples that only one has.
pub(crate) fn two(value: std::ops::Range<i64>) -> impl Strategy<Value = (Profile, Profile)> {
    profile(value).prop_perturb(|mut one, mut random| {
        let mut other = one.clone();
        other.time += Duration::from_secs(random.random_range(0..100));
        one.samples.retain(|_| random.random_bool(0.7));
        other.samples.retain(|_| random.random_bool(0.7));
        for sample in &mut other.samples {
            for value in &mut sample.values {
                if random.random_bool(0.5) {
                    *value = value.wrapping_mul(random.random_range(0..4));
                }
            }
        }
        (one, other)
    })
}

/// The name, file and line that every writer shows for a frame.
pub(crate) fn shown(frame: &Frame) -> (String, Option<String>, Option<u32>) {
    match frame {
        Frame::Address(address) => (format!("{:#x}", address - 1), None, None),
        Frame::Named { name, file, line } => (
            name.to_string(),
            file.as_ref().map(ToString::to_string),
            *line,
        ),
    }
}

/// The name as the writers show it that have no place for nothing.
pub(crate) fn shown_name(frame: &Frame) -> String {
    match shown(frame).0 {
        name if name.is_empty() => "(no name)".to_owned(),
        name => name,
    }
}
