//! What a sampler recorded, as a profile: columns, labels, and sentences about what was lost.

use std::sync::Arc;

use super::recorded::Recorded;
use crate::profile::{Frame, Label, Profile, Sample, SampleType};
use crate::sampler::RawProfile;

/// The root frame of a stack that was deeper than the sampler records.
pub const TRUNCATED: &str = "(stack cut here: deeper than the sampler records)";

pub(super) fn profile(recorded: &Recorded, raw: &RawProfile, hz: i32) -> Profile {
    let period = i64::try_from(raw.period.as_nanos()).unwrap_or(i64::MAX);
    let mut profile = Profile::new([
        SampleType::new("samples", "count"),
        SampleType::new("cpu", "nanoseconds"),
    ]);
    profile.period_type = Some(SampleType::new("cpu", "nanoseconds"));
    profile.period = period;
    profile.time = raw.started;
    profile.duration = raw.duration;
    for stack in &raw.stacks {
        let count = i64::try_from(stack.count).unwrap_or(i64::MAX);
        let mut frames: Vec<Frame> = stack.frames.iter().copied().map(Frame::Address).collect();
        if stack.truncated {
            frames.push(Frame::named(TRUNCATED));
        }
        let labels = if stack.thread.is_empty() {
            Vec::new()
        } else {
            vec![Label::str("thread", Arc::clone(&stack.thread))]
        };
        profile.samples.push(Sample {
            stack: frames,
            values: vec![count, count.saturating_mul(period)],
            labels,
        });
    }
    // Threads of the same name, such as the workers of a runtime, become one.
    profile.aggregate();
    profile.comments = comments(recorded, raw, hz);
    profile
}

/// What was recorded against what should have been, and what is missing.
fn comments(sum: &Recorded, raw: &RawProfile, hz: i32) -> Vec<String> {
    let recorded = raw.recorded();
    let seconds = raw.duration.as_secs_f64();
    let mut comments = Vec::new();
    match (raw.cpu_time, raw.expected()) {
        (Some(cpu), Some(expected)) => {
            let cpu = cpu.as_secs_f64();
            comments.push(format!(
                "{recorded} samples at {hz} Hz; {expected} expected for {cpu:.3} s of CPU time in {seconds:.3} s"
            ));
            // One in ten is far above the phase of the timer.
            if recorded + 2 < expected && recorded * 10 < expected * 9 {
                comments.push(format!(
                    "{} samples were lost, so the profile shows less CPU time than was used; \
                     frequencies above the kernel's tick and other users of SIGPROF lose samples",
                    expected - recorded
                ));
            }
        }
        _ => comments.push(format!(
            "{recorded} samples at {hz} Hz in {seconds:.3} s; how many were lost is not known"
        )),
    }
    if sum.slices > 1 {
        comments.push(format!(
            "sampled in {} slices, because others asked at the same time; {:.3} s between them were not sampled",
            sum.slices,
            sum.gaps.as_secs_f64()
        ));
    }
    if recorded == 0 {
        comments.push(
            "a CPU profile samples only threads that run; a process that waits uses no CPU time and gives no samples"
                .to_owned(),
        );
    }
    let truncated: u64 = raw
        .stacks
        .iter()
        .filter(|stack| stack.truncated)
        .map(|stack| stack.count)
        .sum();
    if truncated > 0 {
        comments.push(format!(
            "{truncated} samples had stacks deeper than the sampler records; their frames at the root are missing"
        ));
    }
    comments.extend(raw.remarks.iter().cloned());
    comments
}
