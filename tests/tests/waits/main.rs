//! The rows of the table of wait reasons whose crates are too heavy for taskscope's own tests.

#[path = "../../../crates/taskscope/tests/waits/row.rs"]
mod row;

#[path = "../../../crates/taskscope/tests/waits/pool.rs"]
mod pool;

mod h2;
mod hyper;
mod tower;
