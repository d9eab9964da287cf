//! The icicle graph: root at the top. Not here: how it is drawn (`flamegraph.rs`).

use inferno::flamegraph::Direction;

use super::flamegraph::draw;
use super::{Format, RenderOptions};
use crate::error::Error;
use crate::profile::Profile;

pub(super) static FORMAT: Format = Format {
    name: "icicle",
    content_type: "image/svg+xml",
    extension: "svg",
    inline: true,
    negative: true,
    summary: "flame graph upside down: deep stacks from their roots",
    write: |profile, options| icicle(profile, options).map(String::into_bytes),
};

/// Draws an icicle graph: a flame graph with its root at the top, so that a deep stack is read from
/// where the page begins.
///
/// All else, errors and limitations too, is as in [`svg`](fn@super::svg).
pub fn icicle(profile: &Profile, options: &RenderOptions) -> Result<String, Error> {
    draw(profile, options, Direction::Inverted, "Icicle Graph")
}
