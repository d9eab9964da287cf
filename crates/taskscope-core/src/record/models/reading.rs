//! The last stack of a task: set by polls, read by dumps, taken out with the record.

use loom::thread;

use super::Record;
use super::stack::{Stack, Watch, stack};
use crate::models::check;
use crate::pool;
use crate::record::last_stack::LastStack;

fn leaked() -> &'static LastStack<Stack> {
    Box::leak(Box::new(LastStack::new()))
}

/// Sets a new stack. It is dropped at once if it was not taken.
fn set(last: &LastStack<Stack>, number: u32) -> (bool, Watch) {
    let (new, watch) = stack(number);
    let kept = last.set(Some(new));
    if !kept {
        assert!(watch.is_dropped(), "given up");
    }
    (kept, watch)
}

/// Nobody else is there any more: what was kept last is in there, and nothing else is left.
fn settled(last: &LastStack<Stack>, watches: &[(bool, Watch)]) {
    let kept = watches.iter().rposition(|(kept, _)| *kept);
    for (at, (_, watch)) in watches.iter().enumerate() {
        assert_eq!(watch.is_dropped(), Some(at) != kept);
    }
    // SAFETY: all threads have been joined.
    drop(unsafe { last.take() });
    assert!(watches.iter().all(|(_, watch)| watch.is_dropped()));
    // SAFETY: as above.
    assert!(unsafe { last.take() }.is_none(), "taken once");
}

#[test]
fn a_poll_that_sets_beside_a_reader_drops_what_nobody_reads() {
    check(|| {
        let last = leaked();
        let first = set(last, 1);
        assert!(first.0);
        let reader = thread::spawn(move || {
            let one = last.read(|stack| stack.look()).unwrap();
            let two = last.read(|stack| stack.look()).unwrap();
            assert!(one <= two, "{two} after {one}");
        });
        let second = set(last, 2);
        // The one before is nobody's any more, at once.
        assert_eq!(first.1.is_dropped(), second.0);
        let third = set(last, 3);
        reader.join().unwrap();
        settled(last, &[first, second, third]);
    });
}

#[test]
fn two_readers_wait_for_each_other_and_a_poll_for_neither() {
    check(|| {
        let last = leaked();
        let first = set(last, 1);
        let read = move || {
            let seen = last.read(|stack| stack.look());
            assert!(matches!(seen, Some(1 | 2)), "{seen:?}");
        };
        let one = thread::spawn(read);
        let two = thread::spawn(read);
        let second = set(last, 2);
        assert_eq!(first.1.is_dropped(), second.0);
        one.join().unwrap();
        two.join().unwrap();
        settled(last, &[first, second]);
    });
}

#[test]
fn a_poll_that_finds_nothing_takes_the_stack_away_from_nobody() {
    check(|| {
        let last = leaked();
        let first = set(last, 1);
        let reader = thread::spawn(move || {
            let seen = last.read(|stack| stack.look());
            assert!(matches!(seen, None | Some(1)), "{seen:?}");
        });
        let cleared = last.set(None);
        assert_eq!(first.1.is_dropped(), cleared);
        reader.join().unwrap();
        // SAFETY: the reader has been joined.
        assert_eq!(unsafe { last.take() }.is_none(), cleared);
        assert!(first.1.is_dropped());
    });
}

#[test]
fn a_stack_goes_with_its_record_and_the_link_of_a_free_one_is_never_read() {
    check(|| {
        let record = Record::leaked();
        record.publish(7);
        // So that the link of the record is not null when it is free.
        pool::put(Record::leaked());
        let dump = thread::spawn(move || {
            if let Some(hold) = record.try_hold() {
                let seen = hold.0.last_stack.read(|stack| stack.look());
                assert!(matches!(
                    (hold.meta(), seen),
                    (7, None | Some(1)) | (8, None)
                ));
            }
        });
        let (kept, watch) = set(&record.last_stack, 1);
        assert!(kept, "nobody reads null");
        if record.finish().last {
            assert!(watch.is_dropped());
            assert!(std::ptr::eq(pool::take(), record));
            record.publish(8);
            dump.join().unwrap();
            record.finish();
        } else {
            dump.join().unwrap();
        }
        assert!(watch.is_dropped());
        assert!(!record.state.is_in_use());
    });
}

#[test]
fn the_end_of_a_chosen_wait_gets_the_stack_or_goes_on_and_drops_nothing_under_a_dump() {
    check(|| {
        let last = leaked();
        let first = set(last, 1);
        let reader = thread::spawn(move || {
            let seen = last.read(|stack| stack.look());
            assert!(matches!(seen, Some(1 | 2)), "{seen:?}");
        });
        // The poller: the wait that ends keeps the stack for itself, and the next capture takes its
        // place.
        let got = last.try_get().ok().map(|stack| stack.unwrap());
        let second = set(last, 2);
        if let Some(stack) = &got {
            assert_eq!(stack.look(), 1);
        }
        let alive = got.is_some() || !second.0;
        assert_eq!(first.1.is_dropped(), !alive);
        drop(got);
        assert_eq!(first.1.is_dropped(), second.0);
        reader.join().unwrap();
        settled(last, &[first, second]);
    });
}
