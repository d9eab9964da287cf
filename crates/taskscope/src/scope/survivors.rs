//! Reports of tasks that are still alive a while after their scope ended: each once, whoever
//! reports it.
//!
//! A scope that ends with live tasks is put in a queue with the `tracing` dispatcher of that
//! moment. The thread of long jobs inspects it after [`SURVIVOR_REPORT_DELAY`]: most tasks have
//! just been about to end. It polls nobody's task for it.
//!
//! Not here: the wait for tasks ([`super::finish`]), how a survivor is called
//! ([`crate::Verdict`]).

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, Once, Weak};
use std::time::{Duration, Instant};

use tracing::Dispatch;
use tracing::dispatcher::{get_default, with_default};
use tracing::level_filters::LevelFilter;
use tracing::subscriber::NoSubscriber;

use super::inner::ScopeInner;
use taskscope_core::scope_info::ScopeFacts;
use taskscope_core::text::plain;
use taskscope_inspect::heap::{self, Held};
use taskscope_inspect::{TaskDump, long_jobs, of_scopes};

use crate::sync::lock;

/// How long after the end of a scope its tasks may still be ending before they are reported: 1 s.
///
/// Under [`AtEnd::Abort`](crate::AtEnd::Abort) it counts from the abort.
pub const SURVIVOR_REPORT_DELAY: Duration = Duration::from_secs(1);

/// Ended scopes with live tasks that are remembered until they are reported: 16384. What is more is
/// counted in [`Stats::scopes_unreported`](crate::stats::Stats::scopes_unreported).
pub const MAX_PENDING_REPORTS: usize = 16_384;

/// So much later it is looked at: other things of a second are measured by another clock, and have
/// passed then.
const SLACK: Duration = Duration::from_millis(20);

/// Reports take a look at all tasks. Between two of them is so many times what the last one took,
/// within these limits: the first one looks up symbols, too, and takes much longer than the rest.
const REST: u32 = 20;
const PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// With so many in the queue, those whose tasks have ended meanwhile are removed.
const CROWDED: usize = MAX_PENDING_REPORTS / 2;

struct Ended {
    scope: Weak<ScopeInner>,
    dispatch: Dispatch,
}

type Queue = BTreeMap<(Instant, u64), Ended>;

/// No report before this moment.
static REST_UNTIL: Mutex<Option<Instant>> = Mutex::new(None);
static QUEUE: Mutex<Queue> = Mutex::new(BTreeMap::new());
static UNREPORTED: AtomicU64 = AtomicU64::new(0);

fn queue() -> MutexGuard<'static, Queue> {
    lock(&QUEUE)
}

/// Scopes that wait to be reported, and those that never will be, for want of room.
pub(super) fn counts() -> (usize, u64) {
    (queue().len(), UNREPORTED.load(Ordering::Relaxed))
}

/// Remembers a scope that has ended with live tasks. `grace`: what they were given before an abort.
/// False: it will not be reported.
pub(super) fn ended(scope: &Weak<ScopeInner>, grace: Duration) -> bool {
    static NUMBERS: AtomicU64 = AtomicU64::new(0);
    let wait = grace.saturating_add(SURVIVOR_REPORT_DELAY + SLACK);
    let Some(due) = Instant::now().checked_add(wait) else {
        return false;
    };
    let ended = Ended {
        scope: scope.clone(),
        dispatch: get_default(Dispatch::clone),
    };
    let mut queue = queue();
    let length = queue.len();
    let first = queue
        .first_key_value()
        .is_none_or(|(first, _)| due < first.0);
    let has_room = length < MAX_PENDING_REPORTS;
    if has_room {
        let number = NUMBERS.fetch_add(1, Ordering::Relaxed);
        queue.insert((due, number), ended);
    } else {
        UNREPORTED.fetch_add(1, Ordering::Relaxed);
    }
    drop(queue);
    if first || length >= CROWDED {
        static ADDED: Once = Once::new();
        ADDED.call_once(|| long_jobs::add(look));
        // If the system has no thread to give, the next call tries again.
        long_jobs::wake();
    }
    has_room
}

/// For the thread of long jobs: reports what is due. Returns how long it may look away; `None`:
/// until it is called.
fn look() -> Option<Duration> {
    let started = Instant::now();
    let mut rest_until = lock(&REST_UNTIL);
    if let Some(rest) = rest_until.and_then(|until| until.checked_duration_since(started))
        && !rest.is_zero()
    {
        return (!queue().is_empty()).then_some(rest);
    }
    *rest_until = None;
    let mut due = Vec::new();
    let mut seen = Vec::new();
    let mut looked = false;
    let next = {
        let mut queue = queue();
        if queue.len() >= CROWDED {
            looked = true;
            queue.retain(|_, ended| {
                let Some(scope) = ended.scope.upgrade() else {
                    return false;
                };
                let stays = !scope.may_leave_queue();
                seen.push(scope);
                stays
            });
        }
        while let Some(first) = queue.first_entry().filter(|first| first.key().0 <= started) {
            due.push(first.remove());
        }
        queue.first_key_value().map(|(first, _)| first.0)
    };
    // After the lock: these may be the last references.
    drop(seen);
    let due: Vec<(Arc<ScopeInner>, Dispatch)> = due
        .into_iter()
        .filter_map(|ended| Some((ended.scope.upgrade()?, ended.dispatch)))
        .filter(|(scope, _)| scope.take_survivors())
        .collect();
    looked |= !due.is_empty();
    let took = report_all(&due);
    let now = Instant::now();
    let rest = if looked {
        took.saturating_mul(REST).clamp(PAUSE, LONGEST_PAUSE)
    } else {
        Duration::ZERO
    };
    *rest_until = Some(now + rest);
    next.map(|next| next.saturating_duration_since(now).max(rest))
}

/// Reports the survivors of some scopes, in their order. Returns how long it took to look at all
/// tasks.
fn report_all(due: &[(Arc<ScopeInner>, Dispatch)]) -> Duration {
    if due.is_empty() {
        return Duration::ZERO;
    }
    let started = Instant::now();
    let places: HashMap<*const ScopeInner, usize> = due
        .iter()
        .enumerate()
        .map(|(at, (scope, _))| (Arc::as_ptr(scope), at))
        .collect();
    // The innermost of them that a scope is in.
    let place = |scope: &ScopeInner| {
        scope
            .chain()
            .find_map(|above| places.get(&std::ptr::from_ref(above)).copied())
    };
    let place_of = |scope: &dyn ScopeFacts| ScopeInner::of_facts(scope).and_then(place);
    let tasks = of_scopes(&|scope| place_of(scope).is_some());
    let mut placed: Vec<(usize, TaskDump)> = tasks
        .into_iter()
        .filter_map(|task| Some((place_of(&**task.scope.as_ref()?.facts())?, task)))
        .collect();
    placed.sort_by_key(|(at, task)| (*at, Reverse(task.age), task.id));
    let took = started.elapsed();
    let held = Holdings::of(&placed);
    for (at, task) in placed {
        let (ended, dispatch) = &due[at];
        // The subscriber is the application's code.
        let _ = catch_unwind(AssertUnwindSafe(|| {
            if dispatch.is::<NoSubscriber>() {
                // One for the whole program may have been installed since.
                report(&task, ended);
            } else {
                with_default(dispatch, || report(&task, ended));
            }
        }));
    }
    for (at, holding) in held.by_place {
        let (ended, dispatch) = &due[at];
        let _ = catch_unwind(AssertUnwindSafe(|| {
            if dispatch.is::<NoSubscriber>() {
                holding.report(ended);
            } else {
                with_default(dispatch, || holding.report(ended));
            }
        }));
    }
    took
}

/// The survivors of each scope, and what they hold together. Empty if nothing that they hold is
/// sampled.
struct Holdings {
    by_place: BTreeMap<usize, Holding>,
}

#[derive(Default)]
struct Holding {
    survivors: u64,
    held: Held,
}

impl Holdings {
    fn of(placed: &[(usize, TaskDump)]) -> Self {
        let mut by_place: BTreeMap<usize, Holding> = BTreeMap::new();
        if let Some(by_task) = heap::held_by_task() {
            for (at, task) in placed.iter().filter(|(_, task)| !task.background) {
                let holding = by_place.entry(*at).or_default();
                holding.survivors += 1;
                holding.held += by_task.get(&task.id).copied().unwrap_or_default();
            }
        }
        by_place.retain(|_, holding| !holding.held.is_nothing());
        Holdings { by_place }
    }
}

impl Holding {
    fn report(&self, ended: &ScopeInner) {
        if !is_unheard() {
            tracing::warn!(
                target: "taskscope::leak",
                { scope = &*plain(ended.name()), survivors = self.survivors, held_bytes = self.held.bytes(), held = %self.held },
                "survivors of a scope hold memory (sampled)"
            );
        }
    }
}

/// Whether this thread has no subscriber, although others have one.
///
/// `tracing` asks the thread that comes to an event first, if there is one subscriber only, and
/// remembers the answer for all threads: one that has none would silence the reports for everybody.
/// As long as nobody has one, nothing is remembered.
fn is_unheard() -> bool {
    LevelFilter::current() >= LevelFilter::WARN
        && get_default(|dispatch| dispatch.is::<NoSubscriber>())
}

/// Reports a task that has outlived a scope, unless that was done before.
pub(super) fn report(task: &TaskDump, ended: &ScopeInner) {
    let own = task.scope.as_ref();
    let own = own.and_then(|scope| ScopeInner::of_facts(&**scope.facts()));
    if task.background || !own.is_some_and(|own| own.first_report(task.id)) {
        return;
    }
    if is_unheard() {
        return;
    }
    let waits_for = task.trace.is_ok().then(|| task.wait_reason().to_string());
    // Subscribers write to terminals, and most of them write a text as it is.
    let name = task.name.as_deref().map(plain);
    tracing::warn!(
        target: "taskscope::leak",
        { task.id = task.id, task.name = name.as_deref(), loc.file = &*plain(task.site.file()), loc.line = task.site.line(),
          loc.col = task.site.column(), scope = &*plain(ended.name()), verdict = task.verdict.name(),
          age_ms = task.age.as_millis() as u64, waits_for },
        "task outlived its scope"
    );
}
