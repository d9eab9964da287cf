//! Which polls are chosen: each with the same probability, 1 in 2^n, independently of all others.
//!
//! Each thread draws how many polls to let pass, so that a poll that is not chosen costs one
//! comparison. A draw is made with the probability of that moment, and a chosen poll stands for as
//! many as it was drawn from: that keeps sums unbiased while n changes. Not here: what a chosen
//! poll does; who says what n is (`taskscope-inspect`).

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::sync::atomic::{AtomicU8, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use callstack::Stack;
use fastrand::Rng;

use crate::record::{Meta, Record};
use crate::{NoTrace, clock};

/// The activity that a task spent time on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Activity {
    /// Suspended: from the end of a poll to the wake.
    Waiting,
    /// Woken, or new, and not polled yet.
    Scheduled,
    /// In a poll.
    Running,
}

/// A stretch of time that a task spent on something, and that was chosen.
#[derive(Debug)]
pub struct Stretch<'a> {
    /// On what.
    pub activity: Activity,
    /// The task.
    pub record: &'a Record,
    /// Its facts of birth.
    pub meta: &'a Meta,
    /// How many stretches it stands for.
    pub weight: SampleWeight,
    /// Where the task waited.
    pub stack: Result<Arc<Stack>, NoTrace>,
    /// Raw ticks.
    pub from: u64,
    /// Raw ticks.
    pub to: u64,
}

/// Where chosen stretches of time go, on the threads that poll: nothing there may wait.
pub trait Sink: Sync {
    /// A stretch is over.
    fn record(&self, stretch: Stretch<'_>);

    /// A chosen poll, or wait, could not be told.
    fn lost(&self);

    /// A chosen wait is not followed to its end.
    fn lost_wait(&self);
}

static SINK: OnceLock<&'static dyn Sink> = OnceLock::new();

/// Has chosen stretches go there. The first one stays.
pub fn install(sink: &'static dyn Sink) {
    let _ = SINK.set(sink);
}

/// A task was woken, or spawned, and polled so much later.
pub(crate) fn delayed(record: &Record, meta: &Meta, weight: SampleWeight, from: u64, to: u64) {
    let stack = Err(NoTrace::Running);
    add(Stretch {
        activity: Activity::Scheduled,
        record,
        meta,
        weight,
        stack,
        from,
        to,
    });
}

/// A poll took so long.
pub(crate) fn ran(record: &Record, meta: &Meta, weight: SampleWeight, from: u64, to: u64) {
    let stack = Err(NoTrace::Running);
    add(Stretch {
        activity: Activity::Running,
        record,
        meta,
        weight,
        stack,
        from,
        to,
    });
}

/// A wait has ended.
pub(crate) fn waited(
    record: &Record,
    meta: &Meta,
    weight: SampleWeight,
    stack: Result<Arc<Stack>, NoTrace>,
    from: u64,
    to: u64,
) {
    add(Stretch {
        activity: Activity::Waiting,
        record,
        meta,
        weight,
        stack,
        from,
        to,
    });
}

fn add(stretch: Stretch<'_>) {
    if let Some(sink) = SINK.get() {
        sink.record(stretch);
    }
}

pub(crate) fn lost() {
    if let Some(sink) = SINK.get() {
        sink.lost();
    }
}

pub(crate) fn lost_wait() {
    if let Some(sink) = SINK.get() {
        sink.lost_wait();
    }
}

/// Chosen polls of one thread between two adjustments before it halves its probability by itself: a
/// burst must not cost more than a steady load.
const BURST: u32 = 512;
/// More than one in a billion is never needed.
const LEAST: u8 = 30;

/// The setting that all threads go by, for late polls and for the others. Bits 8.. count
/// adjustments; the lower ones are n plus 1, or 0: off.
static CONTROL: [AtomicU64; 2] = [const { AtomicU64::new(0) }; 2];
const LATE: usize = 0;
/// Raw ticks after a task's last poll from which on its next one is late. `u64::MAX`: sampling is
/// off.
static LATE_AFTER: AtomicU64 = AtomicU64::new(u64::MAX);
const OTHERS: usize = 1;

/// Sampling is on, with one poll in 2^n of each kind. Calls must not overlap.
pub fn set(n: [u8; 2]) {
    LATE_AFTER.store(clock::ticks(clock::RESOLUTION), Ordering::Relaxed);
    for (control, n) in CONTROL.iter().zip(n) {
        let epoch = (control.load(Ordering::Relaxed) >> 8) + 1;
        let code = u64::from(n.min(LEAST) + 1);
        control.store((epoch << 8) | code, Ordering::Relaxed);
    }
}

/// Whether a poll of a task comes late that last did anything then.
#[inline]
pub fn is_late(since: u64, now: u64) -> bool {
    now.saturating_sub(since) >= LATE_AFTER.load(Ordering::Relaxed)
}

/// Sampling is off.
pub fn switch_off() {
    LATE_AFTER.store(u64::MAX, Ordering::Relaxed);
    for control in &CONTROL {
        let epoch = control.load(Ordering::Relaxed) >> 8;
        control.store(epoch << 8, Ordering::Relaxed);
    }
}

/// The weight of a poll that is sampled now: of a late one, and of another one.
pub fn now() -> [Option<SampleWeight>; 2] {
    [LATE, OTHERS].map(|kind| SampleWeight::of_code(CONTROL[kind].load(Ordering::Relaxed) as u8))
}

/// How many polls, or waits, one that was chosen stands for: a power of two.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SampleWeight(u8);

impl SampleWeight {
    /// In six bits, and never 0.
    pub fn code(self) -> u8 {
        self.0 + 1
    }

    /// `None` for 0.
    pub fn of_code(code: u8) -> Option<SampleWeight> {
        code.checked_sub(1).map(SampleWeight)
    }

    /// How many it stands for.
    pub fn count(self) -> u64 {
        1 << self.0
    }
}

/// The draws of one thread, written by that thread alone.
#[derive(Debug)]
pub(crate) struct Draws {
    /// The number of the next poll that is chosen; `u64::MAX`: none.
    due: AtomicU64,
    /// The n it was drawn with.
    drawn_with: AtomicU8,
    /// The setting that the thread goes by.
    control: AtomicU64,
    /// How many it has chosen since that changed.
    chosen: AtomicU32,
    /// State of its random numbers. They are not those of `fastrand`'s functions, which the program
    /// may have seeded.
    random: AtomicU64,
}

impl Draws {
    /// Nothing drawn yet.
    pub(crate) const fn new() -> Draws {
        Draws {
            due: AtomicU64::new(u64::MAX),
            drawn_with: AtomicU8::new(0),
            control: AtomicU64::new(0),
            chosen: AtomicU32::new(0),
            random: AtomicU64::new(0),
        }
    }

    /// The number of the next poll that is chosen.
    pub(crate) fn due(&self) -> u64 {
        self.due.load(Ordering::Relaxed)
    }

    /// The thread begins the poll with this number. The answer is what it stands for, if it is
    /// chosen.
    pub(crate) fn step(&self, poll: u64) -> Option<SampleWeight> {
        self.step_by(poll, CONTROL[OTHERS].load(Ordering::Relaxed))
    }

    fn step_by(&self, poll: u64, control: u64) -> Option<SampleWeight> {
        let Some(SampleWeight(n)) = SampleWeight::of_code(control as u8) else {
            self.due.store(u64::MAX, Ordering::Relaxed);
            self.control.store(control, Ordering::Relaxed);
            return None;
        };
        let due = self.due() <= poll;
        let mut chosen = due.then(|| SampleWeight(self.drawn_with.load(Ordering::Relaxed)));
        let mut count = self.chosen.load(Ordering::Relaxed);
        let changed = self.control.load(Ordering::Relaxed) != control;
        if changed {
            self.control.store(control, Ordering::Relaxed);
            count = 0;
        }
        if due {
            count += 1;
        }
        if due || changed {
            // Without a draw this very poll has not had its chance: the first one of a thread.
            let first = self.due() == u64::MAX;
            // A draw that is still open may be made again: it knows nothing of the past.
            let n = (u32::from(n) + count / BURST).min(u32::from(LEAST)) as u8;
            self.drawn_with.store(n, Ordering::Relaxed);
            let mut wait = self.draw(n);
            if first {
                wait -= 1;
                if wait == 0 {
                    chosen = Some(SampleWeight(n));
                    count += 1;
                    wait = self.draw(n);
                }
            }
            self.due.store(poll.saturating_add(wait), Ordering::Relaxed);
        }
        self.chosen.store(count, Ordering::Relaxed);
        chosen
    }

    fn draw(&self, n: u8) -> u64 {
        let mut random = match self.random.load(Ordering::Relaxed) {
            0 => Rng::with_seed(RandomState::new().hash_one(0)),
            seed => Rng::with_seed(seed),
        };
        let drawn = draw(n, &mut random);
        self.random.store(random.get_seed(), Ordering::Relaxed);
        drawn
    }
}

/// The late polls of one thread. Written by that thread alone.
#[derive(Debug)]
pub(crate) struct LatePolls {
    begun: AtomicU64,
    draws: Draws,
}

impl LatePolls {
    /// None yet.
    pub(crate) const fn new() -> LatePolls {
        LatePolls {
            begun: AtomicU64::new(0),
            draws: Draws::new(),
        }
    }

    /// Late polls begun.
    pub(crate) fn count(&self) -> u64 {
        self.begun.load(Ordering::Relaxed)
    }

    /// The thread begins a late poll. The answer is what it stands for, if it is chosen.
    #[cold]
    #[inline(never)]
    pub(crate) fn step(&self) -> Option<SampleWeight> {
        let control = CONTROL[LATE].load(Ordering::Relaxed);
        let begun = self.begun.load(Ordering::Relaxed);
        self.begun.store(begun.wrapping_add(1), Ordering::Relaxed);
        let news = self.draws.control.load(Ordering::Relaxed) != control;
        if news || begun >= self.draws.due() {
            self.draws.step_by(begun, control)
        } else {
            None
        }
    }
}

/// How many polls later the next one is chosen, if each is with a probability of 1 in 2^n: at least
/// 1.
fn draw(n: u8, random: &mut Rng) -> u64 {
    if n == 0 {
        return 1;
    }
    // The inverse of the geometric distribution; never the logarithm of 0.
    let uniform = 1.0 - random.f64();
    let none = (-1.0 / f64::from(1_u32 << n)).ln_1p();
    1 + (uniform.ln() / none) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn draws_have_the_mean_that_makes_a_chosen_poll_stand_for_as_many_as_it_says() {
        let mut random = Rng::with_seed(1);
        for n in [1, 3, 10] {
            let sum: u64 = (0..100_000).map(|_| draw(n, &mut random)).sum();
            let mean = sum as f64 / 100_000.0;
            let expected = f64::from(1_u32 << n);
            // Some six standard deviations.
            assert!((mean / expected - 1.0).abs() < 0.02, "{n}: {mean}");
        }
        assert!((0..1000).all(|_| draw(0, &mut random) == 1 && draw(1, &mut random) >= 1));
    }

    fn control(epoch: u64, n: u8) -> u64 {
        (epoch << 8) | u64::from(n + 1)
    }

    fn seeded() -> Draws {
        let pace = Draws::new();
        pace.random.store(7, Ordering::Relaxed);
        pace
    }

    #[test]
    fn a_chosen_poll_stands_for_what_it_was_drawn_from_also_if_that_has_changed_meanwhile() {
        let pace = seeded();
        assert_eq!(pace.step_by(0, control(1, 3)), None);
        let due = pace.due();
        assert_eq!(pace.step_by(due, control(2, 0)), Some(SampleWeight(3)));
        // From then on the new one.
        assert_eq!(pace.due(), due + 1);
        assert_eq!(pace.step_by(due + 1, control(2, 0)), Some(SampleWeight(0)));
    }

    #[test]
    fn a_draw_that_is_open_is_made_again_when_the_pace_changes_and_is_void_when_it_is_off() {
        let pace = seeded();
        assert_eq!(pace.step_by(0, control(1, 30)), None);
        assert!(pace.due() > 1000, "one in a billion");
        assert_eq!(pace.step_by(5, control(2, 0)), None);
        assert_eq!(pace.due(), 6);
        // Off.
        assert_eq!(pace.step_by(6, 2 << 8), None);
        assert_eq!(pace.due(), u64::MAX);
        // On again: this poll is the first that has a chance.
        assert_eq!(pace.step_by(7, control(3, 0)), Some(SampleWeight(0)));
        assert_eq!(pace.due(), 8);
    }

    #[test]
    fn what_is_chosen_stands_for_all_while_the_pace_changes_and_bursts_are_cut() {
        let pace = seeded();
        let (mut told, mut chosen) = (0, 0);
        const POLLS: u64 = 4_000_000;
        for poll in 0..POLLS {
            let epoch = poll / 100_000 + 1;
            let n = [0, 5, 2, 9][epoch as usize % 4];
            if let Some(weight) = pace.step_by(poll, control(epoch, n)) {
                told += weight.count();
                chosen += 1;
            }
        }
        // Some six standard deviations.
        assert!((told as f64 / POLLS as f64 - 1.0).abs() < 0.1, "{told}");
        // Without the limit, a quarter of the polls and more.
        assert!((10_000..POLLS / 20).contains(&chosen), "{chosen}");
    }

    #[test]
    fn of_each_kind_of_poll_there_is_a_number_of_its_own_that_is_never_zero_and_fits() {
        assert_eq!(SampleWeight::of_code(0), None);
        for n in 0..=LEAST {
            let weight = SampleWeight(n);
            assert_eq!(SampleWeight::of_code(weight.code()), Some(weight));
            assert_eq!(weight.count(), 1 << n);
            assert!((1..64).contains(&weight.code()));
        }
    }
}
