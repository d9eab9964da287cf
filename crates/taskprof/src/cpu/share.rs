//! One sampler for everybody who asks at the same time: `SIGPROF` has one owner.
//!
//! So it runs in slices. A slice ends when somebody joins, when somebody's time is up, or when nobody is left:
//!
//! ```text
//!   asker A   |======================================|
//!   asker B            |===============|
//!   slices    |--------|---------------|-------------|
//!                 A          A + B            A
//! ```
//!
//! Each asker gets the sum of the slices that lie in its own window, which begins when a slice does. A sampler that can be read while it runs
//! goes on from slice to slice; another one is started anew, and between two slices nothing is sampled for some time, which the sum knows. A slice that somebody joins is at least [`SHORTEST`] long, so that a crowd that comes one
//! by one costs ten restarts a second and not a thousand; with many, two.
//!
//! Who wants another sampler or another frequency is told that it is busy; unless nobody wants the present one any more, and it is being stopped
//! this moment: then one may wait for that, and nobody overtakes.
//!
//! ```text
//!          join                    the last asker goes away
//!   none ───────▶ session, wanted ──────────────────────────▶ session, ending
//!    ▲                │ ▲ the last one has its answer            │  │
//!    │                │ └────────────────────────────────────────┼──┘ join, with the same sampler
//!    └────────────────┴──────────────────────────────────────────┘ the sampler has stopped
//! ```
//!
//! Not here: how slices are added up (`recorded.rs`), what a sum becomes (`profile.rs`).

use std::ffi::{CStr, CString};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::{Notify, oneshot};

use super::recorded::Recorded;
use crate::error::Error;
use crate::sampler::{RawProfile, Sampler};
use crate::steady::Steady;

/// Askers of one sampler at the same time; each has a sum of its own in memory.
pub const MAX_ASKERS: usize = 64;

/// A slice that is cut because somebody joins is at least so long.
const SHORTEST: Duration = Duration::from_millis(100);
/// And so long when [`MANY`] or more take part: each cut reads all that was sampled.
const SHORTEST_OF_MANY: Duration = Duration::from_millis(500);
const MANY: usize = 8;

/// What is left of a window when a slice is cut for another reason is not worth a slice of its own.
const REST: Duration = Duration::from_millis(10);

/// What the thread is called while it samples.
const THREAD: &CStr = c"taskprof-cpu";
/// And otherwise.
static IDLE: Steady = Steady::new("taskprof-idle");

type Answer = oneshot::Sender<Result<Recorded, Error>>;

struct Asker {
    number: u64,
    duration: Duration,
    /// Since its first slice began: when its time is up.
    until: Option<Instant>,
    recorded: Recorded,
    answer: Answer,
}

struct Session {
    number: u64,
    sampler: Arc<dyn Sampler>,
    hz: i32,
    askers: Vec<Asker>,
}

impl Session {
    fn is_of(&self, sampler: &Arc<dyn Sampler>, hz: i32) -> bool {
        Arc::ptr_eq(&self.sampler, sampler) && self.hz == hz
    }
}

struct State {
    session: Option<Session>,
    /// The last number that was given to a session or to an asker.
    last: u64,
    /// Whether there is a [`Place`].
    awaited: bool,
}

impl State {
    fn number(&mut self) -> u64 {
        self.last += 1;
        self.last
    }
}

static STATE: Mutex<State> = Mutex::new(State {
    session: None,
    last: 0,
    awaited: false,
});
/// For the thread: somebody has come or gone.
static CHANGED: Condvar = Condvar::new();
/// For those who wait for another session's end.
static FREED: Notify = Notify::const_new();

fn lock() -> MutexGuard<'static, State> {
    // Plain values that are never left half-written.
    STATE.lock().unwrap_or_else(PoisonError::into_inner)
}

// ---- the askers' side -----------------------------------------------------------------------------------------------

/// Joins the sampler, or starts it, and waits for this long of it.
///
/// Dropping the future takes the asker out; the sampler stops when the last one goes.
pub(super) async fn record(
    sampler: &Arc<dyn Sampler>,
    hz: i32,
    duration: Duration,
) -> Result<Recorded, Error> {
    let (ticket, answer) = join(sampler, hz, duration).await?;
    let result = answer.await;
    drop(ticket);
    result.map_err(|_| {
        Error::sampler(format!(
            "the thread {} panicked; its message is on standard error",
            name()
        ))
    })?
}

/// The right to be the next with another sampler. There is one at the most.
struct Place;

impl Drop for Place {
    fn drop(&mut self) {
        lock().awaited = false;
    }
}

/// An asker that is waiting. Dropping it says that nobody wants that answer any more.
struct Ticket {
    number: u64,
}

impl Drop for Ticket {
    fn drop(&mut self) {
        let asker = {
            let mut state = lock();
            let askers = state.session.as_mut().map(|session| &mut session.askers);
            askers.and_then(|askers| {
                let at = askers
                    .iter()
                    .position(|asker| asker.number == self.number)?;
                Some(askers.swap_remove(at))
            })
        };
        // Outside the lock: what it has recorded may be much.
        drop(asker);
        CHANGED.notify_all();
    }
}

enum Step {
    Joined,
    /// The thread of this session is to be started.
    Start(u64),
    Wait,
}

async fn join(
    sampler: &Arc<dyn Sampler>,
    hz: i32,
    duration: Duration,
) -> Result<(Ticket, oneshot::Receiver<Result<Recorded, Error>>), Error> {
    let (answer, receiver) = oneshot::channel();
    let number = lock().number();
    let mut asker = Some(Asker {
        number,
        duration,
        until: None,
        recorded: Recorded::default(),
        answer,
    });
    let mut place = None;
    loop {
        let freed = FREED.notified();
        tokio::pin!(freed);
        // Registered before the state is read, so that the end of a session in between is not missed.
        freed.as_mut().enable();
        let step = {
            let mut guard = lock();
            let state = &mut *guard;
            let wanted = |session: &Session| !session.askers.is_empty();
            let overtakes = state.awaited && place.is_none();
            let next = state.last + 1;
            match &mut state.session {
                Some(session) if session.is_of(sampler, hz) && (wanted(session) || !overtakes) => {
                    if session.askers.len() >= MAX_ASKERS {
                        return Err(Error::busy(
                            "too many CPU captures are running in this process; ask again when one has ended",
                        ));
                    }
                    session.askers.extend(asker.take());
                    Step::Joined
                }
                session if overtakes || session.as_ref().is_some_and(wanted) => {
                    return Err(Error::busy(
                        "a CPU capture with another sampler or frequency is running in this process; ask again when it has ended",
                    ));
                }
                Some(_) => {
                    if place.is_none() {
                        place = Some(Place);
                        state.awaited = true;
                    }
                    Step::Wait
                }
                session @ None => {
                    *session = Some(Session {
                        number: next,
                        sampler: Arc::clone(sampler),
                        hz,
                        askers: asker.take().into_iter().collect(),
                    });
                    state.last = next;
                    Step::Start(next)
                }
            }
        };
        match step {
            Step::Joined => {
                CHANGED.notify_all();
                return Ok((Ticket { number }, receiver));
            }
            Step::Start(session) => {
                let ticket = Ticket { number };
                let session = Running(session);
                IDLE.give(move || {
                    let _named = Named::new();
                    session.run();
                })?;
                return Ok((ticket, receiver));
            }
            Step::Wait => freed.await,
        }
    }
}

// ---- the sampling side ----------------------------------------------------------------------------------------------

fn name() -> std::borrow::Cow<'static, str> {
    THREAD.to_string_lossy()
}

/// Calls the thread what it does, for whoever looks at the threads of the process.
struct Named;

impl Named {
    fn new() -> Named {
        // A name is a courtesy.
        let _ = rustix::thread::set_name(THREAD);
        Named
    }
}

impl Drop for Named {
    fn drop(&mut self) {
        let idle = CString::new(IDLE.name()).unwrap_or_default();
        let _ = rustix::thread::set_name(&idle);
    }
}

/// The thread's right to a session. Dropping it, after the sampler has stopped, ends the session; also when the thread panics.
struct Running(u64);

impl Drop for Running {
    fn drop(&mut self) {
        let ended = {
            let mut state = lock();
            match &state.session {
                Some(session) if session.number == self.0 => state.session.take(),
                _ => None,
            }
        };
        // Outside the lock: it wakes whoever still waits.
        drop(ended);
        FREED.notify_waiters();
    }
}

impl Running {
    fn run(&self) {
        while let Some((sampler, hz)) = self.wanted() {
            if let Err(error) = self.sample(&*sampler, hz) {
                self.fail(&error);
            }
        }
    }

    /// Slice after slice, until the sampler has to be started anew, or nobody is left.
    fn sample(&self, sampler: &dyn Sampler, hz: i32) -> Result<(), Error> {
        let mut running = sampler.start(hz)?;
        let mut began = Instant::now();
        loop {
            let members = self.begin(began);
            if !wait(began) {
                drop(running);
                return Ok(());
            }
            let ended = Instant::now();
            let lap = if self.goes_on(ended) {
                running.lap()?
            } else {
                None
            };
            let Some(slice) = lap else {
                let slice = running.stop()?;
                self.finish(&slice, (began, ended), &members, true);
                return Ok(());
            };
            self.finish(&slice, (began, ended), &members, false);
            began = ended;
        }
    }

    /// Somebody is waiting: what to sample with. `None`: nobody, and the session is over.
    fn wanted(&self) -> Option<(Arc<dyn Sampler>, i32)> {
        let mut state = lock();
        let session = state.session.as_ref();
        // Another one's, if this one has ended.
        let session = session.filter(|session| session.number == self.0)?;
        if session.askers.is_empty() {
            // In the same breath, so that nobody joins a session that has no thread.
            state.session = None;
            return None;
        }
        Some((Arc::clone(&session.sampler), session.hz))
    }

    /// Whether anybody wants more than the slice that ends now.
    fn goes_on(&self, ended: Instant) -> bool {
        let state = lock();
        let mut askers = state.session.iter().flat_map(|session| &session.askers);
        askers.any(|asker| asker.until.is_none_or(|until| !is_up(until, ended)))
    }

    /// Everybody who is here takes part in the slice that begins.
    fn begin(&self, began: Instant) -> Vec<u64> {
        let mut state = lock();
        let askers = state.session.iter_mut().flat_map(|it| &mut it.askers);
        askers
            .map(|asker| {
                asker.until.get_or_insert(began + asker.duration);
                asker.number
            })
            .collect()
    }

    /// Adds the slice to each member's sum; those whose time is up have their answer.
    fn finish(
        &self,
        slice: &RawProfile,
        (began, ended): (Instant, Instant),
        members: &[u64],
        stopped: bool,
    ) {
        // Taken out while they are added to: others come and go meanwhile, and the lock is not held.
        let mut taking_part = Vec::new();
        for number in members {
            let mut state = lock();
            let Some(session) = &mut state.session else {
                break;
            };
            let found = session
                .askers
                .iter_mut()
                .find(|asker| asker.number == *number);
            let Some(asker) = found else {
                continue;
            };
            let mut recorded = std::mem::take(&mut asker.recorded);
            drop(state);
            recorded.add(slice, began, ended);
            taking_part.push((*number, recorded));
        }
        let mut state = lock();
        let Some(session) = &mut state.session else {
            return;
        };
        let mut done = Vec::new();
        for (number, recorded) in taking_part {
            let found = session
                .askers
                .iter()
                .position(|asker| asker.number == number);
            let Some(at) = found else {
                continue;
            };
            session.askers[at].recorded = recorded;
            let until = session.askers[at].until;
            if until.is_some_and(|until| is_up(until, ended)) {
                done.push(session.askers.swap_remove(at));
            }
        }
        if stopped && session.askers.is_empty() {
            // Over before anybody learns the result, so that who then asks with another one need not wait.
            state.session = None;
        }
        drop(state);
        for asker in done {
            // Fails if the asker has gone this moment.
            let _ = asker.answer.send(Ok(asker.recorded));
        }
    }

    /// Everybody who is here learns what went wrong.
    fn fail(&self, error: &Error) {
        let session = lock().session.take();
        for asker in session.into_iter().flat_map(|session| session.askers) {
            // Fails if the asker has gone this moment.
            let _ = asker.answer.send(Err(error.again()));
        }
    }
}

fn is_up(until: Instant, ended: Instant) -> bool {
    until.saturating_duration_since(ended) < REST
}

/// Waits until the slice is to be cut; false if nobody wants it.
fn wait(began: Instant) -> bool {
    let mut state = lock();
    loop {
        let askers: &[Asker] = state
            .session
            .as_ref()
            .map_or(&[], |session| &session.askers);
        let shortest = if askers.len() < MANY {
            SHORTEST
        } else {
            SHORTEST_OF_MANY
        };
        // Who has no window yet has just joined.
        let cut = askers
            .iter()
            .map(|asker| asker.until.unwrap_or(began + shortest))
            .min();
        let Some(cut) = cut else {
            return false;
        };
        let left = cut.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return true;
        }
        state = CHANGED
            .wait_timeout(state, left)
            .unwrap_or_else(PoisonError::into_inner)
            .0;
    }
}
