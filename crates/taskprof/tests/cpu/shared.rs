//! Captures that overlap share one sampler, and each gets what was sampled in its own time.

use std::future::Future;
use std::pin::Pin;
use std::sync::mpsc::Receiver;
use std::task::{Context, Waker};
use std::time::Duration;

use taskprof::Profile;
use taskprof::cpu::{self, Cpu, MAX_ASKERS, MAX_DURATION};

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

/// Each slice of the script has this many samples.
const EACH: u64 = 3;

fn script() -> (Cpu, Receiver<Event>) {
    let (script, events) = Script::new();
    let script = script.stack("worker", EACH, &[0x11, 0x21], false);
    (Cpu::with_sampler(script), events)
}

#[test]
fn a_short_capture_within_a_long_one_gets_its_own_slice_and_the_long_one_all() {
    let _turn = my_turn();
    let (cpu, events) = script();
    // Long enough for the other one to come and go.
    let long = ask(&cpu, Duration::from_secs(2));
    assert_eq!(next(&events), STARTED);
    let short = block_on(ask(&cpu, SHORT)).unwrap();
    assert_eq!(short.total(0), 3, "one slice");
    let long = block_on(long).unwrap();
    let seen: Vec<Event> = events.try_iter().collect();
    let slices = seen
        .iter()
        .filter(|event| **event == Event::Stopped)
        .count();
    // With it and after it; and before it, unless it joined while the sampler was starting.
    assert!((2..=3).contains(&slices), "{seen:?}");
    assert_eq!(long.total(0), 3 * slices as i64);
    assert_eq!(long.samples.len(), 1, "of one stack");
    assert_eq!(
        long.duration,
        slices as u32 * Duration::from_secs(2),
        "as the script says of each"
    );
    let turns = seen.split(|event| *event == STARTED);
    assert!(
        turns.clone().all(|turn| turn == [Event::Stopped]) && turns.count() == slices,
        "one at a time, and after the last asker none: {seen:?}"
    );
}

#[test]
fn a_profile_of_several_slices_says_so_and_one_of_a_single_slice_does_not() {
    let _turn = my_turn();
    let (cpu, events) = script();
    let long = ask(&cpu, Duration::from_secs(1));
    assert_eq!(next(&events), STARTED);
    let short = block_on(ask(&cpu, SHORT)).unwrap();
    let says = |profile: &Profile| {
        let mut comments = profile.comments.iter();
        comments
            .find(|comment| comment.starts_with("sampled in "))
            .cloned()
    };
    assert_eq!(says(&short), None);
    let long = says(&block_on(long).unwrap()).unwrap();
    assert!(
        long.contains(" slices, because others asked at the same time; 0."),
        "{long}"
    );
    assert!(long.ends_with(" s between them were not sampled"), "{long}");
}

#[test]
fn when_one_of_two_goes_away_the_sampler_stays_for_the_other() {
    let _turn = my_turn();
    let (cpu, events) = script();
    let gone = ask(&cpu, MAX_DURATION);
    assert_eq!(next(&events), STARTED);
    let stays = ask(&cpu, SHORT);
    drop(gone);
    assert_eq!(block_on(stays).unwrap().total(0), 3);
}

#[test]
fn the_sampler_stops_when_the_last_asker_goes_away() {
    let _turn = my_turn();
    let (cpu, events) = script();
    let first = ask(&cpu, MAX_DURATION);
    assert_eq!(next(&events), STARTED);
    let second = ask(&cpu, MAX_DURATION);
    drop(first);
    drop(second);
    // By being dropped, or stopped if the second was just joining; nothing is started again.
    loop {
        match next(&events) {
            Event::Dropped => break,
            Event::Stopped if events.try_recv().is_err() => break,
            _ => {}
        }
    }
}

#[test]
fn one_that_joins_an_abandoned_capture_of_its_own_sampler_is_served() {
    let _turn = my_turn();
    let (script, events) = Script::new();
    let (script, open) = script.gated();
    let cpu = Cpu::with_sampler(script.stack("worker", EACH, &[0x11], false));
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
    let (cpu, _events) = script();
    let askers: Vec<Capture> = (0..MAX_ASKERS).map(|_| ask(&cpu, MAX_DURATION)).collect();
    let error = block_on(cpu.clone().duration(SHORT).capture()).unwrap_err();
    assert!(error.is_busy());
    assert_eq!(
        error.to_string(),
        "too many CPU captures are running in this process; ask again when one has ended"
    );
    drop(askers);
}

#[test]
fn another_frequency_does_not_share() {
    let _turn = my_turn();
    let (cpu, events) = script();
    let running = ask(&cpu, MAX_DURATION);
    assert_eq!(next(&events), STARTED);
    let error = block_on(cpu.hz(250).duration(SHORT).capture()).unwrap_err();
    assert!(error.is_busy());
    drop(running);
}

// A scraper profiles all day: its next capture begins before the last one ends. A human comes in between.
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
    // The real sampler can be read while it runs.
    assert!(
        scraper
            .comments
            .iter()
            .any(|comment| comment.ends_with("; 0.000 s between them were not sampled")),
        "{:?}",
        scraper.comments
    );
}
