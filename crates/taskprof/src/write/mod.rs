//! Writers: each turns any [`Profile`] into one format and knows nothing about where the profile came from.
//!
//! | function | format | opens in |
//! |---|---|---|
//! | [`pprof`] | gzipped `profile.proto` | `go tool pprof`, speedscope, Pyroscope, Parca |
//! | [`folded`] | one line per stack | inferno, flamegraph.pl, speedscope, `grep` |
//! | [`svg`] | interactive flame graph | a browser |
//! | [`json`] | the samples with names | `jq`, a script |
//!
//! Writing resolves addresses to names, which reads debug information of loaded modules the first time (tens to hundreds
//! of milliseconds for a large program): do it off the async workers. An address without a symbol is shown as
//! `module+0xoffset`, and how many there were is said wherever the format has a place for it.

mod format;
mod methods;

mod folded;
mod json;
mod pprof;
mod proto;
mod svg;

pub use self::folded::{folded, parse_folded_line};
pub use self::format::{FORMATS, Format, Look};
pub use self::json::json;
pub use self::pprof::pprof;
pub use self::svg::{MIN_WIDTH_PERCENT, svg};

/// The former name of [`Look`].
pub type SvgOptions = Look;

use crate::error::Error;
use crate::profile::Profile;

/// The invariant of [`Profile`], checked before a writer relies on it.
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
