//! How a written profile is titled, which column it shows, and what it is compared with.
//!
//! Not here: what a writer makes of it (each writer's own file).

use std::borrow::Cow;
use std::sync::Arc;

use super::{check, column};
use crate::error::Error;
use crate::profile::Profile;

/// The title of a written profile, the column that it shows, and the profile that it is compared
/// with.
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

    /// The earlier capture that the profile is compared with.
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

    /// The profile itself, or its difference from the base.
    pub(super) fn applied<'a>(&self, profile: &'a Profile) -> Result<Cow<'a, Profile>, Error> {
        let shown = match &self.base {
            None => Cow::Borrowed(profile),
            Some(base) => Cow::Owned(profile.difference(base)?),
        };
        check(&shown)?;
        Ok(shown)
    }

    /// The kind of the column to show first, for a format that has all.
    pub(super) fn first<'a>(&'a self, profile: &'a Profile) -> Result<Option<&'a str>, Error> {
        match &self.sample_type {
            None => Ok(profile.default_sample_type.as_deref()),
            Some(kind) => column(profile, Some(kind)).map(|_| Some(kind.as_str())),
        }
    }
}
