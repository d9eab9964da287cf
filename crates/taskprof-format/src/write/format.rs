//! The table of formats: what each is called, how it travels, which function writes it; and how the
//! result shall look.
//!
//! Whoever offers formats to people (the endpoint, a command line) walks [`FORMATS`] and names no
//! writer, so that a new writer is a file of its own and one line here. Not here: how a format is
//! written (each writer's own file).

use std::borrow::Cow;
use std::sync::Arc;

use super::{check, column, folded, icicle, json, pprof, speedscope, svg, text, traces};
use crate::error::Error;
use crate::profile::Profile;

/// A format that a [`Profile`] can be written in.
///
/// # Examples
///
/// ```
/// use taskprof_format::profile::{Profile, SampleType};
/// use taskprof_format::write::{Format, RenderOptions};
///
/// let profile = Profile::new([SampleType::new("samples", "count")]);
/// let format = Format::named("svg").unwrap();
/// let bytes = (format.write)(&profile, &RenderOptions::new().title("Nothing"))?;
/// assert_eq!(format.content_type, "image/svg+xml");
/// assert!(bytes.starts_with(b"<?xml"));
/// # Ok::<(), taskprof_format::Error>(())
/// ```
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct Format {
    /// What it is asked for by: one lower-case word.
    pub name: &'static str,
    /// The media type.
    pub content_type: &'static str,
    /// How the name of a file ends, without the dot.
    pub extension: &'static str,
    /// Whether a browser shows it, or else is told to keep it as a file.
    pub inline: bool,
    /// Whether it can show values that are negative, as those of a difference may be.
    pub negative: bool,
    /// What it is good for, in a few words.
    pub summary: &'static str,
    /// Writes a profile. Blocks for as long as names have to be looked up: keep it off the async
    /// workers.
    pub write: fn(&Profile, &RenderOptions) -> Result<Vec<u8>, Error>,
}

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

/// How a written profile is titled, what it shows, and what it is compared with.
///
/// A writer ignores what its format has no place for.
#[derive(Debug, Clone, Default)]
pub struct RenderOptions {
    pub(super) title: Option<String>,
    pub(super) sample_type: Option<String>,
    pub(super) base: Option<Arc<Profile>>,
    pub(super) normalised: bool,
}

impl RenderOptions {
    /// The writer's own title, the profile's default sample type, compared with nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// The heading.
    #[must_use]
    pub fn title(mut self, title: impl Into<String>) -> Self {
        self.title = Some(title.into());
        self
    }

    /// The kind of the column that is shown: alone in a format that has one column, first in a
    /// format that has all.
    ///
    /// A profile without such a column is refused with an error for which
    /// [`is_invalid_argument`](Error::is_invalid_argument) holds.
    #[must_use]
    pub fn sample_type(mut self, kind: impl Into<String>) -> Self {
        self.sample_type = Some(kind.into());
        self
    }

    /// What the profile is compared with: the earlier capture.
    ///
    /// The pictures are drawn in red and blue, [`folded`](fn@super::folded) text has two columns
    /// (base, profile), and all other formats hold the [difference](Profile::difference). A base of
    /// other sample types is refused with an error for which
    /// [`is_invalid_argument`](Error::is_invalid_argument) holds.
    #[must_use]
    pub fn base(mut self, base: impl Into<Arc<Profile>>) -> Self {
        self.base = Some(base.into());
        self
    }

    /// Scales the base to the profile's total in pictures and folded text, so that what is compared
    /// is the share of each stack: for captures of unequal length or load.
    #[must_use]
    pub fn normalised(mut self) -> Self {
        self.normalised = true;
        self
    }

    /// The profile, or what it has more than the base.
    pub(super) fn seen<'a>(&self, profile: &'a Profile) -> Result<Cow<'a, Profile>, Error> {
        let seen = match &self.base {
            None => Cow::Borrowed(profile),
            Some(base) => Cow::Owned(profile.difference(base)?),
        };
        check(&seen)?;
        Ok(seen)
    }

    /// The kind of the column to show first, for a format that has all.
    pub(super) fn first<'a>(&'a self, profile: &'a Profile) -> Result<Option<&'a str>, Error> {
        match &self.sample_type {
            None => Ok(profile.default_sample_type.as_deref()),
            Some(kind) => column(profile, Some(kind)).map(|_| Some(kind.as_str())),
        }
    }
}
