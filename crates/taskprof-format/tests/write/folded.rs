//! Folded text: every name survives, every reader splits where we meant it.

use proptest::prelude::*;
use taskprof_format::profile::{Frame, Profile, Sample, SampleType};
use taskprof_format::write::{folded, parse_folded_line};

use super::named;

/// Names from the characters that hurt, and from all others.
fn name() -> impl Strategy<Value = String> {
    const HURTS: &[char] = &[
        ';', ' ', '\\', 'n', 'u', '{', '}', '1', '2', '.', '#', '_', '[', 'k', ']', '\n', '\t',
        '\r', '\0', '\u{ff1b}', '\u{a0}', '\u{2028}', '\u{202e}', '\u{ffff}', 'a', ':', '-',
    ];
    let hurting = prop::collection::vec(prop::sample::select(HURTS), 1..12)
        .prop_map(|chars| chars.into_iter().collect::<String>());
    let any = any::<String>().prop_filter("an empty name has its own test", |s| !s.is_empty());
    prop_oneof![3 => hurting, 1 => any]
}

/// Whether inferno and flamegraph.pl would take a last word off a line: digits, with or without a
/// fraction.
fn ends_in_a_number(text: &str) -> bool {
    text.rsplit_once(' ')
        .is_some_and(|(_, last)| last.chars().all(|c| c.is_ascii_digit() || c == '.'))
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 1000, ..ProptestConfig::default() })]

    #[test]
    fn every_name_comes_back_and_no_reader_splits_it(
        stack in prop::collection::vec(name(), 1..6),
        value in 1..i64::MAX,
    ) {
        let names: Vec<&str> = stack.iter().map(String::as_str).collect();
        let text = folded(&named(&[(&names, value)]), None).unwrap();

        prop_assert_eq!(text.lines().count(), 1);
        let line = text.strip_suffix('\n').unwrap();
        prop_assert!(!line.chars().any(char::is_control), "{:?}", line);
        prop_assert_eq!(line.trim(), line);
        prop_assert!(!line.starts_with('#'), "{:?}", line);
        let (frames, _) = line.rsplit_once(' ').unwrap();
        prop_assert_eq!(frames.split(';').count(), stack.len());
        prop_assert_eq!(frames.trim(), frames);
        prop_assert!(!ends_in_a_number(frames), "{:?}", line);

        let (back, number) = parse_folded_line(line).unwrap();
        prop_assert_eq!(back, stack);
        prop_assert_eq!(number, value);
    }
}

#[test]
fn names_that_hurt_are_written_as_documented() {
    for (name, written) in [
        ("<[u8; 4] as Foo>::bar", "<[u8； 4] as Foo>::bar"),
        ("leaf 12", r"leaf\u{20}12"),
        ("two\nlines\tand a tab", r"two\nlines\tand a tab"),
        (r"C:\path", r"C:\\path"),
        ("# comment", r"\u{23} comment"),
        (" padded ", r"\u{20}padded\u{20}"),
        ("kernel_[k]", r"kernel_[k\u{5d}"),
        ("nul\0", r"nul\u{0}"),
        ("\u{202e}gnal", r"\u{202e}gnal"),
        ("a；b", r"a\u{ff1b}b"),
        ("{{closure}}", "{{closure}}"),
        ("<script>", "<script>"),
        ("", "(no name)"),
    ] {
        let text = folded(&named(&[(&["main", name], 5)]), None).unwrap();
        assert_eq!(text, format!("main;{written} 5\n"));
    }
}

#[test]
fn equal_stacks_are_one_line_and_lines_are_sorted_frame_by_frame() {
    let text = folded(
        &named(&[
            (&["main", "a", "c"], 1),
            (&["main", "a::b"], 2),
            (&["main", "a"], 4),
            (&["main", "a", "c"], 8),
            (&["main", "zero"], 0),
        ]),
        None,
    )
    .unwrap();
    assert_eq!(text, "main;a 4\nmain;a;c 9\nmain;a::b 2\n");
}

#[test]
fn a_sample_without_a_stack_is_counted_under_a_name_of_its_own() {
    assert_eq!(folded(&named(&[(&[], 3)]), None).unwrap(), "(no stack) 3\n");
}

#[test]
fn an_address_without_a_symbol_is_shown_and_not_dropped() {
    let mut profile = Profile::new([SampleType::new("samples", "count")]);
    profile.samples.push(Sample {
        stack: vec![Frame::Address(0x11), Frame::named("main")],
        values: vec![1],
        labels: vec![],
    });
    assert_eq!(folded(&profile, None).unwrap(), "main;0x10 1\n");
}

#[test]
fn a_line_that_was_not_written_here_is_not_read() {
    for line in [
        "",
        "main",
        "main five",
        r"main;\x41 5",
        r"main;\u{110000} 5",
    ] {
        assert_eq!(parse_folded_line(line), None, "{line:?}");
    }
}
