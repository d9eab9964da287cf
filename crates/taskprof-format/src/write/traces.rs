//! A profile as text, sample by sample, with all values and labels, like `go tool pprof -traces`.
//!
//! Not here: text grouped by stack (`text.rs`).

use std::fmt::Write as _;

use crate::text::OneLine;
use crate::text::plain;

use super::stacks::NO_STACK;
use super::text::{address, label_value, name, place};
use super::{Format, RenderOptions, column, labels};
use crate::error::Error;
use crate::profile::{Profile, Sample};
use crate::resolve::Resolver;

pub(super) static FORMAT: Format = Format {
    name: "traces",
    content_type: "text/plain; charset=utf-8",
    extension: "txt",
    inline: true,
    negative: true,
    summary: "every sample with all values and labels, for a terminal",
    write: |profile, options| traces(profile, options).map(String::into_bytes),
};

/// Writes every sample as a paragraph of its own, in the order of the profile: all values with
/// units, all labels, and the stack, leaf first, with files, lines and addresses.
///
/// ```text
/// Live tasks
/// 2 samples of tasks (count), waiting (nanoseconds)
/// taken Sat, 21 Nov 2026 06:38:34 GMT
///
/// sample 1: tasks 3 count, waiting 1500000000 nanoseconds
/// label route: GET /a
/// app::worker::{{closure}}
///     /src/main.rs:42 0x55d0c0de1a2b
/// app::main
///     /src/main.rs:17
/// ```
///
/// Line ends and characters that cannot be seen are written as escapes (`\n`, `\u{…}`, `\\` for a
/// backslash).
///
/// # Errors
///
/// [`is_invalid_argument`](Error::is_invalid_argument) if the profile has no such sample type, or
/// another kind than its base; [`is_write`](Error::is_write) if it contradicts itself.
pub fn traces(profile: &Profile, options: &RenderOptions) -> Result<String, Error> {
    column(profile, options.sample_type.as_deref())?;
    let shown = options.applied(profile)?;
    let mut resolver = Resolver::new();
    let mut samples = String::new();
    for (at, sample) in shown.samples.iter().enumerate() {
        push_sample(&mut samples, at + 1, sample, &shown, &mut resolver);
    }

    let types: Vec<String> = shown
        .sample_types
        .iter()
        .map(|t| format!("{} ({})", t.kind, t.unit))
        .collect();
    let period = shown
        .period_type
        .as_ref()
        .map(|t| format!("one sample per {} {} of {}", shown.period, t.unit, t.kind));
    let header = options
        .title
        .iter()
        .cloned()
        .chain([format!(
            "{} samples of {}",
            shown.samples.len(),
            types.join(", ")
        )])
        .chain(super::when(&shown))
        .chain(period)
        .chain(shown.comments.iter().cloned())
        .chain(resolver.unknown());
    let mut out = String::new();
    // An empty line begins a sample.
    for line in header.filter(|line| !line.is_empty()) {
        let _ = writeln!(out, "{}", OneLine(&line));
    }
    out.push_str(&samples);
    Ok(out)
}

fn push_sample(
    out: &mut String,
    number: usize,
    sample: &Sample,
    profile: &Profile,
    resolver: &mut Resolver,
) {
    let values: Vec<String> = profile
        .sample_types
        .iter()
        .zip(&sample.values)
        .map(|(t, value)| format!("{} {value} {}", plain(&t.kind), plain(&t.unit)))
        .collect();
    let _ = writeln!(out, "\nsample {number}: {}", values.join(", "));
    for (key, value) in labels(&sample.labels) {
        let _ = writeln!(out, "label {}: {}", plain(key), plain(&label_value(value)));
    }
    if sample.stack.is_empty() {
        let _ = writeln!(out, "{NO_STACK}");
    }
    for frame in &sample.stack {
        let lines = resolver.lines(frame);
        for (at, line) in lines.iter().enumerate() {
            let mut known = Vec::new();
            known.extend(place(line));
            if address(frame) != 0 {
                known.push(format!("{:#x}", address(frame)));
            }
            // All but the outermost function of an address were inlined there.
            if at + 1 < lines.len() {
                known.push("inlined".to_owned());
            }
            let _ = writeln!(out, "{}", name(line));
            if !known.is_empty() {
                let _ = writeln!(out, "\t{}", known.join(" "));
            }
        }
    }
}
