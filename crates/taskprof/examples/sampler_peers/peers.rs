//! The samplers that are compared, as one type, and what they have counted.
//!
//! Not here: workloads, tables.

use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::io::{Read as _, Write as _};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

use callstack::sampler::{Options, Sampler as ThreadTimers, TimerKind};
use libc::c_int;
use taskprof::sampler::{PprofSampler, Sampler as _};
use taskscope::attribution::{self, TaskKey};

use crate::work::{self, TASK};

/// How often samples are collected.
pub(crate) const EVERY: Duration = Duration::from_millis(15);

#[derive(Debug, Clone, Copy)]
pub(crate) enum Peer {
    Ours(TimerKind),
    PprofRs,
    PerfRecord,
}

pub(crate) const OURS: [Peer; 2] = [
    Peer::Ours(TimerKind::PerfEvent),
    Peer::Ours(TimerKind::ThreadCpuTimer),
];

impl Peer {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Peer::Ours(TimerKind::PerfEvent) => "**ours**, perf events",
            Peer::Ours(TimerKind::ThreadCpuTimer) => "**ours**, thread timers",
            Peer::PprofRs => "pprof-rs",
            Peer::PerfRecord => "`perf record`",
        }
    }

    pub(crate) fn signal(self) -> c_int {
        match self {
            Peer::Ours(_) => libc::SIGURG,
            Peer::PprofRs | Peer::PerfRecord => libc::SIGPROF,
        }
    }
}

/// Samples, and what they should be, by the name of the thread.
pub(crate) struct Counts {
    got: HashMap<String, u64>,
    threads: HashMap<u32, (String, Duration)>,
    used: HashMap<String, Duration>,
    /// Processor time that the task used by its own clock.
    pub(crate) task: Duration,
    pub(crate) time: Duration,
    began: Instant,
}

impl Counts {
    pub(crate) fn begin() -> Counts {
        Counts {
            got: HashMap::new(),
            threads: work::threads(),
            used: HashMap::new(),
            task: work::task_used(),
            time: Duration::ZERO,
            began: Instant::now(),
        }
    }

    /// The window is over; samples of it may still come.
    pub(crate) fn end(&mut self) {
        self.time = self.began.elapsed();
        self.task = work::task_used() - self.task;
        for (tid, (name, used)) in work::threads() {
            let before = self.threads.get(&tid).map_or(Duration::ZERO, |it| it.1);
            *self.used.entry(name).or_default() += used.saturating_sub(before);
        }
    }

    pub(crate) fn used(&self, name: &str) -> Duration {
        self.used.get(name).copied().unwrap_or_default()
    }

    pub(crate) fn got(&self, name: &str) -> u64 {
        self.got.get(name).copied().unwrap_or(0)
    }

    fn add(&mut self, name: &str, count: u64) {
        *self.got.entry(name.to_owned()).or_default() += count;
    }

    fn add_thread(&mut self, tid: u32, count: u64) {
        if let Some((name, _)) = self.threads.get(&tid) {
            *self.got.entry(name.clone()).or_default() += count;
        }
    }
}

/// A sampler at work.
pub(crate) enum Running {
    Ours(ThreadTimers),
    PprofRs(Box<dyn taskprof::sampler::Running>),
    PerfRecord(PerfRecord),
}

impl Running {
    /// `None`: this sampler cannot be had here.
    pub(crate) fn start(peer: Peer, hz: u32) -> Option<Running> {
        match peer {
            Peer::Ours(timer) => {
                let options = Options {
                    hz,
                    timer: Some(timer),
                    label: || attribution::current().to_words(),
                };
                ThreadTimers::start(options).ok().map(Running::Ours)
            }
            Peer::PprofRs => {
                let started = PprofSampler::new().start(hz as i32);
                started.ok().map(Running::PprofRs)
            }
            Peer::PerfRecord => PerfRecord::start(hz).map(Running::PerfRecord),
        }
    }

    pub(crate) fn collect(&mut self, counts: &mut Counts) {
        if let Running::Ours(sampler) = self {
            sampler.collect(&mut |sample| {
                counts.add_thread(sample.thread.as_raw(), sample.count);
                let facts = attribution::facts(TaskKey::from_words(sample.label));
                let name = facts.and_then(|facts| Some(facts.name.as_ref()?.as_str() == TASK));
                if name == Some(true) {
                    counts.add("task", sample.count);
                }
            });
        }
    }

    pub(crate) fn finish(mut self, counts: &mut Counts) {
        self.collect(counts);
        match self {
            Running::Ours(_) => {}
            // Its tables add up by themselves.
            Running::PprofRs(mut running) => {
                let add = &mut |sample: taskprof::sampler::RawSample<'_>| {
                    counts.add(sample.thread, sample.count);
                };
                running.collect(add).unwrap();
            }
            Running::PerfRecord(perf) => perf.finish(counts),
        }
    }
}

/// `perf record` on this process, which counts between two commands.
pub(crate) struct PerfRecord {
    perf: Child,
    commands: File,
    answers: Receiver<()>,
    folder: PathBuf,
}

impl PerfRecord {
    fn start(hz: u32) -> Option<PerfRecord> {
        let process = std::process::id();
        let folder = std::env::temp_dir().join(format!("sampler-peers-{process}"));
        std::fs::create_dir_all(&folder).ok()?;
        let pipe = |name| {
            let path = folder.join(name);
            let made = Command::new("mkfifo").arg(&path).status();
            made.ok().filter(|_| path.exists())?;
            // Both ends, so that nobody waits for the other.
            let open = OpenOptions::new().read(true).write(true).open(&path);
            Some((path, open.ok()?))
        };
        let (commands_at, commands) = pipe("commands")?;
        let (answers_at, mut answers_from) = pipe("answers")?;
        let perf = Command::new("perf")
            .args(["record", "-q", "-e", "cpu-clock:u", "-D", "-1"])
            .args(["-c", &(1_000_000_000 / hz).to_string()])
            .args(["-p", &process.to_string()])
            .arg("-o")
            .arg(folder.join("data"))
            .arg("--control")
            .arg(format!(
                "fifo:{},{}",
                commands_at.display(),
                answers_at.display()
            ))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .ok()?;
        let (told, answers) = channel();
        thread::spawn(move || {
            let mut answer = [0; 64];
            while answers_from.read(&mut answer).is_ok() && told.send(()).is_ok() {}
        });
        let mut started = PerfRecord {
            perf,
            commands,
            answers,
            folder,
        };
        started.tell("enable").then_some(started)
    }

    /// Whether it did as it was told.
    fn tell(&mut self, command: &str) -> bool {
        let written = writeln!(self.commands, "{command}");
        written.is_ok() && self.answers.recv_timeout(Duration::from_secs(10)).is_ok()
    }

    fn finish(mut self, counts: &mut Counts) {
        self.tell("disable");
        self.tell("stop");
        self.perf.wait().unwrap();
        let script = Command::new("perf")
            .args(["script", "-F", "tid", "-i"])
            .arg(self.folder.join("data"))
            .stderr(Stdio::null())
            .output();
        for tid in String::from_utf8_lossy(&script.unwrap().stdout).split_whitespace() {
            counts.add_thread(tid.parse().unwrap(), 1);
        }
    }
}

impl Drop for PerfRecord {
    fn drop(&mut self) {
        let _ = self.perf.kill();
        let _ = self.perf.wait();
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}
