//! Live tasks as a profile, as text and as JSON.
//!
//! Owns these three forms, for a whole [`taskscope::Dump`] and for tasks that are read one after
//! the other because they are too many for one. Not here: how a dump is taken (`taskscope`), the
//! formats of profiles (`write/`), HTTP.

mod distinct;
mod filter;
mod fold;
mod group;
mod growing;
mod json;
mod profile;
mod resources;
mod stream;
mod text;

pub(crate) use self::filter::{KnownStacks, TaskFilter, wait_kinds};
pub(crate) use self::fold::{Counts, DumpQuery, Head, Holds, TaskQuestion, fold, hold, visit};
pub(crate) use self::group::{Groups, Likeness, Summary};
pub(crate) use self::growing::Growing;
pub use self::json::json;
pub use self::profile::profile;
pub(crate) use self::profile::{CUT, Fold as ProfileFold, comments, spawned_at, suspended, tag};
pub(crate) use self::stream::{Listed, View};
pub(crate) use self::text::Grouped;
pub use self::text::{grouped, listed};
