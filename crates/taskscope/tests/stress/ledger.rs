//! The account of every future, output and handle. Nothing here knows how they are driven.

use std::future::Future;
use std::panic::panic_any;
use std::pin::Pin;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use tokio::task::JoinError;

/// Thrown on purpose.
#[derive(Debug)]
pub(crate) struct Deliberate;

/// The states of a future, from here to `PANICKED_IN_DROP`.
const ALIVE: u8 = 0;
const READY: u8 = 1;
const PANICKED: u8 = 2;
/// Dropped while it was alive, or after a panic.
const CANCELLED: u8 = 3;
/// It was ready, and its destructor, or it was cancelled, and its destructor panicked.
const PANICKED_IN_DROP: u8 = 4;

#[derive(Debug, Default)]
pub(crate) struct Ledger {
    spawned: AtomicU64,
    dropped: AtomicU64,
    most_alive: AtomicU64,
    ready: AtomicU64,
    panicked: AtomicU64,
    cancelled: AtomicU64,
    panicked_in_drop: AtomicU64,
    outputs_dropped: AtomicU64,
    joined: AtomicU64,
    detached: AtomicU64,
    /// Events that must never happen, such as a poll after the end.
    wrong: Mutex<Vec<String>>,
}

fn get(count: &AtomicU64) -> u64 {
    count.load(Ordering::SeqCst)
}

fn add(count: &AtomicU64) -> u64 {
    count.fetch_add(1, Ordering::SeqCst)
}

impl Ledger {
    pub(crate) fn spawned(&self) -> u64 {
        get(&self.spawned)
    }

    pub(crate) fn most_alive(&self) -> usize {
        usize::try_from(get(&self.most_alive)).unwrap()
    }

    pub(crate) fn wrong(&self, what: &str) {
        let mut wrong = self.wrong.lock().unwrap();
        if wrong.len() < 20 {
            wrong.push(what.to_owned());
        }
    }

    /// True when every future and every output has been dropped.
    pub(crate) fn is_settled(&self) -> bool {
        get(&self.spawned) == get(&self.dropped) && get(&self.ready) == get(&self.outputs_dropped)
    }

    /// Everything adds up.
    #[track_caller]
    pub(crate) fn close(&self) {
        assert!(self.wrong.lock().unwrap().is_empty(), "{self:?}");
        assert!(self.is_settled(), "{self:?}");
        let ends = get(&self.ready) + get(&self.panicked) + get(&self.cancelled);
        assert_eq!(ends, get(&self.spawned), "{self:?}");
        let handles = get(&self.joined) + get(&self.detached);
        assert_eq!(handles, get(&self.spawned), "{self:?}");
        // None of it was idle. Under Miri there are too few for that.
        for count in [
            &self.ready,
            &self.panicked,
            &self.cancelled,
            &self.panicked_in_drop,
            &self.joined,
            &self.detached,
        ] {
            assert!(get(count) > 0 || cfg!(miri), "{self:?}");
        }
    }
}

/// A future in the books.
pub(crate) struct Booked {
    future: Pin<Box<dyn Future<Output = ()> + Send>>,
    panics_in_drop: bool,
    fate: Arc<AtomicU8>,
    ledger: Arc<Ledger>,
    dropped: bool,
}

impl Booked {
    pub(crate) fn new(
        ledger: &Arc<Ledger>,
        panics_in_drop: bool,
        future: impl Future<Output = ()> + Send + 'static,
    ) -> (Booked, Entry) {
        // In this order: others spawn and drop meanwhile, and what was dropped by now has been
        // counted.
        let dropped = get(&ledger.dropped);
        let alive = add(&ledger.spawned) + 1 - dropped;
        ledger.most_alive.fetch_max(alive, Ordering::SeqCst);
        let fate = Arc::new(AtomicU8::new(ALIVE));
        let entry = Entry {
            fate: fate.clone(),
            ledger: ledger.clone(),
            joined: false,
        };
        let booked = Booked {
            future: Box::pin(future),
            panics_in_drop,
            fate,
            ledger: ledger.clone(),
            dropped: false,
        };
        (booked, entry)
    }
}

impl Future for Booked {
    type Output = Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Output> {
        /// Notes a panic of the future.
        struct Unwinding(Arc<AtomicU8>, bool);
        impl Drop for Unwinding {
            fn drop(&mut self) {
                if !self.1 {
                    self.0.store(PANICKED, Ordering::SeqCst);
                }
            }
        }
        if self.fate.load(Ordering::SeqCst) != ALIVE {
            self.ledger.wrong("polled after the end");
        }
        let mut unwinding = Unwinding(self.fate.clone(), false);
        let polled = self.future.as_mut().poll(cx);
        unwinding.1 = true;
        polled.map(|()| {
            self.fate.store(READY, Ordering::SeqCst);
            add(&self.ledger.ready);
            Output(self.ledger.clone())
        })
    }
}

impl Drop for Booked {
    fn drop(&mut self) {
        if std::mem::replace(&mut self.dropped, true) {
            self.ledger.wrong("dropped twice");
        }
        match self.fate.load(Ordering::SeqCst) {
            ALIVE => {
                add(&self.ledger.cancelled);
                self.fate.store(CANCELLED, Ordering::SeqCst);
            }
            PANICKED => {
                add(&self.ledger.panicked);
            }
            _ => {}
        }
        add(&self.ledger.dropped);
        if self.panics_in_drop && !std::thread::panicking() {
            add(&self.ledger.panicked_in_drop);
            self.fate.store(PANICKED_IN_DROP, Ordering::SeqCst);
            panic_any(Deliberate);
        }
    }
}

/// The output of a booked future.
#[derive(Debug)]
pub(crate) struct Output(Arc<Ledger>);

impl Drop for Output {
    fn drop(&mut self) {
        add(&self.0.outputs_dropped);
    }
}

/// The handle's side: joined or dropped, and what it said must be what happened.
#[derive(Debug)]
pub(crate) struct Entry {
    fate: Arc<AtomicU8>,
    ledger: Arc<Ledger>,
    joined: bool,
}

impl Entry {
    pub(crate) fn joined(mut self, result: Result<Output, JoinError>) {
        self.joined = true;
        add(&self.ledger.joined);
        let expected: &[u8] = match &result {
            Ok(_) => &[READY],
            Err(error) if error.is_cancelled() => &[CANCELLED],
            Err(_) => &[PANICKED, PANICKED_IN_DROP],
        };
        let fate = self.fate.load(Ordering::SeqCst);
        if !expected.contains(&fate) {
            let result = result.map(drop);
            self.ledger
                .wrong(&format!("{result:?} of a future with fate {fate}"));
        }
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        if !self.joined {
            add(&self.ledger.detached);
        }
    }
}
