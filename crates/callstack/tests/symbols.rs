//! Symbols through the public API: names, places, inlining, and addresses that are nothing.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use std::hint::black_box;

use callstack::{Symbol, capture, symbolize};
use support::names;

#[inline(always)]
fn inlined_leaf(limit: usize, frames: &mut Vec<usize>) -> u32 {
    capture(limit, frames);
    line!() - 1
}

#[inline(always)]
fn inlined_middle(limit: usize, frames: &mut Vec<usize>) -> u32 {
    black_box(1);
    inlined_leaf(limit, frames)
}

#[inline(never)]
fn physical(frames: &mut Vec<usize>) -> u32 {
    let limit = 0_u8;
    let line = inlined_middle(&raw const limit as usize, frames);
    black_box(2);
    line
}

#[test]
fn inlined_functions_are_expanded_innermost_first() {
    let mut frames = Vec::new();
    let line = physical(&mut frames);
    assert_eq!(frames.len(), 1);
    let symbols = symbolize(frames[0]);
    assert_eq!(
        names(&symbols),
        [
            "symbols::inlined_leaf",
            "symbols::inlined_middle",
            "symbols::physical"
        ]
    );
    assert_eq!(
        symbols
            .iter()
            .map(|symbol| symbol.inlined)
            .collect::<Vec<_>>(),
        [true, true, false]
    );
    assert_eq!(symbols[0].line, Some(line));
    assert!(symbols.iter().all(|symbol| {
        symbol
            .file
            .as_deref()
            .unwrap()
            .ends_with("tests/symbols.rs")
    }));
}

#[test]
fn an_address_that_is_nothing_has_one_unknown_symbol() {
    let on_the_stack = 0_u8;
    for address in [0, 1, 0x10, usize::MAX, &raw const on_the_stack as usize] {
        let symbols = symbolize(address);
        let [symbol] = &*symbols else {
            panic!("{symbols:?}")
        };
        let Symbol {
            name,
            file,
            line,
            column,
            inlined,
            ..
        } = &**symbol;
        assert_eq!(
            (name, file, line, column, inlined),
            (&None, &None, &None, &None, &false),
            "{address:#x}"
        );
    }
}

#[test]
fn a_return_address_behind_the_last_instruction_belongs_to_the_caller() {
    // The first address of a function is a return address only if the function before ended in a
    // call.
    let start = physical as fn(&mut Vec<usize>) -> u32 as usize;
    assert_eq!(
        names(&symbolize(start + 1)).last(),
        Some(&"symbols::physical")
    );
    assert_ne!(names(&symbolize(start)).last(), Some(&"symbols::physical"));
}

#[test]
fn a_symbol_is_looked_up_once() {
    let mut frames = Vec::new();
    physical(&mut frames);
    let [first, second] = [(); 2].map(|()| symbolize(frames[0]));
    assert!(std::sync::Arc::ptr_eq(&first, &second));
}

#[test]
fn functions_of_the_c_library_have_names_without_debug_information() {
    let getpid = libc::getpid as unsafe extern "C" fn() -> libc::pid_t;
    let names = symbolize(getpid as usize + 1);
    assert!(
        names[0].name.as_deref().unwrap().contains("getpid"),
        "{names:?}"
    );
}
