//! Debug information that is not in the module's own file: separate debug files, packages of split
//! debug information.
#![cfg(all(target_os = "linux", target_pointer_width = "64"))]
#![allow(clippy::unwrap_used)]

#[path = "support/library.rs"]
mod library;
mod support;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;

use callstack::{Stack, Symbol, capture, refresh, symbolize};
use library::{Library, compile_c, compile_rust};
use support::names;

const SOURCE: &str = "void enter(void (*f)(void)) { volatile char room[200]; room[7] = 1; f(); }";

fn run(program: &str, args: &[&Path]) {
    let status = Command::new(program).args(args).status().unwrap();
    assert!(status.success(), "{program} {args:?}");
}

/// Compiles a library, moves its debug information to `debug`, and strips it. `link`: as
/// `.gnu_debuglink` names the file.
fn split(name: &str, debug: &str, link: bool, build_id: bool) -> PathBuf {
    let library = compile_c(name, "c", "-g", SOURCE);
    if !build_id {
        run(
            "objcopy",
            &["--remove-section=.note.gnu.build-id".as_ref(), &library],
        );
    }
    let debug = library.parent().unwrap().join(debug);
    fs::create_dir_all(debug.parent().unwrap()).unwrap();
    run("objcopy", &["--only-keep-debug".as_ref(), &library, &debug]);
    run("strip", &["--strip-all".as_ref(), &library]);
    if link {
        let option = format!("--add-gnu-debuglink={}", debug.display());
        run("objcopy", &[option.as_ref(), &library]);
    }
    library
}

/// The symbol of the function `enter` in a library.
fn symbol_of_enter(library: &Library) -> Symbol {
    refresh();
    let symbols = symbolize(library.address("enter") + 1);
    assert_eq!(names(&symbols), ["enter"]);
    (*symbols[0]).clone()
}

fn has_line(symbol: &Symbol, name: &str) -> bool {
    let file = symbol.file.as_deref().unwrap_or_default();
    file.ends_with(&format!("{name}.c")) && symbol.line == Some(1)
}

#[test]
fn a_debug_file_is_found_by_its_link() {
    for (name, debug, build_id) in [
        ("beside", "beside.debug", true),
        ("below", ".debug/below.debug", true),
        ("summed", "summed.debug", false),
    ] {
        let library = Library::open(&split(name, debug, true, build_id));
        let symbol = symbol_of_enter(&library);
        assert!(has_line(&symbol, name), "{symbol:?}");
    }
}

#[test]
fn without_a_link_there_are_no_lines() {
    let library = Library::open(&split("unlinked", "unlinked.debug", false, true));
    let symbol = symbol_of_enter(&library);
    assert_eq!(symbol.line, None, "{symbol:?}");
}

/// The debug file of another build: no lines are better than wrong ones.
#[test]
fn a_debug_file_of_another_build_is_not_used() {
    for (name, build_id) in [("newer", true), ("patched", false)] {
        let path = split(name, "x.debug", true, build_id);
        let debug = path.parent().unwrap().join("x.debug");
        let other = split(&format!("{name}-other"), "x.debug", true, build_id);
        fs::copy(other.parent().unwrap().join("x.debug"), &debug).unwrap();
        if !build_id {
            // Same source, same name: only the checksum tells.
            let mut bytes = fs::read(&debug).unwrap();
            bytes.push(0);
            fs::write(&debug, bytes).unwrap();
        }
        let symbol = symbol_of_enter(&Library::open(&path));
        assert_eq!(symbol.line, None, "{symbol:?}");
    }
}

#[test]
fn a_package_of_split_debug_information_is_read() {
    let source = "
        mod deep {
            #[inline(always)]
            pub fn inner(f: extern \"C\" fn()) { f(); std::hint::black_box(1); }
        }
        #[unsafe(no_mangle)]
        pub extern \"C\" fn enter(f: extern \"C\" fn()) { deep::inner(f); std::hint::black_box(2); }";
    let options = ["-Cdebuginfo=1", "-Csplit-debuginfo=packed"];
    let path = compile_rust("packed", &options, source);
    assert!(
        path.with_extension("so.dwp").is_file(),
        "rustc has made no package"
    );
    // The object files that it was made of lie about as well.
    for file in fs::read_dir(path.parent().unwrap()).unwrap() {
        let file = file.unwrap().path();
        assert!(
            file.extension().is_none_or(|extension| extension != "dwo"),
            "{file:?}"
        );
    }

    let library = Library::open(&path);
    refresh();
    library.call("enter", capture_all);
    let stack = Stack::intern(&CAPTURED.lock().unwrap());
    let symbols = stack.symbols();
    let inner = symbols
        .iter()
        .find(|symbol| symbol.name.as_deref() == Some("packed::deep::inner"));
    assert!(
        inner.is_some_and(|inner| inner.inlined && inner.line == Some(4)),
        "{symbols:#?}"
    );
}

static CAPTURED: Mutex<Vec<usize>> = Mutex::new(Vec::new());

extern "C" fn capture_all() {
    capture(usize::MAX, &mut CAPTURED.lock().unwrap());
}
