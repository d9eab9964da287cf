//! Spawn sites whose tasks only become more, as far as a look at tasks has to know of them.

use std::collections::HashSet;
use std::panic::Location;

use taskscope::{SiteGrowth, TaskDump};

use crate::profile::Label;

/// The spawn sites that only grow, as of one moment.
#[derive(Debug, Clone)]
pub(crate) struct Growing {
    sites: Vec<SiteGrowth>,
    places: HashSet<&'static Location<'static>>,
}

impl Growing {
    /// As of now.
    pub(crate) fn now() -> Growing {
        let mut sites = taskscope::growth();
        sites.retain(SiteGrowth::only_grows);
        let places = sites.iter().map(|growth| growth.site).collect();
        Growing { sites, places }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    /// Whether the task is of such a site, and not meant to stay.
    pub(crate) fn has(&self, task: &TaskDump) -> bool {
        !task.background && self.places.contains(task.site)
    }

    /// Why a task is among the suspects.
    pub(crate) fn label(task: &TaskDump) -> Label {
        let why = match task.is_leak_suspect() {
            true => "survivor",
            false => "growth",
        };
        Label::str("suspect", why)
    }

    /// A sentence for each of these sites that a task was met of.
    pub(crate) fn remarks<'a>(
        &'a self,
        met: &'a HashSet<&'static Location<'static>>,
    ) -> impl Iterator<Item = String> + 'a {
        let sites = self.sites.iter();
        sites
            .filter(|growth| met.contains(growth.site))
            .map(|growth| {
                format!(
                    "{} more tasks than at the first of {} counts, spawned at {}: that site only grows",
                    growth.grew_by(),
                    growth.samples.len(),
                    growth.site
                )
            })
    }
}
