//! Marks for a capture: set, taken away, and the end of the task, in all orders.

use loom::sync::Arc;
use loom::thread;

use super::Record;
use crate::models::check;
use crate::pending_captures;
use crate::sync::atomic::AtomicUsize;

/// Does what `capture::request` does. True: no mark was left by it.
fn request(count: &AtomicUsize, record: &'static Record) -> u32 {
    let Some(hold) = record.try_hold() else {
        return 0;
    };
    u32::from(pending_captures::set(count, || hold.0.state.request()).last)
}

/// Does what `capture::withdraw` does, with a hold.
fn withdraw(count: &AtomicUsize, record: &'static Record) -> u32 {
    u32::from(record.state.withdraw() && pending_captures::count_off(count))
}

/// Does what the drop of a `TaskGuard` does.
fn finish(count: &AtomicUsize, record: &'static Record) -> u32 {
    u32::from(record.finish().requested && pending_captures::count_off(count))
}

fn settled(count: &AtomicUsize, record: &'static Record) {
    assert!(!record.state.is_requested(), "no mark stays behind");
    assert_eq!(
        count.load(std::sync::atomic::Ordering::Relaxed),
        0,
        "each is counted off once"
    );
    assert_eq!(record.recycled(), 1);
}

#[test]
fn two_dumps_that_ask_and_a_task_that_ends_leave_no_mark() {
    check(|| {
        let (record, count) = (Record::leaked(), Arc::new(AtomicUsize::new(0)));
        record.publish(7);
        let dump = |count: Arc<AtomicUsize>| move || request(&count, record);
        let one = thread::spawn(dump(Arc::clone(&count)));
        let two = thread::spawn(dump(Arc::clone(&count)));
        finish(&count, record);
        one.join().unwrap();
        two.join().unwrap();
        settled(&count, record);
    });
}

#[test]
fn a_dump_that_gives_up_and_a_poll_and_the_end_take_a_mark_away_once() {
    check(|| {
        let (record, count) = (Record::leaked(), Arc::new(AtomicUsize::new(0)));
        record.publish(7);
        let dump = {
            let count = Arc::clone(&count);
            thread::spawn(move || match record.try_hold() {
                Some(hold) => {
                    let asked = pending_captures::set(&count, || hold.0.state.request());
                    u32::from(asked.last) + withdraw(&count, record)
                }
                None => 0,
            })
        };
        // A poll that captures, and the end.
        let mut last = 0;
        if record.state.is_requested() {
            last += withdraw(&count, record);
        }
        last += finish(&count, record);
        last += dump.join().unwrap();
        settled(&count, record);
        assert!(last <= 1, "said once that none is left");
    });
}
