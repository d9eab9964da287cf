//! One check: finds what is left on its runtime or in its scope, applies the rules, and judges.
//!
//! Not here: when and how often a check counts ([`crate::check`]), what a rule matches
//! ([`crate::rules`]), and the step from what is left to pass or fail ([`crate::outcome`]).

use std::collections::HashMap;
use std::time::Duration;

use taskscope::{Dump, DumpOptions, RuntimeGuard, ScopeInfo, Stacks, TaskDump, Verdict};
use tokio::runtime::{Handle, RuntimeFlavor};
use tokio::task;

use crate::os::{self, OsLeftovers, PoolProbe};
use crate::outcome;
use crate::report::{Found, Ignored};
use crate::rules::Matcher;
use crate::suppressions::Listing;
use crate::{Baseline, Leaks, Options};

/// The state of one check: its runtime, its options, and which rules have matched.
pub(crate) struct Checker {
    runtime: Handle,
    _watched: RuntimeGuard,
    /// The caller's own task, if it is in one.
    caller: Option<u64>,
    options: Options,
    /// The entries of `leakcheck.toml` for this test.
    listing: Listing,
    /// The highest number of tasks that each rule has matched in one count.
    matched: Vec<usize>,
    /// How often this check has counted.
    counts: u32,
    /// Tasks that a dump of this check has ended by polling them for their stacks: nothing had
    /// woken them.
    lost_wakeups: Vec<TaskDump>,
}

impl Checker {
    /// Starts a check of this runtime, in whose context the caller is.
    pub(crate) fn new(runtime: &Handle, options: Options) -> Checker {
        Checker {
            runtime: runtime.clone(),
            _watched: taskscope::register_runtime(runtime),
            caller: task::try_id().and_then(|id| id.to_string().parse().ok()),
            listing: Listing::for_test(options.test.as_deref()),
            matched: vec![0; options.rules.len()],
            counts: 0,
            lost_wakeups: Vec::new(),
            options,
        }
    }

    pub(crate) fn options(&self) -> &Options {
        &self.options
    }

    /// Whether every worker is parked and nothing is queued; with `had_time`, whether nothing is
    /// queued. Asked before a stuck task is believed: an aborted task looks stuck until a worker
    /// has dropped it.
    pub(crate) fn is_quiet(&self, had_time: bool) -> bool {
        let metrics = self.runtime.metrics();
        // The queue first: a worker that has taken a task out of it does not park before that is
        // done.
        if metrics.global_queue_depth() > 0 {
            return false;
        }
        // The one worker is the caller, which has yielded to the other tasks.
        if had_time || self.runtime.runtime_flavor() == RuntimeFlavor::CurrentThread {
            return true;
        }
        #[cfg(target_has_atomic = "64")]
        let parked = |worker| metrics.worker_park_unpark_count(worker) % 2 == 1;
        // Tokio does not count parks on these targets.
        #[cfg(not(target_has_atomic = "64"))]
        let parked = |_| false;
        (0..metrics.num_workers()).all(parked)
    }

    /// Counts what is left. Takes stacks only if a rule or an entry needs them.
    pub(crate) fn count(&mut self) -> Leftovers {
        let stacks = match self.options.needs_stacks() || self.listing.needs_stacks() {
            true => Stacks::Fresh,
            false => Stacks::None,
        };
        self.counts += 1;
        // A probe may make the blocking pool start another thread, so probes become rare.
        let probe = match self.counts.is_power_of_two() {
            true => PoolProbe::Once,
            false => PoolProbe::Skip,
        };
        self.count_with(stacks, probe)
    }

    /// Counts what is left without any stack: rules about functions match nothing.
    pub(crate) fn count_without_stacks(&mut self) -> Leftovers {
        self.count_with(Stacks::None, PoolProbe::Skip)
    }

    /// Counts what is left, with stacks for the report, and probes the blocking pool until its idle
    /// threads have answered.
    pub(crate) fn inspect(&mut self) -> Leftovers {
        self.count_with(Stacks::Fresh, PoolProbe::Repeat)
    }

    fn count_with(&mut self, stacks: Stacks, probe: PoolProbe) -> Leftovers {
        let options = DumpOptions::new().runtime(self.runtime.id()).stacks(stacks);
        let (options, in_scope) = match &self.options.scope {
            Some(scope) => (DumpOptions::new().stacks(stacks).scope(scope), true),
            None => (options, false),
        };
        let mut dump = options.capture_blocking();
        self.keep_lost_wakeups(&dump);
        dump.tasks.extend(self.lost_wakeups.iter().cloned());
        let untracked = if in_scope { 0 } else { self.untracked(&dump) };
        let mut os = os::inspect(
            &self.options.os,
            &self.runtime,
            (!in_scope).then_some(&dump),
            probe,
        );
        let before = self
            .baselines()
            .map(|before| before.calls(self.runtime.id()));
        os.calls = os.calls.saturating_sub(before.max().unwrap_or(0));
        let dump = self.without_exempt(dump);
        self.apply_rules(Leftovers {
            dump,
            untracked,
            os,
            ignored: 0,
        })
    }

    /// Keeps the tasks that this dump, or one before it, has ended by polling them. They count as
    /// leaks: without the dump they would still be there.
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

    /// How many untracked tasks there are, without the caller and those of a baseline.
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
            .filter_map(|rule| match &rule.matcher {
                Matcher::Baseline(before) => Some(before),
                _ => None,
            })
    }

    /// Leaves out the caller, its ancestors, and background tasks.
    fn without_exempt(&self, mut dump: Dump) -> Dump {
        // The ancestors of the caller wait for it, or have ended.
        let parents: HashMap<u64, Option<u64>> = dump
            .tasks
            .iter()
            .map(|task| (task.id, task.parent))
            .collect();
        let lineage: Vec<u64> =
            std::iter::successors(self.caller, |id| parents.get(id).copied().flatten()).collect();
        dump.tasks
            .retain(|task| !task.background && !lineage.contains(&task.id));
        dump
    }

    fn apply_rules(&mut self, mut left: Leftovers) -> Leftovers {
        let mut matched = vec![0; self.options.rules.len()];
        let mut is_ignored = |ignores: &dyn Fn(&Matcher) -> bool| {
            let rules = self.options.rules.iter().enumerate();
            // Every rule that matches counts as used, also if another one would do.
            let mut ignored = false;
            for (at, rule) in rules.filter(|(_, rule)| ignores(&rule.matcher)) {
                if matched[at] < rule.matcher.most() {
                    matched[at] += 1;
                    ignored = true;
                }
            }
            ignored
        };
        let before = left.count();
        let OsLeftovers {
            threads,
            descriptors,
            ..
        } = &mut left.os;
        left.dump
            .tasks
            .retain(|task| !is_ignored(&|matcher| matcher.covers(task)));
        threads.retain(|thread| !is_ignored(&|matcher| matcher.ignores_thread(thread)));
        descriptors.retain(|open| !is_ignored(&|matcher| matcher.ignores_descriptor(open)));
        // Untracked tasks cannot be told apart, so no two rules cover the same one.
        for (matched, rule) in matched.iter_mut().zip(&self.options.rules) {
            let most = rule.matcher.most_untracked().saturating_sub(*matched);
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

    /// Lists the rules that have matched nothing and are not optional.
    fn unused(&self) -> Vec<String> {
        let rules = self.options.rules.iter().zip(&self.matched);
        rules
            .filter(|(rule, matched)| **matched == 0 && !rule.optional)
            // A baseline without tasks only says that nothing was alive before.
            .filter(|(rule, _)| !matches!(rule.matcher, Matcher::Baseline(_)))
            .map(|(rule, _)| rule.to_string())
            .collect()
    }

    /// Whether the check need not wait: nothing is left, or only what is allowed or listed.
    pub(crate) fn is_settled(&self, left: &Leftovers) -> bool {
        left.count() == 0
            || self.is_allowed(left)
            || self
                .listing
                .covers(&left.dump.tasks, left.untracked, &left.os)
    }

    /// Like [`is_settled`](Checker::is_settled) after a count without stacks, in which rules about
    /// functions cannot match.
    pub(crate) fn is_settled_without_stacks(&self, left: &Leftovers) -> bool {
        let ends_here = left.count() == 0 || self.is_allowed(left);
        left.count() + left.ignored == 0 || (ends_here && !self.options.needs_stacks())
    }

    /// Whether all that is left is allowed. Never while `leakcheck.toml` is being written: tasks
    /// that are just ending should not get into it.
    fn is_allowed(&self, left: &Leftovers) -> bool {
        let allowed = self.options.allowed.as_ref();
        left.count() <= allowed.map_or(0, |allowed| allowed.most) && !self.listing.is_updated()
    }

    /// Ends the check: passes, or fails with the report.
    pub(crate) fn finish(&self, left: Leftovers, waited: Duration) -> Result<(), Leaks> {
        let rules = self.options.rules.iter().zip(&self.matched);
        let ignored = rules.map(|(rule, matched)| Ignored {
            rule: rule.matcher.to_string(),
            reason: rule.reason.clone(),
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
        outcome::decide(found, &self.options, &self.listing)
    }
}

/// Tasks, threads, descriptors and calls that should not be there any more.
pub(crate) struct Leftovers {
    pub(crate) dump: Dump,
    pub(crate) untracked: usize,
    pub(crate) os: OsLeftovers,
    /// How many the rules ignore.
    ignored: usize,
}

impl Leftovers {
    pub(crate) fn count(&self) -> usize {
        self.dump.tasks.len() + self.untracked + self.os.count()
    }

    /// Whether nothing that is left can ever end by itself.
    pub(crate) fn is_hopeless(&self) -> bool {
        let hopeless =
            |task: &TaskDump| matches!(task.verdict, Verdict::Stuck | Verdict::LostWakeup);
        self.untracked == 0 && self.os.count() == 0 && self.dump.tasks.iter().all(hopeless)
    }
}
