//! Which tasks a query asks for.
//!
//! Not here: what is shown of them (`own.rs`).

use std::time::Duration;

use taskscope::{DumpOptions, Stacks, Verdict};

use super::error::HttpError;
use super::parameters::takes_verdict;
use super::query::Query;
use crate::source::Source;

pub(super) const STACKS: [(&str, Stacks); 3] = [
    ("fresh", Stacks::Fresh),
    ("cached", Stacks::Cached),
    ("none", Stacks::None),
];

/// A runtime that has answered nothing for this long is given up: whoever asks while every worker is blocked has an answer within a tenth of a second. On a
/// machine that is overloaded that can miss stacks, which are counted.
const STALL: Duration = Duration::from_millis(60);

/// All tasks, without much patience.
pub(super) fn prompt() -> DumpOptions {
    DumpOptions::new().stall(STALL)
}

pub(super) fn options(query: &Query, source: &Source) -> Result<DumpOptions, HttpError> {
    const YEAR: u64 = 365 * 24 * 60 * 60;
    const MOST: u64 = 10_000_000;
    let stacks = query.choice("stacks", Stacks::Fresh, STACKS.iter().copied())?;
    let mut options = prompt().stacks(stacks);
    if takes_verdict(source) {
        let words: Vec<(String, Verdict)> = Verdict::ALL
            .iter()
            .map(|verdict| (verdict.name().replace(' ', "-"), *verdict))
            .collect();
        let choices = words
            .iter()
            .map(|(word, verdict)| (word.as_str(), Some(*verdict)));
        if let Some(verdict) = query.choice("verdict", None, choices)? {
            options = options.verdict(verdict);
        }
    }
    if let Some(scope) = query.text("scope")? {
        options = options.scope_named(scope);
    }
    if let Some(name) = query.text("name")? {
        options = options.named(name);
    }
    if query.has("limit") {
        let limit = query.integer("limit", MOST, 1..=MOST)?;
        options = options.limit(usize::try_from(limit).unwrap_or(usize::MAX));
    }
    let min_age = query.integer("min_age", 0, 0..=YEAR)?;
    Ok(options.min_age(Duration::from_secs(min_age)))
}
