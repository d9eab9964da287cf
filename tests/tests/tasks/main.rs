//! Compares the page, the text and the JSON of tasks with what is known of one small service.
//!
//! All tests look at the same service (`service.rs`), whose watchdog has a threshold of its own.

mod json;
mod parameters;
mod request;
mod schema;
mod service;
mod threshold;
