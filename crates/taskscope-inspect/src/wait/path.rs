//! The path of a function, by its name: where its code is. `<my::Reader<tokio::Sleep> as
//! Future>::poll` is `my::Reader::poll`, in the crate `my`.
//!
//! It reads the names of both mangling schemes, and those that [`Frame`](crate::Frame) makes of a
//! file and a short name. Generic arguments never count: they name other people's types. Not here:
//! which crates and functions mean something.

/// A path `module::Type::function`, without generic arguments and closures. For a trait's function
/// it is the path of the type; or that of the trait, if the type is the standard library's or
/// nobody's (`&mut T`), or the trait is not a library's: then the code is next to the trait.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Path(String);

impl Path {
    /// Parses a name. `is_library` says which crates know none of the user's traits.
    pub(super) fn of(name: &str, is_library: impl Fn(&str) -> bool) -> Path {
        Path(parse(name, &is_library).join("::"))
    }

    pub(super) fn as_str(&self) -> &str {
        &self.0
    }

    /// The crate of the code, as far as the name tells.
    pub(super) fn krate(&self) -> &str {
        self.0.split("::").next().unwrap_or("")
    }

    pub(super) fn is_std(&self) -> bool {
        is_std(self.krate())
    }

    pub(super) fn is_in(&self, module: &str) -> bool {
        self.0
            .strip_prefix(module)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
    }
}

fn is_std(krate: &str) -> bool {
    ["core", "std", "alloc"].contains(&krate)
}

fn parse<'a>(name: &'a str, is_library: &impl Fn(&str) -> bool) -> Vec<&'a str> {
    let name = name
        .trim_start_matches(['&', '*'])
        .trim_start_matches("mut ")
        .trim_start_matches("const ")
        .trim_start_matches("dyn ");
    let Some((implementer, rest)) = name.strip_prefix('<').and_then(split_closing) else {
        return segments(name);
    };
    let mut path = match split_top(implementer, " as ") {
        None => parse(implementer, is_library),
        Some((of, of_trait)) => {
            let (of, of_trait) = (parse(of, is_library), segments(of_trait));
            let users = of_trait.first().is_some_and(|krate| !is_library(krate));
            let of_users = matches!(of[..], [krate, _, ..] if !is_std(krate));
            if of_users && !users { of } else { of_trait }
        }
    };
    path.extend(segments(rest));
    path
}

/// The parts of a path, without anything in brackets: arguments, `<impl Trait for Type>`,
/// `{{closure}}`.
fn segments(path: &str) -> Vec<&str> {
    let mut segments = Vec::new();
    let mut rest = Some(path);
    while let Some(path) = rest {
        let (segment, after) = match split_top(path, "::") {
            Some((segment, after)) => (segment, Some(after)),
            None => (path, None),
        };
        let end = segment.find(['<', '{', '(', '[']).unwrap_or(segment.len());
        if end > 0 {
            segments.push(&segment[..end]);
        }
        rest = after;
    }
    segments
}

/// The depth in brackets after each byte.
fn depths(text: &str) -> impl Iterator<Item = (usize, i32)> {
    let mut depth = 0;
    let mut previous = 0;
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

/// Splits at the bracket that closes the one before the text.
fn split_closing(text: &str) -> Option<(&str, &str)> {
    let (at, _) = depths(text).find(|(_, depth)| *depth < 0)?;
    Some((&text[..at], &text[at + 1..]))
}

/// Splits at the first separator that is in no brackets.
fn split_top<'a>(text: &'a str, separator: &str) -> Option<(&'a str, &'a str)> {
    let (at, _) = depths(text).find(|(at, depth)| {
        *depth == 0 && text.as_bytes()[*at..].starts_with(separator.as_bytes())
    })?;
    Some((&text[..at], &text[at + separator.len()..]))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::Path;

    fn path_of(name: &str) -> Path {
        Path::of(name, |krate| {
            ["core", "std", "alloc", "tokio", "futures_core"].contains(&krate)
        })
    }

    #[test]
    fn a_name_is_reduced_to_its_own_path() {
        for (name, path) in [
            (
                "tokio::sync::mpsc::bounded::Receiver<T>::recv::{{closure}}",
                "tokio::sync::mpsc::bounded::Receiver::recv",
            ),
            (
                "<tokio::sync::oneshot::Receiver<T> as core::future::future::Future>::poll",
                "tokio::sync::oneshot::Receiver::poll",
            ),
            (
                "flume::async::<impl flume::Hook<T,flume::async::AsyncSignal>>::update_waker",
                "flume::async::update_waker",
            ),
            (
                "<<shop::A as shop::B>::C as core::future::future::Future>::poll",
                "shop::B::C::poll",
            ),
            // The newer mangling.
            (
                "<tokio::sync::mpsc::bounded::Receiver<u8>>::recv::{closure#0}",
                "tokio::sync::mpsc::bounded::Receiver::recv",
            ),
            (
                "shop::run::<tokio::time::sleep::Sleep>::{closure#0}",
                "shop::run",
            ),
            // Made of a file and a short name.
            (
                "tokio::sync::mpsc::chan::{closure#0}<u8, tokio::sync::mpsc::bounded::Semaphore>",
                "tokio::sync::mpsc::chan",
            ),
            // Arguments are other people's.
            (
                "<shop::Wrap<tokio::time::sleep::Sleep> as core::future::future::Future>::poll",
                "shop::Wrap::poll",
            ),
            (
                "shop::call<fn(tokio::X) -> tokio::Y>::{{closure}}",
                "shop::call",
            ),
            ("shop::call<tokio::X>::again", "shop::call::again"),
            // A type that tells nothing: the trait does.
            (
                "<&mut T as tokio::io::async_read::AsyncRead>::poll_read",
                "tokio::io::async_read::AsyncRead::poll_read",
            ),
            ("<F as shop::Run>::run", "shop::Run::run"),
            (
                "<(A, tokio::B) as core::future::future::Future>::poll",
                "core::future::future::Future::poll",
            ),
            (
                "<alloc::boxed::Box<S> as futures_core::stream::Stream>::poll_next",
                "futures_core::stream::Stream::poll_next",
            ),
            (
                "<core::pin::Pin<P> as core::future::future::Future>::poll",
                "core::future::future::Future::poll",
            ),
            // The user's trait for a library's type is the user's code.
            (
                "<tokio::sync::notify::Notify as shop::Wait>::wait::{{closure}}",
                "shop::Wait::wait",
            ),
            (
                "shop::wait::<impl shop::Wait for tokio::sync::notify::Notify>::wait",
                "shop::wait::wait",
            ),
            ("__rust_try", "__rust_try"),
            ("orders+0x1234", "orders+0x1234"),
            ("", ""),
        ] {
            assert_eq!(path_of(name).as_str(), path, "{name}");
        }
    }

    #[test]
    fn a_path_is_in_whole_modules_only() {
        let path = path_of("tokio::time::sleep::Sleep::poll");
        assert!(path.is_in("tokio::time") && path.is_in("tokio::time::sleep::Sleep::poll"));
        assert!(!path.is_in("tokio::tim") && !path.is_in("time::sleep"));
        assert_eq!(path.krate(), "tokio");
    }

    proptest! {
        /// Names come from other people's files.
        #[test]
        fn no_name_is_too_strange(name in "[<>{}()\\[\\]&:a-c é-]{0,40}( as )?[<>{}:a-c-]{0,40}") {
            path_of(&name);
        }
    }
}
