//! Rules and presets that are refused when the options are made; and the control of what the
//! attribute refuses: everything that it accepts.
//!
//! Not here: what the attribute refuses (`tests/refused.rs` of leakcheck-macros).

mod accepted {
    use std::sync::OnceLock;

    use tokio::runtime::Runtime;

    fn shared() -> &'static Runtime {
        static SHARED: OnceLock<Runtime> = OnceLock::new();
        SHARED.get_or_init(|| Runtime::new().unwrap())
    }

    #[leakcheck::test]
    async fn plain() {}

    #[leakcheck::test(
        flavor = "multi_thread",
        worker_threads = 2,
        options = leakcheck::Options::new(),
        settle(std::time::Duration::ZERO),
        ignore_name("pool", "belongs to the fixture"),
        if_any(),
        threads(),
        descriptors(),
        allow(1000, "tests of this binary run beside each other"),
        if_any()
    )]
    async fn with_everything() -> Result<(), std::io::Error> {
        Ok(())
    }

    #[leakcheck::test(flavor = "current_thread", start_paused = true, crate = "leakcheck")]
    #[should_panic]
    async fn paused() {
        panic!("as it should");
    }

    #[leakcheck::test(flavor = "local", start_paused = true, name = "of one test")]
    async fn local() {}

    #[leakcheck::test(runtime = shared())]
    async fn on_a_given_runtime() {}
}

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
