//! The flame graph: root at the bottom. Not here: how it is drawn (`flamegraph.rs`).

use inferno::flamegraph::Direction;

use super::flamegraph::draw;
use super::{Format, RenderOptions};
use crate::error::Error;
use crate::profile::Profile;

pub(super) static FORMAT: Format = Format {
    name: "svg",
    content_type: "image/svg+xml",
    extension: "svg",
    inline: true,
    negative: true,
    summary: "flame graph: zoom and search in a browser",
    write: |profile, options| svg(profile, options).map(String::into_bytes),
};

/// Draws a flame graph: one self-contained SVG with its own script (zoom, search), no reference to
/// any other host.
///
/// The same profile gives the same bytes: boxes are sorted by name and coloured by a hash of it.
/// The subtitle carries the total, the duration, the profile's comments, and what is not shown.
/// Columns in nanoseconds are shown in milliseconds.
///
/// With a [base](RenderOptions::base) it is a differential flame graph: boxes are as wide as in the
/// profile; red ones have more than in the base, blue ones less, each counted without what it
/// called. The subtitle tells both totals, and how much of the base is gone and so has no box; to
/// see it, draw the base compared with the profile.
///
/// Where there is nothing to draw, the SVG says why (nothing was sampled, nothing has changed,
/// nothing is left, all is negative), followed by the profile's comments.
///
/// # Errors
///
/// [`is_invalid_argument`](Error::is_invalid_argument) if the profile has no such sample type, or
/// another kind than its base; [`is_write`](Error::is_write) if it contradicts itself or its values
/// add up to more than can be drawn.
///
/// # Limitations
///
/// Boxes under [`MIN_WIDTH_PERCENT`](super::MIN_WIDTH_PERCENT) and stacks with a negative value are
/// not drawn; how many of the latter is said. The script keeps its state in the parameters `x`, `y`
/// and `s` of the page's address.
pub fn svg(profile: &Profile, options: &RenderOptions) -> Result<String, Error> {
    draw(profile, options, Direction::Straight, "Flame Graph")
}
