//! The protocol: one sampler at a time, ended by dropping, nothing hidden.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::Receiver;
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use taskprof::Profile;
use taskprof::cpu::{Cpu, MAX_DURATION, TRUNCATED};
use taskprof::profile::{Frame, Label};

use crate::script::{Event, Script};
use crate::{block_on, my_turn};

const SHORT: Duration = Duration::from_millis(1);
/// Only a test that fails waits for so long.
const PATIENCE: Duration = Duration::from_secs(20);

type Capture = Pin<Box<dyn Future<Output = Result<Profile, taskprof::Error>>>>;

fn capture(script: Script, duration: Duration) -> Capture {
    let cpu = Cpu::with_sampler(script);
    Box::pin(cpu.duration(duration).capture())
}

/// Polls once and waits until the sampler has been started.
fn begin(capture: &mut Capture, events: &Receiver<Event>) {
    let mut context = Context::from_waker(Waker::noop());
    assert!(capture.as_mut().poll(&mut context).is_pending());
    assert_eq!(events.recv_timeout(PATIENCE), Ok(Event::Started { hz: 99 }));
}

#[test]
fn who_asks_with_another_sampler_is_told_that_a_capture_is_running() {
    let _turn = my_turn();
    let (script, events) = Script::new();
    let mut first = capture(script, MAX_DURATION);
    begin(&mut first, &events);

    let (script, second_events) = Script::new();
    let error = block_on(capture(script, SHORT)).unwrap_err();
    assert!(error.is_busy());
    assert_eq!(
        error.to_string(),
        "a CPU capture with another sampler or frequency is running in this process; ask again when it has ended"
    );
    assert!(
        second_events.try_recv().is_err(),
        "the second sampler was not touched"
    );
}

#[test]
fn dropping_the_capture_stops_the_sampler_at_once_and_the_next_is_not_refused() {
    let _turn = my_turn();
    let (script, events) = Script::new();
    let mut first = capture(script, MAX_DURATION);
    begin(&mut first, &events);
    drop(first);

    // At once, and not refused: five minutes have not passed.
    let (script, _events) = Script::new();
    block_on(capture(script, SHORT)).unwrap();
    assert_eq!(events.recv_timeout(PATIENCE), Ok(Event::Dropped));
}

#[test]
fn a_capture_asked_for_while_an_abandoned_one_still_starts_waits_for_it() {
    let _turn = my_turn();
    let (script, events) = Script::new();
    let (script, open) = script.gated();
    let mut first = capture(script, MAX_DURATION);
    begin(&mut first, &events);
    drop(first);

    let (script, second_events) = Script::new();
    let mut second = capture(script, SHORT);
    let mut context = Context::from_waker(Waker::noop());
    assert!(second.as_mut().poll(&mut context).is_pending());
    assert!(
        second_events.try_recv().is_err(),
        "the first sampler is still starting"
    );

    drop(open);
    block_on(second).unwrap();
    assert_eq!(events.recv_timeout(PATIENCE), Ok(Event::Dropped));
    assert_eq!(
        second_events.recv_timeout(PATIENCE),
        Ok(Event::Started { hz: 99 })
    );
}

/// A waker that can be asked whether it was used.
struct Woken(AtomicBool);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Release);
    }
}

#[test]
fn nobody_overtakes_the_one_that_waits_for_an_abandoned_capture() {
    let _turn = my_turn();
    let (script, events) = Script::new();
    let (script, open) = script.gated();
    let mut first = capture(script, MAX_DURATION);
    begin(&mut first, &events);
    drop(first);

    let woken = Arc::new(Woken(AtomicBool::new(false)));
    let (script, second_events) = Script::new();
    let mut second = capture(script, SHORT);
    let waker = Waker::from(woken.clone());
    let polled = second.as_mut().poll(&mut Context::from_waker(&waker));
    assert!(polled.is_pending());

    let is_refused = || {
        let (script, events) = Script::new();
        let mut context = Context::from_waker(Waker::noop());
        let Poll::Ready(Err(error)) = capture(script, SHORT).as_mut().poll(&mut context) else {
            return false;
        };
        error.is_busy() && events.try_recv().is_err()
    };
    assert!(is_refused(), "while the first one still starts");
    drop(open);
    while !woken.0.load(Ordering::Acquire) {
        std::thread::yield_now();
    }
    assert!(
        is_refused(),
        "when the first one is over and it is the second's turn"
    );
    block_on(second).unwrap();
    assert_eq!(
        second_events.recv_timeout(PATIENCE),
        Ok(Event::Started { hz: 99 })
    );
}

#[test]
fn one_that_no_longer_waits_for_an_abandoned_capture_is_in_nobodys_way() {
    let _turn = my_turn();
    let (script, events) = Script::new();
    let (script, open) = script.gated();
    let mut first = capture(script, MAX_DURATION);
    begin(&mut first, &events);
    drop(first);

    let mut context = Context::from_waker(Waker::noop());
    let (script, _events) = Script::new();
    let mut second = capture(script, SHORT);
    assert!(second.as_mut().poll(&mut context).is_pending());
    drop(second);

    let (script, _events) = Script::new();
    let mut third = capture(script, SHORT);
    assert!(third.as_mut().poll(&mut context).is_pending());
    drop(open);
    block_on(third).unwrap();
}

#[test]
fn a_finished_capture_frees_the_slot() {
    let _turn = my_turn();
    for _ in 0..2 {
        let (script, events) = Script::new();
        block_on(capture(script, SHORT)).unwrap();
        assert_eq!(events.recv(), Ok(Event::Started { hz: 99 }));
        assert_eq!(events.recv(), Ok(Event::Stopped));
    }
}

#[test]
fn a_sampler_that_fails_or_panics_gives_an_error_and_frees_the_slot() {
    let _turn = my_turn();
    let (script, _events) = Script::new();
    let error = block_on(capture(script.failing(), SHORT)).unwrap_err();
    assert!(error.is_sampler());
    assert_eq!(error.to_string(), "somebody else samples");

    let (script, _events) = Script::new();
    let error = block_on(capture(script.panicking(), SHORT)).unwrap_err();
    assert!(error.is_sampler());
    assert_eq!(
        error.to_string(),
        "the thread taskprof-cpu panicked; its message is on standard error"
    );

    let (script, _events) = Script::new();
    block_on(capture(script, SHORT)).unwrap();
}

#[test]
fn a_duration_out_of_range_is_refused_before_anything_starts() {
    let _turn = my_turn();
    for duration in [Duration::ZERO, MAX_DURATION + Duration::from_nanos(1)] {
        let (script, events) = Script::new();
        let error = block_on(capture(script, duration)).unwrap_err();
        assert!(error.is_invalid_argument(), "{error}");
        assert!(
            error
                .to_string()
                .ends_with("choose more than nothing and at most 300 seconds")
        );
        assert!(events.try_recv().is_err());
    }
}

#[test]
fn the_frequency_is_handed_on_and_is_the_period() {
    let _turn = my_turn();
    let (script, events) = Script::new();
    let cpu = Cpu::with_sampler(script).hz(250);
    let profile = block_on(cpu.duration(SHORT).capture()).unwrap();
    assert_eq!(events.recv(), Ok(Event::Started { hz: 250 }));
    assert_eq!(profile.period, 4_000_000);
}

#[test]
fn samples_become_counts_and_nanoseconds_and_equal_thread_names_are_one() {
    let _turn = my_turn();
    let (script, _events) = Script::new();
    let script = script
        .stack("worker", 3, &[0x11, 0x21], false)
        .stack("worker", 4, &[0x11, 0x21], false)
        .stack("main", 1, &[0x11, 0x21], false)
        .stack("", 1, &[0x31], true);
    let cpu = Cpu::with_sampler(script).hz(100);
    let profile = block_on(cpu.duration(SHORT).capture()).unwrap();

    let types: Vec<_> = profile
        .sample_types
        .iter()
        .chain(&profile.period_type)
        .map(|t| format!("{}/{}", t.kind, t.unit))
        .collect();
    assert_eq!(
        types,
        ["samples/count", "cpu/nanoseconds", "cpu/nanoseconds"]
    );
    assert_eq!(profile.duration, Duration::from_secs(2));

    let samples = &profile.samples;
    assert_eq!(samples.len(), 3);
    assert_eq!(samples[0].values, [7, 70_000_000]);
    assert_eq!(samples[0].labels, [Label::str("thread", "worker")]);
    assert_eq!(
        samples[0].stack,
        [Frame::Address(0x11), Frame::Address(0x21)]
    );
    assert_eq!(samples[1].values, [1, 10_000_000]);
    assert_eq!(samples[2].labels, []);
    assert_eq!(
        samples[2].stack,
        [Frame::Address(0x31), Frame::named(TRUNCATED)]
    );
}

#[test]
fn lost_and_cut_samples_are_counted_and_said() {
    let _turn = my_turn();
    let (script, _events) = Script::new();
    let script = script
        .cpu_time(Duration::from_secs(1))
        .stack("main", 40, &[0x11], false)
        .stack("main", 10, &[0x21], true);
    let cpu = Cpu::with_sampler(script).hz(100);
    let profile = block_on(cpu.duration(SHORT).capture()).unwrap();
    assert_eq!(
        profile.comments,
        [
            "50 samples at 100 Hz; 100 expected for 1.000 s of CPU time in 2.000 s",
            "50 samples were lost, so the profile shows less CPU time than was used; frequencies above the kernel's tick and other users of SIGPROF lose samples",
            "10 samples had stacks deeper than the sampler records; their frames at the root are missing",
            "a remark",
        ]
    );
}

#[test]
fn a_profile_without_samples_says_why() {
    let _turn = my_turn();
    let (script, _events) = Script::new();
    let profile = block_on(capture(script, SHORT)).unwrap();
    assert_eq!(
        profile.comments,
        [
            "0 samples at 99 Hz in 2.000 s; how many were lost is not known",
            "a CPU profile samples only threads that run; a process that waits uses no CPU time and gives no samples",
            "a remark",
        ]
    );
}

#[test]
fn a_capture_can_move_between_threads() {
    fn movable<T: Send>(_: &T) {}
    let cpu = Cpu::new();
    movable(&cpu.duration(SHORT).capture());
    movable(&taskprof::cpu::capture(SHORT));
    let mut context = Context::from_waker(Waker::noop());
    // A future that was never polled has taken nothing.
    let unpolled = Box::pin(taskprof::cpu::capture(MAX_DURATION));
    let _turn = my_turn();
    let (script, _events) = Script::new();
    let mut polled = capture(script, SHORT);
    if let Poll::Ready(result) = polled.as_mut().poll(&mut context) {
        result.unwrap();
    } else {
        block_on(polled).unwrap();
    }
    drop(unpolled);
}
