//! From a return address to functions with the best names that the build's debug information allows.
//!
//! With `debug = "line-tables-only"` inlined functions have no path (`{closure#0}`); then the path of the file they are in
//! stands for it (`tokio::sync::mpsc::chan::{closure#0}`). An address without any symbol is `module+0xoffset`, which can be
//! looked up elsewhere.

use std::borrow::Cow;

use callstack::Symbol;

use super::Frame;

impl Frame {
    /// The frames of return addresses, innermost first, inlined functions included.
    pub(super) fn all(addresses: &[usize]) -> Vec<Frame> {
        let mut frames = Vec::with_capacity(addresses.len() * 2);
        for &address in addresses {
            let symbols = callstack::symbolize(address);
            if symbols.iter().all(|symbol| symbol.name.is_none()) {
                frames.push(Frame::unknown(address));
            } else {
                frames.extend(symbols.iter().filter_map(|symbol| Frame::known(symbol)));
            }
        }
        frames
    }

    fn known(symbol: &Symbol) -> Option<Frame> {
        let name = symbol.name.as_ref()?;
        let function = match qualified(name, symbol.file.as_deref()) {
            Cow::Borrowed(_) => name.clone(),
            Cow::Owned(path) => path.into(),
        };
        Some(Frame {
            function,
            file: symbol.file.clone(),
            line: symbol.line,
            has_symbol: true,
        })
    }

    fn unknown(address: usize) -> Frame {
        let instruction = address.wrapping_sub(1);
        let modules = callstack::modules();
        let module = modules
            .iter()
            .find(|module| (module.start..module.end).contains(&instruction));
        let function = match module {
            Some(module) => {
                let file = module.path.rsplit('/').next().unwrap_or(&module.path);
                let offset = (instruction - module.start) as u64 + module.file_offset;
                format!("{file}+{offset:#x}")
            }
            None => format!("{instruction:#x}"),
        };
        Frame {
            function: function.into(),
            file: None,
            line: None,
            has_symbol: false,
        }
    }

    /// The path that decides what kind of function it is: of the type, for a trait's function.
    pub(crate) fn path(&self) -> &str {
        self.function
            .trim_start_matches(['<', '&'])
            .trim_start_matches("mut ")
    }
}

/// A name with a path: its own, or that of the file.
fn qualified<'a>(name: &'a str, file: Option<&str>) -> Cow<'a, str> {
    // What stands before generic arguments; nothing, if the name begins with a type in brackets.
    let head = name.split('<').next().unwrap_or(name);
    if head.is_empty() || head.contains("::") {
        return Cow::Borrowed(name);
    }
    match file.and_then(module_of) {
        Some(module) => Cow::Owned(format!("{module}::{name}")),
        None => Cow::Borrowed(name),
    }
}

/// The module that a source file holds: `…/tokio-1.54.1/src/sync/mpsc/chan.rs` is `tokio::sync::mpsc::chan`.
fn module_of(file: &str) -> Option<String> {
    let file = file.strip_suffix(".rs")?;
    let (package, path) = match file.rsplit_once("/src/") {
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
    Some(parts.join("::").replace('-', "_"))
}

#[cfg(test)]
mod tests {
    use super::qualified;

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
        ] {
            assert_eq!(qualified(name, Some(file)), expected);
        }
        assert_eq!(qualified("main", None), "main");
    }
}
