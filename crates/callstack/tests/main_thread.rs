//! The main thread: its stack has no fixed size, and it ends in `_start`. A program of its own,
//! because the test harness runs tests on other threads.

use callstack::{Completeness, UnwinderKind, capture_with};

#[inline(never)]
fn whole_stack(kind: UnwinderKind) -> (Completeness, Vec<usize>) {
    let mut frames = Vec::new();
    (capture_with(kind, usize::MAX, &mut frames), frames)
}

#[inline(never)]
fn up_to(kind: UnwinderKind, limit: usize) -> (Completeness, Vec<usize>) {
    let mut frames = Vec::new();
    (capture_with(kind, limit, &mut frames), frames)
}

fn main() {
    testkit::harness::run(&["a_stack_ends_in_the_programs_first_function"], |_| {
        the_stack_of_the_main_thread();
    });
}

fn the_stack_of_the_main_thread() {
    assert_eq!(std::thread::current().name(), Some("main"));

    let [fast, system] = [UnwinderKind::Fast, UnwinderKind::System].map(whole_stack);
    assert_eq!(fast.0, Completeness::Complete);
    let names: Vec<_> = fast
        .1
        .iter()
        .flat_map(|&ip| callstack::symbolize(ip).to_vec())
        .collect();
    let has = |name: &str| {
        names
            .iter()
            .any(|symbol| symbol.name.as_deref() == Some(name))
    };
    assert!(
        has("main_thread::whole_stack") && has("main_thread::main") && has("main"),
        "{names:#?}"
    );
    // The first two frames differ by the place of the call in a loop; the rest must be the same.
    assert_eq!(fast.1[2..], system.1[2..]);

    let local = 0_u8;
    for kind in [UnwinderKind::Fast, UnwinderKind::System] {
        let (completeness, frames) = up_to(kind, &raw const local as usize);
        assert_eq!(
            (completeness, frames.len()),
            (Completeness::Complete, 2),
            "{kind:?}"
        );
    }
}
