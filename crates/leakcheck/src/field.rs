//! Where a check looks, and what it finds there.

use std::collections::HashMap;
use std::time::Duration;

use taskscope::{Dump, DumpOptions, RuntimeGuard, Stacks, TaskDump, Verdict};
use tokio::runtime::Handle;
use tokio::task;

use crate::conclude::conclude;
use crate::report::{Found, Ignored};
use crate::rules::What;
use crate::suppressions::Listing;
use crate::{Leaks, Options};

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
            options,
        }
    }

    pub(crate) fn options(&self) -> &Options {
        &self.options
    }

    /// What is left, without asking any task unless a rule needs it.
    pub(crate) fn look(&mut self) -> Left {
        let stacks = match self.options.needs_stacks() || self.listing.needs_stacks() {
            true => Stacks::Fresh,
            false => Stacks::None,
        };
        self.look_with(stacks)
    }

    /// What is left, without asking any task. Rules about functions match nothing.
    pub(crate) fn glance(&mut self) -> Left {
        self.look_with(Stacks::None)
    }

    /// What is left, with stacks.
    pub(crate) fn look_closely(&mut self) -> Left {
        self.look_with(Stacks::Fresh)
    }

    fn look_with(&mut self, stacks: Stacks) -> Left {
        let options = DumpOptions::new().runtime(self.runtime.id()).stacks(stacks);
        let (options, owned) = match &self.options.scope {
            Some(scope) => (DumpOptions::new().stacks(stacks).scope(scope), true),
            None => (options, false),
        };
        let dump = options.capture_blocking();
        let untracked = if owned { 0 } else { self.untracked(&dump) };
        let tasks = self.not_ours(dump);
        self.apply_rules(tasks, untracked)
    }

    /// Untracked tasks that are not accounted for.
    fn untracked(&self, dump: &Dump) -> usize {
        let caller_has_a_record = |id: u64| dump.tasks.iter().any(|task| task.id == id);
        let callers = self.caller.is_some_and(|id| !caller_has_a_record(id));
        let before = self.options.rules.iter().map(|rule| match &rule.what {
            What::Baseline(before) => before.untracked(self.runtime.id()),
            _ => 0,
        });
        let known = before.max().unwrap_or(0) + usize::from(callers);
        dump.untracked().saturating_sub(known)
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

    fn apply_rules(&mut self, mut dump: Dump, mut untracked: usize) -> Left {
        let mut matched = vec![0; self.options.rules.len()];
        let before = dump.tasks.len() + untracked;
        dump.tasks.retain(|task| {
            let rules = self.options.rules.iter().enumerate();
            // Each that matches is of use, also if another one would do.
            let mut ignored = false;
            for (at, rule) in rules.filter(|(_, rule)| rule.ignores(task)) {
                if matched[at] < rule.what.most() {
                    matched[at] += 1;
                    ignored = true;
                }
            }
            !ignored
        });
        // Untracked ones cannot be told apart, so each is covered once.
        for (matched, rule) in matched.iter_mut().zip(&self.options.rules) {
            let covered = untracked.min(rule.what.most_untracked().saturating_sub(*matched));
            *matched += covered;
            untracked -= covered;
        }
        for (most, now) in self.matched.iter_mut().zip(matched) {
            *most = now.max(*most);
        }
        let ignored = before - dump.tasks.len() - untracked;
        Left {
            dump,
            untracked,
            ignored,
        }
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
        left.count() == 0
            || self.is_allowed(left)
            || self.listing.covers(&left.dump, left.untracked)
    }

    /// The same of a glance, in which rules about functions could not show that they are of use.
    pub(crate) fn is_settled_at_a_glance(&self, left: &Left) -> bool {
        let ends_here = left.count() == 0 || self.is_allowed(left);
        left.count() + left.ignored == 0 || (ends_here && !self.options.needs_stacks())
    }

    /// What is written to a file should not have what was just ending.
    fn is_allowed(&self, left: &Left) -> bool {
        let allowed = self.options.allowed.as_ref().map_or(0, |(tasks, _)| *tasks);
        left.count() <= allowed && !self.listing.is_updated()
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
    dump: Dump,
    untracked: usize,
    /// How many the rules have left out.
    ignored: usize,
}

impl Left {
    pub(crate) fn count(&self) -> usize {
        self.dump.tasks.len() + self.untracked
    }

    /// Nothing that is left can ever end by itself.
    pub(crate) fn is_hopeless(&self) -> bool {
        let stuck = |task: &TaskDump| task.verdict == Verdict::Stuck;
        self.untracked == 0 && self.dump.tasks.iter().all(stuck)
    }
}
