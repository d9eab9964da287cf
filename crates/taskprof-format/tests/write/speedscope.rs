//! speedscope: the schema that it publishes, as types that take nothing else.

use serde::Deserialize;
use taskprof_format::profile::{Frame, Label, Profile, Sample, SampleType};
use taskprof_format::write::{RenderOptions, speedscope};

/// `FileFormat.File` of the `file-format-schema.json` in the npm package speedscope 1.25.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct File {
    #[serde(rename = "$schema")]
    schema: String,
    #[serde(rename = "activeProfileIndex")]
    pub(crate) active_profile_index: Option<usize>,
    exporter: Option<String>,
    name: Option<String>,
    pub(crate) profiles: Vec<Sampled>,
    pub(crate) shared: Shared,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Shared {
    pub(crate) frames: Vec<SharedFrame>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SharedFrame {
    pub(crate) name: String,
    file: Option<String>,
    line: Option<u64>,
}

/// `FileFormat.SampledProfile`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Sampled {
    #[serde(rename = "type")]
    kind: String,
    name: String,
    unit: Unit,
    #[serde(rename = "startValue")]
    start_value: i64,
    #[serde(rename = "endValue")]
    pub(crate) end_value: i64,
    pub(crate) samples: Vec<Vec<usize>>,
    pub(crate) weights: Vec<i64>,
}

/// `FileFormat.ValueUnit`.
#[derive(Debug, Deserialize, PartialEq)]
#[serde(rename_all = "lowercase")]
enum Unit {
    Bytes,
    Microseconds,
    Milliseconds,
    Nanoseconds,
    None,
    Seconds,
}

/// Reads a file and checks what speedscope's importer relies upon.
pub(crate) fn read(text: &str) -> File {
    let file: File = serde_json::from_str(text).unwrap();
    assert_eq!(
        file.schema,
        "https://www.speedscope.app/file-format-schema.json"
    );
    assert!(file.exporter.as_deref().unwrap().starts_with("taskprof "));
    assert!(file.name.is_some());
    assert!(file.active_profile_index.unwrap() < file.profiles.len());
    for profile in &file.profiles {
        assert_eq!(profile.kind, "sampled");
        assert_eq!(profile.start_value, 0);
        assert_eq!(profile.samples.len(), profile.weights.len());
        assert!(
            profile.weights.iter().all(|weight| *weight > 0),
            "it throws at others"
        );
        let frames = file.shared.frames.len();
        assert!(profile.samples.iter().flatten().all(|at| *at < frames));
    }
    file
}

fn profile() -> Profile {
    let mut profile = Profile::new([
        SampleType::new("samples", "count"),
        SampleType::new("cpu", "nanoseconds"),
        SampleType::new("cycles", "megacycles"),
    ]);
    let at = |line| Frame::Named {
        name: "app::work".into(),
        file: Some("src/main.rs".into()),
        line: Some(line),
    };
    let main = Frame::Named {
        name: "main".into(),
        file: None,
        line: Some(3),
    };
    profile.samples = vec![
        Sample {
            stack: vec![at(7), main.clone()],
            values: vec![1, 10, -4],
            labels: vec![Label::str("route", "/a")],
        },
        Sample {
            stack: vec![at(9), main],
            values: vec![2, 0, 5],
            labels: vec![],
        },
    ];
    profile
}

#[test]
fn every_column_is_a_profile_to_switch_to() {
    let look = RenderOptions::new().title("CPU").sample_type("cpu");
    let file = read(&speedscope(&profile(), &look).unwrap());
    assert_eq!(file.name.as_deref(), Some("CPU"));
    assert_eq!(file.active_profile_index, Some(1));
    let names: Vec<&str> = file.profiles.iter().map(|p| &*p.name).collect();
    assert_eq!(
        names,
        [
            "samples",
            "cpu",
            "cycles (megacycles) (1 samples with a negative value left out)"
        ]
    );
    let units: Vec<&Unit> = file.profiles.iter().map(|p| &p.unit).collect();
    assert_eq!(units, [&Unit::None, &Unit::Nanoseconds, &Unit::None]);
    assert_eq!(file.profiles[0].weights, [1, 2]);
    assert_eq!(file.profiles[1].weights, [10]);
    assert_eq!(file.profiles[2].weights, [5]);
}

// Else a function that is sampled at several lines would be torn into several boxes.
#[test]
fn a_function_is_one_frame_and_its_line_is_given_if_it_is_the_same_everywhere() {
    let file = read(&speedscope(&profile(), &RenderOptions::new()).unwrap());
    let frames: Vec<(&str, Option<&str>, Option<u64>)> = file
        .shared
        .frames
        .iter()
        .map(|frame| (&*frame.name, frame.file.as_deref(), frame.line))
        .collect();
    assert_eq!(
        frames,
        [
            ("main", None, Some(3)),
            ("app::work", Some("src/main.rs"), None)
        ]
    );
    assert_eq!(file.profiles[0].samples, [[0, 1], [0, 1]]);
}
