//! One running sampler for everybody who asks at the same time, at whatever frequencies.
//!
//! A thread `taskprof-cpu` is there while somebody asks. It collects samples every few milliseconds and hands each to all who take part at that moment, so the window of
//! one is no business of the others:
//!
//! ```text
//!   subscriber A, 99 Hz    |======================================|
//!   subscriber B, 999 Hz            |===============|
//!   sampler           |-99-----|-999-----------|-99----------|
//! ```
//!
//! It runs at the highest frequency that is asked for. A sample says how much CPU time it stands for, so those who asked for less get more samples and the same sums.
//! A sampler that cannot change its frequency is started anew when somebody asks for a higher one, and goes on with that for the others.
//!
//! The thread owns all that is recorded; subscribers leave their wishes in [`State`], which is locked for moments only. The last one out ends thread and sampler.
//! Not here: what is recorded (`recording.rs`, `history.rs`), what becomes of it (`profile.rs`).

use std::collections::HashSet;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, mpsc};
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

use super::history::History;
use super::recording::Recording;
use crate::error::Error;
use crate::fork;
use crate::sampler::{Collected, RawSample, Running, Sampler};

/// Subscribers of one sampler at the same time; each has a recording of its own in memory.
pub const MAX_SUBSCRIBERS: usize = 64;

/// The thread, while it samples.
const THREAD: &str = "taskprof-cpu";

/// Stacks are shared by all recordings; unused ones are forgotten when there are so many.
const STACKS: usize = 4096;

/// A sampler, and who shares it.
pub(super) struct Session {
    sampler: Box<dyn Sampler>,
    state: Mutex<State>,
    /// For the thread: somebody has come or gone.
    changed: Condvar,
}

#[derive(Default)]
struct State {
    /// Those who have come; the thread takes them.
    joining: Vec<Member>,
    /// Those who have gone, by number.
    left: Vec<u64>,
    /// All who are waiting for an answer.
    subscribers: usize,
    /// The last number that was given to a member.
    last: u64,
    /// Whether there is a thread.
    running: bool,
}

struct Member {
    number: u64,
    hz: i32,
    sink: Sink,
}

/// Where samples go.
enum Sink {
    Window(Box<Window>),
    /// Until it leaves by itself. The sender is told once that the sampler runs, or why not.
    Always(
        &'static History,
        Option<mpsc::SyncSender<Result<(), Error>>>,
    ),
}

struct Window {
    duration: Duration,
    /// Since it takes part: when its time is up.
    until: Option<Instant>,
    recording: Recording,
    answer: oneshot::Sender<Result<Recording, Error>>,
}

impl Member {
    fn is_due(&self, now: Instant) -> bool {
        self.until().is_some_and(|until| until <= now)
    }

    fn until(&self) -> Option<Instant> {
        match &self.sink {
            Sink::Window(window) => window.until,
            Sink::Always(..) => None,
        }
    }

    fn begin(&mut self, now: Instant) {
        match &mut self.sink {
            Sink::Window(window) => {
                window.until = Some(now + window.duration);
                window.recording.begin(now);
            }
            Sink::Always(history, started) => {
                history.begin(now, self.hz);
                if let Some(started) = started.take() {
                    // Fails if nobody waits any more.
                    let _ = started.send(Ok(()));
                }
            }
        }
    }

    fn fail(self, error: &Error) {
        match self.sink {
            // Fails if the subscriber has gone this moment.
            Sink::Window(window) => drop(window.answer.send(Err(error.again()))),
            Sink::Always(history, started) => match started {
                Some(started) => drop(started.send(Err(error.again()))),
                None => history.failed(error),
            },
        }
    }
}

// ---- the subscribers' side -----------------------------------------------------------------------------------------------

impl Session {
    pub(super) fn new(sampler: impl Sampler + 'static) -> Arc<Session> {
        Arc::new(Session {
            sampler: Box::new(sampler),
            state: Mutex::default(),
            changed: Condvar::new(),
        })
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Plain values that are never left half-written.
        crate::sync::lock(&self.state)
    }

    /// Joins the sampler, or starts it, and waits for this long of it.
    ///
    /// Dropping the future takes the subscriber out; the sampler stops when the last one goes.
    pub(super) async fn record(
        self: &Arc<Self>,
        hz: i32,
        duration: Duration,
    ) -> Result<Recording, Error> {
        fork::check()?;
        self.sampler.check(hz)?;
        let (answer, receiver) = oneshot::channel();
        let sink = Sink::Window(Box::new(Window {
            duration,
            until: None,
            recording: Recording::new(hz),
            answer,
        }));
        let number = self.join(hz, sink)?;
        let place = Place {
            session: self,
            number,
        };
        let result = receiver.await;
        // Whoever has an answer is out already.
        std::mem::forget(place);
        result.map_err(|_| {
            Error::sampler(format!(
                "the thread {THREAD} panicked; its message is on standard error"
            ))
        })?
    }

    /// Samples into the history until [`leave`](Self::leave) is called with the number that is given. Waits until the sampler runs.
    pub(super) fn record_always(
        self: &Arc<Self>,
        hz: i32,
        history: &'static History,
    ) -> Result<u64, Error> {
        fork::check()?;
        self.sampler.check(hz)?;
        let (started, starts) = mpsc::sync_channel(1);
        let number = self.join(hz, Sink::Always(history, Some(started)))?;
        match starts.recv() {
            Ok(Ok(())) => Ok(number),
            Ok(Err(error)) => Err(error),
            Err(mpsc::RecvError) => Err(Error::sampler(format!(
                "the thread {THREAD} panicked; its message is on standard error"
            ))),
        }
    }

    fn join(self: &Arc<Self>, hz: i32, sink: Sink) -> Result<u64, Error> {
        let mut state = self.lock();
        if state.subscribers >= MAX_SUBSCRIBERS {
            return Err(Error::busy(
                "too many CPU captures are running in this process; ask again when one has ended",
            ));
        }
        state.last += 1;
        let number = state.last;
        if !state.running {
            let session = Arc::clone(self);
            crate::thread::spawn(THREAD, move || session.run())
                .map_err(|e| crate::thread::not_started(THREAD, e))?;
            state.running = true;
        }
        state.subscribers += 1;
        state.joining.push(Member { number, hz, sink });
        drop(state);
        self.changed.notify_all();
        Ok(number)
    }

    /// Takes a member out, wherever it is.
    pub(super) fn leave(&self, number: u64) {
        let mut state = self.lock();
        let at = state.joining.iter().position(|it| it.number == number);
        let gone = at.map(|at| state.joining.swap_remove(at));
        if gone.is_some() {
            state.subscribers -= 1;
        } else if state.running {
            state.left.push(number);
        }
        drop(state);
        drop(gone);
        self.changed.notify_all();
    }
}

/// An subscriber that is waiting. Dropping it says that nobody wants the answer any more.
struct Place<'a> {
    session: &'a Session,
    number: u64,
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.session.leave(self.number);
    }
}

// ---- the sampling side ----------------------------------------------------------------------------------------------

/// Makes room for another thread when this one panics.
struct Thread<'a>(&'a Session);

impl Drop for Thread<'_> {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            return;
        }
        let mut state = self.0.lock();
        // Their answers are dropped, which they notice.
        let left = std::mem::take(&mut *state);
        state.last = left.last;
        drop(state);
        drop(left);
    }
}

/// What ends sampling early.
enum End {
    Nobody,
    Failed(Error),
}

impl Session {
    fn run(&self) {
        let _thread = Thread(self);
        loop {
            let hz = {
                let mut state = self.lock();
                state.left.clear();
                match state.joining.iter().map(|member| member.hz).max() {
                    Some(hz) => hz,
                    None => {
                        // In the same breath, so that nobody joins a session that has no thread.
                        state.running = false;
                        return;
                    }
                }
            };
            match self.sampler.start(hz) {
                Ok(running) => Sampling::new(self, running, hz).run(),
                Err(error) => self.fail(Vec::new(), &error),
            }
        }
    }

    /// Everybody who is here learns what went wrong.
    fn fail(&self, members: Vec<Member>, error: &Error) {
        let mut state = self.lock();
        let joining = std::mem::take(&mut state.joining);
        state.subscribers -= joining.len() + members.len();
        drop(state);
        for member in members.into_iter().chain(joining) {
            member.fail(error);
        }
    }
}

/// A sampler that runs, on its thread.
struct Sampling<'a> {
    session: &'a Session,
    running: Option<Box<dyn Running>>,
    hz: i32,
    members: Vec<Member>,
    stacks: HashSet<Arc<[usize]>>,
    forget_at: usize,
    commented: Instant,
}

impl<'a> Sampling<'a> {
    fn new(session: &'a Session, running: Box<dyn Running>, hz: i32) -> Self {
        Sampling {
            session,
            running: Some(running),
            hz,
            members: Vec::new(),
            stacks: HashSet::new(),
            forget_at: STACKS,
            commented: Instant::now(),
        }
    }

    fn run(mut self) {
        loop {
            match self.step() {
                Ok(()) => self.wait(),
                Err(End::Nobody) => return,
                Err(End::Failed(error)) => {
                    drop(self.running.take());
                    self.session.fail(std::mem::take(&mut self.members), &error);
                    return;
                }
            }
        }
    }

    /// Collects, and lets members go and come: what was sampled before somebody came is none of his.
    fn step(&mut self) -> Result<(), End> {
        self.collect().map_err(End::Failed)?;
        let now = Instant::now();
        self.comment(now);
        let (done, gone) = self.change_members(now);
        drop(gone);
        if self.members.is_empty() {
            // Before anybody has an answer, so that who then asks finds no sampler at work.
            drop(self.running.take());
        }
        for window in done {
            // Fails if the subscriber has gone this moment.
            let _ = window.answer.send(Ok(window.recording));
        }
        if self.members.is_empty() {
            return Err(End::Nobody);
        }
        self.change_hz().map_err(End::Failed)
    }

    /// Those whose time is up, and those who have gone.
    fn change_members(&mut self, now: Instant) -> (Vec<Window>, Vec<Member>) {
        let mut state = self.session.lock();
        let left = std::mem::take(&mut state.left);
        let before = self.members.len();
        let (out, mut stay): (Vec<Member>, Vec<Member>) = std::mem::take(&mut self.members)
            .into_iter()
            .partition(|member| left.contains(&member.number) || member.is_due(now));
        state.subscribers -= before - stay.len();
        let joining = std::mem::take(&mut state.joining);
        drop(state);
        for mut member in joining {
            member.begin(now);
            stay.push(member);
        }
        self.members = stay;
        let (mut done, mut gone) = (Vec::new(), Vec::new());
        for member in out {
            match member.sink {
                Sink::Window(mut window) if !left.contains(&member.number) => {
                    window.recording.end(now);
                    done.push(*window);
                }
                sink => gone.push(Member { sink, ..member }),
            }
        }
        (done, gone)
    }

    fn collect(&mut self) -> Result<(), Error> {
        let Some(running) = &mut self.running else {
            return Ok(());
        };
        let (members, stacks) = (&mut self.members, &mut self.stacks);
        let mut each = |sample: RawSample<'_>| {
            if members.is_empty() {
                return;
            }
            let stack = match stacks.get(sample.frames) {
                Some(stack) => Arc::clone(stack),
                None => {
                    let stack: Arc<[usize]> = sample.frames.into();
                    stacks.insert(Arc::clone(&stack));
                    stack
                }
            };
            for member in members.iter_mut() {
                match &mut member.sink {
                    Sink::Window(window) => window.recording.add(&sample, &stack),
                    Sink::Always(history, _) => history.add(&sample, &stack),
                }
            }
        };
        let collected = running.collect(&mut each)?;
        self.account(&collected);
        if self.stacks.len() > self.forget_at {
            self.stacks.retain(|stack| Arc::strong_count(stack) > 1);
            self.forget_at = STACKS.max(2 * self.stacks.len());
        }
        Ok(())
    }

    fn account(&mut self, collected: &Collected) {
        let hz = self.hz;
        for member in &mut self.members {
            match &mut member.sink {
                Sink::Window(window) => window.recording.account(collected, hz),
                Sink::Always(history, _) => history.account(collected, hz),
            }
        }
    }

    /// For those whose time is up; for the others, now and then.
    fn comment(&mut self, now: Instant) {
        let due = self.members.iter().any(|member| member.is_due(now));
        let old = now.saturating_duration_since(self.commented) >= Duration::from_secs(1);
        let Some(running) = self.running.as_ref().filter(|_| due || old) else {
            return;
        };
        self.commented = now;
        let comments = running.comments();
        for member in &mut self.members {
            match &mut member.sink {
                Sink::Window(window) => window.recording.comments.clone_from(&comments),
                Sink::Always(history, _) => history.comment(&comments),
            }
        }
    }

    /// The highest frequency that anybody wants.
    fn change_hz(&mut self) -> Result<(), Error> {
        let hz = self.members.iter().map(|member| member.hz).max();
        let hz = hz.unwrap_or(self.hz);
        let Some(running) = &mut self.running else {
            return Ok(());
        };
        if hz == self.hz || running.set_hz(hz) {
            self.hz = hz;
        } else if hz > self.hz {
            // What it had was collected a moment ago.
            drop(self.running.take());
            self.running = Some(self.session.sampler.start(hz)?);
            self.hz = hz;
            for member in &mut self.members {
                if let Sink::Window(window) = &mut member.sink {
                    window.recording.restarted();
                }
            }
        }
        Ok(())
    }

    /// Until there is something to do.
    fn wait(&self) {
        let every = self.running.as_ref().map(|it| it.collect_every());
        let next = Instant::now() + every.unwrap_or(Duration::from_secs(1));
        let dues = self.members.iter().filter_map(Member::until);
        let until = dues.fold(next, Instant::min);
        let mut state = self.session.lock();
        loop {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() || !state.joining.is_empty() || !state.left.is_empty() {
                return;
            }
            state = crate::sync::wait_timeout(&self.session.changed, state, left);
        }
    }
}
