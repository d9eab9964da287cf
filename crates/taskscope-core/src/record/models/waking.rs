//! The executor's waker: lent, kept by the first clone of ours, and given up with the record.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::Waker;

use loom::thread;

use super::Record;
use super::executor::{self, Seen};
use crate::models::check;
use crate::record::waker::Identity;

/// A waker of ours that two threads borrow from one poll. The poll does not end before they have
/// been joined.
#[derive(Clone, Copy)]
struct Borrowed(&'static Waker);

/// Polls once: `other` on another thread and `own` on this one have the poll's waker. Then the
/// executor's waker ends, and with the task and the wakers that they took the record.
fn poll(
    seen: &Arc<Seen>,
    own: fn(&Waker) -> Option<Waker>,
    other: fn(&Waker) -> Option<Waker>,
    identity: Identity,
) {
    let record = Record::leaked();
    record.publish(7);
    let executor = executor::waker(seen);
    // SAFETY: both threads are done before `executor` ends.
    assert!(unsafe { record.executor.lend(&executor) });
    let (mine, theirs) = record.with_waker(identity, |waker| {
        // SAFETY: the other thread is joined in here.
        let borrowed = Borrowed(unsafe { &*std::ptr::from_ref(waker) });
        let other = thread::spawn(move || {
            let Borrowed(waker) = borrowed;
            other(waker)
        });
        let mine = own(waker);
        (mine, other.join().unwrap())
    });
    // The loan is over.
    drop(executor);
    let other = thread::spawn(move || {
        if let Some(waker) = theirs {
            waker.wake();
        }
    });
    if let Some(waker) = mine {
        waker.wake_by_ref();
        drop(waker);
    }
    record.finish();
    other.join().unwrap();
    assert_eq!(record.recycled(), 1);
    assert!(record.executor.kept().is_none());
    let (clones, drops) = (&seen.clones, &seen.drops);
    assert_eq!(
        drops.load(Ordering::Relaxed),
        clones.load(Ordering::Relaxed) + 1
    );
}

#[test]
fn two_first_clones_at_once_keep_one_waker() {
    check(|| {
        let seen = Arc::default();
        let take = |waker: &Waker| Some(waker.clone());
        poll(&seen, take, take, Identity::Capturing);
        assert_eq!(seen.clones.load(Ordering::Relaxed), 1);
        assert_eq!(seen.wakes.load(Ordering::Relaxed), 2);
    });
}

#[test]
fn a_wake_by_reference_during_the_first_clone_arrives() {
    check(|| {
        let seen = Arc::default();
        let wake = |waker: &Waker| {
            waker.wake_by_ref();
            None
        };
        poll(&seen, wake, |waker| Some(waker.clone()), Identity::Plain);
        assert_eq!(seen.wakes.load(Ordering::Relaxed), 2);
    });
}

#[test]
fn a_clone_that_panics_leaves_the_loan_to_others() {
    check(|| {
        let seen: Arc<Seen> = Arc::default();
        seen.panics.store(true, Ordering::Relaxed);
        // Whichever of the two is first panics, and tries again.
        let take = |waker: &Waker| {
            let taken = catch_unwind(AssertUnwindSafe(|| waker.clone()));
            Some(taken.unwrap_or_else(|_| waker.clone()))
        };
        poll(&seen, take, take, Identity::Plain);
        assert_eq!(seen.clones.load(Ordering::Relaxed), 1);
        assert_eq!(seen.wakes.load(Ordering::Relaxed), 2);
    });
}

#[test]
fn a_dump_that_wakes_finds_the_waker_whole_or_none() {
    check(|| {
        let seen = Arc::default();
        let record = Record::leaked();
        record.publish(7);
        let dump = thread::spawn(move || {
            // As `Record::nudge` does.
            if let Some(hold) = record.try_hold()
                && let Some(waker) = hold.0.executor.kept()
            {
                waker.wake_by_ref();
            }
        });
        let executor = executor::waker(&seen);
        // SAFETY: the borrow ends before `executor` does.
        assert!(unsafe { record.executor.lend(&executor) });
        drop(record.with_waker(Identity::Plain, Waker::clone));
        drop(executor);
        record.finish();
        dump.join().unwrap();
        assert_eq!(record.recycled(), 1);
        assert_eq!(seen.drops.load(Ordering::Relaxed), 2);
    });
}
