//! Tasks that should not be there any more: survivors of ended scopes, tasks that ignore their cancellation, stuck ones, and the tasks of
//! spawn sites that only grow.

use std::collections::HashSet;
use std::panic::Location;

use taskscope::{Dump, DumpOptions, SiteGrowth, TaskDump, Verdict};

use super::{Seconds, Source, What, always};
use crate::profile::{Label, Profile};
use crate::tasks;

pub(super) static SOURCE: Source = Source {
    name: "leaks",
    summary: "Tasks that look leaked: they have survived their scope, go on although it was cancelled, can never be woken, \
              or come from a spawn site whose tasks only become more.",
    sample_types: &[("tasks", "count")],
    seconds: Seconds::Instantaneous,
    what: What::Tasks(dump, profile),
    ready: always,
};

type Sites = HashSet<&'static Location<'static>>;

fn growing() -> Vec<SiteGrowth> {
    let mut growth = taskscope::growth();
    growth.retain(SiteGrowth::only_grows);
    growth
}

fn sites(growing: &[SiteGrowth]) -> Sites {
    growing.iter().map(|growth| growth.site).collect()
}

fn grows(task: &TaskDump, sites: &Sites) -> bool {
    !task.background && sites.contains(task.site)
}

fn dump(mut options: DumpOptions) -> Dump {
    let sites = sites(&growing());
    if sites.is_empty() {
        // Who waits in peace, and belongs to nobody who has gone, need not be asked where.
        let suspicious = Verdict::ALL
            .into_iter()
            .filter(|verdict| !matches!(verdict, Verdict::Idle | Verdict::Active));
        for verdict in suspicious {
            options = options.verdict(verdict);
        }
    }
    let mut dump = options.capture_blocking();
    dump.tasks
        .retain(|task| task.is_leak_suspect() || grows(task, &sites));
    dump
}

fn profile(dump: &Dump) -> Profile {
    let growing = growing();
    let mut profile = tasks::profile_labelled(dump, |task| {
        let why = if task.is_leak_suspect() {
            "survivor"
        } else {
            "growth"
        };
        Some(Label::str("suspect", why))
    });
    for growth in growing
        .iter()
        .filter(|growth| dump.tasks.iter().any(|task| task.site == growth.site))
    {
        profile.comments.push(format!(
            "{} more tasks than at the first of {} counts, spawned at {}: that site only grows",
            growth.grew_by(),
            growth.samples.len(),
            growth.site
        ));
    }
    profile
}
