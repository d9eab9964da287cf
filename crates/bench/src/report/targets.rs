//! The section on targets: each with the figure that was reached.

use super::table::{Table, short, whole};
use super::{askers, dumps, memory, of_variant, operations, service};
use crate::driver::plan::Allocator;
use crate::driver::results::Results;
use crate::variants::Name as Variant;
use crate::worker::Flavour;
use crate::workloads::Name as Workload;

enum Verdict {
    Reached,
    Missed,
    /// The figure may be on either side.
    Open,
    /// There was no figure to be reached.
    Fact,
}

impl Verdict {
    fn of(reached: bool) -> Verdict {
        if reached {
            Verdict::Reached
        } else {
            Verdict::Missed
        }
    }
}

pub(super) fn section(results: &Results) -> String {
    let mut table = Table::new(&[
        "everything on, against bare `tokio::spawn`",
        "at most",
        "is",
        "",
    ]);
    let mut row = |what: &str, most: String, is: String, verdict: Verdict| {
        let verdict = match verdict {
            Verdict::Reached => "reached",
            Verdict::Missed => "**missed**",
            Verdict::Open => "too noisy to say",
            Verdict::Fact => "",
        };
        table.row(&[what.into(), most, is, verdict.into()]);
    };
    for (workload, what, most) in [
        (Workload::Spawn, "spawn and join of a no-op", 1.15),
        (Workload::SelfWake, "self-wake, a poll", 1.20),
        (Workload::PingPong, "mpsc ping-pong, a poll", 1.08),
    ] {
        if let Some(is) = ratio(results, workload) {
            row(
                &format!("{what}; current_thread, glibc"),
                format!("{most:.2}x"),
                format!("{is:.2}x"),
                Verdict::of(is < most + 0.005),
            );
        }
    }
    if let Some(is) = memory::allocated_over_bare(results, Allocator::Glibc, Flavour::Current) {
        row(
            "bytes for an idle task; glibc, allocated",
            "160".into(),
            whole(is),
            Verdict::of(is < 160.5),
        );
    }
    if let Some(million) = dumps::million(results) {
        let seconds = |ms: f64| format!("{:.2} s", ms / 1e3);
        row(
            "1,000,000 idle tasks with stacks, dumped, grouped and symbolised; slowest of alike, mixed, current_thread, multi_thread",
            "0.60 s".into(),
            seconds(million.first_ms),
            Verdict::of(million.first_ms < 605.0),
        );
        row(
            "meanwhile a 1 ms ticker on the same runtime late, beyond its own noise; worst of all dumps",
            "2 ms".into(),
            format!("{} ms", short(million.late_ms)),
            Verdict::of(million.late_ms <= 2.0),
        );
        row(
            "a second dump; slowest",
            "0.30 s".into(),
            seconds(million.again_ms),
            Verdict::of(million.again_ms < 305.0),
        );
        row(
            "bytes for each of these tasks while the dump is held: allocated, and highest RSS meanwhile",
            "stated".into(),
            format!(
                "{}, {}",
                whole(million.held_bytes),
                whole(million.peak_bytes)
            ),
            Verdict::Fact,
        );
    }
    if let Some((cost, low, high)) = service::cost_of_dumps(results) {
        row(
            "throughput that 10 dumps a second cost under full HTTP load; in brackets 95 % confidence",
            "2 %".into(),
            format!(
                "{:.1} % ({:.1} to {:.1})",
                cost * 100.0,
                low * 100.0,
                high * 100.0
            ),
            if high < 0.02 {
                Verdict::Reached
            } else if low < 0.02 {
                Verdict::Open
            } else {
                Verdict::Missed
            },
        );
    }
    if let Some((is, low, high)) = askers::p99(results) {
        row(
            "the demo's p99 with 1,000 askers of its endpoint, against none; in brackets 95 % confidence",
            "1.05x".into(),
            format!("{is:.2}x ({low:.2} to {high:.2})"),
            if high < 1.05 {
                Verdict::Reached
            } else if low < 1.05 {
                Verdict::Open
            } else {
                Verdict::Missed
            },
        );
    }
    if let Some(is) = askers::slowest_blocked(results) {
        row(
            "an answer of the endpoint with every worker blocked, beyond the seconds asked; slowest but for the first ones",
            "100 ms".into(),
            format!("{} ms", short(is)),
            Verdict::of(is < 100.0),
        );
    }
    format!(
        "## Targets\n\n{}\n{}",
        table.text(),
        include_str!("cpu_targets.md").trim_end()
    )
}

fn ratio(results: &Results, workload: Workload) -> Option<f64> {
    let samples = results.of(Allocator::Glibc, workload, Flavour::Current);
    let bare = of_variant(&samples, Variant::Bare)?;
    let ours = of_variant(&samples, Variant::Taskscope)?;
    Some(operations::ratio(ours, bare).median)
}
