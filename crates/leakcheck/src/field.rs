//! Where a check looks, and what it finds there.

use std::collections::HashMap;
use std::time::Duration;

use taskscope::{Dump, DumpOptions, RuntimeGuard, ScopeInfo, Stacks, TaskDump, Verdict};
use tokio::runtime::{Handle, RuntimeFlavor};
use tokio::task;

use crate::conclude::conclude;
use crate::os::{self, OsLeft, Pool};
use crate::report::{Found, Ignored};
use crate::rules::What;
use crate::suppressions::Listing;
use crate::{Baseline, Leaks, Options};

/// Where to look, whom to leave out, and which rules have been of use.
pub(crate) struct Field {
    runtime: Handle,
    _watched: RuntimeGuard,
    /// The caller's own task, if it is in one.
    caller: Option<u64>,
    options: Options,
    /// What `leakcheck.toml` lists for this test.
    listing: Listing,
    /// How many tasks each rule has matched at most.
    matched: Vec<usize>,
    /// Looks so far.
    looks: u32,
    /// Tasks that a look has ended by polling them for their stacks: nothing had woken them.
    lost_wakeups: Vec<TaskDump>,
}

impl Field {
    /// The caller is in this runtime.
    pub(crate) fn new(runtime: &Handle, options: Options) -> Field {
        Field {
            runtime: runtime.clone(),
            _watched: taskscope::watch(runtime),
            caller: task::try_id().and_then(|id| id.to_string().parse().ok()),
            listing: Listing::of(options.test.as_deref()),
            matched: vec![0; options.rules.len()],
            looks: 0,
            lost_wakeups: Vec::new(),
            options,
        }
    }

    pub(crate) fn options(&self) -> &Options {
        &self.options
    }

    /// Whether no worker has anything to do; or, if they have `had_time`, nothing that waits for one. A task that was aborted looks stuck until a worker
    /// has taken it up.
    pub(crate) fn is_quiet(&self, had_time: bool) -> bool {
        let metrics = self.runtime.metrics();
        // The queue first: whoever has taken a task out of it is not parked until that is done.
        if metrics.global_queue_depth() > 0 {
            return false;
        }
        // Its one worker is the caller, who has given others their turns.
        if had_time || self.runtime.runtime_flavor() == RuntimeFlavor::CurrentThread {
            return true;
        }
        #[cfg(target_has_atomic = "64")]
        let parked = |worker| metrics.worker_park_unpark_count(worker) % 2 == 1;
        // Not counted here.
        #[cfg(not(target_has_atomic = "64"))]
        let parked = |_| false;
        (0..metrics.num_workers()).all(parked)
    }

    /// What is left, without asking any task unless a rule needs it.
    pub(crate) fn look(&mut self) -> Left {
        let stacks = match self.options.needs_stacks() || self.listing.needs_stacks() {
            true => Stacks::Fresh,
            false => Stacks::None,
        };
        self.looks += 1;
        // Each time may cost the pool another thread.
        let pool = match self.looks.is_power_of_two() {
            true => Pool::Ask,
            false => Pool::DoNotAsk,
        };
        self.look_with(stacks, pool)
    }

    /// What is left, without asking any task. Rules about functions match nothing.
    pub(crate) fn glance(&mut self) -> Left {
        self.look_with(Stacks::None, Pool::DoNotAsk)
    }

    /// What is left, with stacks.
    pub(crate) fn look_closely(&mut self) -> Left {
        self.look_with(Stacks::Fresh, Pool::Insist)
    }

    fn look_with(&mut self, stacks: Stacks, pool: Pool) -> Left {
        let options = DumpOptions::new().runtime(self.runtime.id()).stacks(stacks);
        let (options, owned) = match &self.options.scope {
            Some(scope) => (DumpOptions::new().stacks(stacks).scope(scope), true),
            None => (options, false),
        };
        let mut dump = options.capture_blocking();
        self.keep_lost_wakeups(&dump);
        dump.tasks.extend(self.lost_wakeups.iter().cloned());
        let untracked = if owned { 0 } else { self.untracked(&dump) };
        let mut os = os::look(
            &self.options.os,
            &self.runtime,
            (!owned).then_some(&dump),
            pool,
        );
        let before = self
            .baselines()
            .map(|before| before.calls(self.runtime.id()));
        os.calls = os.calls.saturating_sub(before.max().unwrap_or(0));
        let dump = self.not_ours(dump);
        self.apply_rules(Left {
            dump,
            untracked,
            os,
            ignored: 0,
        })
    }

    /// Keeps what this look, or one before it, has ended by its poll. Such a task has not ended well: without the look it would be there.
    fn keep_lost_wakeups(&mut self, dump: &Dump) {
        let id = self.runtime.id();
        let runtime = dump.runtimes.iter().find(|runtime| runtime.id == id);
        let number = runtime.map(|runtime| runtime.number);
        let scope = self.options.scope.clone();
        let lost = taskscope::lost_wakeups::take(|task| match &scope {
            Some(scope) => {
                let mut above = std::iter::successors(task.scope.clone(), ScopeInfo::parent);
                above.any(|above| above == *scope)
            }
            None => Some(task.runtime) == number,
        });
        self.lost_wakeups.extend(lost);
    }

    /// Untracked tasks that are not accounted for.
    fn untracked(&self, dump: &Dump) -> usize {
        let caller_has_a_record = |id: u64| dump.tasks.iter().any(|task| task.id == id);
        let callers = self.caller.is_some_and(|id| !caller_has_a_record(id));
        let before = self
            .baselines()
            .map(|before| before.untracked(self.runtime.id()));
        let known = before.max().unwrap_or(0) + usize::from(callers);
        dump.untracked().saturating_sub(known)
    }

    fn baselines(&self) -> impl Iterator<Item = &Baseline> {
        self.options
            .rules
            .iter()
            .filter_map(|rule| match &rule.what {
                What::Baseline(before) => Some(before),
                _ => None,
            })
    }

    /// Without the caller, those it was spawned by, and background tasks.
    fn not_ours(&self, mut dump: Dump) -> Dump {
        // The tasks that the caller was spawned by wait for it, or have ended.
        let parents: HashMap<u64, Option<u64>> = dump
            .tasks
            .iter()
            .map(|task| (task.id, task.parent))
            .collect();
        let own: Vec<u64> =
            std::iter::successors(self.caller, |id| parents.get(id).copied().flatten()).collect();
        dump.tasks
            .retain(|task| !task.background && !own.contains(&task.id));
        dump
    }

    fn apply_rules(&mut self, mut left: Left) -> Left {
        let mut matched = vec![0; self.options.rules.len()];
        let mut is_ignored = |ignores: &dyn Fn(&What) -> bool| {
            let rules = self.options.rules.iter().enumerate();
            // Each that matches is of use, also if another one would do.
            let mut ignored = false;
            for (at, rule) in rules.filter(|(_, rule)| ignores(&rule.what)) {
                if matched[at] < rule.what.most() {
                    matched[at] += 1;
                    ignored = true;
                }
            }
            ignored
        };
        let before = left.count();
        let OsLeft {
            threads,
            descriptors,
            ..
        } = &mut left.os;
        left.dump
            .tasks
            .retain(|task| !is_ignored(&|what| what.covers(task)));
        threads.retain(|thread| !is_ignored(&|what| what.ignores_thread(thread)));
        descriptors.retain(|open| !is_ignored(&|what| what.ignores_descriptor(open)));
        // Untracked ones cannot be told apart, so each is covered once.
        for (matched, rule) in matched.iter_mut().zip(&self.options.rules) {
            let most = rule.what.most_untracked().saturating_sub(*matched);
            let covered = left.untracked.min(most);
            *matched += covered;
            left.untracked -= covered;
        }
        for (most, now) in self.matched.iter_mut().zip(matched) {
            *most = now.max(*most);
        }
        left.ignored = before - left.count();
        left
    }

    /// The rules that have matched nothing so far and should have.
    fn unused(&self) -> Vec<String> {
        let rules = self.options.rules.iter().zip(&self.matched);
        rules
            .filter(|(rule, matched)| **matched == 0 && !rule.optional)
            // Nothing was alive before: that is no rule that has outlived its purpose.
            .filter(|(rule, _)| !matches!(rule.what, What::Baseline(_)))
            .map(|(rule, _)| rule.to_string())
            .collect()
    }

    /// Whether there is nothing to wait for: nothing is left, or nothing that may not stay.
    pub(crate) fn is_settled(&self, left: &Left) -> bool {
        left.count() == 0 || self.is_allowed(left) || self.listing.covers(left)
    }

    /// The same of a glance, in which rules about functions could not show that they are of use.
    pub(crate) fn is_settled_at_a_glance(&self, left: &Left) -> bool {
        let ends_here = left.count() == 0 || self.is_allowed(left);
        left.count() + left.ignored == 0 || (ends_here && !self.options.needs_stacks())
    }

    /// What is written to a file should not have what was just ending.
    fn is_allowed(&self, left: &Left) -> bool {
        let allowed = self.options.allowed.as_ref();
        left.count() <= allowed.map_or(0, |allowed| allowed.most) && !self.listing.is_updated()
    }

    /// The verdict of the check.
    pub(crate) fn conclude(&self, left: Left, waited: Duration) -> Result<(), Leaks> {
        let rules = self.options.rules.iter().zip(&self.matched);
        let ignored = rules.map(|(rule, matched)| Ignored {
            rule: rule.what.to_string(),
            reason: rule.why.clone(),
            tasks: *matched,
        });
        let found = Found {
            test: self.options.test.clone(),
            dump: left.dump,
            untracked: left.untracked,
            os: left.os,
            waited,
            ignored: ignored.collect(),
            unused: self.unused(),
            allowed: self.options.allowed.clone(),
            listed: Vec::new(),
            problem: None,
        };
        conclude(found, &self.options, &self.listing)
    }
}

/// Tasks that should not be alive.
pub(crate) struct Left {
    pub(crate) dump: Dump,
    pub(crate) untracked: usize,
    pub(crate) os: OsLeft,
    /// How many the rules have left out.
    ignored: usize,
}

impl Left {
    pub(crate) fn count(&self) -> usize {
        self.dump.tasks.len() + self.untracked + self.os.count()
    }

    /// Nothing that is left can ever end by itself.
    pub(crate) fn is_hopeless(&self) -> bool {
        let hopeless =
            |task: &TaskDump| matches!(task.verdict, Verdict::Stuck | Verdict::LostWakeup);
        self.untracked == 0 && self.os.count() == 0 && self.dump.tasks.iter().all(hopeless)
    }
}
