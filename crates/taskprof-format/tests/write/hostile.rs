//! Names from outside, through every writer: no panic, no unescaped output, no stack torn apart.

use proptest::prelude::*;
use taskprof_format::profile::{Frame, Label, Profile, Sample, SampleType};
use taskprof_format::write::{FORMATS, Format, RenderOptions};
use taskscope_core::text::is_hidden;

use crate::arbitrary::{config, corpus, name, two};
use crate::go::{go_tool_pprof_ok, tmp_dir};

/// A profile that carries the text wherever somebody outside may put one.
fn carrying(text: &str) -> (Profile, RenderOptions) {
    let mut profile = Profile::new([
        SampleType::new(text.to_owned(), text.to_owned()),
        SampleType::new("samples", "count"),
    ]);
    profile.comments.push(text.to_owned());
    profile.period_type = Some(SampleType::new(text.to_owned(), text.to_owned()));
    let hurting = Frame::Named {
        name: text.into(),
        file: Some(text.into()),
        line: Some(1),
    };
    for (stack, value) in [
        (vec![hurting.clone(), Frame::named("main")], 5),
        (vec![hurting, Frame::named(text), Frame::named("other")], 3),
    ] {
        profile.samples.push(Sample {
            stack,
            values: vec![value, value],
            labels: vec![
                Label::str(text.to_owned(), text),
                Label::num("number", 7, text.to_owned()),
            ],
        });
    }
    (profile, RenderOptions::new().title(text))
}

/// Characters that talk to a terminal, show a line in another order, or cannot be seen. Those that
/// lay a text out are the writer's own: other tests count its lines.
fn talks(c: char) -> bool {
    is_hidden(c) && !matches!(c, '\n' | '\t')
}

/// All texts of a written profile.
fn texts(format: &Format, bytes: Vec<u8>) -> String {
    if format.name == "pprof" {
        return crate::decode::Profile::read(&bytes).string_table.join("\n");
    }
    String::from_utf8(bytes).unwrap()
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn nothing_that_hides_leaves_any_writer((base, profile) in two(-10..1000)) {
        let look = RenderOptions::new().title(profile.sample_types[0].kind.clone());
        for look in [look.clone(), look.base(base.clone())] {
            for format in FORMATS {
                let text = texts(format, (format.write)(&profile, &look).unwrap());
                prop_assert_eq!(text.chars().find(|c| talks(*c)), None, "{}: {:?}", format.name, text);
            }
        }
    }

    #[test]
    fn names_that_differ_read_differently(one in name(), other in name()) {
        prop_assume!(one != other && !one.is_empty() && !other.is_empty());
        let named = |name: &str| {
            let mut profile = Profile::new([SampleType::new("samples", "count")]);
            profile.time = std::time::UNIX_EPOCH;
            profile.samples.push(Sample {
                stack: vec![Frame::named(name), Frame::named("main")],
                values: vec![1],
                labels: vec![],
            });
            profile
        };
        for format in FORMATS {
            let write = |name: &str| texts(format, (format.write)(&named(name), &RenderOptions::new()).unwrap());
            prop_assert_ne!(write(&one), write(&other), "{}", format.name);
        }
    }
}

#[test]
fn a_long_name_is_cut_in_every_writer_and_says_by_how_much() {
    let (profile, look) = carrying(&"long".repeat(25_000));
    for format in FORMATS {
        let text = texts(format, (format.write)(&profile, &look).unwrap());
        assert!(text.contains("more characters)"), "{}", format.name);
        if matches!(format.name, "svg" | "icicle") {
            // A name is a title and a text, for each of its boxes.
            assert!(text.len() < 100_000, "{}: {}", format.name, text.len());
        }
    }
}

#[test]
fn names_that_hurt_go_through_every_writer_unharmed_and_harmless() {
    let count = |text: &str, what: &str| text.matches(what).count();
    let (harmless, look) = carrying("harmless");
    for format in FORMATS {
        let usual = (format.write)(&harmless, &look).unwrap();
        for name in corpus() {
            let (profile, look) = carrying(&name);
            for look in [look.clone(), look.base(earlier(&profile))] {
                let bytes = (format.write)(&profile, &look)
                    .unwrap_or_else(|e| panic!("{} {name:?}: {e}", format.name));
                if format.name == "pprof" {
                    crate::decode::Profile::read(&bytes);
                    continue;
                }
                let text = String::from_utf8(bytes).unwrap();
                let usual = std::str::from_utf8(&usual).unwrap();
                match format.content_type {
                    "image/svg+xml" => {
                        crate::xml::xml_texts(&text);
                        assert_eq!(text.chars().find(|c| talks(*c)), None, "{name:?}");
                        assert_eq!(count(&text, "<script"), count(usual, "<script"), "{name:?}");
                        assert_eq!(count(&text, "<img"), 0, "{name:?}");
                        assert_eq!(count(&text, "<style"), count(usual, "<style"), "{name:?}");
                    }
                    "application/json" => {
                        serde_json::from_str::<serde_json::Value>(&text).unwrap();
                    }
                    "text/plain; charset=utf-8" => {
                        assert_eq!(text.chars().find(|c| talks(*c)), None, "{name:?}: {text:?}");
                    }
                    other => panic!("say here what is checked for {other}"),
                }
            }
        }
    }
}

/// The same profile with other values.
fn earlier(profile: &Profile) -> Profile {
    let mut base = profile.clone();
    base.samples[0].values = vec![2, 2];
    base
}

#[test]
fn no_name_adds_a_line_to_a_text() {
    for format in FORMATS {
        if format.content_type != "text/plain; charset=utf-8" {
            continue;
        }
        let lines = |name: &str| {
            let (profile, look) = carrying(name);
            let text = String::from_utf8((format.write)(&profile, &look).unwrap()).unwrap();
            text.lines().count()
        };
        let usual = lines("harmless");
        for name in corpus() {
            // Nothing to say is not said.
            let allowed = if name.is_empty() {
                1..=usual
            } else {
                usual..=usual
            };
            assert!(allowed.contains(&lines(&name)), "{}: {name:?}", format.name);
        }
    }
}

#[test]
fn go_tool_pprof_reads_a_profile_of_all_of_them() {
    let mut profile = Profile::new([SampleType::new("samples", "count")]);
    for name in corpus() {
        let (carrying, _) = carrying(&name);
        profile.comments.extend(carrying.comments);
        profile
            .samples
            .extend(carrying.samples.into_iter().map(|mut sample| {
                sample.values.truncate(1);
                sample
            }));
    }
    let dir = tmp_dir("hostile");
    let file = dir.join("profile.pb.gz");
    let mut out = std::fs::File::create(&file).unwrap();
    profile.write_pprof(&mut out).unwrap();
    let file = file.to_str().unwrap();
    let raw = go_tool_pprof_ok(&["-raw", file], &dir);
    assert!(raw.contains("<[u8; 4] as Foo>::bar"), "{raw}");
    let top = go_tool_pprof_ok(&["-top", "-nodefraction=0", file], &dir);
    assert!(top.contains("leaf 12"), "{top}");
}
