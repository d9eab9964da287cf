//! Makes a profile of a recording: columns, labels, and sentences about samples that were lost.
//!
//! Not here: which samples belong to it and their root (`view.rs`), labels (`labels.rs`), time on
//! the wall (`wall.rs`).

use std::time::Duration;

use super::labels::{Place, labels};
use super::recording::Recording;
use super::view::View;
use crate::offload::CancelCheck;
use crate::profile::{Frame, Profile, RuntimeFrames, Sample, SampleType};
use crate::sampler::StackEnd;

/// The root frame of a stack that was deeper than the sampler records.
pub const TRUNCATED: &str = "(stack cut here: deeper than the sampler records)";
/// The root frame of a stack that the unwinder could not walk to its end.
pub const LOST: &str = "(callers unknown)";
/// The only frame of samples whose stack had no room in memory.
pub const NO_ROOM: &str = "(stack not kept: too many different ones)";

/// The sentence of a profile whose stacks begin with the frame `runtime`.
pub(super) const FOLDED: &str = "frames of std and tokio at the root of a stack are one frame, runtime; runtime=full shows them all";

/// Makes the profile, and looks up its names unless it is cancelled.
pub(super) fn profile(recorded: &Recording, view: &View, cancel: &CancelCheck) -> Profile {
    let mut profile = Profile::new([
        SampleType::new("samples", "count"),
        SampleType::new("cpu", "nanoseconds"),
    ]);
    profile.period_type = Some(SampleType::new("cpu", "nanoseconds"));
    profile.period = period(recorded);
    profile.time = recorded.started;
    profile.duration = recorded.duration;
    let mut runtime = RuntimeFrames::new();
    let mut is_folded = false;
    let (mut deep, mut cut) = (0_u64, 0_u64);
    for (key, weight) in recorded.rows().filter(|(key, _)| view.has(key)) {
        if cancel.is_cancelled() {
            break;
        }
        let mut stack: Vec<Frame> = key.stack.iter().copied().map(Frame::Address).collect();
        if !view.full_runtime {
            is_folded |= runtime.fold(&mut stack);
        }
        match key.end {
            StackEnd::Root => {}
            StackEnd::Deep => {
                deep += weight.count;
                stack.push(Frame::named(TRUNCATED));
            }
            StackEnd::Lost if stack.is_empty() => stack.push(Frame::named(NO_ROOM)),
            StackEnd::Lost => {
                cut += weight.count;
                stack.push(Frame::named(LOST));
            }
        }
        let place = Place::of(key);
        stack.extend(view.root(key, place));
        let count = i64::try_from(weight.count).unwrap_or(i64::MAX);
        let cpu = i64::try_from(weight.cpu.as_nanos()).unwrap_or(i64::MAX);
        profile.samples.push(Sample {
            stack,
            values: vec![count, cpu],
            labels: labels(key, place),
        });
    }
    // Threads of the same name, such as the workers of a runtime, become one.
    profile.aggregate();
    // Rows come in no order; readers like the same order every time.
    profile
        .samples
        .sort_by(|a, b| (&b.values, &a.stack, &a.labels).cmp(&(&a.values, &b.stack, &b.labels)));
    profile.comments = comments(recorded, view, (deep, cut));
    if is_folded {
        profile.comments.push(FOLDED.to_owned());
    }
    // So that writers find every name.
    for address in recorded
        .rows()
        .filter(|(key, _)| view.has(key))
        .flat_map(|(key, _)| key.stack.iter())
    {
        if cancel.is_cancelled() {
            break;
        }
        callstack::symbolize(*address);
    }
    profile
}

fn period(recorded: &Recording) -> i64 {
    let hz = match recorded.sampled_hz {
        0 => recorded.hz,
        hz => hz,
    };
    1_000_000_000 / i64::from(hz).max(1)
}

/// How much was recorded against how much should have been, and what is missing.
fn comments(recorded: &Recording, view: &View, (deep, cut): (u64, u64)) -> Vec<String> {
    let samples = recorded.total.count;
    let mut comments = amount(recorded);
    if recorded.unseen > Duration::ZERO {
        comments.push(format!(
            "{:.3} s of CPU time were used by threads that had ended before they were sampled",
            recorded.unseen.as_secs_f64()
        ));
    }
    for (why, count) in &recorded.lost {
        comments.push(format!("{count} samples were lost: {why}"));
    }
    if recorded.restarts > 0 {
        comments.push(format!(
            "the sampler was started anew {} times, because others asked for a higher frequency; what ran in those \
             moments was not sampled",
            recorded.restarts
        ));
    }
    if samples == 0 {
        comments.push(
            "a CPU profile samples only threads that run; a process that waits uses no CPU time and gives no samples"
                .to_owned(),
        );
    } else if !view.is_everything() {
        let chosen = recorded.rows().filter(|(key, _)| view.has(key));
        let chosen: Duration = chosen.map(|(_, weight)| weight.cpu).sum();
        comments.push(format!(
            "only what was chosen: {:.3} s of {:.3} s",
            chosen.as_secs_f64(),
            recorded.total.cpu.as_secs_f64()
        ));
    }
    for (count, text) in [
        (
            deep,
            "samples had stacks deeper than the sampler records; their frames at the root are missing",
        ),
        (
            cut,
            "samples have a stack that could not be walked to its root; their callers are missing",
        ),
        (
            recorded.unnamed,
            "samples are without their task, which had ended too long ago",
        ),
        (
            recorded.without_request,
            "samples are without the id of their request, because too many different ones were sampled",
        ),
        (
            recorded.without_stack,
            "samples are without their stack, because too many different ones were sampled",
        ),
        (
            recorded.without_task,
            "samples are also without their task, for the same reason",
        ),
    ] {
        if count > 0 {
            comments.push(format!("{count} {text}"));
        }
    }
    comments.extend(recorded.comments.iter().cloned());
    comments
}

/// The number of samples beside the number that the CPU time used should have given.
fn amount(recorded: &Recording) -> Vec<String> {
    let samples = recorded.total.count;
    let seconds = recorded.duration.as_secs_f64();
    let at = match (recorded.hz, recorded.sampled_hz) {
        (requested, sampled) if sampled > requested => {
            format!("{requested} to {sampled} Hz (somebody else asked for more)")
        }
        (requested, _) => format!("{requested} Hz"),
    };
    let Some(used) = recorded.cpu_time else {
        return vec![format!(
            "{samples} samples at {at} in {seconds:.3} s; how many were lost is not known"
        )];
    };
    let sampled = recorded.total.cpu;
    let period = period(recorded).unsigned_abs();
    let mut comments = Vec::new();
    if recorded.sampled_hz <= recorded.hz {
        let expected = used.as_nanos() / u128::from(period).max(1);
        comments.push(format!(
            "{samples} samples at {at}; {expected} expected for {:.3} s of CPU time in {seconds:.3} s",
            used.as_secs_f64()
        ));
    } else {
        comments.push(format!(
            "{samples} samples at {at} stand for {:.3} s of the {:.3} s of CPU time that were used in {seconds:.3} s",
            sampled.as_secs_f64(),
            used.as_secs_f64()
        ));
    }
    // Two in a hundred are more than the phase of the timers explains.
    let missing = used.saturating_sub(sampled);
    if missing > Duration::from_nanos(2 * period) && missing * 50 > used {
        comments.push(format!(
            "{:.3} s of CPU time are not in the profile",
            missing.as_secs_f64()
        ));
    }
    comments
}
