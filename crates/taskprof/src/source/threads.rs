//! The threads of the process, by name and by the kernel's state.
//!
//! Not here: their stacks (`cpu/wall.rs`).

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use super::{Seconds, Source, What};
use crate::error::Error;
use crate::profile::{Frame, Label, Profile, Sample, SampleType};

pub(super) static SOURCE: Source = Source {
    name: "threads",
    summary: "The threads of the process: how many of which name run, sleep, or wait for a disk.",
    sample_types: &[("threads", "count")],
    seconds: Seconds::Instantaneous,
    what: What::Profile(capture),
    ready,
};

const TASKS: &str = "/proc/self/task";

fn ready() -> Result<(), Error> {
    if Path::new(TASKS).is_dir() {
        return Ok(());
    }
    Err(Error::unavailable(format!(
        "the threads of the process cannot be listed: there is no {TASKS}, which Linux has when /proc is mounted"
    )))
}

fn capture() -> Result<Profile, Error> {
    let unreadable =
        |e| Error::sampler("the threads of the process could not be listed").caused_by(e);
    let mut threads: BTreeMap<(String, &'static str), i64> = BTreeMap::new();
    let mut gone = 0_u64;
    for entry in fs::read_dir(TASKS).map_err(unreadable)? {
        let stat = entry.and_then(|entry| fs::read(entry.path().join("stat")));
        match stat.ok().as_deref().and_then(name_and_state) {
            Some(thread) => *threads.entry(thread).or_default() += 1,
            None => gone += 1,
        }
    }
    let mut profile = Profile::new([SampleType::new("threads", "count")]);
    profile.period_type = Some(SampleType::new("threads", "count"));
    profile.period = 1;
    profile.samples = threads
        .into_iter()
        .map(|((name, state), count)| Sample {
            stack: vec![Frame::named(state), Frame::named(name.as_str())],
            values: vec![count],
            labels: vec![
                Label::str("thread", name.replace('"', "'")),
                Label::str("state", state),
            ],
        })
        .collect();
    if gone > 0 {
        profile
            .comments
            .push(format!("{gone} threads ended while they were listed"));
    }
    Ok(profile)
}

/// From the kernel's line about a thread: `17 (name) S …`, where the name may hold anything.
fn name_and_state(stat: &[u8]) -> Option<(String, &'static str)> {
    let open = stat.iter().position(|&byte| byte == b'(')?;
    let close = stat.iter().rposition(|&byte| byte == b')')?;
    let name = String::from_utf8_lossy(stat.get(open + 1..close)?);
    let state = match stat.get(close + 2)? {
        b'R' => "running",
        b'S' => "sleeping",
        b'D' => "waiting for a disk",
        b'T' | b't' => "stopped",
        b'Z' | b'X' => "ended",
        b'I' => "idle",
        _ => "in another state",
    };
    Some((name.into_owned(), state))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_may_hold_brackets_and_spaces() {
        assert_eq!(
            name_and_state(b"17 (a) b (c) R 1 17"),
            Some(("a) b (c".to_owned(), "running"))
        );
        assert_eq!(name_and_state(b""), None);
        assert_eq!(name_and_state(b"17 (a)"), None);
    }
}
