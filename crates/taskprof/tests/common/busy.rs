//! A busy thread in a function with a name worth checking: generics, a trait, angle brackets.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::thread::JoinHandle;

/// A trait, so that the name of its method in an impl has angle brackets.
pub(crate) trait Work {
    fn work(&mut self);
}

/// A type with a parameter, so that they nest.
pub(crate) struct Grinder<T>(T);

impl Work for Grinder<[u64; 4]> {
    #[inline(never)]
    fn work(&mut self) {
        for _ in 0..10_000 {
            for word in &mut self.0 {
                *word = std::hint::black_box(
                    word.wrapping_mul(6_364_136_223_846_793_005).rotate_left(17),
                );
            }
        }
    }
}

/// A thread that uses CPU time until it is dropped.
pub(crate) struct Busy {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Busy {
    /// Returns when the thread is at work.
    pub(crate) fn start(name: &str) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let (started_tx, started) = mpsc::channel();
        let thread = std::thread::Builder::new()
            .name(name.to_owned())
            .spawn({
                let stop = Arc::clone(&stop);
                move || {
                    let mut grinder = Grinder([1, 2, 3, 4]);
                    started_tx.send(()).unwrap();
                    while !stop.load(Ordering::Relaxed) {
                        grinder.work();
                    }
                }
            })
            .unwrap();
        started.recv().unwrap();
        Busy {
            stop,
            thread: Some(thread),
        }
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.take().unwrap().join().unwrap();
    }
}
