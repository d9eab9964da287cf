//! Profiles a service whose tasks panic all the time: the handler interrupts the unwinder of the
//! platform.

use std::time::Duration;

use crate::samples;

#[inline(never)]
fn deep(n: usize) -> usize {
    assert!(n > 0, "storm");
    std::hint::black_box(deep(std::hint::black_box(n - 1)) + 1)
}

pub(crate) fn storm() {
    std::panic::set_hook(Box::new(|_| {}));
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(4)
        .enable_all()
        .build()
        .unwrap();
    for _ in 0..4 {
        runtime.spawn(async {
            loop {
                let panicked = taskscope::spawn(async { deep(20) }).await;
                assert!(panicked.is_err());
            }
        });
    }
    samples(999, Duration::from_secs(3));
    std::process::exit({
        println!("{}", crate::LIVED);
        0
    });
}
