//! Stacks as folded text has them: escaped names, root first, with the sum of their values.
//!
//! The format has no escaping of its own, and its readers disagree about frame names in six ways
//! (the table is at [`folded`](fn@super::folded)); the rules here make every reader split every
//! line as it was meant. Flame graphs are drawn from the same lines. Not here: the format
//! (`folded.rs`), two profiles side by side (`compare.rs`).

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::profile::Profile;
use crate::resolve::Resolver;
use crate::text::{is_hidden, write_escape};

/// Replaces `;` inside a name; a name's own is written as an escape.
pub(super) const SEMICOLON: char = '\u{ff1b}';
/// The frame of a sample that has no stack.
pub(super) const NO_STACK: &str = "(no stack)";
/// The frame that has no name.
pub(super) const NO_NAME: &str = "(no name)";

/// Escaped frame names, root first, with the sum of their values. Sorted frame by frame, so that
/// equal prefixes are neighbours (sorting whole lines would put `a::b` between `a` and `a;b`). No
/// zeros.
pub(super) fn fold(
    profile: &Profile,
    column: usize,
    resolver: &mut Resolver,
) -> BTreeMap<Vec<Arc<str>>, i64> {
    let mut stacks: BTreeMap<Vec<Arc<str>>, i64> = BTreeMap::new();
    for sample in &profile.samples {
        let mut names: Vec<Arc<str>> = Vec::with_capacity(sample.stack.len());
        for frame in sample.stack.iter().rev() {
            // Innermost first within one address, and the whole line is root first.
            let lines = resolver.lines(frame);
            names.extend(lines.iter().rev().map(|line| escape(&line.name)));
        }
        if names.is_empty() {
            names.push(NO_STACK.into());
        }
        let sum = stacks.entry(names).or_default();
        *sum = sum.saturating_add(sample.values[column]);
    }
    stacks.retain(|_, value| *value != 0);
    stacks
}

pub(super) fn push_line(out: &mut String, stack: &[Arc<str>], value: i64) {
    for (at, name) in stack.iter().enumerate() {
        if at > 0 {
            out.push(';');
        }
        out.push_str(name);
    }
    out.push(' ');
    out.push_str(&value.to_string());
}

fn escape(name: &str) -> Arc<str> {
    if name.is_empty() {
        return NO_NAME.into();
    }
    let last = name
        .chars()
        .next_back()
        .map_or(0, |c| name.len() - c.len_utf8());
    let number = space_before_number(name);
    let bracket = ["_[i]", "_[j]", "_[k]", "_[w]"]
        .iter()
        .any(|annotation| name.ends_with(annotation));

    let mut out = String::with_capacity(name.len());
    for (at, c) in name.char_indices() {
        let edge = at == 0 || at == last;
        match c {
            ';' => out.push(SEMICOLON),
            '\\' => out.push_str("\\\\"),
            _ if is_hidden(c)
                || c == SEMICOLON
                || edge && c.is_whitespace()
                || at == 0 && c == '#'
                || number == Some(at)
                || bracket && at == last =>
            {
                // Writing to a String cannot fail.
                let _ = write_escape(&mut out, c);
            }
            c => out.push(c),
        }
    }
    out.into()
}

/// The position of the space before a last word that a reader would take for a number.
fn space_before_number(name: &str) -> Option<usize> {
    let at = name.rfind(' ')?;
    name[at + 1..]
        .chars()
        .all(|c| c.is_ascii_digit() || c == '.')
        .then_some(at)
}
