//! From what is left to the verdict of the check: `leakcheck.toml`, what is allowed, and who is told.
//!
//! Not here: what is left ([`crate::field`]), how it is told ([`crate::report`]).

use crate::report::{Found, Outcome, file};
use crate::suppressions::Listing;
use crate::{Leaks, Options, say_line};

/// Takes out what is listed, writes the report, and says whether the check passes.
pub(crate) fn conclude(
    mut found: Found,
    options: &Options,
    listing: &Listing,
) -> Result<(), Leaks> {
    let new = listing.sift(&mut found, options.failed);
    // Listed or not there: nothing was left to be allowed.
    let idle = found.allowed.iter().filter(|allowed| !allowed.optional);
    if new == 0 {
        found.unused.extend(idle.map(ToString::to_string));
    }
    let outcome = outcome(&found, new, options);
    file::report(&found, outcome);
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
    // Whoever fails early may never have come to what they are for.
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
    for what in &found.os.unseen {
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

/// `new`: how many are left that are not listed.
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
