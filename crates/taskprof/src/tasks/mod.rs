//! The tasks source: what is alive, as a profile, as text and as JSON.
//!
//! Owns the three views of a [`taskscope::Dump`]. Not here: how a dump is taken (`taskscope`), profile formats (`write/`), HTTP.

mod json;
mod profile;
mod resources;
mod text;

pub use self::json::json;
pub use self::profile::profile;
pub(crate) use self::profile::{CUT, profile_labelled, remarks, spawned_at, suspended, tag};
pub use self::text::{grouped, listed};
