//! What `#[leakcheck::test]` refuses, with which sentence. `TRYBUILD=overwrite` writes the sentences down anew.

#[test]
fn a_misuse_of_the_attribute_is_refused_with_a_sentence() {
    let cases = trybuild::TestCases::new();
    cases.compile_fail("tests/refused/[!a]*.rs");
    cases.compile_fail("tests/refused/arguments.rs");
    cases.pass("tests/refused/accepted.rs");
}

/// The compiler cannot see these.
mod at_run_time {
    use leakcheck::Options;

    #[track_caller]
    fn panics_with(sentence: &str, options: impl FnOnce() -> Options + std::panic::UnwindSafe) {
        let panic = std::panic::catch_unwind(|| drop(options())).expect_err("it is refused");
        let said = panic.downcast_ref::<&str>().map(ToString::to_string);
        let said = said.unwrap_or_else(|| *panic.downcast::<String>().unwrap());
        assert!(said.contains(sentence), "{said}");
    }

    #[test]
    fn a_rule_without_a_reason_is_refused() {
        let reason = "leakcheck: a rule needs a reason";
        panics_with(reason, || Options::new().ignore_name("pool", " "));
        panics_with(reason, || Options::new().ignore_spawned_at("pool.rs", ""));
        panics_with(reason, || Options::new().ignore_function("reap", ""));
        panics_with(reason, || Options::new().ignore_scope("request", ""));
        panics_with(reason, || Options::new().ignore_thread("pool", ""));
        panics_with(reason, || Options::new().ignore_descriptor("epoll", ""));
        panics_with(reason, || Options::new().ignore_current(""));
        panics_with(reason, || Options::new().allow(1, ""));
    }

    #[test]
    fn a_rule_that_cannot_match_is_refused() {
        let pattern = "leakcheck: a rule with an empty pattern";
        panics_with(pattern, || Options::new().ignore_name("", "why not"));
        panics_with(pattern, || Options::new().ignore_thread("", "why not"));
        panics_with(pattern, || Options::new().ignore_descriptor(" ", "why not"));
        panics_with("leakcheck: to allow no task at all", || {
            Options::new().allow(0, "why not")
        });
        panics_with("`if_any` is about the rule before it", || {
            Options::new().if_any()
        });
    }

    /// The control.
    #[test]
    fn a_rule_with_both_is_taken() {
        let _options = Options::new()
            .ignore_name("pool", "belongs to the fixture")
            .if_any()
            .allow(1, "known, see the tracker");
    }
}
