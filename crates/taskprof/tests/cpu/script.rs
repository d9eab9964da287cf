//! A sampler that does what a test tells it and reports what is asked of it.

use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use taskprof::Error;
use taskprof::sampler::{Collected, RawSample, RequestIds, Running, Sampler, StackEnd, TaskLabels};

/// What happened to the sampler.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Event {
    Started { hz: i32 },
    Collected,
    Changed { hz: i32 },
    Dropped,
}

type Gate = Arc<Mutex<Option<Receiver<()>>>>;

#[derive(Debug, Clone)]
struct Stack {
    frames: Vec<usize>,
    end: StackEnd,
    count: u64,
    thread: Arc<str>,
    task: Option<Arc<TaskLabels>>,
    request: Option<Arc<RequestIds>>,
}

/// Reports events, and gives the same stacks whenever it is collected: when somebody comes, when
/// somebody goes, and when somebody's time is up.
pub(crate) struct Script {
    events: Sender<Event>,
    stacks: Vec<Stack>,
    cpu_time: Option<Duration>,
    lost: Vec<(&'static str, u64)>,
    fail_start: bool,
    panic_start: bool,
    adjustable: bool,
    gate: Gate,
}

impl Script {
    pub(crate) fn new() -> (Self, Receiver<Event>) {
        let (events, received) = mpsc::channel();
        let script = Script {
            events,
            stacks: Vec::new(),
            cpu_time: None,
            lost: Vec::new(),
            fail_start: false,
            panic_start: false,
            adjustable: false,
            gate: Gate::default(),
        };
        (script, received)
    }

    pub(crate) fn stack(
        mut self,
        thread: &str,
        count: u64,
        frames: &[usize],
        end: StackEnd,
    ) -> Self {
        self.stacks.push(Stack {
            frames: frames.to_vec(),
            end,
            count,
            thread: thread.into(),
            task: None,
            request: None,
        });
        self
    }

    /// The last stack is that of a task.
    pub(crate) fn of_task(
        mut self,
        name: &str,
        route: Option<&str>,
        request: Option<&str>,
    ) -> Self {
        let stack = self.stacks.last_mut().unwrap();
        let mut labels = TaskLabels::default();
        labels.name = Some(name.into());
        labels.site = Some("src/main.rs:1:1".into());
        labels.scope = route.map(Into::into);
        labels.route = route.map(Into::into);
        stack.task = Some(Arc::new(labels));
        stack.request = request.map(|id| {
            let mut ids = RequestIds::default();
            ids.request_id = Some(id.into());
            Arc::new(ids)
        });
        self
    }

    /// CPU time each time it is collected.
    pub(crate) fn cpu_time(mut self, time: Duration) -> Self {
        self.cpu_time = Some(time);
        self
    }

    /// Samples that are missing each time it is collected.
    pub(crate) fn lost(mut self, why: &'static str, count: u64) -> Self {
        self.lost.push((why, count));
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

    /// It can change its frequency while it runs.
    pub(crate) fn adjustable(mut self) -> Self {
        self.adjustable = true;
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
        // The test may not want to know.
        let _ = self.events.send(Event::Started { hz });
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
            stacks: self.stacks.clone(),
            cpu_time: self.cpu_time,
            lost: self.lost.clone(),
            adjustable: self.adjustable,
            hz,
        }))
    }
}

struct Scripted {
    events: Sender<Event>,
    stacks: Vec<Stack>,
    cpu_time: Option<Duration>,
    lost: Vec<(&'static str, u64)>,
    adjustable: bool,
    hz: i32,
}

impl Scripted {
    fn tell(&self, event: Event) {
        // The test may have ended.
        let _ = self.events.send(event);
    }
}

impl Running for Scripted {
    fn collect(&mut self, each: &mut dyn FnMut(RawSample<'_>)) -> Result<Collected, Error> {
        self.tell(Event::Collected);
        let period = Duration::from_secs(1) / self.hz.unsigned_abs();
        for stack in &self.stacks {
            each(RawSample {
                frames: &stack.frames,
                end: stack.end,
                count: stack.count,
                cpu: period * u32::try_from(stack.count).unwrap(),
                thread: &stack.thread,
                task: stack.task.as_ref(),
                request: stack.request.as_ref(),
            });
        }
        let lost = self.lost.iter().map(|(why, count)| ((*why).into(), *count));
        Ok(Collected {
            cpu_time: self.cpu_time,
            lost: lost.collect(),
            ..Collected::default()
        })
    }

    fn set_hz(&mut self, hz: i32) -> bool {
        if self.adjustable {
            self.tell(Event::Changed { hz });
            self.hz = hz;
        }
        self.adjustable
    }

    /// Never for the sake of time alone.
    fn collect_every(&self) -> Duration {
        Duration::from_secs(3600)
    }

    fn comments(&self) -> Vec<String> {
        vec!["a remark".to_owned()]
    }
}

impl Drop for Scripted {
    fn drop(&mut self) {
        self.tell(Event::Dropped);
    }
}
