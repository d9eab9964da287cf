//! The pool, which is the registry, against a dump that walks it.

use std::collections::HashSet;

use loom::thread;

use crate::models::check;
use crate::record::Record;
use crate::{pool, threads};

fn addresses(records: impl IntoIterator<Item = &'static Record>) -> HashSet<usize> {
    let records: Vec<_> = records
        .into_iter()
        .map(|record| std::ptr::from_ref(record).addr())
        .collect();
    let set: HashSet<_> = records.iter().copied().collect();
    assert_eq!(set.len(), records.len(), "none is twice");
    set
}

/// Takes as many records as there are: each of them can be taken once, and no other is made.
fn take_all() {
    let exist = pool::counts().0;
    let taken = addresses((0..exist).map(|_| pool::take()));
    assert_eq!(taken, addresses(pool::all()));
    assert_eq!(pool::counts().0, exist);
}

/// Starts a task, ends it, and gives back what the thread kept, as a thread that ends does.
fn work(meta: u32) {
    let record = pool::take();
    record.publish(meta);
    record.end();
    pool::give_back(threads::slot());
}

#[test]
fn threads_that_start_and_end_tasks_beside_a_dump_lose_no_record() {
    check(|| {
        let other = thread::spawn(|| work(1));
        let dump = thread::spawn(|| {
            for hold in pool::live() {
                assert!((1..=2).contains(&hold.meta()));
            }
            pool::give_back(threads::slot());
        });
        work(2);
        other.join().unwrap();
        dump.join().unwrap();
        take_all();
    });
}

#[test]
fn two_threads_never_get_the_same_record() {
    check(|| {
        let take = || {
            let (one, two, three) = (pool::take(), pool::take(), pool::take());
            pool::put(two);
            pool::give_back(threads::slot());
            [one, three]
        };
        let other = thread::spawn(take);
        let mine = take();
        let taken = addresses(mine.into_iter().chain(other.join().unwrap()));
        assert_eq!(taken.len(), 4);
    });
}

#[test]
fn a_full_list_spills_and_loses_none() {
    check(|| {
        let records: Vec<_> = (0..5).map(|_| pool::take()).collect();
        let other = thread::spawn(|| {
            let record = pool::take();
            pool::put(record);
            pool::give_back(threads::slot());
        });
        for record in records {
            pool::put(record);
        }
        other.join().unwrap();
        take_all();
    });
}

#[test]
fn memory_that_is_given_back_beside_a_dump_and_a_task_loses_no_record() {
    check(|| {
        work(1);
        let trim = thread::spawn(|| {
            pool::trim();
            pool::trim();
        });
        let dump = thread::spawn(|| {
            for hold in pool::live() {
                assert_eq!(hold.meta(), 2);
            }
            pool::give_back(threads::slot());
        });
        work(2);
        trim.join().unwrap();
        dump.join().unwrap();
        assert_eq!(pool::counts().1, 0);
        take_all();
    });
}
