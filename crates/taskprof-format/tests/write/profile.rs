//! Aggregation and columns.

use taskprof_format::profile::{Frame, Label, Profile, Sample, SampleType};

fn sample(leaf: &str, labels: &[Label], value: i64) -> Sample {
    Sample {
        stack: vec![Frame::named(leaf)],
        values: vec![value],
        labels: labels.to_vec(),
    }
}

#[test]
fn samples_with_the_same_stack_and_labels_are_added_up() {
    let a = Label::str("route", "/a");
    let b = Label::num("age", 7, "seconds");
    let mut profile = Profile::new([SampleType::new("tasks", "count")]);
    profile.samples = vec![
        sample("x", &[], 1),
        sample("x", &[a.clone(), b.clone()], 2),
        sample("y", &[], 4),
        // The order of labels means nothing.
        sample("x", &[b, a], 8),
        sample("x", &[], 16),
    ];
    profile.aggregate();
    let values: Vec<i64> = profile.samples.iter().map(|s| s.values[0]).collect();
    assert_eq!(values, [17, 10, 4]);
    assert_eq!(profile.total(0), 31);
}

#[test]
fn sums_stop_at_the_end_of_the_number() {
    let mut profile = Profile::new([SampleType::new("cpu", "nanoseconds")]);
    profile.samples = vec![sample("x", &[], i64::MAX), sample("x", &[], 1)];
    profile.aggregate();
    assert_eq!(profile.samples[0].values, [i64::MAX]);
}

#[test]
fn the_last_column_is_shown_first_unless_the_profile_says_otherwise() {
    let mut profile = Profile::new([
        SampleType::new("samples", "count"),
        SampleType::new("cpu", "nanoseconds"),
    ]);
    assert_eq!(profile.default_column(), 1);
    profile.default_sample_type = Some("samples".into());
    assert_eq!(profile.default_column(), 0);
}

#[test]
fn every_writer_refuses_a_sample_of_the_wrong_width() {
    let mut profile = Profile::new([SampleType::new("samples", "count")]);
    profile.samples = vec![sample("x", &[], 1)];
    profile.samples[0].values.push(2);
    let expected = "sample 0 has 2 values, but the profile has 1 sample types; give every sample one value per type";
    let svg = taskprof_format::write::RenderOptions::new();
    for error in [
        taskprof_format::write::pprof(&profile).unwrap_err(),
        taskprof_format::write::folded(&profile, None).unwrap_err(),
        taskprof_format::write::svg(&profile, &svg).unwrap_err(),
        taskprof_format::write::json(&profile).unwrap_err(),
    ] {
        assert!(error.is_write());
        assert_eq!(error.to_string(), expected);
    }
}

#[test]
fn a_column_that_does_not_exist_is_refused_with_those_that_do() {
    let profile = super::named(&[(&["main"], 1)]);
    let error = taskprof_format::write::folded(&profile, Some("cpu")).unwrap_err();
    assert!(error.is_invalid_argument());
    assert_eq!(
        error.to_string(),
        "the profile has no sample type \"cpu\"; it has samples"
    );
}
