//! Sampling that is always on: the past can be asked for, at once.

use std::time::{Duration, Instant};

use taskprof::cpu::{self, Cpu, RETENTION};

use crate::busy::Busy;
use crate::tasks::Service;
use crate::{block_on, my_turn};

/// The longest wait of a test; only one that fails reaches it.
const PATIENCE: Duration = Duration::from_secs(60);

#[test]
fn the_past_is_there_at_once_while_sampling_is_always_on_and_afterwards() {
    let _turn = my_turn();
    let past = |cpu: Cpu| block_on(cpu.ago(Duration::from_secs(60)).seconds(60).capture());
    let error = past(Cpu::new()).unwrap_err();
    assert!(error.is_unavailable());
    assert!(
        error.to_string().contains("taskprof::cpu().always_on()"),
        "{error}"
    );

    let _service = Service::start();
    // Often, so that the test is short.
    Cpu::new().hz(500).always_on().unwrap();
    Cpu::new().hz(500).always_on().unwrap();
    let began = Instant::now();
    let profile = loop {
        let profile = past(Cpu::new().route("POST /orders")).unwrap();
        if profile.total(0) > 0 {
            break profile;
        }
        assert!(began.elapsed() < PATIENCE, "{:?}", profile.comments);
        std::thread::sleep(Duration::from_millis(10));
    };
    assert!(
        profile.comments[0].starts_with("sampled in the past, for "),
        "{:?}",
        profile.comments
    );
    // Ids of requests are not kept.
    let mut labels = profile.samples.iter().flat_map(|sample| &sample.labels);
    assert!(labels.all(|label| label.key != "request_id"));

    // Captures go on beside it.
    let busy = Busy::start("grinder");
    let capture = block_on(Cpu::new().seconds(1).capture()).unwrap();
    drop(busy);
    let folded = taskprof::write::folded(&capture, None).unwrap();
    assert!(folded.contains("Grinder<"), "{folded}");

    cpu::stop_always_on();
    assert!(past(Cpu::new()).unwrap().total(0) > 0, "it is kept");
    let error = block_on(
        Cpu::new()
            .ago(RETENTION)
            .duration(Duration::from_secs(1))
            .capture(),
    );
    assert!(
        error.unwrap_err().is_unavailable(),
        "nothing was sampled ten minutes ago"
    );
    let error = block_on(Cpu::new().ago(RETENTION).wall().capture()).unwrap_err();
    assert!(error.is_invalid_argument());
}
