//! Pictures of stacks, drawn by inferno from our own folded lines: flame graphs, icicles, and
//! either of them compared with a base.
//!
//! Text that a user can influence goes only into fields that inferno escapes (frame names, title,
//! subtitle, count name); its `font_type` and `name_type` are written raw and stay at their
//! defaults, and so does `notes` (an XML comment, where `--` is an error). Not here: names of
//! frames (`stacks.rs`, `resolve.rs`), the stacks of a base (`compare.rs`).

use crate::text::OneLine;
use crate::text::{MAX_NAME, bounded};
use inferno::flamegraph::color::MultiPalette;
use inferno::flamegraph::{Direction, Options, Palette};

use super::compare::{pairs, totals};
use super::stacks::{fold, push_line};
use super::{RenderOptions, column};
use crate::error::Error;
use crate::escape::markup;
use crate::profile::{Profile, SampleType};
use crate::resolve::Resolver;

/// Boxes narrower than this share of the whole, in percent, are left out of a flame graph, which
/// says so.
///
/// Smaller shows rarer stacks; the file grows with the number of boxes (17 MB for 10,000 stacks of
/// 41 frames without a limit, 0.3 MB with this one).
pub const MIN_WIDTH_PERCENT: f64 = 0.1;

/// The text of a picture without any sample.
const NOTHING: &str = "No samples were taken.";

/// The number of characters that fit under the title at the default width.
const SUBTITLE: usize = 160;

/// Colours for the text around inferno's boxes, in light and dark schemes. The boxes are light in
/// both.
const STYLE: &str = "#search { opacity:1; }
@media (prefers-color-scheme: dark) {
:root { background:#0d1117; }
svg > rect { fill:#0d1117; }
svg > text { fill:#e6edf3; }
}
";

/// The content of a picture.
struct Picture {
    /// Sorted frame by frame.
    lines: Vec<String>,
    /// The factor from a line's value to the number shown, in `unit`.
    factor: f64,
    unit: String,
    /// Facts for the line under the title.
    facts: Vec<String>,
    /// Sentences about values that were lost, or could not be drawn.
    comments: Vec<String>,
    /// The text to show if there are no lines.
    why_empty: String,
}

pub(super) fn draw(
    profile: &Profile,
    options: &RenderOptions,
    direction: Direction,
    title: &str,
) -> Result<String, Error> {
    let column = column(profile, options.sample_type.as_deref())?;
    let title = clean(&bounded(
        options.title.as_deref().unwrap_or(title),
        MAX_NAME,
    ));
    let picture = match &options.base {
        None => alone(profile, column)?,
        Some(base) => compared(profile, base, column, options.normalised)?,
    };
    if picture.lines.is_empty() {
        return Ok(empty(&title, &picture.why_empty, &picture.comments));
    }

    let mut parts = picture.facts;
    parts.push(format!("boxes under {MIN_WIDTH_PERCENT} % not drawn"));
    parts.extend(picture.comments);
    // Wider text is cut off at both ends of the picture.
    let subtitle = clean(&parts.join(" · "));
    let subtitle = bounded(&subtitle, SUBTITLE).into_owned();

    let mut inferno = Options::default();
    inferno.title = title;
    inferno.subtitle = Some(subtitle);
    inferno.count_name = clean(&picture.unit);
    inferno.factor = picture.factor;
    inferno.min_width = MIN_WIDTH_PERCENT;
    inferno.direction = direction;
    inferno.colors = Palette::Multi(MultiPalette::Rust);
    inferno.deterministic = true;
    // inferno sorts whole lines, which tears a function's box apart when a longer name (`a::b`)
    // sorts between `a` and `a;c`. In flame chart mode it keeps the order that it is given, last
    // line first.
    inferno.flame_chart = true;

    let mut out = Vec::new();
    let lines = picture.lines.iter().rev().map(String::as_str);
    inferno::flamegraph::from_lines(&mut inferno, lines, &mut out)
        .map_err(|e| Error::write("the flame graph could not be drawn").caused_by(e))?;
    let picture = String::from_utf8(out)
        .map_err(|e| Error::write("the flame graph is not UTF-8").caused_by(e))?;
    // The first one is inferno's own: what others named comes after it, and is escaped.
    Ok(picture.replacen("</style>", &format!("{STYLE}</style>"), 1))
}

fn alone(profile: &Profile, column: usize) -> Result<Picture, Error> {
    let mut resolver = Resolver::new();
    let mut lines = Vec::new();
    let mut total = 0_i64;
    let (mut negative, mut less) = (0_usize, 0_i64);
    for (stack, value) in fold(profile, column, &mut resolver) {
        if value < 0 {
            negative += 1;
            less = less.saturating_add(value);
            continue;
        }
        total = total.checked_add(value).ok_or_else(too_much)?;
        let mut line = String::new();
        push_line(&mut line, &stack, value);
        lines.push(line);
    }

    let sample_type = &profile.sample_types[column];
    let (factor, unit) = match &*sample_type.unit {
        "nanoseconds" => (1e-6, "ms".to_owned()),
        _ => (1.0, unit(sample_type)),
    };
    let mut facts = vec![format!(
        "{}: {:.0} {unit}",
        sample_type.kind,
        total as f64 * factor
    )];
    if !profile.duration.is_zero() {
        facts.push(format!("{:.1} s", profile.duration.as_secs_f64()));
    }
    let mut comments = profile.comments.clone();
    comments.extend(resolver.unknown());
    let why_empty = if negative > 0 {
        // Then it stands in the heading.
        format!(
            "Nothing has become more: the values add up to {:.0} {unit} ({negative} stacks, all negative, which cannot be drawn).",
            less as f64 * factor
        )
    } else if profile.is_difference {
        "Nothing has changed.".to_owned()
    } else if profile.samples.is_empty() {
        NOTHING.to_owned()
    } else {
        format!("All values of {} are zero.", sample_type.kind)
    };
    if !lines.is_empty() {
        comments.extend(not_drawn(negative));
    }
    Ok(Picture {
        lines,
        factor,
        unit,
        facts,
        comments,
        why_empty,
    })
}

fn compared(
    profile: &Profile,
    base: &Profile,
    column: usize,
    normalised: bool,
) -> Result<Picture, Error> {
    let mut resolver = Resolver::new();
    let mut pairs = pairs(profile, base, column, normalised, &mut resolver)?;
    let all = pairs.len();
    pairs.retain(|_, (base, value)| *base >= 0 && *value >= 0);
    let negative = all - pairs.len();

    // inferno shows the percentage of a change wrong by its factor, so the values themselves are
    // brought to the unit. And it multiplies a value with 150 for the colour, for which there must
    // be room.
    let (before, after) = totals(&pairs);
    let sample_type = &profile.sample_types[column];
    let (divisor, unit) = scale(sample_type, before.max(after)).ok_or_else(too_much)?;

    let mut lines = Vec::with_capacity(pairs.len());
    let (mut gone, mut gone_stacks) = (0_i64, 0_usize);
    let mut drawn = 0_i64;
    for (stack, (base, value)) in &pairs {
        if *value == 0 {
            gone += base / divisor;
            gone_stacks += 1;
        }
        let mut line = String::new();
        push_line(&mut line, stack, base / divisor);
        line.push_str(&format!(" {}", value / divisor));
        lines.push(line);
        drawn += value / divisor;
    }
    // All boxes without width: inferno refuses to draw them.
    if drawn == 0 {
        lines.clear();
    }

    let divisor = i128::from(divisor);
    let why_empty = if negative > 0 {
        format!("Nothing can be drawn: {negative} stacks have a negative value in one of the two.")
    } else if before > 0 {
        format!(
            "Nothing is left: {} {unit} in the base, {} {unit} now.",
            before / divisor,
            after / divisor
        )
    } else {
        "No samples were taken, neither in the base nor now.".to_owned()
    };
    let scaled = if normalised { " (scaled)" } else { "" };
    let facts = vec![
        format!(
            "{}: {} {unit}{scaled} in the base, {} {unit} now",
            sample_type.kind,
            before / divisor,
            after / divisor
        ),
        "red: more, blue: less".to_owned(),
    ];
    let mut comments = Vec::new();
    if gone_stacks > 0 {
        comments.push(format!(
            "{gone} {unit} of the base are gone ({gone_stacks} stacks, not drawn)"
        ));
    }
    comments.extend(profile.comments.iter().cloned());
    let of_base = base.comments.iter().map(|c| format!("in the base: {c}"));
    comments.extend(of_base);
    comments.extend(resolver.unknown());
    if !lines.is_empty() {
        comments.extend(not_drawn(negative));
    }
    Ok(Picture {
        lines,
        factor: 1.0,
        unit,
        facts,
        comments,
        why_empty,
    })
}

/// The divisor for a total, and the unit of the result; `None` if no unit is large enough.
fn scale(sample_type: &SampleType, total: i128) -> Option<(i64, String)> {
    const ROOM: i128 = (i64::MAX / 200) as i128;
    // Numbers stay readable; a small profile keeps its nanoseconds.
    const READABLE: i128 = 10_000_000;
    if sample_type.unit != "nanoseconds" {
        return (total < ROOM).then(|| (1, unit(sample_type)));
    }
    let units = [
        (1, "ns"),
        (1_000, "µs"),
        (1_000_000, "ms"),
        (1_000_000_000, "s"),
    ];
    units
        .iter()
        .find(|(divisor, _)| total / divisor < READABLE)
        .or_else(|| units.last().filter(|(divisor, _)| total / divisor < ROOM))
        .and_then(|&(divisor, unit)| Some((i64::try_from(divisor).ok()?, unit.to_owned())))
}

fn unit(sample_type: &SampleType) -> String {
    match &*sample_type.unit {
        "count" => sample_type.kind.to_string(),
        other => other.to_owned(),
    }
}

fn not_drawn(negative: usize) -> Option<String> {
    (negative > 0).then(|| format!("{negative} stacks with a negative value cannot be drawn"))
}

fn too_much() -> Error {
    Error::write(
        "the values of the profile add up to more than a flame graph can show; choose another sample type",
    )
}

/// One line that XML can contain.
fn clean(text: &str) -> String {
    OneLine(text).to_string()
}

/// A picture without boxes: says why there are none, and the comments.
fn empty(title: &str, why: &str, comments: &[String]) -> String {
    let mut lines = vec![clean(why)];
    lines.extend(comments.iter().map(|comment| clean(comment)));
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
