//! One format: its name, its media type, the function that writes it.
//!
//! Not here: which formats there are (`mod.rs`), how each is written (its own file).

use super::RenderOptions;
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
    /// Its name in a URL or on a command line: one lower-case word.
    pub name: &'static str,
    /// The media type.
    pub content_type: &'static str,
    /// The ending of a file's name, without the dot.
    pub extension: &'static str,
    /// Whether a browser shows it; otherwise it is downloaded.
    pub inline: bool,
    /// Whether it can show values that are negative, as those of a difference may be.
    pub negative: bool,
    /// Its use, in a few words.
    pub summary: &'static str,
    /// Writes a profile. Blocks while names are looked up: keep it off the async workers.
    pub write: fn(&Profile, &RenderOptions) -> Result<Vec<u8>, Error>,
}
