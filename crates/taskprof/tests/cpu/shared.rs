//! Captures that overlap share one sampler, and each gets what was sampled in its own time.

use std::future::Future;
use std::pin::Pin;
use std::sync::mpsc::Receiver;
use std::task::{Context, Waker};
use std::time::Duration;

use taskprof::Profile;
use taskprof::cpu::{self, Cpu, MAX_DURATION, MAX_SUBSCRIBERS};
use taskprof::sampler::StackEnd;

use crate::busy::Busy;
use crate::script::{Event, Script};
use crate::{block_on, my_turn};

const SHORT: Duration = Duration::from_millis(1);
/// Only a test that fails waits for so long.
const PATIENCE: Duration = Duration::from_secs(20);
const STARTED: Event = Event::Started { hz: 99 };

type Capture = Pin<Box<dyn Future<Output = Result<Profile, taskprof::Error>>>>;

fn ask(cpu: &Cpu, duration: Duration) -> Capture {
    let mut capture: Capture = Box::pin(cpu.clone().duration(duration).capture());
    let mut context = Context::from_waker(Waker::noop());
    // Polled once, it has asked.
    assert!(capture.as_mut().poll(&mut context).is_pending());
    capture
}

fn next(events: &Receiver<Event>) -> Event {
    events.recv_timeout(PATIENCE).unwrap()
}

/// Whenever the script is collected, it has this many samples.
const EACH: u64 = 3;

fn script() -> (Script, Receiver<Event>) {
    let (script, events) = Script::new();
    let script = script.stack("worker", EACH, &[0x11, 0x21], StackEnd::Root);
    (script, events)
}

#[test]
fn a_short_capture_within_a_long_one_gets_its_own_time_and_the_long_one_all() {
    let _turn = my_turn();
    let (script, events) = script();
    let cpu = Cpu::with_sampler(script);
    // Long enough for the other one to come and go.
    let long = ask(&cpu, Duration::from_secs(2));
    assert_eq!(next(&events), STARTED);
    let short = block_on(ask(&cpu, SHORT)).unwrap();
    assert_eq!(short.total(0), 3, "collected once");
    let long = block_on(long).unwrap();
    let seen: Vec<Event> = events.try_iter().collect();
    let collected = seen.iter().filter(|event| **event == Event::Collected);
    // The first is from before anybody took part.
    assert_eq!(long.total(0), 3 * (collected.count() as i64 - 1));
    assert!(long.total(0) > short.total(0));
    assert_eq!(long.samples.len(), 1, "of one stack");
    assert!(!seen.contains(&STARTED), "one run for both: {seen:?}");
    assert_eq!(seen.last(), Some(&Event::Dropped));
}

#[test]
fn when_one_of_two_goes_away_the_sampler_stays_for_the_other() {
    let _turn = my_turn();
    let (script, events) = script();
    let cpu = Cpu::with_sampler(script);
    let gone = ask(&cpu, MAX_DURATION);
    assert_eq!(next(&events), STARTED);
    let stays = ask(&cpu, SHORT);
    drop(gone);
    assert!(block_on(stays).unwrap().total(0) >= 3);
}

#[test]
fn the_sampler_stops_when_the_last_asker_goes_away() {
    let _turn = my_turn();
    let (script, events) = script();
    let cpu = Cpu::with_sampler(script);
    let first = ask(&cpu, MAX_DURATION);
    assert_eq!(next(&events), STARTED);
    let second = ask(&cpu, MAX_DURATION);
    drop(first);
    drop(second);
    while next(&events) != Event::Dropped {}
    // Nothing is started again.
    assert!(events.try_recv().is_err());
}

#[test]
fn one_that_joins_while_an_abandoned_sampler_still_starts_is_served() {
    let _turn = my_turn();
    let (script, events) = script();
    let (script, open) = script.gated();
    let cpu = Cpu::with_sampler(script);
    let first = ask(&cpu, MAX_DURATION);
    assert_eq!(next(&events), STARTED);
    drop(first);
    let second = ask(&cpu, SHORT);
    drop(open);
    assert_eq!(block_on(second).unwrap().total(0), 3);
}

#[test]
fn an_error_is_told_to_everybody_who_waits() {
    let _turn = my_turn();
    let (script, events) = Script::new();
    let (script, open) = script.failing().gated();
    let cpu = Cpu::with_sampler(script);
    let first = ask(&cpu, SHORT);
    assert_eq!(next(&events), STARTED);
    let second = ask(&cpu, SHORT);
    drop(open);
    for capture in [first, second] {
        let error = block_on(capture).unwrap_err();
        assert!(error.is_sampler());
        assert_eq!(error.to_string(), "somebody else samples");
    }
}

#[test]
fn more_askers_than_there_is_memory_for_are_told_so() {
    let _turn = my_turn();
    let (script, _events) = script();
    let cpu = Cpu::with_sampler(script);
    let subscribers: Vec<Capture> = (0..MAX_SUBSCRIBERS)
        .map(|_| ask(&cpu, MAX_DURATION))
        .collect();
    let error = block_on(cpu.clone().duration(SHORT).capture()).unwrap_err();
    assert!(error.is_busy());
    assert_eq!(
        error.to_string(),
        "too many CPU captures are running in this process; ask again when one has ended"
    );
    drop(subscribers);
    // And again when there is room.
    block_on(cpu.duration(SHORT).capture()).unwrap();
}

#[test]
fn a_higher_frequency_is_shared_by_everybody_and_nanoseconds_stay_right() {
    let _turn = my_turn();
    let (script, events) = script();
    let cpu = Cpu::with_sampler(script.adjustable());
    let slow = ask(&cpu.clone().hz(100), Duration::from_secs(1));
    assert_eq!(next(&events), Event::Started { hz: 100 });
    let fast = block_on(cpu.hz(1000).duration(SHORT).capture()).unwrap();
    assert_eq!(fast.samples[0].values, [3, 3_000_000]);
    let slow = block_on(slow).unwrap();
    let seen: Vec<Event> = events.try_iter().collect();
    assert!(seen.contains(&Event::Changed { hz: 1000 }), "{seen:?}");
    assert!(seen.contains(&Event::Changed { hz: 100 }), "{seen:?}");
    // With the other one and after it; and before it, unless both began in the same moment.
    let [count, time] = slow.samples[0].values[..] else {
        panic!("two columns")
    };
    assert!(
        [(6, 33_000_000), (9, 63_000_000)].contains(&(count, time)),
        "{count} samples, {time} ns"
    );
    assert!(
        slow.comments[0].contains("100 to 1000 Hz (somebody else asked for more)"),
        "{:?}",
        slow.comments
    );
}

#[test]
fn a_sampler_with_a_fixed_frequency_is_started_anew_for_a_higher_one_only() {
    let _turn = my_turn();
    let (script, events) = script();
    let cpu = Cpu::with_sampler(script);
    let slow = ask(&cpu.clone().hz(100), Duration::from_secs(1));
    assert_eq!(next(&events), Event::Started { hz: 100 });
    block_on(cpu.clone().hz(1000).duration(SHORT).capture()).unwrap();
    block_on(cpu.hz(10).duration(SHORT).capture()).unwrap();
    let slow = block_on(slow).unwrap();
    let started = events.try_iter().filter_map(|event| match event {
        Event::Started { hz } => Some(hz),
        _ => None,
    });
    assert_eq!(started.collect::<Vec<_>>(), [1000]);
    let said = "the sampler was started anew 1 times, because others asked for a higher frequency; what ran in those moments was not sampled";
    assert!(
        slow.comments.contains(&said.to_owned()),
        "{:?}",
        slow.comments
    );
}

// A scraper profiles all day: its next capture begins before the last one ends. A human comes in
// between.
#[test]
fn real_captures_overlap_and_each_finds_the_busy_function() {
    let _turn = my_turn();
    let _busy = Busy::start("grinder");
    let mut scraper: Capture = Box::pin(cpu::capture(Duration::from_secs(3)));
    let mut context = Context::from_waker(Waker::noop());
    assert!(scraper.as_mut().poll(&mut context).is_pending());
    let human = block_on(cpu::capture(Duration::from_secs(1))).unwrap();
    let scraper = block_on(scraper).unwrap();
    for profile in [&human, &scraper] {
        let folded = taskprof::write::folded(profile, None).unwrap();
        assert!(folded.contains("Grinder<"), "{folded}");
    }
    assert!(
        scraper.total(0) > human.total(0),
        "{} and {}",
        scraper.total(0),
        human.total(0)
    );
}
