//! CPU sampling in a URL: how to sample, and whose samples to show.
//!
//! Not here: for how long (`native.rs`), which tasks a dump is about (`task_filter.rs`).

use std::time::Duration;

use super::error::HttpError;
use super::parameters::{AGO, BY, HZ, MODE, NAME, ROUTE, RUNTIME, SCOPE_OF_SAMPLES};
use super::query::Query;
use crate::cpu::{By, Cpu};
use crate::sampler::DEFAULT_HZ;

const BY_CHOICES: [(&str, By); 4] = [
    ("stack", By::Stack),
    ("route", By::Route),
    ("task", By::Task),
    ("thread", By::Thread),
];

pub(super) fn parse(query: &Query) -> Result<Cpu, HttpError> {
    let mut cpu = Cpu::new().by(query.choice(&BY, BY_CHOICES)?.unwrap_or(By::Stack));
    let ago = query.number(&AGO)?;
    if query.choice(&MODE, [("cpu", false), ("wall", true)])? == Some(true) {
        cpu = cpu.wall();
        if ago.is_some() {
            return Err(HttpError::bad_request(
                "parameters ago and mode=wall exclude each other; of the past only CPU time is kept",
            ));
        }
    }
    if let Some(hz) = query.number(&HZ)? {
        if ago.is_some() {
            return Err(HttpError::bad_request(
                "parameters ago and hz exclude each other; the past was sampled as it was",
            ));
        }
        cpu = cpu.hz(i32::try_from(hz).unwrap_or(DEFAULT_HZ));
    }
    if let Some(ago) = ago {
        cpu = cpu.ago(Duration::from_secs(ago));
    }
    if let Some(route) = query.text(&ROUTE)? {
        cpu = cpu.route(route);
    }
    if let Some(scope) = query.text(&SCOPE_OF_SAMPLES)? {
        cpu = cpu.scope(scope);
    }
    if let Some(name) = query.text(&NAME)? {
        cpu = cpu.name(name);
    }
    if query.choice(&RUNTIME, [("folded", false), ("full", true)])? == Some(true) {
        cpu = cpu.full_runtime();
    }
    Ok(cpu)
}
