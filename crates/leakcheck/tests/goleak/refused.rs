//! `Find` refuses options that make no sense. These are refused when they are made, at the line of
//! the caller.

use std::panic::{AssertUnwindSafe, catch_unwind};

use leakcheck::{Baseline, Options};

fn refusal(make: impl FnOnce(Options) -> Options) -> Option<String> {
    let made = catch_unwind(AssertUnwindSafe(|| make(Options::new())));
    let panic = made.err()?;
    let text = panic.downcast_ref::<String>().cloned();
    Some(text.unwrap_or_else(|| (*panic.downcast_ref::<&str>().unwrap()).to_owned()))
}

type Rule = fn(Options, &'static str, &'static str) -> Options;

const RULES: [(&str, Rule); 4] = [
    ("name", |options, pattern, why| {
        options.ignore_name(pattern, why)
    }),
    ("place", |options, pattern, why| {
        options.ignore_spawned_at(pattern, why)
    }),
    ("function", |options, pattern, why| {
        options.ignore_function(pattern, why)
    }),
    ("scope", |options, pattern, why| {
        options.ignore_scope(pattern, why)
    }),
];

#[test]
fn a_rule_with_an_empty_pattern_is_refused() {
    for (what, rule) in RULES {
        for empty in ["", " ", "\t\n"] {
            let text = refusal(|options| rule(options, empty, "why")).expect(what);
            assert!(
                text.contains("leakcheck: a rule with an empty pattern ignores nothing"),
                "{text}"
            );
        }
        assert_eq!(refusal(|options| rule(options, "x", "why")), None, "{what}");
    }
}

#[test]
fn a_rule_without_a_reason_is_refused() {
    for empty in ["", "  "] {
        for (what, rule) in RULES {
            let text = refusal(|options| rule(options, "x", empty)).expect(what);
            assert!(text.contains("leakcheck: a rule needs a reason"), "{text}");
        }
        let before = Baseline::take();
        assert!(refusal(|options| options.ignore(&before, empty)).is_some());
        assert!(refusal(|options| options.ignore_current(empty)).is_some());
        assert!(refusal(|options| options.allow(1, empty)).is_some());
        assert!(refusal(|options| options.allow_untracked(1, empty)).is_some());
    }
    let before = Baseline::take();
    assert_eq!(refusal(|options| options.ignore(&before, "why")), None);
    assert_eq!(refusal(|options| options.ignore_current("why")), None);
}

#[test]
fn to_allow_no_task_at_all_is_refused() {
    let text = refusal(|options| options.allow(0, "why")).expect("it is refused");
    assert!(
        text.contains("leakcheck: to allow no task at all does nothing"),
        "{text}"
    );
    assert!(refusal(|options| options.allow_untracked(0, "why")).is_some());
    assert_eq!(refusal(|options| options.allow(1, "why")), None);
    assert_eq!(refusal(|options| options.allow_untracked(1, "why")), None);
}

#[test]
fn if_any_is_refused_where_there_is_no_rule_before_it() {
    let text = refusal(Options::if_any).expect("it is refused");
    assert!(
        text.contains("leakcheck: `if_any` is about the rule before it"),
        "{text}"
    );
    assert_eq!(
        refusal(|options| options.ignore_name("x", "why").if_any()),
        None
    );
}
