//! A reference to a task, against the record's next task.

use std::sync::atomic::Ordering;

use loom::thread;

use super::{Hold, Record};
use crate::models::check;
use crate::{pool, threads};

/// Does what `TaskRef::hold` does.
fn hold(record: &'static Record, serial: u32) -> Option<Hold> {
    let current = || record.serial.load(Ordering::Relaxed) == serial;
    let hold = current().then(|| record.try_hold())??;
    current().then_some(hold)
}

#[test]
fn a_detached_mark_never_falls_on_the_next_task() {
    check(|| {
        let record = Record::leaked();
        record.publish(7);
        let serial = record.serial.load(Ordering::Relaxed);
        let handle = thread::spawn(move || {
            if let Some(hold) = hold(record, serial) {
                assert_eq!(hold.meta(), 7);
                hold.0.detached_at.store(1, Ordering::Relaxed);
            }
        });
        if record.finish().last {
            assert!(std::ptr::eq(pool::take(), record));
            record.publish(8);
            handle.join().unwrap();
            assert_eq!(record.detached_at.load(Ordering::Relaxed), 0);
            record.finish();
        } else {
            handle.join().unwrap();
        }
        assert!(!record.state.is_in_use());
    });
}

#[test]
fn a_reference_never_meets_a_task_whose_record_was_given_back_meanwhile() {
    check(|| {
        let record = pool::take();
        record.publish(7);
        let serial = record.serial.load(Ordering::Relaxed);
        let handle = thread::spawn(move || {
            for _ in 0..2 {
                if let Some(hold) = hold(record, serial) {
                    assert_eq!(hold.meta(), 7);
                }
            }
            pool::give_back(threads::slot());
        });
        record.finish();
        pool::give_back(threads::slot());
        pool::trim();
        pool::trim();
        let discarded = record.serial.load(Ordering::Relaxed) == 0;
        let again = pool::take();
        again.publish(8);
        handle.join().unwrap();
        if std::ptr::eq(again, record) {
            assert!(again.serial.load(Ordering::Relaxed) > serial, "{discarded}");
        }
        assert!(hold(record, serial).is_none());
        again.finish();
        pool::give_back(threads::slot());
    });
}
