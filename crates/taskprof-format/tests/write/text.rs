//! Text for terminals: Go's layout, nothing that a name put there.

use std::collections::BTreeMap;

use taskprof_format::profile::{Frame, Label, Profile, Sample, SampleType};
use taskprof_format::write::{RenderOptions, text};
use taskscope_core::text::read_plain;

use crate::arbitrary::shown;
use crate::go::{go_tool_pprof, go_tool_pprof_ok, tmp_dir};

/// A paragraph of `text`.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Group {
    pub(crate) value: i64,
    pub(crate) labels: BTreeMap<String, String>,
    /// Address, name, place.
    pub(crate) stack: Vec<(usize, String, String)>,
}

impl Group {
    /// The paragraph that these should have.
    pub(crate) fn of(stack: &[Frame], labels: BTreeMap<String, String>, value: i64) -> Group {
        let stack = match stack {
            [] => vec![(0, "(no stack)".to_owned(), String::new())],
            stack => stack
                .iter()
                .map(|frame| {
                    let address = match frame {
                        Frame::Address(address) => *address,
                        Frame::Named { .. } => 0,
                    };
                    let (name, file, line) = shown(frame);
                    let name = if name.is_empty() {
                        "(no name)".to_owned()
                    } else {
                        name
                    };
                    let place = match (file, line) {
                        (None, _) => String::new(),
                        (Some(file), None) => file,
                        (Some(file), Some(line)) => format!("{file}:{line}"),
                    };
                    (address, name, place)
                })
                .collect(),
        };
        Group {
            value,
            labels,
            stack,
        }
    }
}

/// How a label's value is shown.
pub(crate) fn label((text, number, unit): &(String, i64, String)) -> String {
    match (text, number, unit) {
        (text, 0, unit) if unit.is_empty() && text.is_empty() => String::new(),
        (text, 0, unit) if unit.is_empty() => text.clone(),
        (_, number, unit) if unit.is_empty() => number.to_string(),
        (_, number, unit) => format!("{number} {unit}"),
    }
}

fn unescape(text: &str) -> String {
    read_plain(text).unwrap()
}

/// Reads what `text` wrote: the total and the groups.
pub(crate) fn read_text(text: &str) -> (i64, Vec<Group>) {
    let (header, rest) = text.split_once('\n').unwrap();
    let (_, total) = header.rsplit_once(" profile: total ").unwrap();
    let mut groups = Vec::new();
    for line in rest.lines() {
        if let Some(frame) = line.strip_prefix("#\t") {
            let group: &mut Group = groups.last_mut().unwrap();
            let fields: Vec<&str> = frame.split('\t').collect();
            assert!(matches!(fields.len(), 2 | 3), "{line}");
            let address = usize::from_str_radix(fields[0].strip_prefix("0x").unwrap(), 16).unwrap();
            let place = fields.get(2).copied().map(unescape).unwrap_or_default();
            group.stack.push((address, unescape(fields[1]), place));
        } else if let Some(labels) = line.strip_prefix("# labels: ")
            && let Some(group) = groups.last_mut()
        {
            group.labels = serde_json::from_str(labels).unwrap();
        } else if line.starts_with("# ") || line.is_empty() {
            // A remark, or the end of a paragraph.
        } else {
            let (value, _) = line.split_once(" @").unwrap();
            groups.push(Group {
                value: value.parse().unwrap(),
                labels: BTreeMap::new(),
                stack: Vec::new(),
            });
        }
    }
    (total.parse().unwrap(), groups)
}

/// A paragraph of `full`.
pub(crate) struct Full {
    pub(crate) values: String,
    pub(crate) labels: usize,
    pub(crate) names: Vec<String>,
}

/// Reads what `full` wrote.
pub(crate) fn read_traces(text: &str) -> Vec<Full> {
    text.split("\n\n")
        .skip(1)
        .enumerate()
        .map(|(at, paragraph)| {
            let mut lines = paragraph.lines();
            let head = lines.next().unwrap();
            let values = head.strip_prefix(&format!("sample {}: ", at + 1)).unwrap();
            let mut full = Full {
                values: values.to_owned(),
                labels: 0,
                names: Vec::new(),
            };
            let mut names = false;
            for line in lines {
                // Labels come before the names; a name that looks like one is behind an ordinary
                // name, or not read here.
                if !names && line.starts_with("label ") {
                    full.labels += 1;
                } else if !line.starts_with('\t') {
                    names = true;
                    full.names.push(unescape(line));
                }
            }
            full
        })
        .collect()
}

fn tasks() -> Profile {
    let mut profile = Profile::new([SampleType::new("tasks", "count")]);
    profile.time = std::time::UNIX_EPOCH + std::time::Duration::from_secs(1_795_209_608);
    profile
        .comments
        .push("1 task could\nnot be seen".to_owned());
    let sample = |stack: &[Frame], value, labels: &[Label]| Sample {
        stack: stack.to_vec(),
        values: vec![value],
        labels: labels.to_vec(),
    };
    let recv = Frame::Address(0x11);
    let main = Frame::Named {
        name: "app::main".into(),
        file: Some("src/main.rs".into()),
        line: Some(17),
    };
    let stack = [recv.clone(), main.clone()];
    let a = [
        Label::str("route", "GET \"/a\"\u{202e}"),
        Label::num("age", 90, "seconds"),
    ];
    profile.samples = vec![
        sample(&[main], 1, &[]),
        sample(&stack, 2, &a),
        sample(&stack, 3, &[]),
        sample(&stack, 2, &a),
    ];
    profile
}

#[test]
fn text_is_grouped_by_stack_and_labels_with_the_largest_first() {
    assert_eq!(
        text(&tasks(), &RenderOptions::new().title("Live tasks")).unwrap(),
        "tasks profile: total 8\n\
         # Live tasks\n\
         # taken Fri, 20 Nov 2026 21:20:08 GMT\n\
         # 1 task could\\nnot be seen\n\
         # 1 of 1 addresses have no symbol (shown as module+offset; build with debug = 1, unstripped)\n\
         \n\
         4 @ 0x11 0x0\n\
         # labels: {\"age\":\"90 seconds\",\"route\":\"GET \\\"/a\\\"\\u202e\"}\n\
         #\t0x11\t0x10\n\
         #\t0x0\tapp::main\tsrc/main.rs:17\n\
         \n\
         3 @ 0x11 0x0\n\
         #\t0x11\t0x10\n\
         #\t0x0\tapp::main\tsrc/main.rs:17\n\
         \n\
         1 @ 0x0\n\
         #\t0x0\tapp::main\tsrc/main.rs:17\n"
    );
}

#[test]
fn full_text_has_every_sample_with_values_labels_and_places() {
    let mut profile = tasks();
    profile
        .sample_types
        .push(SampleType::new("waiting", "nanoseconds"));
    for sample in &mut profile.samples {
        sample.values.push(5);
    }
    profile.samples.truncate(2);
    profile.comments.clear();
    assert_eq!(
        taskprof_format::write::traces(&profile, &RenderOptions::new().title("Live tasks"))
            .unwrap(),
        "Live tasks\n\
         2 samples of tasks (count), waiting (nanoseconds)\n\
         taken Fri, 20 Nov 2026 21:20:08 GMT\n\
         1 of 1 addresses have no symbol (shown as module+offset; build with debug = 1, unstripped)\n\
         \n\
         sample 1: tasks 1 count, waiting 5 nanoseconds\n\
         app::main\n\
         \tsrc/main.rs:17\n\
         \n\
         sample 2: tasks 2 count, waiting 5 nanoseconds\n\
         label age: 90 seconds\n\
         label route: GET \"/a\"\\u{202e}\n\
         0x10\n\
         \t0x11\n\
         app::main\n\
         \tsrc/main.rs:17\n"
    );
}

// A legacy format of that tool: it takes values and addresses from it, and no names.
#[test]
fn go_tool_pprof_reads_the_text_until_a_value_is_negative() {
    let dir = tmp_dir("text");
    let file = dir.join("tasks.txt");
    let mut profile = tasks();
    profile.samples.push(Sample {
        stack: vec![],
        values: vec![7],
        labels: vec![],
    });
    std::fs::write(&file, text(&profile, &RenderOptions::new()).unwrap()).unwrap();
    let raw = go_tool_pprof_ok(&["-raw", file.to_str().unwrap()], &dir);
    assert!(raw.contains("tasks/count"), "{raw}");
    let (_, samples) = raw.split_once("tasks/count\n").unwrap();
    let samples: Vec<&str> = samples.lines().map(str::trim).take(2).collect();
    // Frames without an address are one location to it, the first here; the second is the address.
    assert_eq!(samples, ["8: 1", "7: 2 1"], "{raw}");
    assert!(raw.contains("2: 0x10"), "{raw}");

    profile.samples[0].values[0] = -1;
    std::fs::write(&file, text(&profile, &RenderOptions::new()).unwrap()).unwrap();
    let output = go_tool_pprof(&["-raw", file.to_str().unwrap()], &dir);
    assert!(!output.status.success(), "the documented limitation");
}

#[test]
fn a_unit_other_than_count_is_said() {
    let mut profile = tasks();
    profile.sample_types = vec![SampleType::new("delay time", "nanoseconds")];
    let text = text(&profile, &RenderOptions::new()).unwrap();
    assert!(
        text.starts_with("delay_time profile: total 8\n# unit: nanoseconds\n"),
        "{text}"
    );
}
