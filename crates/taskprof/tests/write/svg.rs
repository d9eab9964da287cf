//! The flame graph: well-formed, nothing in it that a name put there, readable when empty.

use taskprof::profile::{Profile, SampleType};
use taskprof::write::{SvgOptions, svg};

use super::named;
use crate::xml::xml_texts;

fn draw(profile: &Profile) -> String {
    svg(profile, &SvgOptions::new().title("CPU <time>")).unwrap()
}

#[test]
fn a_flame_graph_is_well_formed_and_shows_frames_title_and_total() {
    let mut profile = named(&[(&["main", "<[u8; 4] as Foo>::bar"], 3), (&["main"], 1)]);
    profile.comments.push("4 samples & 4 expected".to_owned());
    let texts = xml_texts(&draw(&profile));
    assert!(
        texts.contains(&"<[u8； 4] as Foo>::bar (3 samples, 75.00%)".to_owned()),
        "{texts:?}"
    );
    assert!(texts.contains(&"CPU <time>".to_owned()), "{texts:?}");
    assert!(
        texts.contains(
            &"samples: 4 samples · boxes under 0.1 % not drawn · 4 samples & 4 expected".to_owned()
        ),
        "{texts:?}"
    );
}

#[test]
fn a_script_in_a_name_is_text() {
    let name = "</title><script>alert(1)</script>";
    let mut profile = named(&[(&["main", name], 1)]);
    profile.comments.push(name.to_owned());
    let drawn = svg(&profile, &SvgOptions::new().title(name)).unwrap();
    assert!(!drawn.contains("<script>alert"), "{drawn}");
    let shown = format!("{name} (1 samples, 100.00%)");
    assert!(xml_texts(&drawn).contains(&shown));

    let mut empty = named(&[]);
    empty.comments.push(name.to_owned());
    let drawn = svg(&empty, &SvgOptions::new().title(name)).unwrap();
    assert!(!drawn.contains("<script>"), "{drawn}");
    assert!(xml_texts(&drawn).contains(&name.to_owned()));
}

#[test]
fn characters_that_xml_cannot_hold_do_not_break_the_picture() {
    let name = "bell\u{7} nul\0 none\u{ffff} two\nlines";
    let mut profile = named(&[(&["main", name], 1)]);
    profile.comments.push(name.to_owned());
    let drawn = svg(&profile, &SvgOptions::new().title(name)).unwrap();
    let bad = drawn.chars().find(|&c| {
        c.is_control() && !matches!(c, '\n' | '\r' | '\t') || matches!(c, '\u{fffe}' | '\u{ffff}')
    });
    assert_eq!(bad, None);
    let texts = xml_texts(&drawn);
    assert!(
        texts
            .iter()
            .any(|text| text.starts_with(r"bell\u{7} nul\u{0} none\u{ffff} two\nlines (")),
        "{texts:?}"
    );
}

// inferno sorts lines as text, where `a::b` stands between `a` and `a;c`, and would draw `a` twice.
#[test]
fn a_function_is_one_box_even_next_to_a_longer_name() {
    let profile = named(&[
        (&["main", "a"], 4),
        (&["main", "a::b"], 2),
        (&["main", "a", "c"], 1),
    ]);
    let texts = xml_texts(&draw(&profile));
    let boxes: Vec<_> = texts
        .iter()
        .filter(|text| text.starts_with("a ("))
        .collect();
    assert_eq!(boxes, ["a (5 samples, 71.43%)"]);
}

#[test]
fn the_same_profile_gives_the_same_bytes() {
    let profile = named(&[(&["main", "core::x"], 4), (&["main", "app::y"], 2)]);
    assert_eq!(draw(&profile), draw(&profile));
}

#[test]
fn an_empty_profile_says_that_there_are_no_samples_and_why() {
    let mut profile = named(&[]);
    profile.comments.push("the process slept".to_owned());
    let texts = xml_texts(&draw(&profile));
    assert_eq!(
        texts,
        [
            "CPU <time>",
            "CPU <time>",
            "No samples were taken.",
            "the process slept"
        ]
    );
}

#[test]
fn nanoseconds_are_shown_in_milliseconds() {
    let mut profile = named(&[(&["main"], 7_000_000)]);
    profile.sample_types = vec![SampleType::new("delay", "nanoseconds")];
    let texts = xml_texts(&draw(&profile));
    assert!(
        texts.contains(&"main (7 ms, 100.00%)".to_owned()),
        "{texts:?}"
    );
}

#[test]
fn stacks_with_a_negative_value_are_not_drawn_and_counted() {
    let profile = named(&[(&["main", "new"], 5), (&["main", "gone"], -3)]);
    let drawn = draw(&profile);
    assert!(!drawn.contains("gone"));
    assert!(drawn.contains("1 stacks with a negative value cannot be drawn"));
}

#[test]
fn values_that_add_up_to_too_much_are_an_error_and_no_panic() {
    let profile = named(&[(&["a"], i64::MAX), (&["b"], 1)]);
    let error = svg(&profile, &SvgOptions::new()).unwrap_err();
    assert!(error.is_write());
}

// 20,000 stacks, each with a box of its own, would be many megabytes.
#[test]
fn a_picture_of_very_many_stacks_stays_small() {
    let names: Vec<String> = (0..20_000).map(|n| format!("leaf_{n}")).collect();
    let stacks: Vec<[&str; 2]> = names.iter().map(|name| ["main", name.as_str()]).collect();
    let stacks: Vec<(&[&str], i64)> = stacks.iter().map(|stack| (stack.as_slice(), 1)).collect();
    let drawn = draw(&named(&stacks));
    assert!(drawn.len() < 100_000, "{} bytes", drawn.len());
    assert!(
        xml_texts(&drawn)
            .iter()
            .any(|text| text.starts_with("main ("))
    );
}
