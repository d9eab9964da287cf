//! The flame graph: well-formed, nothing in it that a name put there, readable when empty.

use taskprof_format::profile::{Profile, SampleType};
use taskprof_format::write::{RenderOptions, svg};

use super::named;
use crate::xml::xml_texts;

fn draw(profile: &Profile) -> String {
    svg(profile, &RenderOptions::new().title("CPU <time>")).unwrap()
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
    let drawn = svg(&profile, &RenderOptions::new().title(name)).unwrap();
    assert!(!drawn.contains("<script>alert"), "{drawn}");
    let shown = format!("{name} (1 samples, 100.00%)");
    assert!(xml_texts(&drawn).contains(&shown));

    let mut empty = named(&[]);
    empty.comments.push(name.to_owned());
    let drawn = svg(&empty, &RenderOptions::new().title(name)).unwrap();
    assert!(!drawn.contains("<script>"), "{drawn}");
    assert!(xml_texts(&drawn).contains(&name.to_owned()));
}

#[test]
fn characters_that_xml_cannot_hold_do_not_break_the_picture() {
    let name = "bell\u{7} nul\0 none\u{ffff} two\nlines";
    let mut profile = named(&[(&["main", name], 1)]);
    profile.comments.push(name.to_owned());
    let drawn = svg(&profile, &RenderOptions::new().title(name)).unwrap();
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
    let error = svg(&profile, &RenderOptions::new()).unwrap_err();
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

/// The text that stands where the mouse is, and the colour, of every box.
fn boxes(drawn: &str) -> Vec<(String, [u8; 3])> {
    drawn
        .split("<g><title>")
        .skip(1)
        .filter_map(|part| {
            let (title, rest) = part.split_once("</title>")?;
            let (_, rest) = rest.split_once("fill=\"rgb(")?;
            let (rgb, _) = rest.split_once(")\"")?;
            let rgb: Vec<u8> = rgb.split(',').map(|c| c.parse().unwrap()).collect();
            Some((title.to_owned(), rgb.try_into().unwrap()))
        })
        .collect()
}

fn box_of(drawn: &str, name: &str) -> (String, [u8; 3]) {
    boxes(drawn)
        .into_iter()
        .find(|(title, _)| title.starts_with(&format!("{name} (")))
        .unwrap_or_else(|| panic!("no box {name}: {drawn}"))
}

fn compared(profile: &Profile, base: &Profile) -> String {
    svg(profile, &RenderOptions::new().base(base.clone())).unwrap()
}

fn is_red([r, g, b]: [u8; 3]) -> bool {
    r > g && r > b
}

fn is_blue([r, g, b]: [u8; 3]) -> bool {
    b > g && b > r
}

#[test]
fn what_grew_is_red_what_shrank_is_blue_and_what_is_gone_is_said() {
    let base = named(&[
        (&["main", "grew"], 2),
        (&["main", "shrank"], 6),
        (&["main", "same"], 4),
        (&["main", "gone"], 3),
    ]);
    let profile = named(&[
        (&["main", "grew"], 8),
        (&["main", "shrank"], 3),
        (&["main", "same"], 4),
        (&["main", "new"], 1),
    ]);
    let drawn = compared(&profile, &base);
    let (text, colour) = box_of(&drawn, "grew");
    assert_eq!(text, "grew (8 samples, 50.00%; +37.50%)");
    assert!(is_red(colour), "{colour:?}");
    let (text, colour) = box_of(&drawn, "shrank");
    assert_eq!(text, "shrank (3 samples, 18.75%; -18.75%)");
    assert!(is_blue(colour), "{colour:?}");
    assert!(is_red(box_of(&drawn, "new").1));
    let (_, [r, g, b]) = box_of(&drawn, "same");
    assert!(r == g && g == b, "neither");
    assert!(!drawn.contains("<title>gone ("));
    assert!(
        drawn.contains("samples: 15 samples in the base, 16 samples now"),
        "{drawn}"
    );
    assert!(drawn.contains("3 samples of the base are gone (1 stacks, not drawn)"));

    // Alone, the same profile is drawn without a comparison.
    let alone = svg(&profile, &RenderOptions::new()).unwrap();
    assert_eq!(box_of(&alone, "grew").0, "grew (8 samples, 50.00%)");
}

// Two captures of unequal length: without it all would be red.
#[test]
fn a_normalised_comparison_compares_shares() {
    let base = named(&[(&["a"], 1), (&["b"], 1)]);
    let profile = named(&[(&["a"], 10), (&["b"], 30)]);
    assert!(is_red(box_of(&compared(&profile, &base), "a").1));
    let look = RenderOptions::new().base(base).normalised();
    let drawn = svg(&profile, &look).unwrap();
    assert_eq!(box_of(&drawn, "a").0, "a (10 samples, 25.00%; -25.00%)");
    assert!(is_blue(box_of(&drawn, "a").1));
    assert!(is_red(box_of(&drawn, "b").1));
    assert!(drawn.contains("40 samples (scaled) in the base, 40 samples now"));
}

// inferno shows the change wrong for values with a factor.
#[test]
fn a_change_in_nanoseconds_is_shown_in_percent_of_the_whole() {
    let with = |value| {
        let mut profile = named(&[(&["a"], value), (&["b"], 4_000_000_000)]);
        profile.sample_types = vec![SampleType::new("delay", "nanoseconds")];
        profile
    };
    let drawn = compared(&with(4_000_000_000), &with(2_000_000_000));
    assert_eq!(box_of(&drawn, "a").0, "a (4,000,000 µs, 50.00%; +25.00%)");
}

#[test]
fn a_comparison_in_which_nothing_is_left_is_no_error() {
    let drawn = compared(&named(&[]), &named(&[(&["gone"], 3)]));
    assert!(drawn.contains("3 samples of the base are gone (1 stacks, not drawn)"));
    // Nobody failed to take samples: there is nothing any more.
    assert!(drawn.contains("Nothing is left: 3 samples in the base, 0 samples now."));
    assert!(!drawn.contains("No samples were taken"));
    let drawn = compared(&named(&[]), &named(&[]));
    assert!(drawn.contains("No samples were taken, neither in the base nor now."));
}

#[test]
fn a_difference_without_anything_to_draw_says_why() {
    let [more, less] = [named(&[(&["a"], 5)]), named(&[(&["a"], 3)])];
    for (profile, said) in [
        (less.difference(&less), "Nothing has changed."),
        (
            less.difference(&more),
            "Nothing has become more: the values add up to -2 samples (1 stacks, all negative, which cannot be drawn).",
        ),
    ] {
        let drawn = draw(&profile.unwrap());
        assert!(xml_texts(&drawn).contains(&said.to_owned()), "{drawn}");
        assert!(!drawn.contains("No samples were taken"));
    }
    // The control.
    assert!(
        xml_texts(&draw(&more.difference(&less).unwrap()))
            .contains(&"a (2 samples, 100.00%)".to_owned())
    );
    let zero = draw(&named(&[(&["a"], 0)]));
    assert!(zero.contains("All values of samples are zero."), "{zero}");
}

// inferno multiplies the change with 150 for the colour.
#[test]
fn a_comparison_of_huge_values_is_scaled_or_refused_and_never_a_panic() {
    let huge = i64::MAX / 3;
    let mut base = named(&[(&["a"], 1), (&["b"], huge)]);
    let mut profile = named(&[(&["a"], huge), (&["b"], huge)]);
    let error = svg(&profile, &RenderOptions::new().base(base.clone())).unwrap_err();
    assert!(error.is_write());
    for profile in [&mut base, &mut profile] {
        profile.sample_types = vec![SampleType::new("delay", "nanoseconds")];
    }
    assert_eq!(
        box_of(&compared(&profile, &base), "b").0,
        "b (3,074,457,345 s, 50.00%; 0.00%)"
    );
}

#[test]
fn an_icicle_has_its_root_at_the_top() {
    let profile = named(&[(&["main", "leaf"], 3)]);
    let height = |drawn: &str, name: &str| -> u32 {
        let (_, rest) = drawn.split_once(&format!("<title>{name} (")).unwrap();
        let (_, rest) = rest.split_once(" y=\"").unwrap();
        rest.split_once('"').unwrap().0.parse().unwrap()
    };
    let flame = svg(&profile, &RenderOptions::new()).unwrap();
    assert!(height(&flame, "main") > height(&flame, "leaf"));
    let icicle = taskprof_format::write::icicle(&profile, &RenderOptions::new()).unwrap();
    assert!(height(&icicle, "main") < height(&icicle, "leaf"));
    assert!(xml_texts(&icicle).contains(&"Icicle Graph".to_owned()));
}
