//! A profile as JSON with every name resolved, for scripts.
//!
//! Not here: formats of other tools (the other writers).

use std::collections::BTreeMap;
use std::time::UNIX_EPOCH;

use crate::text;
use serde::Serialize;

use super::{Format, check, labels};
use crate::error::Error;
use crate::profile::{LabelValue, Profile, SampleType};
use crate::resolve::Resolver;

pub(super) static FORMAT: Format = Format {
    name: "json",
    content_type: "application/json",
    extension: "json",
    inline: true,
    negative: true,
    summary: "every sample with names, for scripts",
    write: |profile, options| {
        write(&*options.applied(profile)?, options.first(profile)?).map(String::into_bytes)
    },
};

/// Writes a profile as one JSON object.
///
/// The schema is `docs/profile.schema.json` in the repository; this is version 1, and a later
/// version may add fields:
///
/// ```json
/// {
///   "version": 1,
///   "sample_types": [{"kind": "samples", "unit": "count"}],
///   "default_sample_type": "samples",
///   "period_type": {"kind": "cpu", "unit": "nanoseconds"},
///   "period": 10101010,
///   "time_unix_seconds": 1795209608.25,
///   "duration_seconds": 5.0,
///   "comments": ["a sentence"],
///   "samples": [
///     {
///       "values": [12],
///       "labels": {"thread": "main", "age": {"value": 3, "unit": "seconds"}},
///       "stack": [{"function": "app::work", "file": "src/main.rs", "line": 7}, {"function": "main"}]
///     }
///   ]
/// }
/// ```
///
/// A stack is leaf first, and each inlined function is an entry. `default_sample_type` and
/// `period_type` may be `null`; `file` and `line` are absent where they are not known. Texts are as
/// they were made; characters that [cannot be seen](taskscope_core::text::is_hidden) are written as
/// JSON's own escapes, which every parser reads back.
///
/// # Errors
///
/// [`is_write`](Error::is_write) if the profile has no sample types, or a sample has not one value
/// per type.
pub fn json(profile: &Profile) -> Result<String, Error> {
    write(profile, profile.default_sample_type.as_deref())
}

fn write(profile: &Profile, default_sample_type: Option<&str>) -> Result<String, Error> {
    check(profile)?;
    let mut resolver = Resolver::new();
    let samples = profile
        .samples
        .iter()
        .map(|sample| SampleOut {
            values: &sample.values,
            labels: labels(&sample.labels)
                .into_iter()
                .map(|(key, value)| (key, LabelOut::from(value)))
                .collect(),
            stack: sample
                .stack
                .iter()
                .flat_map(|frame| resolver.lines(frame).to_vec())
                .map(|line| FrameOut {
                    function: line.name.to_string(),
                    file: line.file.map(|file| file.to_string()),
                    line: line.line,
                })
                .collect(),
        })
        .collect();
    let mut comments = profile.comments.clone();
    comments.extend(resolver.unknown());
    let out = ProfileOut {
        version: 1,
        sample_types: profile.sample_types.iter().map(Into::into).collect(),
        default_sample_type,
        period_type: profile.period_type.as_ref().map(Into::into),
        period: profile.period,
        time_unix_seconds: match profile.time.duration_since(UNIX_EPOCH) {
            Ok(after) => after.as_secs_f64(),
            Err(before) => -before.duration().as_secs_f64(),
        },
        duration_seconds: profile.duration.as_secs_f64(),
        comments,
        samples,
    };
    serde_json::to_string(&out)
        .map(|json| text::json(&json).into_owned())
        .map_err(|e| Error::write("the profile could not be written as JSON").caused_by(e))
}

#[derive(Serialize)]
struct ProfileOut<'a> {
    version: u32,
    sample_types: Vec<TypeOut<'a>>,
    default_sample_type: Option<&'a str>,
    period_type: Option<TypeOut<'a>>,
    period: i64,
    time_unix_seconds: f64,
    duration_seconds: f64,
    comments: Vec<String>,
    samples: Vec<SampleOut<'a>>,
}

#[derive(Serialize)]
struct TypeOut<'a> {
    kind: &'a str,
    unit: &'a str,
}

impl<'a> From<&'a SampleType> for TypeOut<'a> {
    fn from(t: &'a SampleType) -> Self {
        TypeOut {
            kind: &t.kind,
            unit: &t.unit,
        }
    }
}

#[derive(Serialize)]
struct SampleOut<'a> {
    values: &'a [i64],
    labels: BTreeMap<&'a str, LabelOut<'a>>,
    stack: Vec<FrameOut>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum LabelOut<'a> {
    Str(&'a str),
    Num { value: i64, unit: &'a str },
}

impl<'a> From<&'a LabelValue> for LabelOut<'a> {
    fn from(value: &'a LabelValue) -> Self {
        match value {
            LabelValue::Str(text) => LabelOut::Str(text),
            LabelValue::Num { value, unit } => LabelOut::Num {
                value: *value,
                unit,
            },
        }
    }
}

#[derive(Serialize)]
struct FrameOut {
    function: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    file: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    line: Option<u32>,
}
