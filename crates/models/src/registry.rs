//! The pool, which is the registry, against a dump that walks it.

use std::collections::HashSet;

use loom::thread;

use crate::record::Record;
use crate::{check, pool, threads};

fn addresses(records: impl IntoIterator<Item = &'static Record>) -> HashSet<usize> {
    let records: Vec<_> = records
        .into_iter()
        .map(|record| std::ptr::from_ref(record).addr())
        .collect();
    let set: HashSet<_> = records.iter().copied().collect();
    assert_eq!(set.len(), records.len(), "none is twice");
    set
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
        let all = addresses(pool::all());
        // Every one of them can be taken, and no other was made.
        let taken = addresses((0..all.len()).map(|_| pool::take()));
        assert_eq!(taken, all);
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
        let all = addresses(pool::all());
        assert_eq!(addresses((0..all.len()).map(|_| pool::take())), all);
    });
}
