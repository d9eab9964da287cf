//! Stacks lead to the code that allocates, without the frames of the allocator.

use std::thread;

use callstack::{Completeness, heap, symbolize};

use crate::{Turn, held_by_stack, own_label};

#[inline(never)]
fn allocates() -> Vec<u8> {
    std::hint::black_box(vec![1_u8; 3000])
}

#[inline(never)]
fn grows(block: &mut Vec<u8>) {
    block.reserve_exact(9000);
    std::hint::black_box(block);
}

fn names(addresses: &[usize]) -> Vec<String> {
    addresses
        .iter()
        .flat_map(|address| symbolize(*address).to_vec())
        .map(|symbol| symbol.name.as_deref().unwrap_or("?").to_owned())
        .collect()
}

#[track_caller]
fn assert_leads_to(number: u64, function: &str) {
    let stacks = held_by_stack(number);
    // Looking up names allocates, too; that is not part of the test.
    crate::LABEL.set(0);
    let (&stack, _) = stacks
        .iter()
        .max_by_key(|(_, weight)| weight.bytes())
        .unwrap();
    let frames = heap::frames(stack);
    assert_eq!(frames.completeness, Completeness::Complete);
    let names = names(&frames.addresses);
    assert!(
        names.iter().any(|name| name.ends_with(function)),
        "{names:#?}"
    );
    crate::LABEL.set(number);
    for own in [
        "heap::allocator",
        "heap::linux",
        "__rust_alloc",
        "__rustc::",
        "__rg_",
    ] {
        let shown = names.iter().find(|name| name.contains(own));
        assert_eq!(shown, None, "{names:#?}");
    }
}

#[test]
fn the_stack_of_an_allocation_begins_where_it_was_asked_for() {
    let _turn = Turn::with_rate(1);
    let number = own_label();
    let mut block = allocates();
    assert_leads_to(number, "stacks::allocates");
    grows(&mut block);
    assert_leads_to(number, "stacks::grows");
}

#[test]
fn a_deep_stack_is_cut_at_its_root_and_says_so() {
    #[inline(never)]
    fn descend(left: usize) -> Vec<u8> {
        if left == 0 {
            return allocates();
        }
        let deeper = descend(left - 1);
        std::hint::black_box(left);
        deeper
    }
    let _turn = Turn::with_rate(1);
    let (number, block) = thread::Builder::new()
        .stack_size(16 << 20)
        .spawn(|| (own_label(), descend(3000)))
        .unwrap()
        .join()
        .unwrap();
    let stacks = held_by_stack(number);
    let (&stack, _) = stacks
        .iter()
        .max_by_key(|(_, weight)| weight.bytes())
        .unwrap();
    let frames = heap::frames(stack);
    assert_eq!(frames.completeness, Completeness::Truncated);
    assert!(frames.addresses.len() > 1000);
    drop(block);
}

// The walk needs more of the stack than is there: it is left out, and nothing else is.
#[test]
fn a_thread_with_a_small_stack_is_sampled_without_one() {
    let _turn = Turn::with_rate(1);
    let before = heap::dropped();
    let (number, block) = thread::Builder::new()
        .stack_size(48 << 10)
        .spawn(|| (own_label(), allocates()))
        .unwrap()
        .join()
        .unwrap();
    assert_eq!(crate::held(number).bytes(), 3000);
    if cfg!(debug_assertions) {
        assert!(heap::dropped().no_stack > before.no_stack);
        let stacks = held_by_stack(number);
        let stack = stacks.keys().next().unwrap();
        assert_eq!(heap::frames(*stack).addresses, []);
    }
    drop(block);
}
