//! Folds the frames of the runtime at the root of a stack into one frame.
//!
//! The path from the start of a thread to the first function of the program is some thirty frames
//! of std and tokio, the same in every stack. Owned here: the table of function names that count as
//! such, and the walk from the root. Not here: which profiles are folded (`taskprof`), how a frame
//! gets its names (`callstack`).

use std::collections::HashMap;
use std::sync::Arc;

use callstack::Symbol;

use super::Frame;

/// The name of the frame that stands for the frames of the runtime.
pub const RUNTIME: &str = "runtime";

/// Paths that are machinery when nothing but machinery is between them and the root.
///
/// Not whole crates: a future of tokio's, such as `tokio::time::sleep`, is work that somebody
/// spawned, and so is a sort of `core`'s.
const MACHINERY: &[&str] = &[
    "alloc::boxed::",
    "core::future::future::",
    "core::ops::function::",
    "core::panic::unwind_safe::",
    "core::pin::",
    "std::panic::",
    "std::panicking::",
    "std::rt::",
    "std::sys::backtrace::",
    "std::sys::pal::unix::thread::",
    "std::sys::thread::",
    "std::sys::thread_local::",
    "std::sys_common::backtrace::",
    "std::thread::",
    "tokio::loom::",
    "tokio::macros::scoped_tls::",
    "tokio::runtime::",
    "tokio::task::coop::",
    "tokio::task::local::",
    "tokio::util::",
];

/// Crates that wrap futures of others. Their functions with one of [`WRAPS`] in their name are
/// machinery, their threads are not.
const WRAPPERS: &[&str] = &["taskscope::", "taskscope_core::"];
const WRAPS: &[&str] = &["::instrument::", "::record::", "poll", "spawn"];

/// Functions of C between the kernel and Rust, without the underscores before them. Machinery only
/// if a function of Rust's machinery follows, because a program that is not written in Rust may
/// have a `main` and a `thread_start` of its own.
const C_ENTRY: &[&str] = &[
    "clone",
    "clone3",
    "libc_start_call_main",
    "libc_start_main",
    "libc_start_main_impl",
    "main",
    "pthread_start",
    "rust_try",
    "start",
    "start_thread",
    "thread_start",
];

/// Functions without a name that may precede Rust's machinery: those of a stripped C library.
const NAMELESS: usize = 3;

/// Folds stacks, and remembers what addresses are.
#[derive(Debug, Default)]
pub struct RuntimeFrames {
    known: HashMap<usize, Part>,
}

/// How much of a frame belongs to the runtime.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    /// All of its functions.
    Whole,
    /// The functions from this one outwards; into the outermost of them those of the program were
    /// inlined.
    From(usize),
    /// It has no name, or that of a function of C that is called first.
    Entry { is_named: bool },
    /// Nothing.
    None,
}

impl RuntimeFrames {
    /// Nothing is known yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Replaces the frames of the runtime at the root of a stack, leaf first, by one frame
    /// [`RUNTIME`], and says whether there were any.
    ///
    /// Everything from the first function of the program on stays as it is, machinery that it calls
    /// included. Functions that were inlined into one of the runtime's become frames without an
    /// address. Looks up names, which takes long the first time.
    pub fn fold(&mut self, stack: &mut Vec<Frame>) -> bool {
        let mut nameless = 0;
        // The first frame of the runtime, and how many functions of it are the program's.
        let mut first = None;
        for at in (0..stack.len()).rev() {
            match self.part(&stack[at]) {
                Part::Whole => first = Some((at, 0)),
                Part::From(inlined) => {
                    first = Some((at, inlined));
                    break;
                }
                Part::Entry { is_named: true } => {}
                Part::Entry { is_named: false } if nameless < NAMELESS && first.is_none() => {
                    nameless += 1;
                }
                Part::Entry { .. } | Part::None => break,
            }
        }
        let Some((at, inlined)) = first else {
            return false;
        };
        let mut kept = Vec::new();
        if let Frame::Address(address) = stack[at] {
            let symbols = callstack::symbolize(address);
            kept.extend(symbols.iter().take(inlined).map(|symbol| named(symbol)));
        }
        stack.truncate(at);
        stack.append(&mut kept);
        stack.push(Frame::named(RUNTIME));
        true
    }

    fn part(&mut self, frame: &Frame) -> Part {
        match frame {
            Frame::Named { name, .. } => part(&[Some(name)]),
            Frame::Address(address) => *self.known.entry(*address).or_insert_with(|| {
                let symbols = callstack::symbolize(*address);
                let names: Vec<Option<&str>> = symbols
                    .iter()
                    .map(|symbol| symbol.name.as_deref())
                    .collect();
                part(&names)
            }),
        }
    }
}

/// The part of a frame with these functions, innermost first.
fn part(names: &[Option<&str>]) -> Part {
    let outer = names.iter().rev();
    let machinery = outer
        .take_while(|name| name.is_some_and(is_machinery))
        .count();
    match (names.len() - machinery, names) {
        (0, [_, ..]) => Part::Whole,
        (inlined, _) if machinery > 0 => Part::From(inlined),
        (_, [None]) => Part::Entry { is_named: false },
        (_, [Some(name)]) if is_c_entry(name) => Part::Entry { is_named: true },
        _ => Part::None,
    }
}

fn named(symbol: &Symbol) -> Frame {
    Frame::Named {
        name: symbol.name.clone().unwrap_or_else(|| Arc::from("")),
        file: symbol.file.clone(),
        line: symbol.line,
    }
}

fn is_c_entry(name: &str) -> bool {
    // glibc's names of its own functions for itself, and with their version.
    let name = name.strip_prefix("__GI_").unwrap_or(name);
    let name = name.split_once('@').map_or(name, |(name, _)| name);
    C_ENTRY.contains(&name.trim_start_matches('_'))
}

/// Whether a function with this name runs what others have spawned.
fn is_machinery(name: &str) -> bool {
    let path = owner(name);
    let begins_with = |prefixes: &[&str]| prefixes.iter().any(|prefix| path.starts_with(prefix));
    begins_with(MACHINERY) || begins_with(WRAPPERS) && WRAPS.iter().any(|part| name.contains(part))
}

/// The path that says whose a function is: of a method the type, of a blanket implementation the
/// trait.
///
/// ```text
/// <tokio::runtime::task::core::Core<F, S>>::poll              tokio::runtime::task::core::Core…
/// <orders::Basket as core::future::future::Future>::poll      orders::Basket…
/// <F as core::future::future::Future>::poll                   core::future::future::Future…
/// ```
fn owner(name: &str) -> &str {
    let Some(inside) = name.strip_prefix('<') else {
        return name;
    };
    let mut own = inside;
    loop {
        let before = own;
        for mark in ["&", "mut ", "*const ", "*mut ", "dyn ", "(", "[", "impl "] {
            own = own.strip_prefix(mark).unwrap_or(own);
        }
        if own == before {
            break;
        }
    }
    let end = own.find(|c: char| !c.is_alphanumeric() && c != '_' && c != ':');
    let is_path = own[..end.unwrap_or(own.len())].contains("::");
    match after_as(inside) {
        Some(of_trait) if !is_path => of_trait,
        _ => own,
    }
}

/// The trait in `Type as Trait>::method`, of which `text` is all after the first `<`.
fn after_as(text: &str) -> Option<&str> {
    let mut depth = 0_usize;
    for (at, c) in text.char_indices() {
        match c {
            '<' | '(' | '[' => depth += 1,
            // The arrow of a function's type is no bracket.
            '>' if text[..at].ends_with('-') => {}
            '>' | ')' | ']' if depth == 0 => return None,
            '>' | ')' | ']' => depth -= 1,
            ' ' if depth == 0 => {
                if let Some(of_trait) = text[at..].strip_prefix(" as ") {
                    return Some(of_trait);
                }
            }
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    const OF_THE_RUNTIME: &[&str] = &[
        // Legacy mangling.
        "std::sys::thread::unix::Thread::new::thread_start",
        "<alloc::boxed::Box<F,A> as core::ops::function::FnOnce<Args>>::call_once",
        "core::ops::function::FnOnce::call_once{{vtable.shim}}",
        "std::thread::lifecycle::spawn_unchecked::{{closure}}::{{closure}}",
        "std::sys::backtrace::__rust_begin_short_backtrace",
        "<core::panic::unwind_safe::AssertUnwindSafe<F> as core::ops::function::FnOnce<()>>::call_once",
        "tokio::runtime::task::core::Core<T,S>::poll::{{closure}}",
        "<tokio::runtime::blocking::task::BlockingTask<T> as core::future::future::Future>::poll",
        "<F as core::future::future::Future>::poll",
        "<core::pin::Pin<P> as core::future::future::Future>::poll",
        "tokio::task::coop::budget",
        "<taskscope::instrument::Instrumented<F> as core::future::future::Future>::poll",
        "taskscope_core::record::poll::poll",
        "taskscope::record::waker::<impl taskscope::record::Record>::with_waker",
        "taskscope::spawn::blocking::spawn_blocking_named::{{closure}}",
        // v0 mangling, which names the types of the program.
        "<tokio::runtime::task::core::Core<orders::main::{closure#0}, alloc::sync::Arc<tokio::runtime::scheduler::multi_thread::handle::Handle>>>::poll::{closure#0}",
        "std::panicking::catch_unwind::do_call::<core::panic::unwind_safe::AssertUnwindSafe<orders::work>, ()>",
        "<alloc::boxed::Box<dyn core::ops::function::FnOnce<(), Output = orders::Basket>> as core::ops::function::FnOnce<()>>::call_once",
        "<core::pin::Pin<&mut orders::main::{closure#0}> as core::future::future::Future>::poll",
        "<taskscope::instrument::Instrumented<orders::audit::{closure#0}> as core::future::future::Future>::poll",
    ];

    const OF_THE_PROGRAM: &[&str] = &[
        "orders::main",
        "orders::main::{{closure}}",
        "orders::main::{closure#0}",
        "<orders::Basket<[u64; 4]> as orders::Price>::price",
        "<orders::Basket as core::future::future::Future>::poll",
        "<orders::Basket<tokio::runtime::Handle> as core::ops::function::FnOnce<()>>::call_once",
        "<&mut orders::Basket as core::future::future::Future>::poll",
        "<&tokio_orders::runtime::Basket as core::ops::function::Fn<()>>::call",
        "<F as orders::Price>::price",
        "<fn(u64) -> tokio::runtime::Handle as orders::Price>::price",
        "tokio_app::runtime::run",
        "my::tokio::runtime::run",
        "std_detours::rt::run",
        "taskscope_shop::spawn::poll",
        // Work that somebody spawned, in crates that have machinery, too.
        "<tokio::time::sleep::Sleep as core::future::future::Future>::poll",
        "tokio::sync::mpsc::chan::Rx<T,S>::recv",
        "<tokio::io::util::copy::Copy<R,W> as core::future::future::Future>::poll",
        "core::slice::sort::stable::sort",
        "std::sync::mutex::Mutex<T>::lock",
        "std::io::Write::write_all",
        // A thread of ours is work as well.
        "taskscope_core::maintenance::run",
        "hyper::proto::h1::dispatch::Dispatcher<D,Bs,I,T>::poll_catch",
        "malloc",
        "",
    ];

    #[test]
    fn machinery_is_known_by_its_name_and_functions_of_the_program_never_are() {
        for name in OF_THE_RUNTIME {
            assert!(is_machinery(name), "{name}: {}", owner(name));
        }
        for name in OF_THE_PROGRAM {
            assert!(!is_machinery(name), "{name}: {}", owner(name));
        }
    }

    fn folded(names: &[&str]) -> Vec<String> {
        // Written root first, as they are read.
        let mut stack = names.iter().rev().map(|name| Frame::named(*name)).collect();
        RuntimeFrames::new().fold(&mut stack);
        let names = stack.iter().rev().map(|frame| match frame {
            Frame::Named { name, .. } => name.to_string(),
            Frame::Address(address) => format!("{address:#x}"),
        });
        names.collect()
    }

    #[test]
    fn only_what_is_between_the_root_and_the_first_function_of_the_program_is_folded() {
        let worker = [
            "__GI___clone3",
            "start_thread",
            "std::thread::spawn",
            "tokio::runtime::task::raw::poll",
        ];
        let of_task = [
            "taskscope::instrument::poll",
            "orders::work",
            "tokio::runtime::task::raw::wake",
        ];
        let with_task: Vec<&str> = worker.iter().chain(&of_task).copied().collect();
        assert_eq!(
            folded(&with_task),
            ["runtime", "orders::work", "tokio::runtime::task::raw::wake"]
        );
        let sleep = "<tokio::time::sleep::Sleep as core::future::future::Future>::poll";
        let with_sleep: Vec<&str> = worker
            .iter()
            .copied()
            .chain([sleep, "tokio::runtime::time::poll_elapsed"])
            .collect();
        assert_eq!(
            folded(&with_sleep),
            ["runtime", sleep, "tokio::runtime::time::poll_elapsed"]
        );
        assert_eq!(folded(&worker), ["runtime"]);
        assert_eq!(
            folded(&[
                "_start",
                "__libc_start_main@@GLIBC_2.34",
                "main",
                "std::rt::lang_start",
                "orders::main",
                "tokio::runtime::block_on"
            ]),
            ["runtime", "orders::main", "tokio::runtime::block_on"]
        );
    }

    #[test]
    fn a_stack_without_machinery_at_its_root_stays_as_it_is() {
        for stack in [
            &["main", "work"][..],
            &["start_thread", "thread_start", "work", "std::thread::spawn"],
            &["orders::main", "tokio::runtime::block_on"],
            &["(callers unknown)", "std::rt::lang_start", "orders::main"],
            &[],
        ] {
            assert_eq!(folded(stack), stack);
        }
    }

    #[test]
    fn functions_that_were_inlined_into_machinery_are_told_from_it() {
        let all = |names: &[&'static str]| names.iter().map(|name| Some(*name)).collect::<Vec<_>>();
        let inlined = all(&[
            "core::num::add",
            "orders::work",
            "taskscope::poll",
            "tokio::runtime::poll",
        ]);
        assert_eq!(part(&inlined), Part::From(2));
        assert_eq!(part(&inlined[2..]), Part::Whole);
        assert_eq!(part(&inlined[..2]), Part::None);
        assert_eq!(part(&[None]), Part::Entry { is_named: false });
        assert_eq!(part(&[None, Some("tokio::runtime::poll")]), Part::From(1));
        assert_eq!(part(&[]), Part::None);
    }
}
