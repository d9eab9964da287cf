//! A dump as a profile: one sample for tasks that are alike, so every profile format can show tasks.

use std::collections::hash_map::RandomState;
use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasher as _, Hash as _, Hasher as _};
use std::panic::Location;
use std::sync::Arc;

use taskscope::text::{MAX_NAME, bounded};
use taskscope::{Branch, Dump, NoTrace, ScopeInfo, TaskDump, Trace};

use super::{Counts, Growing};
use crate::profile::{Frame, Label, Profile, Sample, SampleType};

/// Counts live tasks by where they are suspended.
///
/// One column, `tasks`/`count`. A stack is the task's async functions, leaf first; its root is a frame
/// `spawned at FILE:LINE`. A task that waits in several branches (`select!`, `join!`) is one sample: the functions that all branches share, with a leaf
/// that names what it waits for. Labels: `verdict`, `wait`, `state`, and where they apply `name`, `scope`, `route` (the scope's label of this key) and `background`.
/// Task ids are not among them: stores make a series of each distinct label.
///
/// Where there are more than 1,024 different samples, tasks that would make a new one are shown without their names, then without scopes, then without stacks.
///
/// Comments say how many stacks are missing and why, how many tasks are shown without something, and how many live tasks have no record.
///
/// # Examples
///
/// ```
/// let dump = taskscope::DumpOptions::new().capture_blocking();
/// let profile = taskprof::tasks::profile(&dump);
/// assert_eq!(profile.total(0), 0);
/// ```
pub fn profile(dump: &Dump) -> Profile {
    let mut fold = Fold::new(None);
    for (at, task) in dump.tasks.iter().enumerate() {
        fold.add(at, task);
    }
    fold.profile(dump, &Counts::of(dump))
}

/// Samples that are kept with all their labels; beyond that, names, then scopes, then stacks are left out. What a sample takes is about a kilobyte.
const LEVELS: [usize; 3] = [1024, 2048, 4096];

/// Tasks as samples, summed up while they are read.
///
/// May be read twice, for a difference: what was kept the first time is told apart the second time, too, so that both sums are about the same.
#[derive(Debug)]
pub(crate) struct Fold {
    suspects: Option<Growing>,
    hashes: RandomState,
    /// By the hash of what tells a sample from others. Two of 4,096 are the same once in some 10^12 looks.
    places: HashMap<u64, usize>,
    samples: Vec<Sum>,
    /// Tasks without their names, scopes, stacks.
    blurred: [usize; LEVELS.len()],
    /// Sites of the tasks.
    met: HashSet<&'static Location<'static>>,
}

#[derive(Debug)]
struct Sum {
    at: usize,
    tasks: i64,
    sample: Sample,
    /// While it is there, no other stack has its address.
    _trace: Option<Arc<Trace>>,
}

impl Fold {
    /// `suspects`: the reason why each task is shown becomes a label.
    pub(crate) fn new(suspects: Option<Growing>) -> Fold {
        Fold {
            suspects,
            hashes: RandomState::new(),
            places: HashMap::new(),
            samples: Vec::new(),
            blurred: [0; LEVELS.len()],
            met: HashSet::new(),
        }
    }

    /// `at`: its place among all, oldest first.
    pub(crate) fn add(&mut self, at: usize, task: &TaskDump) {
        self.met.insert(task.site);
        for level in 0..=LEVELS.len() {
            let hash = self.hash(task, level);
            let room = LEVELS
                .get(level)
                .is_none_or(|most| self.samples.len() < *most);
            let place = match self.places.get(&hash) {
                Some(place) => *place,
                None if room => {
                    self.places.insert(hash, self.samples.len());
                    self.samples.push(Sum {
                        at,
                        tasks: 0,
                        sample: self.sample(task, level),
                        _trace: task.trace.as_ref().ok().cloned(),
                    });
                    self.samples.len() - 1
                }
                None => continue,
            };
            let sum = &mut self.samples[place];
            sum.tasks += 1;
            sum.at = at.min(sum.at);
            if level > 0 {
                self.blurred[level - 1] += 1;
            }
            return;
        }
    }

    fn hash(&self, task: &TaskDump, level: usize) -> u64 {
        let mut hasher = self.hashes.build_hasher();
        let name = task.name.as_deref();
        let scope = task.scope.as_ref();
        (level, task.verdict, task.background, task.state.name()).hash(&mut hasher);
        (task.site, task.future, name.is_some(), scope.is_some()).hash(&mut hasher);
        (task.branches_cut > 0).hash(&mut hasher);
        if level < 1 {
            name.hash(&mut hasher);
        }
        if let Some(scope) = scope
            && level < 2
        {
            scope.name().hash(&mut hasher);
            route(scope).hash(&mut hasher);
        }
        match &task.trace {
            Ok(trace) if level < 3 => Arc::as_ptr(trace.stack()).addr().hash(&mut hasher),
            Ok(_) => {}
            Err(why) => (why, task.wait_reason().kinds.first()).hash(&mut hasher),
        }
        if self.suspects.is_some() {
            task.is_leak_suspect().hash(&mut hasher);
        }
        hasher.finish()
    }

    fn sample(&self, task: &TaskDump, level: usize) -> Sample {
        let mut sample = sample(task, level);
        if self.suspects.is_some() {
            sample.labels.push(Growing::label(task));
        }
        sample
    }

    /// The profile of everything that was added.
    pub(crate) fn profile(&self, dump: &Dump, counts: &Counts) -> Profile {
        let mut profile = Profile::new([SampleType::new("tasks", "count")]);
        profile.period_type = Some(SampleType::new("tasks", "count"));
        profile.period = 1;
        profile.time = dump.taken_at;
        let mut sums: Vec<&Sum> = self.samples.iter().filter(|sum| sum.tasks > 0).collect();
        sums.sort_by_key(|sum| sum.at);
        let sample = |sum: &Sum| Sample {
            values: vec![sum.tasks],
            ..sum.sample.clone()
        };
        profile.samples = sums.into_iter().map(sample).collect();
        profile.aggregate();
        profile.comments = remarks(dump, counts);
        let what = ["names", "names and scopes", "names, scopes and stacks"];
        for (tasks, what) in self.blurred.into_iter().zip(what) {
            if tasks > 0 {
                profile.comments.push(format!(
                    "{tasks} of {} tasks are shown without their {what}: there are more different ones than are kept",
                    counts.tasks
                ));
            }
        }
        if let Some(growing) = &self.suspects {
            profile.comments.extend(growing.remarks(&self.met));
        }
        profile
    }

    /// Counts anew, and goes on telling the same apart.
    pub(crate) fn restart(&mut self) {
        for sum in &mut self.samples {
            (sum.tasks, sum.at) = (0, usize::MAX);
        }
        self.blurred = [0; LEVELS.len()];
        self.met.clear();
    }
}

/// What a dump could not see, in sentences; empty if it saw everything.
pub(crate) fn remarks(dump: &Dump, counts: &Counts) -> Vec<String> {
    let mut remarks = Vec::new();
    for (count, why) in [
        (dump.missed.running, "being polled"),
        (dump.missed.no_answer, "not polled by their runtime in time"),
        (dump.missed.no_waker, "took no waker when polled"),
        (dump.missed.not_asked, "not asked for one"),
        (dump.missed.not_allowed, "declared never to be captured"),
        (
            dump.missed.observed,
            "spawned with tokio's own function, seen by the runtime's hooks",
        ),
    ] {
        if count > 0 {
            remarks.push(format!(
                "{count} of {} tasks without a stack: {why}",
                counts.tasks
            ));
        }
    }
    if dump.left_out > 0 {
        remarks.push(format!("{} more tasks beyond the limit", dump.left_out));
    }
    if counts.unnamed > 0 {
        remarks.push(format!(
            "{} of {} stacks have frames without a symbol (build with debug = 1, unstripped)",
            counts.unnamed, counts.tasks
        ));
    }
    let healed = taskscope::lost_wakeups::count();
    if healed > 0 {
        remarks.push(format!(
            "{healed} tasks so far have ended only because a dump polled them, nothing had woken them: lost wake-ups"
        ));
    }
    for runtime in dump.runtimes.iter().filter(|runtime| runtime.untracked > 0) {
        remarks.push(format!(
            "{} untracked on runtime {} (plain tokio::spawn)",
            runtime.untracked, runtime.number
        ));
    }
    remarks.extend(counts.suspects.sentences());
    remarks
}

/// The scope of a request is named after its route; one that says its route itself has it as a label.
fn route(scope: &ScopeInfo) -> Option<Arc<str>> {
    let labels = scope.labels().into_iter();
    let mut routes = labels.filter(|(key, _)| &**key == "route");
    routes.next().map(|(_, route)| route)
}

/// `level`: how much of it is left out.
fn sample(task: &TaskDump, level: usize) -> Sample {
    let hidden = level >= 3 && task.trace.is_ok();
    let wait = match hidden {
        true => "(others)".to_owned(),
        false => tag(&task.wait_reason().to_string()),
    };
    let mut labels = vec![
        Label::str("verdict", task.verdict.name()),
        Label::str("wait", wait),
        Label::str("state", task.state.name()),
    ];
    if let Some(name) = &task.name {
        let name = if level < 1 {
            tag(name)
        } else {
            "(other names)".to_owned()
        };
        labels.push(Label::str("name", name));
    }
    if let Some(scope) = &task.scope {
        if level < 2 {
            labels.push(Label::str("scope", tag(scope.name())));
            labels.extend(route(scope).map(|route| Label::str("route", tag(&route))));
        } else {
            labels.push(Label::str("scope", "(other scopes)"));
        }
    }
    if task.background {
        labels.push(Label::str("background", "yes"));
    }
    Sample {
        stack: stack(task, hidden),
        values: vec![1],
        labels,
    }
}

/// A name as a label: `go tool pprof` hands labels to dot as they are, which a quote confuses. What cannot be seen is the
/// writers' business.
pub(crate) fn tag(name: &str) -> String {
    bounded(name, MAX_NAME).replace('"', "'")
}

fn stack(task: &TaskDump, hidden: bool) -> Vec<Frame> {
    let mut stack = match hidden {
        true => vec![Frame::named("(other stacks)"), Frame::named(task.future)],
        false => suspended(&task.trace, task.future),
    };
    let is_deep = task.trace.as_ref().is_ok_and(|trace| trace.is_cut());
    if task.branches_cut > 0 && !is_deep {
        stack.push(Frame::named("(stack cut here: no unwind tables)"));
    }
    stack.push(spawned_at(task.site));
    stack
}

/// The root of a stack of which the frames at its root are missing.
pub(crate) const CUT: &str = "(stack cut here: deeper than 1,024 frames)";

/// Where a task is suspended, leaf first, without its root; or why that is not known, and the type of its future.
pub(crate) fn suspended(trace: &Result<Arc<Trace>, NoTrace>, future: &str) -> Vec<Frame> {
    let trace = match trace {
        Err(why) => return vec![Frame::named(format!("({why})")), Frame::named(future)],
        Ok(trace) => trace,
    };
    let mut stack = match trace.branches() {
        [only] => frames(only, only.frames.len()),
        branches => {
            let (count, wait) = (branches.len(), trace.wait_reason());
            let mut stack = vec![Frame::named(format!("({count} branches: {wait})"))];
            if let Some(first) = branches.first() {
                stack.extend(frames(first, shared(branches)));
            }
            stack
        }
    };
    if trace.is_cut() {
        stack.push(Frame::named(CUT));
    }
    stack
}

/// The root of a task's stack.
pub(crate) fn spawned_at(site: &Location<'_>) -> Frame {
    Frame::Named {
        name: format!("spawned at {}:{}", site.file(), site.line()).into(),
        file: Some(site.file().into()),
        line: Some(site.line()),
    }
}

/// The outermost `count` frames of a branch, leaf first.
fn frames(branch: &Branch, count: usize) -> Vec<Frame> {
    let hidden = branch.frames.len().saturating_sub(count);
    let shown = branch.frames.iter().skip(hidden);
    shown
        .map(|frame| Frame::Named {
            name: frame.function.clone(),
            file: frame.file.clone(),
            line: frame.line,
        })
        .collect()
}

/// How many functions, from the root, all branches have in common. The innermost of them stands at a line of its own in
/// each branch, so only names are compared.
fn shared(branches: &[Branch]) -> usize {
    let Some((first, rest)) = branches.split_first() else {
        return 0;
    };
    let common = |branch: &Branch| {
        let pairs = first.frames.iter().rev().zip(branch.frames.iter().rev());
        pairs
            .take_while(|(one, other)| one.function == other.function)
            .count()
    };
    rest.iter().map(common).min().unwrap_or(0)
}
