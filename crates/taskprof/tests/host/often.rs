//! Begins and ends captures all the time, and abandons many: a signal that is late finds a handler.

use std::time::Duration;

use crate::{burn, capture, samples};

pub(crate) fn captures() {
    for _ in 0..3 {
        std::thread::spawn(|| {
            loop {
                burn(Duration::from_millis(1));
            }
        });
    }
    let askers: Vec<_> = (0..4)
        .map(|n| {
            std::thread::spawn(move || {
                for round in 0..25 {
                    let cpu = taskprof::cpu().hz(100 + 100 * n);
                    let cpu = cpu.duration(Duration::from_millis(5 + round));
                    if round % 3 > 0 {
                        capture(cpu).unwrap();
                        continue;
                    }
                    let runtime = tokio::runtime::Builder::new_current_thread()
                        .enable_time()
                        .build()
                        .unwrap();
                    runtime.block_on(async {
                        let given_up =
                            tokio::time::timeout(Duration::from_millis(3), cpu.capture());
                        assert!(given_up.await.is_err());
                    });
                }
            })
        })
        .collect();
    for asker in askers {
        asker.join().unwrap();
    }
    // And then one as usual.
    samples(99, Duration::from_secs(1));
}
