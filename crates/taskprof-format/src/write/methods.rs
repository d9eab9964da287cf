//! Writing as methods of [`Profile`], each into any [`io::Write`], like Go's `runtime/pprof`.

use std::io;

use super::{Format, RenderOptions, folded, icicle, json, pprof, speedscope, svg, text, traces};
use crate::error::Error;
use crate::profile::Profile;

/// Writing. The first call reads debug information, which takes long: keep it off the async
/// workers.
///
/// Every method fails as its writer in [`write`](mod@crate::write) does, and if `out` fails
/// ([`is_write`](Error::is_write), with the [`io::Error`] as the source).
///
/// # Examples
///
/// ```
/// use taskprof_format::profile::{Profile, SampleType};
///
/// let profile = Profile::new([SampleType::new("samples", "count")]);
/// let mut file = Vec::new();
/// profile.write_svg(&mut file)?;
/// assert!(file.starts_with(b"<?xml"));
/// # Ok::<(), taskprof_format::Error>(())
/// ```
impl Profile {
    /// Writes the profile in this format.
    pub fn write(
        &self,
        format: &Format,
        options: &RenderOptions,
        out: impl io::Write,
    ) -> Result<(), Error> {
        put(out, &(format.write)(self, options)?)
    }

    /// Writes gzipped `profile.proto`; see [`pprof`](fn@crate::write::pprof).
    pub fn write_pprof(&self, out: impl io::Write) -> Result<(), Error> {
        self.write(&pprof::FORMAT, &RenderOptions::new(), out)
    }

    /// Writes a flame graph; see [`svg`](fn@crate::write::svg).
    pub fn write_svg(&self, out: impl io::Write) -> Result<(), Error> {
        self.write(&svg::FORMAT, &RenderOptions::new(), out)
    }

    /// Writes a flame graph with its root at the top; see [`icicle`](fn@crate::write::icicle).
    pub fn write_icicle(&self, out: impl io::Write) -> Result<(), Error> {
        self.write(&icicle::FORMAT, &RenderOptions::new(), out)
    }

    /// Writes speedscope's JSON; see [`speedscope`](fn@crate::write::speedscope).
    pub fn write_speedscope(&self, out: impl io::Write) -> Result<(), Error> {
        self.write(&speedscope::FORMAT, &RenderOptions::new(), out)
    }

    /// Writes stacks with their values, largest first; see [`text`](fn@crate::write::text).
    pub fn write_text(&self, out: impl io::Write) -> Result<(), Error> {
        self.write(&text::FORMAT, &RenderOptions::new(), out)
    }

    /// Writes every sample with everything known about it; see [`traces`](fn@crate::write::traces).
    pub fn write_traces(&self, out: impl io::Write) -> Result<(), Error> {
        self.write(&traces::FORMAT, &RenderOptions::new(), out)
    }

    /// Writes one line per stack; see [`folded`](fn@crate::write::folded).
    pub fn write_folded(&self, out: impl io::Write) -> Result<(), Error> {
        self.write(&folded::FORMAT, &RenderOptions::new(), out)
    }

    /// Writes JSON; see [`json`](fn@crate::write::json).
    pub fn write_json(&self, out: impl io::Write) -> Result<(), Error> {
        self.write(&json::FORMAT, &RenderOptions::new(), out)
    }
}

fn put(mut out: impl io::Write, bytes: &[u8]) -> Result<(), Error> {
    out.write_all(bytes)
        .and_then(|()| out.flush())
        .map_err(|e| Error::write("the profile could not be written out").caused_by(e))
}
