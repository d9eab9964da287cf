//! The whole interface of taskscope, compiled without `enable`. The workspace's own tests compile the same file with it.

pub mod api;
