//! Tests that fail on purpose, in a run of this binary by itself.
//!
//! They leak only in such a run: in all others each is the control of itself.

use std::process::{Command, Output};

const LEAKING: &str = "LEAKCHECK_TEST_LEAKING";

/// Whether this is such a run, by its mode.
pub(crate) fn mode() -> Option<String> {
    std::env::var(LEAKING).ok()
}

pub(crate) fn is(mode_now: &str) -> bool {
    mode().as_deref() == Some(mode_now)
}

/// How a run of this binary ended, and all that it said.
pub(crate) struct Run {
    pub(crate) code: Option<i32>,
    pub(crate) said: String,
}

impl Run {
    #[track_caller]
    pub(crate) fn has(&self, text: &str) {
        assert!(self.said.contains(text), "no {text:?} in:\n{}", self.said);
    }

    #[track_caller]
    pub(crate) fn has_not(&self, text: &str) {
        assert!(!self.said.contains(text), "{text:?} in:\n{}", self.said);
    }
}

/// Runs tests of this binary again, and lets them leak in some mode.
pub(crate) fn run(mode: Option<&str>, arguments: &[&str]) -> Run {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(arguments).env("RUST_BACKTRACE", "0");
    match mode {
        Some(mode) => command.env(LEAKING, mode),
        None => command.env_remove(LEAKING),
    };
    let Output {
        status,
        stdout,
        stderr,
    } = command.output().unwrap();
    Run {
        code: status.code(),
        said: format!(
            "{}{}",
            String::from_utf8_lossy(&stdout),
            String::from_utf8_lossy(&stderr)
        ),
    }
}
