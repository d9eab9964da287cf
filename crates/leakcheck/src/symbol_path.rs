//! The segments of the path of a function or type: `<db::Reaper<T> as Future>::poll` has `db`,
//! `Reaper` and `poll`.
//!
//! Generic arguments are no segments: a rule about `Reaper` is not about every function that gets
//! one. Not here: which segments a rule matches ([`crate::rules`]).

use std::ops::Range;

/// The path as it is, and as a person would write it: without generic arguments, and once each for
/// the type and the trait of a trait method.
pub(crate) fn spellings(path: &str) -> Vec<String> {
    let mut spellings = plain(path);
    spellings.push(path.to_owned());
    spellings.dedup();
    spellings
}

/// The byte ranges of the segments of a path.
pub(crate) fn segments(path: &str) -> Vec<Range<usize>> {
    let mut segments = Vec::new();
    let mut from = 0;
    for (at, depth) in depths(path) {
        if depth == 0 && at >= from && path.as_bytes()[at..].starts_with(b"::") {
            segments.push(from..at);
            from = at + 2;
        }
    }
    segments.push(from..path.len());
    segments
}

/// The path without references, generic arguments and `<Type as Trait>`.
fn plain(path: &str) -> Vec<String> {
    let path = path
        .trim_start_matches(['&', '*'])
        .trim_start_matches("mut ")
        .trim_start_matches("const ")
        .trim_start_matches("dyn ");
    let Some((implementer, rest)) = path.strip_prefix('<').and_then(split_closing) else {
        return vec![without_arguments(path)];
    };
    let of = match split_as(implementer) {
        Some((of_type, of_trait)) => [plain(of_type), plain(of_trait)].concat(),
        None => plain(implementer),
    };
    let rest = without_arguments(rest);
    of.iter().map(|of| format!("{of}::{rest}")).collect()
}

/// The path without generic arguments. `{{closure}}` stays, as a segment of its own;
/// `<impl Trait for Type>` goes.
fn without_arguments(path: &str) -> String {
    let segments = segments(path).into_iter().map(|range| {
        let segment = &path[range];
        segment.find('<').map_or(segment, |at| &segment[..at])
    });
    let segments: Vec<&str> = segments.filter(|segment| !segment.is_empty()).collect();
    segments.join("::")
}

/// The depth of brackets after each byte.
fn depths(text: &str) -> impl Iterator<Item = (usize, i32)> {
    let (mut depth, mut previous) = (0, 0);
    text.bytes().enumerate().map(move |(at, byte)| {
        match byte {
            b'<' | b'{' | b'(' | b'[' => depth += 1,
            // The arrow of a function type closes nothing.
            b'>' if previous == b'-' => {}
            b'>' | b'}' | b')' | b']' => depth -= 1,
            _ => {}
        }
        previous = byte;
        (at, depth)
    })
}

/// Splits the text at the bracket that closes the one before the text.
fn split_closing(text: &str) -> Option<(&str, &str)> {
    let (at, _) = depths(text).find(|(_, depth)| *depth < 0)?;
    Some((&text[..at], &text[at + 1..]))
}

/// Splits `Type as Trait`.
fn split_as(text: &str) -> Option<(&str, &str)> {
    let is_as =
        |(at, depth): &(usize, i32)| *depth == 0 && text.as_bytes()[*at..].starts_with(b" as ");
    let (at, _) = depths(text).find(is_as)?;
    Some((&text[..at], &text[at + 4..]))
}

#[cfg(test)]
mod tests {
    use super::spellings;

    #[test]
    fn a_path_is_read_as_it_is_and_as_a_person_writes_it() {
        for (path, expected) in [
            ("db::pool::reap", vec!["db::pool::reap"]),
            (
                "db::pool::reap::{{closure}}",
                vec!["db::pool::reap::{{closure}}"],
            ),
            (
                "db::Reaper<alloc::string::String>::run",
                vec!["db::Reaper::run"],
            ),
            ("db::run::<u8>::{closure#0}", vec!["db::run::{closure#0}"]),
            (
                "<db::Reaper<T> as core::Future>::poll",
                vec!["db::Reaper::poll", "core::Future::poll"],
            ),
            (
                "<db::Reaper<u8>>::run::{closure#0}",
                vec!["db::Reaper::run::{closure#0}"],
            ),
            ("db::<impl db::Reap for u8>::reap", vec!["db::reap"]),
            ("<&mut F as db::Run>::run", vec!["F::run", "db::Run::run"]),
            (
                "<<db::A as db::B>::C as db::D>::e",
                vec!["db::A::C::e", "db::B::C::e", "db::D::e"],
            ),
            ("db::call<fn(x::X) -> y::Y>::again", vec!["db::call::again"]),
            ("", vec![""]),
            // Not a path at all.
            (">>::<", vec![">>::"]),
            ("a<b::c", vec!["a"]),
            ("é as é", vec!["é as é"]),
        ] {
            let mut all: Vec<_> = expected.into_iter().map(String::from).collect();
            all.push(path.to_owned());
            all.dedup();
            assert_eq!(spellings(path), all);
        }
    }
}
