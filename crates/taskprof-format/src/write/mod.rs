//! Writers: each turns any [`Profile`] into one format, wherever the profile came from.
//!
//! | function | format | opens in |
//! |---|---|---|
//! | [`pprof`] | gzipped `profile.proto` | `go tool pprof`, speedscope, Pyroscope, Parca |
//! | [`folded`] | one line per stack | inferno, flamegraph.pl, speedscope, `grep` |
//! | [`svg`], [`icicle`] | interactive flame graph, root at the bottom or at the top; alone or compared | a browser |
//! | [`speedscope`] | speedscope's own JSON | speedscope |
//! | [`text`], [`traces`] | stacks by value; every sample with everything known about it | a terminal |
//! | [`json`] | the samples with names | `jq`, a script |
//!
//! [`FORMATS`] lists them all, and [`Profile`] has a method for each (`write_svg`, …).
//! [`RenderOptions`] has the title, the column that is shown and the profile that it is compared
//! with. Numbers that a scraper collects are no profile: [`openmetrics`] and [`prometheus`] write
//! [`metrics`].
//!
//! Writing resolves addresses to names, which reads debug information of loaded modules the first
//! time (tens to hundreds of milliseconds for a large program): do it off the async workers. An
//! address without a symbol is shown as `module+0xoffset`, and how many there were is said wherever
//! the format has a place for it.

mod format;
mod methods;
mod options;

mod compare;
mod flamegraph;
mod folded;
mod icicle;
mod json;
pub mod metrics;
mod openmetrics;
mod pprof;
mod proto;
mod speedscope;
mod stacks;
mod svg;
mod text;
mod traces;

pub use self::flamegraph::MIN_WIDTH_PERCENT;
pub use self::folded::{folded, parse_folded_line};
pub use self::format::Format;
pub use self::icicle::icicle;
pub use self::json::json;
pub use self::openmetrics::{OPENMETRICS_TYPE, PROMETHEUS_TYPE, openmetrics, prometheus};
pub use self::options::RenderOptions;
pub use self::pprof::pprof;
pub use self::speedscope::speedscope;
pub use self::svg::svg;
pub use self::text::text;
pub use self::traces::traces;

use std::collections::BTreeMap;
use std::time::{SystemTime, UNIX_EPOCH};

use crate::error::Error;
use crate::profile::{Label, LabelValue, Profile};

/// Every format, in the order in which a list should show them.
pub static FORMATS: &[&Format] = &[
    &pprof::FORMAT,
    &svg::FORMAT,
    &icicle::FORMAT,
    &speedscope::FORMAT,
    &text::FORMAT,
    &traces::FORMAT,
    &folded::FORMAT,
    &json::FORMAT,
];

impl Format {
    /// The format of this name; `None` if there is none.
    pub fn named(name: &str) -> Option<&'static Format> {
        FORMATS.iter().copied().find(|format| format.name == name)
    }
}

/// Checks the invariant of [`Profile`] before a writer relies on it.
fn check(profile: &Profile) -> Result<(), Error> {
    let columns = profile.sample_types.len();
    if columns == 0 {
        return Err(Error::write(
            "the profile has no sample types; give it at least one column before writing it",
        ));
    }
    for (at, sample) in profile.samples.iter().enumerate() {
        if sample.values.len() != columns {
            return Err(Error::write(format!(
                "sample {at} has {} values, but the profile has {columns} sample types; give every sample one value per type",
                sample.values.len()
            )));
        }
    }
    Ok(())
}

/// The column that the caller asked for, or the profile's own choice.
fn column(profile: &Profile, kind: Option<&str>) -> Result<usize, Error> {
    check(profile)?;
    let Some(kind) = kind else {
        return Ok(profile.default_column());
    };
    profile.column(kind).ok_or_else(|| {
        let known: Vec<&str> = profile.sample_types.iter().map(|t| &*t.kind).collect();
        Error::invalid_argument(format!(
            "the profile has no sample type {kind:?}; it has {}",
            known.join(", ")
        ))
    })
}

/// Labels by key; the last of several with one key, as every format has room for one.
fn labels(labels: &[Label]) -> BTreeMap<&str, &LabelValue> {
    labels
        .iter()
        .map(|label| (&*label.key, &label.value))
        .collect()
}

/// A sentence that says when a profile was taken and for how long; `None` if its time cannot be
/// written.
fn when(profile: &Profile) -> Option<String> {
    // The year 9999: after it `httpdate` panics.
    const END: u64 = 253_402_300_800;
    let seconds = profile.time.duration_since(UNIX_EPOCH).ok()?.as_secs();
    let time: SystemTime = (seconds < END).then_some(profile.time)?;
    let date = httpdate::fmt_http_date(time);
    Some(if profile.duration.is_zero() {
        format!("taken {date}")
    } else {
        format!("from {date}, for {:.1} s", profile.duration.as_secs_f64())
    })
}
