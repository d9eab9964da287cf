//! A profile as folded stacks: root first, `;` between frames, a space, the value.
//!
//! The format has no escaping of its own, and its readers disagree with frame names in six ways
//! (see [`folded`]); the rules here are made so that every reader splits every line where we meant
//! it. Not here: drawing (`svg.rs`).

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::text::{is_hidden, read_plain, write_escape};

use super::compare::pairs;
use super::{Format, RenderOptions, column};
use crate::error::Error;
use crate::profile::Profile;
use crate::resolve::Resolver;

pub(super) static FORMAT: Format = Format {
    name: "folded",
    content_type: "text/plain; charset=utf-8",
    extension: "folded",
    inline: true,
    negative: true,
    summary: "one line per stack: for grep, inferno, flamegraph.pl",
    write: |profile, look| write(profile, look).map(String::into_bytes),
};

/// Stands for `;` inside a name; a name's own is written as an escape.
const SEMICOLON: char = '\u{ff1b}';
/// The frame of a sample that has no stack.
pub(super) const NO_STACK: &str = "(no stack)";
/// The frame that has no name.
pub(super) const NO_NAME: &str = "(no name)";
/// Writes one line per distinct stack: `root;…;leaf value`, sorted, each inlined function a frame
/// of its own.
///
/// `sample_type` chooses the column; `None` is the profile's default. Lines with the value 0 are
/// left out. Labels are not written: the format has no place for them.
///
/// Readers of this format split at every `;`, take a number at the end of the leaf for a second
/// column, drop spaces at the ends of a line and lines that begin with `# `, and cut a suffix such
/// as `_[k]`. So in a frame name
///
/// | character | is written |
/// |---|---|
/// | `;` | `；` (U+FF1B, full width) |
/// | `\` | `\\` |
/// | line feed, carriage return, tab | `\n`, `\r`, `\t` |
/// | what [cannot be seen](taskscope::text::is_hidden) otherwise, U+FF1B | `\u{…}` |
/// | white space at either end, `#` at the beginning, the space before a last word that is a number | `\u{…}` |
/// | `]` of a last `_[i]`, `_[j]`, `_[k]`, `_[w]` | `\u{5d}` |
///
/// [`parse_folded_line`] reads it back exactly. A sample without a stack is `(no stack)`, an empty
/// name `(no name)`.
///
/// # Errors
///
/// [`is_invalid_argument`](Error::is_invalid_argument) if the profile has no such sample type,
/// [`is_write`](Error::is_write) if it contradicts itself.
///
/// # Examples
///
/// ```
/// use taskprof_format::profile::{Frame, Profile, Sample, SampleType};
///
/// let mut profile = Profile::new([SampleType::new("samples", "count")]);
/// profile.samples.push(Sample {
///     stack: vec![Frame::named("<[u8; 4] as Foo>::bar"), Frame::named("main")],
///     values: vec![5],
///     labels: vec![],
/// });
/// assert_eq!(taskprof_format::write::folded(&profile, None)?, "main;<[u8； 4] as Foo>::bar 5\n");
/// # Ok::<(), taskprof_format::Error>(())
/// ```
pub fn folded(profile: &Profile, sample_type: Option<&str>) -> Result<String, Error> {
    let column = column(profile, sample_type)?;
    let mut out = String::new();
    for (stack, value) in fold(profile, column, &mut Resolver::new()) {
        push_line(&mut out, &stack, value);
        out.push('\n');
    }
    Ok(out)
}

/// With a base two columns, base and profile: what flamegraph.pl and inferno draw as a differential
/// flame graph.
fn write(profile: &Profile, look: &RenderOptions) -> Result<String, Error> {
    let Some(base) = &look.base else {
        return folded(profile, look.sample_type.as_deref());
    };
    let column = column(profile, look.sample_type.as_deref())?;
    let mut out = String::new();
    let pairs = pairs(profile, base, column, look.normalised, &mut Resolver::new())?;
    for (stack, (base, value)) in pairs {
        push_line(&mut out, &stack, base);
        out.push_str(&format!(" {value}\n"));
    }
    Ok(out)
}

/// Reads a line that [`folded`] wrote: the frame names, root first, and the value. `None` if it is
/// not such a line.
///
/// # Examples
///
/// ```
/// let (stack, value) = taskprof_format::write::parse_folded_line(r"main;a\u{20}12 5").unwrap();
/// assert_eq!(stack, ["main", "a 12"]);
/// assert_eq!(value, 5);
/// ```
pub fn parse_folded_line(line: &str) -> Option<(Vec<String>, i64)> {
    let (stack, value) = line.rsplit_once(' ')?;
    let frames: Option<Vec<String>> = stack.split(';').map(read_name).collect();
    Some((frames?, value.parse().ok()?))
}

/// The name that was escaped. Escapes hold no `；`, so each one in the text is a `;` of the name.
fn read_name(text: &str) -> Option<String> {
    read_plain(&text.replace(SEMICOLON, ";"))
}

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

/// Where the space stands before a last word that a reader would take for a number.
fn space_before_number(name: &str) -> Option<usize> {
    let at = name.rfind(' ')?;
    name[at + 1..]
        .chars()
        .all(|c| c.is_ascii_digit() || c == '.')
        .then_some(at)
}
