//! Differences and sums of profiles.

use std::collections::BTreeMap;
use std::time::{Duration, UNIX_EPOCH};

use proptest::prelude::*;
use taskprof_format::profile::{Frame, Label, Profile, Sample, SampleType};

use crate::arbitrary::{config, two};

/// The values by stack and labels, without those that are all zero.
fn content(profile: &Profile) -> BTreeMap<(Vec<Frame>, Vec<Label>), Vec<i64>> {
    let mut profile = profile.clone();
    profile.aggregate();
    profile
        .samples
        .into_iter()
        .filter(|sample| sample.values.iter().any(|value| *value != 0))
        .map(|sample| ((sample.stack, sample.labels), sample.values))
        .collect()
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn a_plus_b_minus_b_is_a((a, b) in two(-1000..1000)) {
        let there = a.merge(&b).unwrap();
        let back = there.difference(&b).unwrap();
        prop_assert_eq!(content(&back), content(&a));
        // And nothing that is zero is left in it.
        prop_assert_eq!(back.samples.len(), content(&a).len());
    }

    #[test]
    fn b_plus_what_a_has_more_is_a((a, b) in two(-1000..1000)) {
        let more = a.difference(&b).unwrap();
        prop_assert_eq!(content(&b.merge(&more).unwrap()), content(&a));
    }

    #[test]
    fn nothing_differs_from_itself_and_sums_have_no_order((a, b) in two(-1000..1000)) {
        prop_assert_eq!(a.difference(&a).unwrap().samples.len(), 0);
        prop_assert_eq!(content(&a.merge(&b).unwrap()), content(&b.merge(&a).unwrap()));
        let negated: BTreeMap<_, Vec<i64>> = content(&b.difference(&a).unwrap())
            .into_iter()
            .map(|(key, values)| (key, values.into_iter().map(|value| -value).collect()))
            .collect();
        prop_assert_eq!(content(&a.difference(&b).unwrap()), negated);
    }
}

fn sample(leaf: &str, label: &str, values: &[i64]) -> Sample {
    Sample {
        stack: vec![Frame::named(leaf), Frame::named("main")],
        values: values.to_vec(),
        labels: vec![Label::str("route", label)],
    }
}

fn block() -> Profile {
    let mut profile = Profile::new([
        SampleType::new("contentions", "count"),
        SampleType::new("delay", "nanoseconds"),
    ]);
    profile.period_type = Some(SampleType::new("contentions", "count"));
    profile.period = 1;
    profile.time = UNIX_EPOCH + Duration::from_secs(100);
    profile
}

#[test]
fn a_difference_is_after_minus_before_by_stack_and_labels() {
    let mut before = block();
    before.comments.push("10 were lost".to_owned());
    before.samples = vec![
        sample("recv", "/a", &[1, 10]),
        sample("recv", "/b", &[1, 10]),
        sample("gone", "/a", &[2, 7]),
        sample("same", "/a", &[5, 5]),
    ];
    let mut after = block();
    after.time += Duration::from_secs(20);
    after.comments.push("12 were lost".to_owned());
    after.samples = vec![
        sample("recv", "/a", &[4, 10]),
        sample("recv", "/b", &[1, 11]),
        sample("same", "/a", &[5, 5]),
        sample("new", "/a", &[1, 3]),
    ];
    let difference = after.difference(&before).unwrap();
    let expected = [
        sample("recv", "/a", &[3, 0]),
        sample("recv", "/b", &[0, 1]),
        sample("new", "/a", &[1, 3]),
        sample("gone", "/a", &[-2, -7]),
    ];
    assert_eq!(difference.samples, expected);
    // The window between the two snapshots.
    assert_eq!(difference.time, before.time);
    assert_eq!(difference.duration, Duration::from_secs(20));
    assert_eq!(difference.sample_types, after.sample_types);
    assert_eq!(difference.period_type, after.period_type);
    assert_eq!(
        difference.comments,
        ["12 were lost", "in the base: 10 were lost"]
    );
}

#[test]
fn the_window_of_a_difference_lies_between_the_ends_of_both_captures() {
    let (mut before, mut after) = (block(), block());
    before.duration = Duration::from_secs(5);
    after.time += Duration::from_secs(60);
    after.duration = Duration::from_secs(10);
    let difference = after.difference(&before).unwrap();
    assert_eq!(difference.time, UNIX_EPOCH + Duration::from_secs(105));
    assert_eq!(difference.duration, Duration::from_secs(65));
    // A base that ended later is no window at all.
    assert_eq!(before.difference(&after).unwrap().duration, Duration::ZERO);
}

#[test]
fn a_sum_covers_both_captures_and_says_each_remark_once() {
    let (mut one, mut other) = (block(), block());
    one.duration = Duration::from_secs(5);
    one.comments = vec!["a".to_owned(), "b".to_owned()];
    other.time += Duration::from_secs(60);
    other.duration = Duration::from_secs(10);
    other.comments = vec!["b".to_owned(), "c".to_owned()];
    let sum = other.merge(&one).unwrap();
    assert_eq!(sum.time, one.time);
    assert_eq!(sum.duration, Duration::from_secs(15));
    assert_eq!(sum.comments, ["b", "c", "a"]);
}

#[test]
fn profiles_of_different_kinds_are_refused_with_both_kinds() {
    let mut other = block();
    other.sample_types.pop();
    let error = block().difference(&other).unwrap_err();
    assert!(error.is_invalid_argument());
    assert_eq!(
        error.to_string(),
        "profiles of different sample types cannot be combined: one has contentions/count, delay/nanoseconds, the other contentions/count"
    );
    let mut other = block();
    other.period_type = None;
    let error = block().merge(&other).unwrap_err();
    assert!(error.is_invalid_argument());
    assert_eq!(
        error.to_string(),
        "profiles of different period types cannot be combined: one has contentions/count, the other none"
    );
}

#[test]
fn every_format_refuses_a_base_of_another_kind() {
    let mut other = block();
    other.sample_types.pop();
    let look = taskprof_format::write::RenderOptions::new().base(other);
    for format in taskprof_format::write::FORMATS {
        let error = (format.write)(&block(), &look).unwrap_err();
        assert!(error.is_invalid_argument(), "{}: {error}", format.name);
    }
}
