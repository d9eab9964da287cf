//! Libraries that come and go, and names in code that was compiled in other ways than this test.
#![cfg(all(target_os = "linux", target_pointer_width = "64"))]
#![allow(clippy::unwrap_used)]

#[path = "support/library.rs"]
mod library;
mod support;

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;

use callstack::{Completeness, Stack, capture, function_start, modules, refresh, symbolize};
use library::{Library, compile_c, compile_rust};
use support::names;

/// For as long as somebody uses `CAPTURED`: a C callback cannot be a closure.
static ALONE: Mutex<()> = Mutex::new(());
fn alone() -> MutexGuard<'static, ()> {
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

static CAPTURED: Mutex<Vec<usize>> = Mutex::new(Vec::new());

extern "C" fn capture_all() {
    let mut frames = CAPTURED.lock().unwrap();
    frames.clear();
    capture(usize::MAX, &mut frames);
}

/// With line tables only, LLVM writes no paths into the debug information: a closure is just
/// `{closure#0}`.
const LINE_TABLES_ONLY: &str = r#"
use std::hint::black_box;

mod deep {
    pub struct Worker(pub u32);

    impl Worker {
        #[inline(never)]
        pub fn run(&self, callback: extern "C" fn()) {
            inlined(callback);
            std::hint::black_box(self.0);
        }
    }

    #[inline(always)]
    fn inlined(callback: extern "C" fn()) {
        callback();
        std::hint::black_box(7);
    }
}

#[inline(never)]
fn apply(f: &dyn Fn()) {
    f();
    black_box(1);
}

#[unsafe(no_mangle)]
pub extern "C" fn enter(callback: extern "C" fn()) {
    // Hidden, or the compiler would inline the closure as well.
    let closure: &dyn Fn() = &|| {
        deep::Worker(3).run(callback);
        black_box(2);
    };
    apply(black_box(closure));
    black_box(3);
}
"#;

#[test]
fn names_keep_their_path_with_line_tables_only() {
    let path = compile_rust("lines", &["-Cdebuginfo=line-tables-only"], LINE_TABLES_ONLY);
    let library = Library::open(&path);
    refresh();
    let _alone = alone();
    library.call("enter", capture_all);
    let stack = Stack::intern(&CAPTURED.lock().unwrap());
    let symbols = stack.symbols();
    let of_library: Vec<_> = symbols
        .iter()
        .filter(|symbol| {
            symbol
                .file
                .as_deref()
                .is_some_and(|file| file.ends_with("lines.rs"))
        })
        .collect();
    let names: Vec<_> = of_library
        .iter()
        .map(|symbol| symbol.name.as_deref().unwrap())
        .collect();
    // The inlined one has lost its path, and gets that of its file; the physical ones have it from
    // the symbol table.
    assert_eq!(
        names,
        [
            "lines::inlined",
            "lines::deep::Worker::run",
            "lines::enter::{{closure}}",
            "lines::apply",
            "enter"
        ],
        "{symbols:#?}"
    );
    assert_eq!(of_library[0].line, Some(17));
    assert!(of_library[0].inlined && !of_library[1].inlined);
}

#[test]
fn names_are_whole_in_either_mangling() {
    // The compiler's default, and the one that will be it.
    let v0 = "-Csymbol-mangling-version=v0";
    for (name, options) in [
        ("plain", &["-Cdebuginfo=0"][..]),
        ("newer", &["-Cdebuginfo=0", v0]),
    ] {
        let library = Library::open(&compile_rust(name, options, LINE_TABLES_ONLY));
        refresh();
        let _alone = alone();
        library.call("enter", capture_all);
        let stack = Stack::intern(&CAPTURED.lock().unwrap());
        let symbols = stack.symbols();
        let names = names(&symbols);
        let expected = [
            format!("{name}::deep::Worker::run"),
            format!("{name}::enter::{{{{closure}}}}"),
            format!("{name}::apply"),
        ];
        for expected in &expected {
            let plain = |name: &&str| {
                name.replace(['<', '>'], "")
                    .replace("{closure#0}", "{{closure}}")
            };
            assert!(
                names.iter().any(|name| plain(name) == *expected),
                "{expected}: {names:#?}"
            );
        }
    }
}

#[test]
fn a_function_is_recognised_in_a_stripped_library() {
    let source = "__attribute__((noinline)) int own(int x) { return x * 3; }
        int other(int x) { return own(x) + own(x + 1); }";
    let path = compile_c("bare", "c", "-g0", source);
    let strip = std::process::Command::new("strip")
        .arg("--strip-all")
        .arg(&path)
        .status();
    assert!(strip.unwrap().success());
    let library = Library::open(&path);
    refresh();
    let (own, other) = (library.address("own"), library.address("other"));
    assert_eq!(function_start(own + 1), Some(own));
    assert_eq!(function_start(own + 2), Some(own));
    assert_eq!(function_start(other + 5), Some(other));
    // One is subtracted: this is the end of whatever is before.
    assert_ne!(function_start(other), Some(other));
    drop(library);
    refresh();
    assert_eq!(function_start(own + 1), None);
}

#[test]
fn cpp_names_are_demangled() {
    let source = "namespace shop { __attribute__((noinline)) void sell(void (*f)(), int) { f(); asm volatile(\"\"); } }
        extern \"C\" void enter(void (*f)()) { shop::sell(f, 3); asm volatile(\"\"); }";
    let path = compile_c("shop", "c++", "-g0", source);
    let library = Library::open(&path);
    refresh();
    let _alone = alone();
    library.call("enter", capture_all);
    let stack = Stack::intern(&CAPTURED.lock().unwrap());
    let symbols = stack.symbols();
    let names = names(&symbols);
    assert!(
        names
            .iter()
            .any(|name| name.starts_with("shop::sell(void (*)()")),
        "{names:#?}"
    );
}

/// Calls back through a frame that needs unwind tables: no frame pointer, and a stack of its own
/// size.
const CALLER: &str =
    "void enter(void (*f)(void)) { volatile char room[200]; room[7] = 1; f(); room[8] = 2; }";

#[test]
fn the_symbols_of_an_unloaded_library_are_forgotten() {
    let path = compile_c("gone", "c", "-g", CALLER);
    let _alone = alone();
    let library = Library::open(&path);
    refresh();
    let address = library.address("enter") + 1;
    let known = symbolize(address);
    assert_eq!(names(&known), ["enter"]);
    assert!(known[0].file.as_deref().unwrap().ends_with("gone.c"));
    let of_library = |modules: &[callstack::Module]| {
        modules
            .iter()
            .any(|module| module.path.ends_with("libgone.so"))
    };
    assert!(of_library(&modules()));

    drop(library);
    refresh();
    assert!(!of_library(&modules()));
    assert_eq!(names(&symbolize(address)), ["?"]);
}

#[test]
fn a_library_is_known_after_a_refresh_even_if_its_address_was_asked_for_before() {
    let path = compile_c("late", "c", "-g", CALLER);
    let _alone = alone();
    refresh();
    let library = Library::open(&path);
    let address = library.address("enter") + 1;
    assert_eq!(names(&symbolize(address)), ["?"]);
    refresh();
    assert_eq!(names(&symbolize(address)), ["enter"]);
}

#[test]
fn a_replaced_library_has_no_symbols_rather_than_wrong_ones() {
    let path = compile_c("swapped", "c", "-g", CALLER);
    let other = compile_c(
        "other",
        "c",
        "-g",
        "int before(void) { return 3; } void enter(void (*f)(void)) { f(); f(); }",
    );
    let _alone = alone();
    let library = Library::open(&path);
    refresh();
    let address = library.address("enter") + 1;
    std::fs::remove_file(&path).unwrap();
    std::fs::copy(other, &path).unwrap();
    assert_eq!(names(&symbolize(address)), ["?"]);
}

static SEEN: AtomicUsize = AtomicUsize::new(0);

extern "C" fn capture_through_library() {
    let mut frames = Vec::new();
    assert_eq!(capture(usize::MAX, &mut frames), Completeness::Complete);
    // Without the tables of the library the walk would skip its caller.
    let named = |ip: &usize, part: &str| {
        names(&symbolize(*ip))
            .iter()
            .any(|name| name.contains(part))
    };
    let known = frames
        .windows(2)
        .any(|pair| named(&pair[0], "enter") && named(&pair[1], "Library::call"));
    SEEN.fetch_add(usize::from(known), Ordering::Relaxed);
}

#[inline(never)]
fn recurse(depth: usize, limit: usize, frames: &mut Vec<usize>) -> Completeness {
    let result = if depth == 0 {
        capture(limit, frames)
    } else {
        recurse(depth - 1, limit, frames)
    };
    std::hint::black_box(depth);
    result
}

/// The library goes away between two captures of every thread, many times: neither an unwinder nor
/// a symbol lookup may read what was unmapped.
#[test]
fn captures_go_on_while_libraries_come_and_go() {
    const ROUNDS: usize = 300;
    let path = compile_c("churn", "c", "-g", CALLER);
    let _alone = alone();
    let before = SEEN.load(Ordering::Relaxed);
    let stop = AtomicBool::new(false);
    let captures = AtomicUsize::new(0);
    thread::scope(|scope| {
        for depth in 0..8 {
            let (stop, captures) = (&stop, &captures);
            scope.spawn(move || {
                let limit = 0_u8;
                let mut frames = Vec::new();
                while !stop.load(Ordering::Relaxed) {
                    frames.clear();
                    let end = recurse(depth * 5, &raw const limit as usize, &mut frames);
                    assert_eq!(end, Completeness::Complete);
                    assert!(frames.len() > depth * 5);
                    if captures.fetch_add(1, Ordering::Relaxed) % 64 == 0 {
                        let stack = Stack::intern(&frames);
                        assert!(stack.symbols().iter().all(|symbol| symbol.name.is_some()));
                    }
                }
            });
        }
        for _ in 0..ROUNDS {
            let library = Library::open(&path);
            refresh();
            library.call("enter", capture_through_library);
            drop(library);
            refresh();
        }
        stop.store(true, Ordering::Relaxed);
    });
    assert_eq!(SEEN.load(Ordering::Relaxed) - before, ROUNDS);
    assert!(captures.load(Ordering::Relaxed) > 8);
}
