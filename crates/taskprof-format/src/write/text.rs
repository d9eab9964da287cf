//! A profile as text for a terminal: grouped by stack, in the manner of Go's `debug=1`.
//!
//! Go's layout of a count profile, so that `go tool pprof` reads it too; that tool takes addresses
//! from it and no names. Not here: everything known about each sample (`traces.rs`), the text of a
//! task dump (`tasks/` of taskprof).

use std::collections::{BTreeMap, HashMap};
use std::fmt::Write as _;

use crate::text::OneLine;
use crate::text::{json, plain};

use super::stacks::{NO_NAME, NO_STACK};
use super::{Format, RenderOptions, column, labels};
use crate::error::Error;
use crate::profile::{Frame, LabelValue, Profile};
use crate::resolve::{Line, Resolver};

pub(super) static FORMAT: Format = Format {
    name: "text",
    content_type: "text/plain; charset=utf-8",
    extension: "txt",
    inline: true,
    negative: true,
    summary: "stacks with their values, largest first, for a terminal",
    write: |profile, options| text(profile, options).map(String::into_bytes),
};

/// Writes one column of a profile as text: equal stacks with equal labels together, the largest
/// value first.
///
/// ```text
/// tasks profile: total 4
/// # Live tasks
/// # 1 task could not be seen
///
/// 3 @ 0x55d0c0de1a2b 0x0
/// # labels: {"route":"GET /a"}
/// #    0x55d0c0de1a2b    app::worker::{{closure}}    /src/main.rs:42
/// #    0x0    spawned here: app::main    /src/main.rs:17
/// ```
///
/// The first line names the column; a unit other than `count` stands below it. The addresses are
/// those that were captured, leaf first; `0x0` is a frame that has none. Each function has a line
/// with tabs between its fields; an address into which functions were inlined has several. Line
/// ends and characters that cannot be seen are written as escapes (`\n`, `\u{…}`, `\\` for a
/// backslash).
///
/// # Errors
///
/// [`is_invalid_argument`](Error::is_invalid_argument) if the profile has no such sample type, or
/// another kind than its base; [`is_write`](Error::is_write) if it contradicts itself.
///
/// # Limitations
///
/// `go tool pprof` reads a text without negative values, and sees the captured addresses but no
/// names: give it [`pprof`](fn@super::pprof) instead.
pub fn text(profile: &Profile, options: &RenderOptions) -> Result<String, Error> {
    let column = column(profile, options.sample_type.as_deref())?;
    let shown = options.applied(profile)?;
    let mut resolver = Resolver::new();

    let mut groups: HashMap<(&[Frame], String), i64> = HashMap::new();
    for sample in &shown.samples {
        let sum = groups
            .entry((&sample.stack, json_labels(&sample.labels)))
            .or_default();
        *sum = sum.saturating_add(sample.values[column]);
    }
    let mut paragraphs: Vec<(i64, String)> = groups
        .into_iter()
        .filter(|(_, value)| *value != 0)
        .map(|((stack, labels), value)| (value, paragraph(stack, &labels, &mut resolver)))
        .collect();
    // Addresses change from run to run, but within one the order is always the same.
    paragraphs.sort_by(|a, b| b.0.cmp(&a.0).then_with(|| a.1.cmp(&b.1)));

    let sample_type = &shown.sample_types[column];
    let mut out = format!(
        "{} profile: total {}\n",
        word(&sample_type.kind),
        shown.total(column)
    );
    let unit = (sample_type.unit != "count").then(|| format!("unit: {}", sample_type.unit));
    let header = options
        .title
        .iter()
        .cloned()
        .chain(unit)
        .chain(super::when(&shown))
        .chain(shown.comments.iter().cloned())
        .chain(resolver.unknown());
    for line in header {
        let _ = writeln!(out, "# {}", OneLine(&line));
    }
    for (value, paragraph) in paragraphs {
        let _ = write!(out, "\n{value} {paragraph}");
    }
    Ok(out)
}

/// Everything after the value.
fn paragraph(stack: &[Frame], labels: &str, resolver: &mut Resolver) -> String {
    let mut out = "@".to_owned();
    let nothing = [Frame::named(NO_STACK)];
    let stack = if stack.is_empty() { &nothing } else { stack };
    for frame in stack {
        let _ = write!(out, " {:#x}", address(frame));
    }
    out.push('\n');
    if !labels.is_empty() {
        let _ = writeln!(out, "# labels: {labels}");
    }
    for frame in stack {
        for line in &*resolver.lines(frame) {
            let _ = write!(out, "#\t{:#x}\t{}", address(frame), name(line));
            if let Some(place) = place(line) {
                let _ = write!(out, "\t{place}");
            }
            out.push('\n');
        }
    }
    out
}

pub(super) fn address(frame: &Frame) -> usize {
    match frame {
        Frame::Address(address) => *address,
        Frame::Named { .. } => 0,
    }
}

pub(super) fn name(line: &Line) -> String {
    match &*line.name {
        "" => NO_NAME.to_owned(),
        name => plain(name).into_owned(),
    }
}

/// `file:line`, as far as it is known.
pub(super) fn place(line: &Line) -> Option<String> {
    let file = plain(line.file.as_deref()?);
    Some(match line.line {
        Some(number) => format!("{file}:{number}"),
        None => file.into_owned(),
    })
}

/// A JSON object by key; a number with a unit is a text of both. Empty if there are no labels.
fn json_labels(of: &[crate::profile::Label]) -> String {
    if of.is_empty() {
        return String::new();
    }
    let texts: BTreeMap<&str, String> = labels(of)
        .into_iter()
        .map(|(key, value)| (key, label_value(value)))
        .collect();
    // A map of texts cannot fail. `serde_json` escapes what ends a line, and not what hides.
    json(&serde_json::to_string(&texts).unwrap_or_default()).into_owned()
}

pub(super) fn label_value(value: &LabelValue) -> String {
    match value {
        LabelValue::Str(text) => text.to_string(),
        LabelValue::Num { value, unit } if unit.is_empty() => value.to_string(),
        LabelValue::Num { value, unit } => format!("{value} {unit}"),
    }
}

/// The kind as one word: `go tool pprof` takes all before the first white space.
fn word(kind: &str) -> String {
    let word: String = plain(kind)
        .chars()
        .map(|c| if c.is_whitespace() { '_' } else { c })
        .collect();
    if word.is_empty() {
        "unnamed".to_owned()
    } else {
        word
    }
}
