//! A profile as an interactive flame graph, drawn by inferno from our own folded lines.
//!
//! Text that a user can influence goes only into fields that inferno escapes (frame names, title, subtitle, count name);
//! its `font_type` and `name_type` are written raw and stay at their defaults, and so does `notes` (an XML comment,
//! where `--` is an error). Not here: what a frame is called (`folded.rs`, `resolve.rs`).

use inferno::flamegraph::color::MultiPalette;
use inferno::flamegraph::{Options, Palette};

use super::folded::{fold, push_line};
use super::{Format, Look, column};
use crate::error::Error;
use crate::escape::{markup, xml_char};
use crate::profile::Profile;
use crate::resolve::Resolver;

pub(super) static FORMAT: Format = Format {
    name: "svg",
    content_type: "image/svg+xml",
    extension: "svg",
    inline: true,
    summary: "flame graph: zoom and search in a browser",
    write: |profile, look| svg(profile, look).map(String::into_bytes),
};

/// Boxes narrower than this share of the whole, in percent, are left out of a flame graph, which says so.
///
/// Smaller shows rarer stacks; the file grows with the number of boxes (17 MB for 10,000 stacks of 41 frames without a
/// limit, 0.3 MB with this one).
pub const MIN_WIDTH_PERCENT: f64 = 0.1;

/// Characters that fit under the title at the default width.
const SUBTITLE: usize = 160;

/// Draws a flame graph: one self-contained SVG with its own script (zoom, search), no reference to any other host.
///
/// The same profile gives the same bytes: boxes are sorted by name and coloured by a hash of it. The subtitle carries
/// the total, the duration, the profile's comments, and what is not shown. Columns in nanoseconds are shown in
/// milliseconds.
///
/// A profile without samples gives an SVG that says that nothing was sampled, followed by the profile's comments.
///
/// # Errors
///
/// [`is_invalid_argument`](Error::is_invalid_argument) if the profile has no such sample type,
/// [`is_write`](Error::is_write) if it contradicts itself or its values add up to more than `i64` holds.
///
/// # Limitations
///
/// Boxes under [`MIN_WIDTH_PERCENT`] and stacks with a negative value are not drawn; how many of the latter is said.
/// The script keeps its state in the parameters `x`, `y` and `s` of the page's address.
pub fn svg(profile: &Profile, look: &Look) -> Result<String, Error> {
    let column = column(profile, look.sample_type.as_deref())?;
    let title = clean(look.title.as_deref().unwrap_or("Flame Graph"));
    let mut resolver = Resolver::new();
    let stacks = fold(profile, column, &mut resolver);

    let mut lines = Vec::with_capacity(stacks.len());
    let mut total = 0_i64;
    let mut negative = 0_usize;
    for (stack, value) in &stacks {
        if *value < 0 {
            negative += 1;
            continue;
        }
        total = total.checked_add(*value).ok_or_else(|| {
            Error::write(
                "the values of the profile add up to more than a flame graph can show; choose another sample type",
            )
        })?;
        let mut line = String::new();
        push_line(&mut line, stack, *value);
        lines.push(line);
    }
    let mut remarks = profile.comments.clone();
    remarks.extend(resolver.unknown());
    if negative > 0 {
        remarks.push(format!(
            "{negative} stacks with a negative value cannot be drawn"
        ));
    }
    if lines.is_empty() {
        return Ok(empty(&title, &remarks));
    }

    let sample_type = &profile.sample_types[column];
    let (factor, unit) = match &*sample_type.unit {
        "nanoseconds" => (1e-6, "ms"),
        "count" => (1.0, &*sample_type.kind),
        other => (1.0, other),
    };
    let mut parts = vec![format!(
        "{}: {:.0} {unit}",
        sample_type.kind,
        total as f64 * factor
    )];
    if !profile.duration.is_zero() {
        parts.push(format!("{:.1} s", profile.duration.as_secs_f64()));
    }
    parts.push(format!("boxes under {MIN_WIDTH_PERCENT} % not drawn"));
    parts.extend(remarks);
    let mut subtitle = clean(&parts.join(" · "));
    if let Some((end, _)) = subtitle.char_indices().nth(SUBTITLE) {
        // Wider text is cut off at both ends of the picture.
        subtitle.truncate(end);
        subtitle.push_str(" …");
    }

    let mut inferno = Options::default();
    inferno.title = title;
    inferno.subtitle = Some(subtitle);
    inferno.count_name = clean(unit);
    inferno.factor = factor;
    inferno.min_width = MIN_WIDTH_PERCENT;
    inferno.colors = Palette::Multi(MultiPalette::Rust);
    inferno.deterministic = true;
    // inferno sorts whole lines, which tears a function's box apart when a longer name (`a::b`) sorts between `a` and
    // `a;c`. In flame chart mode it keeps the order that it is given, last line first.
    inferno.flame_chart = true;

    let mut out = Vec::new();
    let lines = lines.iter().rev().map(String::as_str);
    inferno::flamegraph::from_lines(&mut inferno, lines, &mut out)
        .map_err(|e| Error::write("the flame graph could not be drawn").caused_by(e))?;
    String::from_utf8(out).map_err(|e| Error::write("the flame graph is not UTF-8").caused_by(e))
}

/// One line that XML can contain.
fn clean(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() { ' ' } else { xml_char(c) })
        .collect()
}

/// The picture of nothing: says so, and why.
fn empty(title: &str, remarks: &[String]) -> String {
    let mut lines = vec!["No samples were taken.".to_owned()];
    lines.extend(remarks.iter().map(|remark| clean(remark)));
    let height = 60 + 20 * lines.len();
    let mut out = format!(
        "<?xml version=\"1.0\" standalone=\"no\"?>\n\
         <svg version=\"1.1\" width=\"1200\" height=\"{height}\" viewBox=\"0 0 1200 {height}\" \
         xmlns=\"http://www.w3.org/2000/svg\">\n\
         <title>{title}</title>\n\
         <g font-family=\"monospace\" font-size=\"12\">\n\
         <text x=\"10\" y=\"24\" font-size=\"17\">{title}</text>\n",
        title = markup(title),
    );
    for (at, line) in lines.iter().enumerate() {
        let y = 52 + 20 * at;
        out.push_str(&format!(
            "<text x=\"10\" y=\"{y}\">{}</text>\n",
            markup(line)
        ));
    }
    out.push_str("</g>\n</svg>\n");
    out
}
