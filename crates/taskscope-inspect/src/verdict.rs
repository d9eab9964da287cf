//! Verdicts: why a task is still alive, by the strongest statement that the evidence supports.
//!
//! Not here: how the evidence is read (`evidence.rs`).

use std::fmt;
use std::time::Duration;

use crate::dump::State;

/// A poll that takes longer than this blocks its worker: 100 ms.
pub const BLOCKING_THRESHOLD: Duration = Duration::from_millis(100);

/// How long a task may go on after its scope was cancelled before a verdict holds it against the
/// task: 1 s.
///
/// The task has to be polled first, and to clean up. Time that it spent waiting for a worker does
/// not count for `cancel ignored`.
pub const CANCEL_GRACE: Duration = Duration::from_secs(1);

/// Polls per second above which a task that nobody but itself wakes is spinning: 1000.
pub const SPINNING_RATE: f64 = 1000.0;

/// A task is watched for at least this long before it is called spinning.
pub(crate) const WATCH: Duration = Duration::from_millis(10);

/// Why a task is still alive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Verdict {
    /// Idle, and no waker of it exists: nothing can ever wake it.
    Stuck,
    /// In one poll for longer than the watchdog's threshold, [`BLOCKING_THRESHOLD`] unless
    /// [`Watchdog::threshold`](crate::Watchdog::threshold) was set. A task in `block_in_place`
    /// counts, too.
    Blocking,
    /// Polled thousands of times a second, and only ever woken by itself.
    Spinning,
    /// Its scope was cancelled more than [`CANCEL_GRACE`] ago, and it has not looked at the scope's
    /// token since.
    CancelIgnored,
    /// Its scope was cancelled more than [`CANCEL_GRACE`] ago, it has seen that, and is still
    /// there.
    CancelSlow,
    /// Its scope has ended, without cancelling it.
    Outlived,
    /// None of the above, and waiting.
    Idle,
    /// None of the above: running, or about to.
    Active,
    /// It has ended, and only because it was polled for its stack: it could have gone on all the
    /// time, and nothing had woken it. No live task has this verdict; see
    /// [`lost_wakeups`](crate::lost_wakeups).
    LostWakeup,
}

impl Verdict {
    /// All verdicts on live tasks, the strongest first.
    pub const ALL: [Verdict; 8] = [
        Verdict::Stuck,
        Verdict::Blocking,
        Verdict::Spinning,
        Verdict::CancelIgnored,
        Verdict::CancelSlow,
        Verdict::Outlived,
        Verdict::Idle,
        Verdict::Active,
    ];

    /// One or two lower-case words, the same in every output.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Verdict::Stuck => "stuck",
            Verdict::Blocking => "blocking",
            Verdict::Spinning => "spinning",
            Verdict::CancelIgnored => "cancel ignored",
            Verdict::CancelSlow => "cancel slow",
            Verdict::Outlived => "outlived",
            Verdict::Idle => "idle",
            Verdict::Active => "active",
            Verdict::LostWakeup => "lost wake-up",
        }
    }

    /// The name as one word, with hyphens for spaces: the value of URL parameters, of labels of
    /// metrics and of classes in a page.
    ///
    /// # Examples
    ///
    /// ```
    /// assert_eq!(taskscope::Verdict::CancelIgnored.slug(), "cancel-ignored");
    /// ```
    #[must_use]
    pub fn slug(self) -> &'static str {
        match self {
            Verdict::CancelIgnored => "cancel-ignored",
            Verdict::CancelSlow => "cancel-slow",
            Verdict::LostWakeup => "lost-wake-up",
            one_word => one_word.name(),
        }
    }

    /// The meaning in a few words.
    ///
    /// The threshold of `blocking` is not in it, because it can be changed:
    /// [`Watchdog::active_threshold`](crate::Watchdog::active_threshold) has it.
    #[must_use]
    pub fn meaning(self) -> &'static str {
        match self {
            Verdict::Stuck => "nothing can ever wake it",
            Verdict::Blocking => "in one poll for longer than the watchdog allows",
            Verdict::Spinning => "polled all the time, woken by nobody but itself",
            Verdict::CancelIgnored => {
                "its scope was cancelled, and it has not looked at the token since"
            }
            Verdict::CancelSlow => "it has seen that its scope was cancelled, and goes on",
            Verdict::Outlived => "its scope has ended",
            Verdict::Idle => "waiting",
            Verdict::Active => "running, or about to",
            Verdict::LostWakeup => "it ended only because it was polled for its stack",
        }
    }

    /// The advice on what to do about it, in one line.
    #[must_use]
    pub fn advice(self) -> &'static str {
        match self {
            Verdict::Stuck => {
                "nothing holds its waker: look for a future that returns Pending without keeping the waker, or `pending()`"
            }
            Verdict::Blocking => {
                "move blocking work to `spawn_blocking`, or split it with `yield_now`"
            }
            Verdict::Spinning => {
                "it wakes itself in every poll: wait for an event or a timer instead of asking again and again"
            }
            Verdict::CancelIgnored => {
                "it does not look at its scope's token: wrap what it waits for in `token.run_until_cancelled(..)`"
            }
            Verdict::CancelSlow => {
                "it knows that it should stop: bound what it still does with a timeout, or end the scope with `AtEnd::Abort`"
            }
            Verdict::Outlived => {
                "end it with its scope: select on the scope's token, or keep its handle and abort or await it"
            }
            Verdict::Idle => {
                "make whatever it waits for happen before the end, or abort it and await its handle"
            }
            Verdict::Active => "await its handle, or tell it to stop",
            Verdict::LostWakeup => {
                "it ended only because it was polled for its stack: nothing had woken it: look for a change of state without a wake, or before the waker is stored"
            }
        }
    }
}

/// Whether a task with this verdict looks like a leak. `scope_ended`: its scope or one above has
/// ended.
pub(crate) fn is_suspect(verdict: Verdict, background: bool, scope_ended: bool) -> bool {
    let by_verdict = matches!(
        verdict,
        Verdict::Stuck | Verdict::CancelIgnored | Verdict::CancelSlow
    );
    !background && (by_verdict || scope_ended)
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// The facts that a verdict rests on.
#[derive(Debug)]
pub(crate) struct Evidence<'a> {
    /// State of the task.
    pub(crate) state: &'a State,
    /// Wakers of the task that exist.
    pub(crate) wakers: u64,
    /// Whether it is polled thousands of times a second, and woken only by itself.
    pub(crate) spinning: bool,
    /// How long its scope has been cancelled at least; `None` if it is not.
    pub(crate) cancelled: Option<Duration>,
    /// Whether it has polled a token of its scope that was cancelled then.
    pub(crate) saw_cancelled: bool,
    /// Whether its scope or one above has ended.
    pub(crate) scope_ended: bool,
    /// Whether it was declared long-lived.
    pub(crate) background: bool,
    /// How long a poll may take.
    pub(crate) threshold: Duration,
    /// Whether it runs where blocking is allowed.
    pub(crate) may_block: bool,
}

pub(crate) fn of(evidence: &Evidence<'_>) -> Verdict {
    match evidence.state {
        State::Idle { .. } if evidence.wakers == 0 => Verdict::Stuck,
        State::Running { since, .. } if *since >= evidence.threshold && !evidence.may_block => {
            Verdict::Blocking
        }
        _ if evidence.spinning => Verdict::Spinning,
        _ if evidence.background => at_work(evidence.state),
        state => judge_cancelled(evidence).unwrap_or_else(|| {
            if evidence.scope_ended {
                Verdict::Outlived
            } else {
                at_work(state)
            }
        }),
    }
}

fn at_work(state: &State) -> Verdict {
    match state {
        State::Idle { .. } => Verdict::Idle,
        State::Running { .. } | State::Scheduled { .. } => Verdict::Active,
    }
}

/// The verdict on how a task has taken its cancellation. `None`: it was not cancelled, or its grace
/// is not over.
fn judge_cancelled(evidence: &Evidence<'_>) -> Option<Verdict> {
    let cancelled = evidence.cancelled?;
    if evidence.saw_cancelled {
        return (cancelled >= CANCEL_GRACE).then_some(Verdict::CancelSlow);
    }
    // A task that waits for a worker cannot poll the token.
    let waits_for_worker = match evidence.state {
        State::Scheduled { since } => *since,
        State::Running { .. } | State::Idle { .. } => Duration::ZERO,
    };
    let had = cancelled.saturating_sub(waits_for_worker);
    (had >= CANCEL_GRACE).then_some(Verdict::CancelIgnored)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONG: Duration = Duration::from_secs(60);
    const SHORT: Duration = Duration::from_millis(1);

    fn idle() -> State {
        State::Idle { since: LONG }
    }

    fn scheduled(since: Duration) -> State {
        State::Scheduled { since }
    }

    fn running(since: Duration) -> State {
        State::Running {
            thread: None,
            since,
        }
    }

    /// A task to which every verdict but the state's applies.
    fn everything(state: &State) -> Evidence<'_> {
        Evidence {
            state,
            wakers: 0,
            spinning: true,
            cancelled: Some(LONG),
            saw_cancelled: false,
            scope_ended: true,
            background: false,
            threshold: BLOCKING_THRESHOLD,
            may_block: false,
        }
    }

    #[test]
    fn the_strongest_verdict_wins_and_each_falls_to_the_next_without_its_evidence() {
        let (idle, blocked) = (idle(), running(LONG));
        let at_work = [scheduled(LONG), running(SHORT)];
        let mut evidence = everything(&idle);
        assert_eq!(of(&evidence), Verdict::Stuck);
        evidence.wakers = 1;
        assert_eq!(of(&evidence), Verdict::Spinning);
        evidence.state = &blocked;
        assert_eq!(of(&evidence), Verdict::Blocking);
        evidence.state = &idle;
        evidence.spinning = false;
        assert_eq!(of(&evidence), Verdict::CancelIgnored);
        evidence.saw_cancelled = true;
        assert_eq!(of(&evidence), Verdict::CancelSlow);
        evidence.cancelled = None;
        assert_eq!(of(&evidence), Verdict::Outlived);
        evidence.scope_ended = false;
        assert_eq!(of(&evidence), Verdict::Idle);
        for state in &at_work {
            evidence.state = state;
            assert_eq!(of(&evidence), Verdict::Active);
        }
    }

    #[test]
    fn a_task_that_runs_or_is_about_to_is_not_stuck_without_wakers() {
        for state in [scheduled(SHORT), running(SHORT)] {
            let evidence = Evidence {
                spinning: false,
                cancelled: None,
                scope_ended: false,
                ..everything(&state)
            };
            assert_eq!(of(&evidence), Verdict::Active);
        }
    }

    #[test]
    fn nothing_is_held_against_a_task_before_the_grace_is_over() {
        let idle = idle();
        for (cancelled, is_judged) in [(SHORT, false), (CANCEL_GRACE, true)] {
            for saw_cancelled in [false, true] {
                let evidence = Evidence {
                    wakers: 1,
                    spinning: false,
                    cancelled: Some(cancelled),
                    saw_cancelled,
                    ..everything(&idle)
                };
                assert_eq!(of(&evidence) != Verdict::Outlived, is_judged);
            }
        }
    }

    #[test]
    fn a_task_that_waited_for_a_worker_had_no_time_to_look() {
        for (waited, verdict) in [
            (LONG, Verdict::Outlived),
            (LONG - CANCEL_GRACE / 2, Verdict::Outlived),
            (LONG - CANCEL_GRACE, Verdict::CancelIgnored),
        ] {
            let state = scheduled(waited);
            let evidence = Evidence {
                spinning: false,
                ..everything(&state)
            };
            assert_eq!(of(&evidence), verdict, "{waited:?}");
        }
    }

    #[test]
    fn a_background_task_is_judged_by_what_it_does_alone() {
        let idle = idle();
        let mut evidence = Evidence {
            wakers: 1,
            spinning: false,
            background: true,
            ..everything(&idle)
        };
        assert_eq!(of(&evidence), Verdict::Idle);
        evidence.wakers = 0;
        assert_eq!(of(&evidence), Verdict::Stuck);
    }

    #[test]
    fn verdicts_are_listed_from_the_strongest_with_names_of_their_own() {
        assert!(Verdict::ALL.is_sorted());
        let names: std::collections::HashSet<_> =
            Verdict::ALL.iter().map(|verdict| verdict.name()).collect();
        assert_eq!(names.len(), Verdict::ALL.len());
        for verdict in Verdict::ALL.into_iter().chain([Verdict::LostWakeup]) {
            assert_eq!(verdict.slug(), verdict.name().replace(' ', "-"));
        }
    }
}
