//! A profile as folded stacks: root first, `;` between frames, a space, the value.
//!
//! Not here: how names are escaped and summed up (`stacks.rs`), drawing (`flamegraph.rs`).

use super::compare::pairs;
use super::stacks::{SEMICOLON, fold, push_line};
use super::{Format, RenderOptions, column};
use crate::error::Error;
use crate::profile::Profile;
use crate::resolve::Resolver;
use crate::text::read_plain;

pub(super) static FORMAT: Format = Format {
    name: "folded",
    content_type: "text/plain; charset=utf-8",
    extension: "folded",
    inline: true,
    negative: true,
    summary: "one line per stack: for grep, inferno, flamegraph.pl",
    write: |profile, options| write(profile, options).map(String::into_bytes),
};

/// Writes one line per distinct stack: `root;…;leaf value`, sorted, each inlined function a frame
/// of its own.
///
/// `sample_type` chooses the column; `None` is the profile's default. Lines with the value 0 are
/// left out. Labels are not written: the format has no place for them.
///
/// Readers of this format split at every `;`, take a number at the end of the leaf for a second
/// column, drop spaces at the ends of a line and lines that begin with `# `, and cut a suffix such
/// as `_[k]`. So in a frame name
///
/// | character | is written |
/// |---|---|
/// | `;` | `；` (U+FF1B, full width) |
/// | `\` | `\\` |
/// | line feed, carriage return, tab | `\n`, `\r`, `\t` |
/// | what [cannot be seen](taskscope_core::text::is_hidden) otherwise, U+FF1B | `\u{…}` |
/// | white space at either end, `#` at the beginning, the space before a last word that is a number | `\u{…}` |
/// | `]` of a last `_[i]`, `_[j]`, `_[k]`, `_[w]` | `\u{5d}` |
///
/// [`parse_folded_line`] reads it back exactly. A sample without a stack is `(no stack)`, an empty
/// name `(no name)`.
///
/// # Errors
///
/// [`is_invalid_argument`](Error::is_invalid_argument) if the profile has no such sample type,
/// [`is_write`](Error::is_write) if it contradicts itself.
///
/// # Examples
///
/// ```
/// use taskprof_format::profile::{Frame, Profile, Sample, SampleType};
///
/// let mut profile = Profile::new([SampleType::new("samples", "count")]);
/// profile.samples.push(Sample {
///     stack: vec![Frame::named("<[u8; 4] as Foo>::bar"), Frame::named("main")],
///     values: vec![5],
///     labels: vec![],
/// });
/// assert_eq!(taskprof_format::write::folded(&profile, None)?, "main;<[u8； 4] as Foo>::bar 5\n");
/// # Ok::<(), taskprof_format::Error>(())
/// ```
pub fn folded(profile: &Profile, sample_type: Option<&str>) -> Result<String, Error> {
    let column = column(profile, sample_type)?;
    let mut out = String::new();
    for (stack, value) in fold(profile, column, &mut Resolver::new()) {
        push_line(&mut out, &stack, value);
        out.push('\n');
    }
    Ok(out)
}

/// Writes two columns if there is a base, base and profile: flamegraph.pl and inferno draw them as
/// a differential flame graph.
fn write(profile: &Profile, options: &RenderOptions) -> Result<String, Error> {
    let Some(base) = &options.base else {
        return folded(profile, options.sample_type.as_deref());
    };
    let column = column(profile, options.sample_type.as_deref())?;
    let mut out = String::new();
    let pairs = pairs(
        profile,
        base,
        column,
        options.normalised,
        &mut Resolver::new(),
    )?;
    for (stack, (base, value)) in pairs {
        push_line(&mut out, &stack, base);
        out.push_str(&format!(" {value}\n"));
    }
    Ok(out)
}

/// Reads a line that [`folded`] wrote: the frame names, root first, and the value. `None` if it is
/// not such a line.
///
/// # Examples
///
/// ```
/// let (stack, value) = taskprof_format::write::parse_folded_line(r"main;a\u{20}12 5").unwrap();
/// assert_eq!(stack, ["main", "a 12"]);
/// assert_eq!(value, 5);
/// ```
pub fn parse_folded_line(line: &str) -> Option<(Vec<String>, i64)> {
    let (stack, value) = line.rsplit_once(' ')?;
    let frames: Option<Vec<String>> = stack.split(';').map(read_name).collect();
    Some((frames?, value.parse().ok()?))
}

/// Reads back an escaped name. Escapes hold no `；`, so each one in the text is a `;` of the name.
fn read_name(text: &str) -> Option<String> {
    read_plain(&text.replace(SEMICOLON, ";"))
}
