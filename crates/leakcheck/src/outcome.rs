//! Decides whether a check passes, and says on standard error what a passing check should not hide.
//!
//! Not here: what is left ([`crate::checker`]), the entries of `leakcheck.toml`
//! ([`crate::suppressions`]), and the words of a report ([`crate::report`]).

use crate::report::{Found, Outcome, file};
use crate::suppressions::Listing;
use crate::{Leaks, Options, say_line};

/// Takes out what is listed, appends to the report file, and passes or fails the check.
pub(crate) fn decide(mut found: Found, options: &Options, listing: &Listing) -> Result<(), Leaks> {
    let new = listing.take_listed(&mut found, options.failed);
    // With nothing new, the rule `allow` had nothing to allow: it is unused.
    let idle = found.allowed.iter().filter(|allowed| !allowed.optional);
    if new == 0 {
        found.unused.extend(idle.map(ToString::to_string));
    }
    let outcome = outcome(&found, new, options);
    file::append(&found, outcome);
    if !outcome.passes() {
        return Err(Leaks::new(found));
    }
    let test = found
        .test
        .as_deref()
        .map_or_else(String::new, |test| format!("{test}: "));
    for entry in found.listed.iter().filter(|entry| entry.found > 0) {
        say_line(format_args!("leakcheck: {test}{entry}"));
    }
    // A test that failed early may not have reached what its rules and entries are about.
    if !options.failed {
        for entry in found.listed.iter().filter(|entry| entry.is_stale()) {
            say_line(format_args!("leakcheck: {test}{entry}"));
        }
        for rule in &found.unused {
            say_line(format_args!(
                "leakcheck: {test}this rule matched nothing: {rule}"
            ));
        }
    }
    for what in &found.os.unreadable {
        say_line(format_args!(
            "leakcheck: {test}{what} could not be seen: /proc cannot be read here"
        ));
    }
    if let (true, Some(allowed)) = (new > 0, &found.allowed) {
        say_line(format_args!(
            "leakcheck: {test}{new} left and allowed: {allowed}"
        ));
    }
    Ok(())
}

/// Names the outcome; `new` is how many are left that no entry lists.
fn outcome(found: &Found, new: usize, options: &Options) -> Outcome {
    let allowed = found.allowed.as_ref().map_or(0, |allowed| allowed.most);
    if new > allowed {
        Outcome::Leaked
    } else if found.problem.is_some() {
        Outcome::Unusable
    } else if options.deny_unused && !found.unused.is_empty() {
        Outcome::UnusedRule
    } else if new > 0 || found.listed.iter().any(|entry| entry.found > 0) {
        Outcome::Known
    } else {
        Outcome::Clean
    }
}
