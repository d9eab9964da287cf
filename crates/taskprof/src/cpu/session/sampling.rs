//! The running sampler on its thread: collects, gives samples to subscribers, lets them join and
//! leave.
//!
//! Not here: how a subscriber joins and waits, when there is a thread (`session.rs`).

use std::collections::HashSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::{Member, Session, Sink, Window};
use crate::error::Error;
use crate::sampler::{Collected, RawSample, Running};

/// Stacks are shared by all recordings; unused ones are forgotten when there are this many.
const STACKS: usize = 4096;

/// The reason why sampling ends.
enum End {
    Nobody,
    Failed(Error),
}

/// A running sampler, on its thread.
pub(super) struct Sampling<'a> {
    session: &'a Session,
    running: Option<Box<dyn Running>>,
    hz: i32,
    members: Vec<Member>,
    stacks: HashSet<Arc<[usize]>>,
    forget_at: usize,
    commented: Instant,
}

impl<'a> Sampling<'a> {
    pub(super) fn new(session: &'a Session, running: Box<dyn Running>, hz: i32) -> Self {
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

    pub(super) fn run(mut self) {
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

    /// Collects, then lets members leave and join: a new one gets no samples from before.
    fn step(&mut self) -> Result<(), End> {
        self.collect().map_err(End::Failed)?;
        let now = Instant::now();
        self.comment(now);
        let (done, gone) = self.change_members(now);
        drop(gone);
        if self.members.is_empty() {
            // Before any answer is sent, so that the next capture finds no sampler at work.
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

    /// Takes out members whose time is up or that have left, and takes in new ones.
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

    /// Updates the sampler's comments: for members whose time is up, and for all once a second.
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

    /// Changes to the highest frequency that a member requests.
    fn change_hz(&mut self) -> Result<(), Error> {
        let hz = self.members.iter().map(|member| member.hz).max();
        let hz = hz.unwrap_or(self.hz);
        let Some(running) = &mut self.running else {
            return Ok(());
        };
        if hz == self.hz || running.set_hz(hz) {
            self.hz = hz;
        } else if hz > self.hz {
            // Its samples were collected a moment ago.
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

    /// Waits until there is something to do.
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
