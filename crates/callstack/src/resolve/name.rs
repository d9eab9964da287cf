//! Names of functions: demangling, the choice between two sources, and a path for a name without
//! one.
//!
//! Not here: where names are read ([`super::elf`]).

use std::borrow::Cow;

/// A readable name without a hash, for Rust and C++; anything else as it is.
pub(crate) fn demangle(symbol: &str) -> Cow<'_, str> {
    addr2line::demangle_auto(Cow::Borrowed(symbol), None)
}

/// The name of a function that was not inlined.
///
/// With `debug = "line-tables-only"` the debug information has no paths: a closure is called
/// `{closure#0}` and nothing more. The symbol table has the full name, so it wins unless the debug
/// information has a path as well. (Then both are the same, except where the linker has merged
/// identical functions and left one symbol for all of them.)
pub(crate) fn physical<'a>(
    debug: Option<Cow<'a, str>>,
    symbol: Option<Cow<'a, str>>,
) -> Option<Cow<'a, str>> {
    match (debug, symbol) {
        (Some(debug), Some(symbol)) => Some(if has_path(&debug) { debug } else { symbol }),
        (debug, symbol) => debug.or(symbol),
    }
}

/// A name with a path: its own, or that of the Rust source file that the function's code is in.
///
/// `{closure#0}` in `…/tokio-1.54.1/src/sync/mpsc/chan.rs` is
/// `tokio::sync::mpsc::chan::{closure#0}`. For inlined functions with `debug = "line-tables-only"`,
/// which nothing else names: the symbol table has only what was not inlined.
pub(crate) fn qualified<'a>(name: Cow<'a, str>, file: Option<&str>) -> Cow<'a, str> {
    if has_path(&name) {
        return name;
    }
    match file.and_then(module_of) {
        Some(module) => Cow::Owned(format!("{module}::{name}")),
        None => name,
    }
}

/// The module that a source file holds: `…/tokio-1.54.1/src/sync/mpsc/chan.rs` is
/// `tokio::sync::mpsc::chan`.
fn module_of(file: &str) -> Option<String> {
    let file = file.strip_suffix(".rs")?;
    let (package, path) = match file.rsplit_once("/src/") {
        // A binary is a crate of its own, whatever package it is in.
        Some((_, path)) if path.starts_with("bin/") => (None, &path["bin/".len()..]),
        Some((package, path)) => (package.rsplit('/').next(), path),
        None => (None, file.rsplit('/').next()?),
    };
    let package = package.map(|package| match package.rsplit_once('-') {
        Some((name, version)) if version.starts_with(|c: char| c.is_ascii_digit()) => name,
        _ => package,
    });
    let module = path
        .split('/')
        .filter(|part| !["lib", "main", "mod"].contains(part));
    let parts: Vec<&str> = package.into_iter().chain(module).collect();
    Some(parts.join("::").replace('-', "_")).filter(|path| !path.is_empty())
}

/// Whether the name itself is qualified, not only its generic arguments.
fn has_path(name: &str) -> bool {
    let mut depth = 0_u32;
    let mut previous = 0;
    for byte in name.bytes() {
        match byte {
            b'<' => depth += 1,
            // The arrow of a function type closes nothing.
            b'>' if previous != b'-' => depth = depth.saturating_sub(1),
            b':' if previous == b':' && depth == 0 => return true,
            _ => {}
        }
        previous = byte;
    }
    false
}

#[cfg(test)]
mod tests {
    use super::{demangle, has_path, physical, qualified};

    #[test]
    fn paths_within_generic_arguments_do_not_count() {
        for with in ["a::b", "<a::T as b::U>::poll", "a::b<c::D>", "<T>::f"] {
            assert!(has_path(with), "{with}");
        }
        for without in [
            "main",
            "{closure#0}",
            "poll<a::T>",
            "call_once<fn() -> a::T, b::U>",
            "{impl#3}",
        ] {
            assert!(!has_path(without), "{without}");
        }
    }

    #[test]
    fn the_symbol_table_wins_only_over_a_name_without_path() {
        let pick = |debug: Option<&'static str>, symbol: Option<&'static str>| {
            physical(debug.map(Into::into), symbol.map(Into::into)).map(|name| name.into_owned())
        };
        assert_eq!(
            pick(Some("{closure#0}"), Some("a::b::{{closure}}")).as_deref(),
            Some("a::b::{{closure}}")
        );
        assert_eq!(
            pick(Some("a::b"), Some("merged::c")).as_deref(),
            Some("a::b")
        );
        assert_eq!(pick(None, Some("malloc")).as_deref(), Some("malloc"));
        assert_eq!(pick(Some("malloc"), None).as_deref(), Some("malloc"));
        assert_eq!(pick(None, None), None);
    }

    #[test]
    fn a_name_without_a_path_gets_that_of_its_file() {
        for (name, file, expected) in [
            (
                "{closure#0}",
                "/r/registry/src/index/tokio-1.54.1/src/sync/mpsc/chan.rs",
                "tokio::sync::mpsc::chan::{closure#0}",
            ),
            (
                "poll<T>",
                "/rustc/1/library/core/src/future/mod.rs",
                "core::future::poll<T>",
            ),
            ("run", "/home/me/my-shop/src/main.rs", "my_shop::run"),
            ("leaf", "/home/me/shop/tests/leaks.rs", "leaks::leaf"),
            ("sell", "/home/me/shop/src/bin/till.rs", "till::sell"),
            ("sell", "/home/me/shop/src/bin/till/main.rs", "till::sell"),
            ("shop::run", "/home/me/shop/src/lib.rs", "shop::run"),
            (
                "<T as shop::Run>::run",
                "/home/me/shop/src/lib.rs",
                "<T as shop::Run>::run",
            ),
            (
                "call<shop::Run>",
                "/home/me/shop/src/run.rs",
                "shop::run::call<shop::Run>",
            ),
            ("memcpy", "../sysdeps/memcpy.S", "memcpy"),
            ("odd", "main.rs", "odd"),
        ] {
            assert_eq!(qualified(name.into(), Some(file)), expected);
        }
        assert_eq!(qualified("main".into(), None), "main");
    }

    #[test]
    fn rust_and_cpp_names_lose_their_mangling_and_their_hash() {
        assert_eq!(
            demangle("_ZN4core6option13unwrap_failed17h0123456789abcdefE"),
            "core::option::unwrap_failed"
        );
        assert_eq!(
            demangle("_RNvCskwGfYPst2Cb_3foo16example_function"),
            "foo::example_function"
        );
        assert_eq!(demangle("_ZN3foo3barEi"), "foo::bar(int)");
        assert_eq!(demangle("malloc"), "malloc");
    }
}
