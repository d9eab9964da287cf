//! A thread that takes one dump after the other.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use taskscope::DumpOptions;

/// Takes dumps until it is dropped.
pub(crate) struct Dumping {
    stop: Arc<AtomicBool>,
    thread: Option<thread::JoinHandle<()>>,
}

impl Dumping {
    pub(crate) fn begin(options: DumpOptions) -> Dumping {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = stop.clone();
        let thread = thread::spawn(move || {
            while !stopped.load(Ordering::Relaxed) {
                drop(options.clone().capture_blocking());
            }
        });
        Dumping {
            stop,
            thread: Some(thread),
        }
    }
}

impl Drop for Dumping {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let dumped = thread.join();
            // A test that fails already has said why.
            assert!(dumped.is_ok() || thread::panicking(), "a dump panicked");
        }
    }
}
