//! Every format read back and compared with the profile that was written.

use std::collections::BTreeMap;
use std::time::UNIX_EPOCH;

use proptest::prelude::*;
use taskprof_format::profile::{Frame, Label, LabelValue, Profile, Sample};
use taskprof_format::write::{Format, RenderOptions, parse_folded_line};

use crate::arbitrary::{config, profile, shown, shown_name, two};
use crate::decode;
use crate::text::{self, read_text, read_traces};
use taskscope_core::OneLine;
use taskscope_core::text::plain;

fn write(format: &str, profile: &Profile, look: &RenderOptions) -> Vec<u8> {
    (Format::named(format).unwrap().write)(profile, look).unwrap()
}

fn write_text(format: &str, profile: &Profile, look: &RenderOptions) -> String {
    String::from_utf8(write(format, profile, look)).unwrap()
}

/// One value per key: text, number, unit.
fn labels(labels: &[Label]) -> BTreeMap<String, (String, i64, String)> {
    labels
        .iter()
        .map(|label| {
            let value = match &label.value {
                LabelValue::Str(text) => (text.to_string(), 0, String::new()),
                LabelValue::Num { value, unit } => (String::new(), *value, unit.to_string()),
            };
            (label.key.to_string(), value)
        })
        .collect()
}

/// Names of a stack, root first, where every sample has at least one.
fn root_first(sample: &Sample) -> Vec<String> {
    if sample.stack.is_empty() {
        return vec!["(no stack)".to_owned()];
    }
    sample.stack.iter().rev().map(shown_name).collect()
}

/// The sums of one column, by stack.
fn sums(profile: &Profile, column: usize) -> BTreeMap<Vec<String>, i64> {
    let mut sums: BTreeMap<Vec<String>, i64> = BTreeMap::new();
    for sample in &profile.samples {
        let sum = sums.entry(root_first(sample)).or_default();
        *sum = sum.saturating_add(sample.values[column]);
    }
    sums.retain(|_, sum| *sum != 0);
    sums
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn pprof_holds_the_profile_and_every_id_leads_somewhere(profile in profile(i64::MIN..i64::MAX)) {
        let file = decode::Profile::read(&write("pprof", &profile, &RenderOptions::new()));
        prop_assert_eq!(&file.string_table[0], "");
        let types: Vec<(&str, &str)> = file
            .sample_type
            .iter()
            .map(|t| (file.text(t.r#type), file.text(t.unit)))
            .collect();
        let expected: Vec<(&str, &str)> =
            profile.sample_types.iter().map(|t| (&*t.kind, &*t.unit)).collect();
        let expected: Vec<_> =
            expected.iter().map(|(kind, unit)| (plain(kind), plain(unit))).collect();
        let expected: Vec<(&str, &str)> =
            expected.iter().map(|(kind, unit)| (&**kind, &**unit)).collect();
        prop_assert_eq!(types, expected);
        prop_assert_eq!(
            file.text(file.default_sample_type),
            plain(profile.default_sample_type.as_deref().unwrap_or_default())
        );
        prop_assert_eq!(
            file.period_type
                .as_ref()
                .map(|t| (file.text(t.r#type).into(), file.text(t.unit).into())),
            profile.period_type.as_ref().map(|t| (plain(&t.kind), plain(&t.unit)))
        );
        prop_assert_eq!(file.period, profile.period);
        let time = profile.time.duration_since(UNIX_EPOCH).unwrap().as_nanos();
        prop_assert_eq!(i128::from(file.time_nanos), i128::try_from(time).unwrap());
        prop_assert_eq!(
            u128::try_from(file.duration_nanos).unwrap(),
            profile.duration.as_nanos()
        );
        let comments: Vec<&str> = file.comment.iter().map(|at| file.text(*at)).collect();
        let expected: Vec<String> =
            profile.comments.iter().map(|comment| OneLine(comment).to_string()).collect();
        prop_assert_eq!(&comments[..profile.comments.len()], &expected[..]);

        prop_assert_eq!(file.sample.len(), profile.samples.len());
        for (written, sample) in file.sample.iter().zip(&profile.samples) {
            prop_assert_eq!(&written.value, &sample.values);
            prop_assert_eq!(written.location_id.len(), sample.stack.len());
            for (id, frame) in written.location_id.iter().zip(&sample.stack) {
                let location = &file.location[usize::try_from(*id).unwrap() - 1];
                prop_assert_eq!(location.id, *id);
                prop_assert!(location.mapping_id <= file.mapping.len() as u64);
                let address = match frame {
                    Frame::Address(address) => *address as u64 - 1,
                    Frame::Named { .. } => 0,
                };
                prop_assert_eq!(location.address, address);
                prop_assert_eq!(location.line.len(), 1);
                let line = &location.line[0];
                let function = &file.function[usize::try_from(line.function_id).unwrap() - 1];
                prop_assert_eq!(function.id, line.function_id);
                prop_assert_eq!(function.system_name, 0);
                let (name, source, number) = shown(frame);
                prop_assert_eq!(file.text(function.name), plain(&name));
                prop_assert_eq!(file.text(function.filename), plain(source.as_deref().unwrap_or_default()));
                prop_assert_eq!(line.line, number.map_or(0, i64::from));
            }
            let read: BTreeMap<String, (String, i64, String)> = written
                .label
                .iter()
                .map(|label| {
                    let value = (
                        file.text(label.str).to_owned(),
                        label.num,
                        file.text(label.num_unit).to_owned(),
                    );
                    (file.text(label.key).to_owned(), value)
                })
                .collect();
            prop_assert_eq!(read.len(), written.label.len(), "one value per key");
            let expected: BTreeMap<String, (String, i64, String)> = labels(&sample.labels)
                .into_iter()
                .map(|(key, (text, number, unit))| {
                    let value = (plain(&text).into_owned(), number, plain(&unit).into_owned());
                    (plain(&key).into_owned(), value)
                })
                .collect();
            prop_assert_eq!(read, expected);
        }
        for mapping in &file.mapping {
            // Lines are of files, and inlined functions have names.
            prop_assert!(mapping.has_filenames || !mapping.has_line_numbers);
            prop_assert!(mapping.has_functions || !mapping.has_inline_frames);
            prop_assert!(mapping.memory_start < mapping.memory_limit);
        }
    }

    #[test]
    fn folded_text_holds_one_column_by_stack(profile in profile(i64::MIN..i64::MAX)) {
        for (column, sample_type) in profile.sample_types.iter().enumerate() {
            let look = RenderOptions::new().sample_type(sample_type.kind.clone());
            // The first of two columns with one kind is meant.
            let column = profile.column(&sample_type.kind).unwrap_or(column);
            let text = write_text("folded", &profile, &look);
            let mut read = BTreeMap::new();
            for line in text.lines() {
                let (stack, value) = parse_folded_line(line).unwrap();
                prop_assert!(read.insert(stack, value).is_none(), "one line per stack: {line}");
            }
            prop_assert_eq!(read, sums(&profile, column));
        }
    }

    #[test]
    fn folded_text_with_a_base_holds_both_columns((base, profile) in two(0..1000)) {
        let text = write_text("folded", &profile, &RenderOptions::new().base(base.clone()));
        let column = profile.default_column();
        let (mut before, mut after) = (BTreeMap::new(), BTreeMap::new());
        for line in text.lines() {
            let (rest, value) = line.rsplit_once(' ').unwrap();
            let (stack, base) = parse_folded_line(rest).unwrap();
            before.insert(stack.clone(), base);
            after.insert(stack, value.parse::<i64>().unwrap());
        }
        before.retain(|_, value| *value != 0);
        after.retain(|_, value| *value != 0);
        prop_assert_eq!(before, sums(&base, column));
        prop_assert_eq!(after, sums(&profile, column));
    }

    #[test]
    fn json_holds_the_profile(profile in profile(i64::MIN..i64::MAX)) {
        let text = write_text("json", &profile, &RenderOptions::new());
        let value: serde_json::Value = serde_json::from_str(&text).unwrap();
        crate::schema::check(&value);
        prop_assert_eq!(value["period"].as_i64(), Some(profile.period));
        prop_assert_eq!(
            value["default_sample_type"].as_str(),
            profile.default_sample_type.as_deref()
        );
        let samples = value["samples"].as_array().unwrap();
        prop_assert_eq!(samples.len(), profile.samples.len());
        for (read, sample) in samples.iter().zip(&profile.samples) {
            let values: Vec<i64> =
                read["values"].as_array().unwrap().iter().map(|v| v.as_i64().unwrap()).collect();
            prop_assert_eq!(&values, &sample.values);
            let stack: Vec<(String, Option<String>, Option<u32>)> = read["stack"]
                .as_array()
                .unwrap()
                .iter()
                .map(|frame| {
                    (
                        frame["function"].as_str().unwrap().to_owned(),
                        frame["file"].as_str().map(str::to_owned),
                        frame["line"].as_u64().map(|line| u32::try_from(line).unwrap()),
                    )
                })
                .collect();
            let expected: Vec<_> = sample.stack.iter().map(shown).collect();
            prop_assert_eq!(stack, expected);
            let read: BTreeMap<String, (String, i64, String)> = read["labels"]
                .as_object()
                .unwrap()
                .iter()
                .map(|(key, value)| {
                    let value = match value.as_str() {
                        Some(text) => (text.to_owned(), 0, String::new()),
                        None => (
                            String::new(),
                            value["value"].as_i64().unwrap(),
                            value["unit"].as_str().unwrap().to_owned(),
                        ),
                    };
                    (key.clone(), value)
                })
                .collect();
            prop_assert_eq!(read, labels(&sample.labels));
        }
    }

    #[test]
    fn speedscope_holds_every_column_but_what_is_negative(profile in profile(-1000..1000)) {
        let text = write_text("speedscope", &profile, &RenderOptions::new());
        let file = crate::speedscope::read(&text);
        prop_assert_eq!(file.active_profile_index, Some(profile.default_column()));
        prop_assert_eq!(file.profiles.len(), profile.sample_types.len());
        for (column, read) in file.profiles.iter().enumerate() {
            let stacks: Vec<(Vec<String>, i64)> = read
                .samples
                .iter()
                .map(|stack| stack.iter().map(|at| file.shared.frames[*at].name.clone()).collect())
                .zip(read.weights.iter().copied())
                .collect();
            let expected: Vec<(Vec<String>, i64)> = profile
                .samples
                .iter()
                .map(|sample| {
                    let names = root_first(sample);
                    let names = names.iter().map(|name| plain(name).into_owned()).collect();
                    (names, sample.values[column])
                })
                .filter(|(_, value)| *value > 0)
                .collect();
            prop_assert_eq!(stacks, expected);
            prop_assert_eq!(read.end_value, read.weights.iter().sum::<i64>());
        }
    }

    #[test]
    fn text_holds_one_column_by_stack_and_labels(profile in profile(i64::MIN..i64::MAX)) {
        let column = profile.default_column();
        let (total, read) = read_text(&write_text("text", &profile, &RenderOptions::new()));
        prop_assert_eq!(total, profile.total(column));
        let values: Vec<i64> = read.iter().map(|group| group.value).collect();
        let mut sorted = values.clone();
        sorted.sort_unstable_by(|a, b| b.cmp(a));
        prop_assert_eq!(values, sorted, "largest first");

        let mut expected: BTreeMap<(Vec<Frame>, BTreeMap<String, String>), i64> = BTreeMap::new();
        for sample in &profile.samples {
            let labels = labels(&sample.labels)
                .into_iter()
                .map(|(key, value)| (key, text::label(&value)))
                .collect();
            let sum = expected.entry((sample.stack.clone(), labels)).or_default();
            *sum = sum.saturating_add(sample.values[column]);
        }
        let mut expected: Vec<text::Group> = expected
            .into_iter()
            .filter(|(_, value)| *value != 0)
            .map(|((stack, labels), value)| text::Group::of(&stack, labels, value))
            .collect();
        expected.sort();
        let mut read = read;
        read.sort();
        prop_assert_eq!(read, expected);
    }

    #[test]
    fn full_text_holds_every_sample_in_order(profile in profile(i64::MIN..i64::MAX)) {
        let read = read_traces(&write_text("traces", &profile, &RenderOptions::new()));
        prop_assert_eq!(read.len(), profile.samples.len());
        for (read, sample) in read.iter().zip(&profile.samples) {
            let names: Vec<String> = match &*sample.stack {
                [] => vec!["(no stack)".to_owned()],
                stack => stack.iter().map(shown_name).collect(),
            };
            prop_assert_eq!(&read.names, &names);
            prop_assert_eq!(read.labels, labels(&sample.labels).len());
            prop_assert_eq!(read.values.split(", ").count() >= sample.values.len(), true);
            for value in &sample.values {
                prop_assert!(read.values.contains(&value.to_string()));
            }
        }
    }

    #[test]
    fn pictures_are_xml_alone_and_compared((base, profile) in two(-10..1000)) {
        for name in ["svg", "icicle"] {
            let look = RenderOptions::new().title(profile.sample_types[0].kind.clone());
            crate::xml::xml_texts(&write_text(name, &profile, &look));
            let look = look.base(base.clone());
            crate::xml::xml_texts(&write_text(name, &profile, &look));
            crate::xml::xml_texts(&write_text(name, &profile, &look.normalised()));
        }
    }

    #[test]
    fn a_difference_is_written_by_every_format((base, profile) in two(i64::MIN..i64::MAX)) {
        let look = RenderOptions::new().base(base);
        for format in taskprof_format::write::FORMATS {
            // Values that add up to too much for a picture are an error, and no panic.
            match (format.write)(&profile, &look) {
                Ok(bytes) => prop_assert!(!bytes.is_empty() || format.name == "folded"),
                Err(error) => prop_assert!(error.is_write(), "{}: {error}", format.name),
            }
        }
    }
}
