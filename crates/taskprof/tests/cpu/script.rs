//! A sampler that does what a test tells it and reports what is asked of it.

use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use taskprof::Error;
use taskprof::sampler::{RawProfile, RawStack, Running, Sampler};

/// What happened to the sampler.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Event {
    Started { hz: i32 },
    Stopped,
    Dropped,
}

type Gate = Arc<Mutex<Option<Receiver<()>>>>;

/// Reports events, and gives the same stacks every time.
pub(crate) struct Script {
    events: Sender<Event>,
    stacks: Vec<RawStack>,
    cpu_time: Option<Duration>,
    fail_start: bool,
    panic_start: bool,
    gate: Gate,
}

impl Script {
    pub(crate) fn new() -> (Self, Receiver<Event>) {
        let (events, received) = mpsc::channel();
        let script = Script {
            events,
            stacks: Vec::new(),
            cpu_time: None,
            fail_start: false,
            panic_start: false,
            gate: Gate::default(),
        };
        (script, received)
    }

    pub(crate) fn stack(
        mut self,
        thread: &str,
        count: u64,
        frames: &[usize],
        truncated: bool,
    ) -> Self {
        self.stacks.push(RawStack {
            frames: frames.to_vec(),
            truncated,
            count,
            thread: thread.into(),
        });
        self
    }

    pub(crate) fn cpu_time(mut self, time: Duration) -> Self {
        self.cpu_time = Some(time);
        self
    }

    pub(crate) fn failing(mut self) -> Self {
        self.fail_start = true;
        self
    }

    pub(crate) fn panicking(mut self) -> Self {
        self.panic_start = true;
        self
    }

    /// The first start, after it has been reported, waits until the returned end is dropped.
    pub(crate) fn gated(self) -> (Self, Sender<()>) {
        let (open, gate) = mpsc::channel();
        *self.gate.lock().unwrap() = Some(gate);
        (self, open)
    }
}

impl Sampler for Script {
    fn start(&self, hz: i32) -> Result<Box<dyn Running>, Error> {
        self.events.send(Event::Started { hz }).unwrap();
        let gate = self.gate.lock().unwrap().take();
        if let Some(gate) = gate {
            gate.recv().unwrap_err();
        }
        assert!(!self.panic_start, "as told by the test");
        if self.fail_start {
            return Err(Error::sampler("somebody else samples"));
        }
        Ok(Box::new(Scripted {
            events: self.events.clone(),
            raw: Some(RawProfile {
                stacks: self.stacks.clone(),
                started: SystemTime::UNIX_EPOCH,
                duration: Duration::from_secs(2),
                period: Duration::from_secs(1) / hz.unsigned_abs(),
                cpu_time: self.cpu_time,
                remarks: vec!["a remark".to_owned()],
            }),
        }))
    }
}

struct Scripted {
    events: Sender<Event>,
    raw: Option<RawProfile>,
}

impl Running for Scripted {
    fn stop(mut self: Box<Self>) -> Result<RawProfile, Error> {
        self.events.send(Event::Stopped).unwrap();
        Ok(self.raw.take().unwrap())
    }
}

impl Drop for Scripted {
    fn drop(&mut self) {
        if self.raw.is_some() {
            // The test may have ended.
            let _ = self.events.send(Event::Dropped);
        }
    }
}
