//! A dump as a profile, so that every profile format can show tasks: one sample for similar tasks.
//!
//! Not here: the formats (`write/`), tasks as text and JSON (`text.rs`, `json.rs`).

use std::collections::hash_map::RandomState;
use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasher as _, Hash as _, Hasher as _};
use std::panic::Location;
use std::sync::Arc;

use taskscope::text::{MAX_NAME, bounded};
use taskscope::{
    Dump, ScopeInfo, TaskDump,
    dump::{Branch, NoTrace, Trace},
};

use super::{Counts, Growing};
use crate::profile::{Frame, Label, Profile, Sample, SampleType};

/// Counts live tasks by where they are suspended.
///
/// One column, `tasks`/`count`. A stack is the task's async functions, leaf first; its root is a
/// frame `spawned at FILE:LINE`. A task that waits in several branches (`select!`, `join!`) is one
/// sample: the functions that all branches share, with a leaf that names what it waits for. Labels:
/// `verdict`, `wait`, `state`, and where they apply `name`, `scope`, `route` (the scope's label of
/// this key) and `background`. Task ids are not among them, because stores make a series of each
/// distinct label.
///
/// Beyond 1,024 different samples, tasks that would make a new one are shown without their names,
/// beyond 2,048 without scopes, too, and beyond 4,096 without stacks.
///
/// Comments say how many stacks are missing and why, how many tasks are shown without names, scopes
/// or stacks, and how many live tasks have no record.
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

/// Numbers of samples beyond which names, then scopes, then stacks are left out. A sample takes
/// about a kilobyte.
const LEVELS: [usize; 3] = [1024, 2048, 4096];

/// Tasks as samples, summed up while they are read.
///
/// For a difference it adds up twice. Samples of the first time stay distinct the second time, so
/// that both profiles have the same ones.
#[derive(Debug)]
pub(crate) struct Fold {
    suspects: Option<Growing>,
    hashes: RandomState,
    /// Positions in `samples`, by a hash of everything that makes a sample different. Two of 4,096
    /// are the same once in some 10^12 dumps.
    places: HashMap<u64, usize>,
    samples: Vec<Sum>,
    /// The number of tasks that are shown without names, scopes, stacks.
    without: [usize; LEVELS.len()],
    /// The spawn sites of the tasks.
    sites: HashSet<&'static Location<'static>>,
}

#[derive(Debug)]
struct Sum {
    at: usize,
    tasks: i64,
    sample: Sample,
    /// Kept so that no other stack gets its address.
    _trace: Option<Arc<Trace>>,
}

impl Fold {
    /// A fold without tasks. With `suspects`, each sample has a label that says why its tasks are
    /// suspects.
    pub(crate) fn new(suspects: Option<Growing>) -> Fold {
        Fold {
            suspects,
            hashes: RandomState::new(),
            places: HashMap::new(),
            samples: Vec::new(),
            without: [0; LEVELS.len()],
            sites: HashSet::new(),
        }
    }

    /// Adds a task. `at`: its position among all, oldest first.
    pub(crate) fn add(&mut self, at: usize, task: &TaskDump) {
        self.sites.insert(task.site);
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
                self.without[level - 1] += 1;
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
        profile.comments = comments(dump, counts);
        let what = ["names", "names and scopes", "names, scopes and stacks"];
        for (tasks, what) in self.without.into_iter().zip(what) {
            if tasks > 0 {
                profile.comments.push(format!(
                    "{tasks} of {} tasks are shown without their {what}, because there are too many different ones",
                    counts.tasks
                ));
            }
        }
        if let Some(growing) = &self.suspects {
            profile.comments.extend(growing.comments(&self.sites));
        }
        profile
    }

    /// Sets all counts to zero, and keeps the samples.
    pub(crate) fn restart(&mut self) {
        for sum in &mut self.samples {
            (sum.tasks, sum.at) = (0, usize::MAX);
        }
        self.without = [0; LEVELS.len()];
        self.sites.clear();
    }
}

/// Sentences about what a dump could not see; empty if it saw everything.
pub(crate) fn comments(dump: &Dump, counts: &Counts) -> Vec<String> {
    let mut comments = Vec::new();
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
            comments.push(format!(
                "{count} of {} tasks without a stack: {why}",
                counts.tasks
            ));
        }
    }
    if dump.left_out > 0 {
        comments.push(format!("{} more tasks beyond the limit", dump.left_out));
    }
    if counts.unnamed > 0 {
        comments.push(format!(
            "{} of {} stacks have frames without a symbol (build with debug = 1, unstripped)",
            counts.unnamed, counts.tasks
        ));
    }
    let healed = taskscope::lost_wakeups::count();
    if healed > 0 {
        comments.push(format!(
            "{healed} tasks so far have ended only because a dump polled them; nothing had woken them (lost wake-ups)"
        ));
    }
    for runtime in dump.runtimes.iter().filter(|runtime| runtime.untracked > 0) {
        comments.push(format!(
            "{} untracked on runtime {} (plain tokio::spawn)",
            runtime.untracked, runtime.number
        ));
    }
    comments.extend(counts.suspects.sentences());
    comments
}

/// The route that a scope states as a label.
fn route(scope: &ScopeInfo) -> Option<Arc<str>> {
    let labels = scope.labels().into_iter();
    let mut routes = labels.filter(|(key, _)| &**key == "route");
    routes.next().map(|(_, route)| route)
}

/// The sample of a task. `level`: how much of it is left out, as in [`LEVELS`].
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

/// A name as a label, without quotes: `go tool pprof` passes labels to dot as they are. Hidden
/// characters are escaped by the writers.
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

/// The root of a stack that lacks the frames at its root.
pub(crate) const CUT: &str = "(stack cut here: deeper than 1,024 frames)";

/// The frames where a task is suspended, leaf first, without the root; or the reason why they are
/// not known, and the type of its future.
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

/// The number of functions, from the root, that all branches share. The innermost of them has a
/// line of its own in each branch, so only names are compared.
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
