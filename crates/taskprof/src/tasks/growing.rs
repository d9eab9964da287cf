//! Spawn sites where the number of tasks only grows, for dumps of leak suspects.
//!
//! Not here: how growth is measured (`taskscope::growth`).

use std::collections::HashSet;
use std::panic::Location;

use taskscope::{TaskDump, growth::SiteGrowth};

use crate::profile::Label;

/// The growing spawn sites of one moment.
#[derive(Debug, Clone)]
pub(crate) struct Growing {
    sites: Vec<SiteGrowth>,
    places: HashSet<&'static Location<'static>>,
}

impl Growing {
    /// The growing spawn sites of this moment.
    pub(crate) fn now() -> Growing {
        let mut sites = taskscope::growth();
        sites.retain(SiteGrowth::only_grows);
        let places = sites.iter().map(|growth| growth.site).collect();
        Growing { sites, places }
    }

    /// Whether no site grows.
    pub(crate) fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    /// Whether the task is from such a site, and not a background task.
    pub(crate) fn has(&self, task: &TaskDump) -> bool {
        !task.background && self.places.contains(task.site)
    }

    /// The label that says why a task is a suspect.
    pub(crate) fn label(task: &TaskDump) -> Label {
        let why = match task.is_leak_suspect() {
            true => "survivor",
            false => "growth",
        };
        Label::str("suspect", why)
    }

    /// A sentence for each of these sites that a task of the dump is from.
    pub(crate) fn comments<'a>(
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
