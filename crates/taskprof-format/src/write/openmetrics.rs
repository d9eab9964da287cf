//! Metrics as text for a scraper: OpenMetrics 1.0, and the older format of Prometheus.
//!
//! A scraper drops the whole answer for one bad line, so nothing is printed that a parser would
//! refuse. Written by hand: docs/decisions/own-openmetrics.md says why. Not here: the types of a
//! metric (`metrics.rs`), which of the two a scraper asked for (`http/metrics.rs` of taskprof).

use std::collections::HashSet;
use std::fmt::Write as _;

use crate::text::OneLine;
use crate::text::plain;

use super::metrics::{Family, Kind, Labels, Value};
use crate::error::Error;

/// The media type of [`openmetrics`].
pub const OPENMETRICS_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
/// The media type of [`prometheus`].
pub const PROMETHEUS_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Endings that a format adds to names, so that no family may end in them.
const SUFFIXES: &[&str] = &["_total", "_created", "_bucket", "_count", "_sum", "_info"];

#[derive(Clone, Copy, PartialEq, Eq)]
enum Dialect {
    OpenMetrics,
    Prometheus,
}

/// Writes metrics as OpenMetrics text, version 1.0, to be sent as [`OPENMETRICS_TYPE`].
///
/// Values of labels and help may hold any character. [Hidden](taskscope_core::text::is_hidden) ones
/// are written as [`Plain`](taskscope_core::Plain) shows them, and then the three that the format
/// gives a meaning are escaped.
///
/// # Errors
///
/// [`is_write`](Error::is_write) if a scraper would refuse the text: a name with a character that
/// names cannot have, a name or the labels of a point used twice, a unit that the name does not end
/// in, a counter that is negative or no number, a histogram whose bounds do not ascend.
pub fn openmetrics(families: &[Family]) -> Result<String, Error> {
    let mut out = write(families, Dialect::OpenMetrics)?;
    out.push_str("# EOF\n");
    Ok(out)
}

/// Writes metrics in the text format of Prometheus, version 0.0.4, to be sent as
/// [`PROMETHEUS_TYPE`].
///
/// # Errors
///
/// As for [`openmetrics`].
pub fn prometheus(families: &[Family]) -> Result<String, Error> {
    write(families, Dialect::Prometheus)
}

fn write(families: &[Family], dialect: Dialect) -> Result<String, Error> {
    let mut out = String::new();
    let mut names = HashSet::new();
    for family in families {
        check(family)?;
        if !names.insert(&*family.name) {
            return Err(refused(family, "is there twice"));
        }
        push_family(&mut out, family, dialect);
    }
    Ok(out)
}

/// Refuses everything that a scraper would.
fn check(family: &Family) -> Result<(), Error> {
    if !is_name(&family.name, true) {
        return Err(refused(
            family,
            "has a name that is not letters, digits, `_` and `:`",
        ));
    }
    if SUFFIXES.iter().any(|suffix| family.name.ends_with(suffix)) {
        return Err(refused(
            family,
            "has a name with an ending that the format adds",
        ));
    }
    if let Some(unit) = &family.unit {
        let suffix = family.name.strip_suffix(&**unit);
        if !is_name(unit, false) || !suffix.is_some_and(|rest| rest.ends_with('_')) {
            return Err(refused(family, "has a name that does not end in its unit"));
        }
    }
    let mut seen = HashSet::new();
    for (labels, value) in &family.points {
        for (name, _) in labels {
            let reserved = family.kind == Kind::Histogram && name == "le";
            if !is_name(name, false) || name.starts_with("__") || reserved {
                return Err(refused(family, &format!("has a label named {name:?}")));
            }
        }
        let mut key: Vec<(&str, &str)> = labels.iter().map(|(n, v)| (&**n, &**v)).collect();
        key.sort_unstable();
        if key.windows(2).any(|pair| pair[0].0 == pair[1].0) {
            return Err(refused(family, "has a point with one label twice"));
        }
        if !seen.insert(key) {
            return Err(refused(family, "has two points with the same labels"));
        }
        check_value(family, value)?;
    }
    Ok(())
}

fn check_value(family: &Family, value: &Value) -> Result<(), Error> {
    match (family.kind, value) {
        (Kind::Gauge, Value::Number(_)) => Ok(()),
        (Kind::Counter, Value::Number(number)) if number.is_finite() && *number >= 0.0 => Ok(()),
        (Kind::Counter, Value::Number(_)) => Err(refused(
            family,
            "is a counter that is negative or no number",
        )),
        (Kind::Histogram, Value::Histogram(histogram)) => {
            let bounds = &histogram.buckets;
            let ascending = bounds.windows(2).all(|pair| pair[0].0 < pair[1].0);
            if !ascending || bounds.iter().any(|(bound, _)| !bound.is_finite()) {
                return Err(refused(family, "has bounds that do not ascend"));
            }
            // The sum of a histogram is a counter, unless something negative was measured.
            let sum = histogram.sum.unwrap_or(0.0);
            if !sum.is_finite() || sum < 0.0 {
                return Err(refused(family, "has a sum that is negative or no number"));
            }
            Ok(())
        }
        _ => Err(refused(family, "has a point of another kind")),
    }
}

/// Letters, digits and `_`, not beginning with a digit.
fn is_name(name: &str, colons: bool) -> bool {
    let fits = |c: char| c.is_ascii_alphanumeric() || c == '_' || colons && c == ':';
    name.chars().all(fits) && name.chars().next().is_some_and(|c| !c.is_ascii_digit())
}

fn refused(family: &Family, why: &str) -> Error {
    Error::write(format!("the metric {:?} {why}", family.name))
}

fn push_family(out: &mut String, family: &Family, dialect: Dialect) {
    let name = &*family.name;
    let kind = match family.kind {
        Kind::Counter => "counter",
        Kind::Gauge => "gauge",
        Kind::Histogram => "histogram",
    };
    let suffix = match family.kind {
        Kind::Counter => "_total",
        Kind::Gauge | Kind::Histogram => "",
    };
    // In the older format a counter is called in its description as in its points.
    let described = match dialect {
        Dialect::OpenMetrics => name.to_owned(),
        Dialect::Prometheus => format!("{name}{suffix}"),
    };
    let _ = writeln!(out, "# TYPE {described} {kind}");
    if let (Some(unit), Dialect::OpenMetrics) = (&family.unit, dialect) {
        let _ = writeln!(out, "# UNIT {described} {unit}");
    }
    let _ = write!(out, "# HELP {described} ");
    // Both formats have an escape for line feeds, and help is not a name.
    let help: Vec<String> = family
        .help
        .split('\n')
        .map(|line| OneLine(line).to_string())
        .collect();
    push_escaped(out, &help.join("\n"), dialect == Dialect::OpenMetrics);
    out.push('\n');

    for (labels, value) in &family.points {
        match value {
            Value::Number(value) => push_point(out, name, suffix, labels, None, *value),
            Value::Histogram(histogram) => {
                let mut count = 0_u64;
                for &(bound, here) in &histogram.buckets {
                    count = count.saturating_add(here);
                    let bound = format!("{bound:?}");
                    push_point(out, name, "_bucket", labels, Some(&bound), count as f64);
                }
                count = count.saturating_add(histogram.above);
                push_point(out, name, "_bucket", labels, Some("+Inf"), count as f64);
                let sum = match (histogram.sum, dialect) {
                    (Some(sum), _) => sum,
                    // Which the older format demands, and NaN says that nobody knows.
                    (None, Dialect::Prometheus) => f64::NAN,
                    // Neither or both: parsers refuse a count without a sum.
                    (None, Dialect::OpenMetrics) => continue,
                };
                push_point(out, name, "_count", labels, None, count as f64);
                push_point(out, name, "_sum", labels, None, sum);
            }
        }
    }
}

fn push_point(
    out: &mut String,
    name: &str,
    suffix: &str,
    labels: &Labels,
    bound: Option<&str>,
    value: f64,
) {
    out.push_str(name);
    out.push_str(suffix);
    let all = labels
        .iter()
        .map(|(name, value)| (&**name, &**value))
        .chain(bound.map(|bound| ("le", bound)));
    let mut opened = false;
    for (name, value) in all {
        out.push(if opened { ',' } else { '{' });
        opened = true;
        let _ = write!(out, "{name}=\"");
        push_escaped(out, &plain(value), true);
        out.push('"');
    }
    if opened {
        out.push('}');
    }
    out.push(' ');
    push_number(out, value);
    out.push('\n');
}

/// The three characters that both formats escape, and nothing else: an unknown escape is refused.
fn push_escaped(out: &mut String, text: &str, quotes: bool) {
    for c in text.chars() {
        match c {
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '"' if quotes => out.push_str("\\\""),
            c => out.push(c),
        }
    }
}

fn push_number(out: &mut String, value: f64) {
    let _ = if value.is_nan() {
        out.write_str("NaN")
    } else if value.is_infinite() {
        out.write_str(if value > 0.0 { "+Inf" } else { "-Inf" })
    } else if value == 0.0 || (1e-6..1e17).contains(&value.abs()) {
        write!(out, "{value}")
    } else {
        write!(out, "{value:e}")
    };
}
