//! The protocol: started for the first, ended by dropping, nothing hidden; what a profile says of
//! its samples.

use std::future::Future;
use std::pin::Pin;
use std::sync::mpsc::Receiver;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use taskprof::Profile;
use taskprof::cpu::{By, Cpu, MAX_DURATION, TRUNCATED};
use taskprof::profile::{Frame, Label};
use taskprof::sampler::StackEnd;

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

/// Waits until the sampler is stopped.
fn await_drop(events: &Receiver<Event>) {
    while events.recv_timeout(PATIENCE).unwrap() != Event::Dropped {}
}

/// Polls once and waits until the sampler has been started.
fn begin(capture: &mut Capture, events: &Receiver<Event>) {
    let mut context = Context::from_waker(Waker::noop());
    assert!(capture.as_mut().poll(&mut context).is_pending());
    assert_eq!(events.recv_timeout(PATIENCE), Ok(Event::Started { hz: 99 }));
}

#[test]
fn who_asks_with_another_sampler_is_served_beside() {
    let _turn = my_turn();
    let (script, events) = Script::new();
    let mut first = capture(script, MAX_DURATION);
    begin(&mut first, &events);

    let (script, second_events) = Script::new();
    block_on(capture(script, SHORT)).unwrap();
    assert_eq!(second_events.recv(), Ok(Event::Started { hz: 99 }));
    let first_events: Vec<Event> = events.try_iter().collect();
    assert!(!first_events.contains(&Event::Dropped), "{first_events:?}");
}

#[test]
fn dropping_the_capture_stops_the_sampler_at_once() {
    let _turn = my_turn();
    let (script, events) = Script::new();
    let mut first = capture(script, MAX_DURATION);
    begin(&mut first, &events);
    drop(first);
    // At once: five minutes have not passed.
    await_drop(&events);
}

#[test]
fn a_finished_capture_frees_the_slot() {
    let _turn = my_turn();
    for _ in 0..2 {
        let (script, events) = Script::new();
        block_on(capture(script, SHORT)).unwrap();
        assert_eq!(events.recv(), Ok(Event::Started { hz: 99 }));
        let rest: Vec<Event> = events.try_iter().collect();
        assert_eq!(rest.last(), Some(&Event::Dropped), "before the answer");
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
        .stack("worker", 3, &[0x11, 0x21], StackEnd::Root)
        .stack("worker", 4, &[0x11, 0x21], StackEnd::Root)
        .stack("main", 2, &[0x11, 0x21], StackEnd::Root)
        .stack("", 1, &[0x31], StackEnd::Deep);
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
    assert!(profile.duration >= SHORT);

    let samples = &profile.samples;
    assert_eq!(samples.len(), 3);
    assert_eq!(samples[0].values, [7, 70_000_000]);
    let elsewhere = Label::str("where", "other");
    assert_eq!(
        samples[0].labels,
        [Label::str("thread", "worker"), elsewhere.clone()]
    );
    assert_eq!(
        samples[0].stack,
        [Frame::Address(0x11), Frame::Address(0x21)]
    );
    assert_eq!(samples[1].values, [2, 20_000_000]);
    assert_eq!(samples[2].labels, [elsewhere]);
    assert_eq!(
        samples[2].stack,
        [Frame::Address(0x31), Frame::named(TRUNCATED)]
    );
}

/// The comments, without how long it took.
fn comments(profile: &Profile) -> Vec<String> {
    let took = format!(" in {:.3} s", profile.duration.as_secs_f64());
    let comments = profile.comments.iter();
    comments.map(|text| text.replace(&took, "")).collect()
}

#[test]
fn lost_and_cut_samples_are_counted_and_said() {
    let _turn = my_turn();
    let (script, _events) = Script::new();
    let script = script
        .cpu_time(Duration::from_secs(1))
        .lost("there was no room for their stacks", 7)
        .stack("main", 40, &[0x11], StackEnd::Root)
        .stack("main", 10, &[0x21], StackEnd::Deep)
        .stack("main", 5, &[0x31], StackEnd::Lost);
    let cpu = Cpu::with_sampler(script).hz(100);
    let profile = block_on(cpu.duration(SHORT).capture()).unwrap();
    assert_eq!(
        comments(&profile),
        [
            "55 samples at 100 Hz; 100 expected for 1.000 s of CPU time",
            "0.450 s of CPU time are not in the profile",
            "7 samples were lost: there was no room for their stacks",
            "10 samples had stacks deeper than the sampler records; their frames at the root are missing",
            "5 samples have a stack that could not be walked to its root; their callers are missing",
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
        comments(&profile),
        [
            "0 samples at 99 Hz; how many were lost is not known",
            "a CPU profile samples only threads that run; a process that waits uses no CPU time and gives no samples",
            "a remark",
        ]
    );
}

/// Two routes and something outside of them.
fn routes() -> Script {
    let (script, _events) = Script::new();
    script
        .stack("worker", 6, &[0x11], StackEnd::Root)
        .of_task("handler", Some("POST /orders"), Some("7"))
        .stack("worker", 3, &[0x11], StackEnd::Root)
        .of_task("handler", Some("GET /health"), None)
        .stack("other", 1, &[0x11], StackEnd::Root)
}

#[test]
fn samples_have_the_labels_of_their_task() {
    let _turn = my_turn();
    let cpu = Cpu::with_sampler(routes());
    let profile = block_on(cpu.duration(SHORT).capture()).unwrap();
    assert_eq!(
        profile.samples[0].labels,
        [
            Label::str("name", "handler"),
            Label::str("request_id", "7"),
            Label::str("route", "POST /orders"),
            Label::str("scope", "POST /orders"),
            Label::str("spawned", "src/main.rs:1:1"),
            Label::str("thread", "worker"),
            Label::str("where", "task"),
        ]
    );
}

#[test]
fn a_profile_of_one_route_has_no_samples_of_others_and_says_how_much_that_is() {
    let _turn = my_turn();
    let cpu = Cpu::with_sampler(routes()).hz(100);
    let route = cpu.clone().route("POST /orders").duration(SHORT);
    let profile = block_on(route.capture()).unwrap();
    assert_eq!(profile.total(0), 6);
    let said = "only what was chosen: 0.060 s of 0.100 s";
    assert!(comments(&profile).contains(&said.to_owned()), "{profile:?}");
    for (cpu, samples) in [
        (cpu.clone().scope("GET /health"), 3),
        (cpu.clone().name("handler"), 9),
        (cpu.clone().name("handler").route("GET /"), 0),
    ] {
        let profile = block_on(cpu.duration(SHORT).capture()).unwrap();
        assert_eq!(profile.total(0), samples);
    }
}

#[test]
fn by_route_every_route_has_a_tower_of_its_own_and_the_rest_says_what_it_is() {
    let _turn = my_turn();
    let roots = |by| {
        let cpu = Cpu::with_sampler(routes()).by(by).duration(SHORT);
        let profile = block_on(cpu.capture()).unwrap();
        let roots = profile.samples.iter().map(|sample| {
            assert_eq!(sample.stack.len(), 2);
            sample.stack[1].clone()
        });
        roots.collect::<Vec<_>>()
    };
    let named = |names: [&str; 3]| names.map(Frame::named);
    assert_eq!(
        roots(By::Route),
        named(["POST /orders", "GET /health", "(no route: other)"])
    );
    assert_eq!(
        roots(By::Task),
        named(["handler", "handler", "(no task: other)"])
    );
    assert_eq!(roots(By::Thread), named(["worker", "worker", "other"]));
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
