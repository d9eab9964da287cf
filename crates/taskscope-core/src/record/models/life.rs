//! The life of a record: wakers, the end of the task, and dumps that look.

use std::sync::Arc;
use std::task::Waker;

use loom::thread;

use super::executor;
use super::{Record, Ref};
use crate::models::check;
use crate::pool;
use crate::record::waker::Identity;

/// A published record of a task that has been polled once, and a waker of it.
fn suspended(record: &'static Record, meta: u32) -> Waker {
    record.publish(meta);
    let executor = executor::waker(&Arc::default());
    // SAFETY: the borrow ends before `executor` does.
    assert!(unsafe { record.executor.lend(&executor) });
    record.with_waker(Identity::Capturing, Waker::clone)
}

#[test]
fn the_last_of_wakers_end_and_dump_recycles_once_and_nobody_else_is_there() {
    check(|| {
        let record = Record::leaked();
        let first = suspended(record, 7);
        let second = first.clone();
        let one = thread::spawn(move || first.wake());
        let two = thread::spawn(move || {
            if let Some(hold) = record.try_hold() {
                assert_eq!(hold.meta(), 7);
            }
            drop(second);
        });
        record.finish();
        one.join().unwrap();
        two.join().unwrap();
        assert_eq!(record.recycled(), 1);
        assert!(!record.state.is_in_use());
    });
}

#[test]
fn a_dump_sees_either_life_of_a_record_and_never_between() {
    check(|| {
        let record = Record::leaked();
        record.publish(7);
        let dump = thread::spawn(move || {
            for _ in 0..2 {
                if let Some(hold) = record.try_hold() {
                    let meta = hold.meta();
                    assert!(meta == 7 || meta == 8, "{meta}");
                    // Still the same one: a hold keeps it.
                    assert_eq!(hold.meta(), meta);
                }
            }
        });
        // The task's own look, such as a poll's, is over before anybody recycles.
        assert_eq!(record.meta(), 7);
        if record.finish().last {
            // The list is last in, first out, so that this is the same record.
            assert!(std::ptr::eq(pool::take(), record));
            record.publish(8);
            record.finish();
        }
        dump.join().unwrap();
        assert!(!record.state.is_in_use());
    });
}

#[test]
fn a_task_that_ended_is_not_held_again_while_its_wakers_live() {
    check(|| {
        let record = Record::leaked();
        record.publish(7);
        record.state.retain(Ref::Waker);
        let dump = thread::spawn(move || {
            let late = record.state.is_finished();
            let held = record.try_hold().map(|hold| hold.meta());
            assert!(!(late && held.is_some()));
        });
        assert!(!record.finish().last);
        dump.join().unwrap();
        assert_eq!(record.recycled(), 0);
        record.release(Ref::Waker);
        assert_eq!(record.recycled(), 1);
    });
}
