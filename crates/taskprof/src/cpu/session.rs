//! One running sampler for all captures that overlap, at whatever frequencies.
//!
//! A thread `taskprof-cpu` runs while there are subscribers. It collects samples every few
//! milliseconds and gives each to all current subscribers, so their windows are independent:
//!
//! ```text
//!   subscriber A, 99 Hz    |======================================|
//!   subscriber B, 999 Hz            |===============|
//!   sampler                |-99-----|-999-----------|-99----------|
//! ```
//!
//! It runs at the highest frequency requested. A sample says how much CPU time it stands for, so a
//! subscriber that requested less gets more samples and the same sums. A sampler that cannot change
//! its frequency is restarted when a subscriber requests a higher one, and keeps it for the others.
//!
//! The thread owns everything recorded; subscribers leave their requests in [`State`], which is
//! locked for moments only. When the last one leaves, thread and sampler end. Not here: the thread
//! itself (`session/sampling.rs`), what is recorded (`recording.rs`, `history.rs`), the profile
//! that is made of it (`profile.rs`).

mod sampling;

use std::sync::{Arc, Condvar, Mutex, MutexGuard, mpsc};
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

use self::sampling::Sampling;
use super::history::History;
use super::recording::Recording;
use crate::error::Error;
use crate::fork;
use crate::sampler::Sampler;

/// At most this many subscribers of one sampler at a time; each has a recording of its own in
/// memory.
pub const MAX_SUBSCRIBERS: usize = 64;

/// The name of the thread.
const THREAD: &str = "taskprof-cpu";

/// A sampler and its subscribers.
pub(super) struct Session {
    sampler: Box<dyn Sampler>,
    state: Mutex<State>,
    /// Signals the thread that a subscriber has joined or left.
    changed: Condvar,
}

#[derive(Default)]
struct State {
    /// New subscribers, which the thread takes.
    joining: Vec<Member>,
    /// Numbers of subscribers that have left.
    left: Vec<u64>,
    /// The number of subscribers.
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

/// The destination of samples.
enum Sink {
    Window(Box<Window>),
    /// The history, until it leaves by itself. The sender gets one message: the sampler runs, or
    /// why not.
    Always(
        &'static History,
        Option<mpsc::SyncSender<Result<(), Error>>>,
    ),
}

struct Window {
    duration: Duration,
    /// The end of the window, set when it begins.
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
                    // Fails if the caller is gone.
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

// ---- the subscribers' side
// -----------------------------------------------------------------------------------------------

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
    /// Dropping the future takes the subscriber out; the sampler stops when the last one leaves.
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
        // With an answer, it has already left.
        std::mem::forget(place);
        result.map_err(|_| {
            Error::sampler(format!(
                "the thread {THREAD} panicked; its message is on standard error"
            ))
        })?
    }

    /// Samples into the history until [`leave`](Self::leave) is called with the number that is
    /// given. Waits until the sampler runs.
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
        // A subscriber that has left makes room before the thread takes it out.
        if state.subscribers.saturating_sub(state.left.len()) >= MAX_SUBSCRIBERS {
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

    /// Takes a subscriber out, whether or not the thread has taken it.
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

/// A subscriber that is waiting. Dropping it says that nobody wants the answer any more.
struct Place<'a> {
    session: &'a Session,
    number: u64,
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.session.leave(self.number);
    }
}

/// Resets the state when the thread panics, so that another can start.
struct Thread<'a>(&'a Session);

impl Drop for Thread<'_> {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            return;
        }
        let mut state = self.0.lock();
        // Their senders are dropped, which they notice.
        let left = std::mem::take(&mut *state);
        state.last = left.last;
        drop(state);
        drop(left);
    }
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
                        // Under the same lock, so that nobody joins a session that has no thread.
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

    /// Sends the error to every subscriber.
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
