//! The samples that a profile shows, and the frames at its root.
//!
//! Not here: labels (`labels.rs`), the parameters of the endpoint (`http/`).

use std::sync::Arc;

use super::labels::Place;
use super::recording::Key;
use crate::profile::Frame;

/// The frame at the root of every stack, so that a flame graph has a tower for each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum By {
    /// Nothing: the first function of the thread.
    #[default]
    Stack,
    /// The route of the request that the task worked for.
    Route,
    /// The name of the task, or where it was spawned.
    Task,
    /// The name of the thread.
    Thread,
}

/// How a recording is shown.
#[derive(Debug, Clone, Default)]
pub(super) struct View {
    pub(super) route: Option<Arc<str>>,
    pub(super) scope: Option<Arc<str>>,
    pub(super) name: Option<Arc<str>>,
    pub(super) by: By,
    /// Every frame of the runtime, and not one for all of them.
    pub(super) full_runtime: bool,
}

impl View {
    pub(super) fn is_everything(&self) -> bool {
        self.route.is_none() && self.scope.is_none() && self.name.is_none()
    }

    pub(super) fn has(&self, key: &Key) -> bool {
        let task = key.task.as_ref();
        let is = |wanted: &Option<Arc<str>>, found: Option<&Arc<str>>| {
            wanted.as_ref().is_none_or(|wanted| found == Some(wanted))
        };
        is(&self.route, task.and_then(|task| task.route.as_ref()))
            && is(&self.scope, task.and_then(|task| task.scope.as_ref()))
            && is(&self.name, task.and_then(|task| task.name.as_ref()))
    }

    /// The frame at the root of this sample; `None` for [`By::Stack`].
    pub(super) fn root(&self, key: &Key, place: Place) -> Option<Frame> {
        let task = key.task.as_ref();
        let (found, missing) = match self.by {
            By::Stack => return None,
            By::Route => (task.and_then(|task| task.route.clone()), "no route"),
            By::Task => {
                let name = |task: &Arc<crate::sampler::TaskLabels>| {
                    let site = task.site.as_ref();
                    task.name
                        .clone()
                        .or_else(|| site.map(|site| format!("spawned at {site}").into()))
                };
                (task.and_then(name), "no task")
            }
            By::Thread => {
                let named = !key.thread.is_empty();
                (named.then(|| Arc::clone(&key.thread)), "no name")
            }
        };
        Some(match found {
            Some(found) => Frame::named(found),
            None => Frame::named(format!("({missing}: {})", place.name())),
        })
    }
}
