//! How a query wants the CPU sampled, and whose samples it wants to see.
//!
//! Not here: for how long (`own.rs`), which tasks a dump is about (`choose.rs`).

use std::time::Duration;

use super::error::HttpError;
use super::query::Query;
use crate::cpu::{By, Cpu, RETENTION};
use crate::sampler::{DEFAULT_HZ, ThreadSampler};

const BY: [(&str, By); 4] = [
    ("stack", By::Stack),
    ("route", By::Route),
    ("task", By::Task),
    ("thread", By::Thread),
];

pub(super) fn parse(query: &Query) -> Result<Cpu, HttpError> {
    let mut cpu = Cpu::new().by(query.choice("by", By::Stack, BY.iter().copied())?);
    let modes = [("cpu", false), ("wall", true)];
    if query.choice("mode", false, modes.iter().copied())? {
        cpu = cpu.wall();
        if query.has("ago") {
            return Err(HttpError::bad_request(
                "parameters ago and mode=wall exclude each other; of the past only CPU time is kept",
            ));
        }
    }
    if query.has("hz") {
        let (least, most) = (*ThreadSampler::HZ.start(), *ThreadSampler::HZ.end());
        let range = u64::from(least.unsigned_abs())..=u64::from(most.unsigned_abs());
        let hz = query.integer("hz", 0, range)?;
        cpu = cpu.hz(i32::try_from(hz).unwrap_or(DEFAULT_HZ));
    }
    if query.has("ago") {
        if query.has("hz") {
            return Err(HttpError::bad_request(
                "parameters ago and hz exclude each other; the past was sampled as it was",
            ));
        }
        let ago = query.integer("ago", 0, 1..=RETENTION.as_secs())?;
        cpu = cpu.ago(Duration::from_secs(ago));
    }
    if let Some(route) = query.text("route")? {
        cpu = cpu.route(route);
    }
    if let Some(scope) = query.text("scope")? {
        cpu = cpu.scope(scope);
    }
    if let Some(name) = query.text("name")? {
        cpu = cpu.name(name);
    }
    Ok(cpu)
}
