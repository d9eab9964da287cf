//! The first page as text, for a terminal.
//!
//! Not here: its facts (`model.rs`).

use std::fmt::{self, Write as _};

use taskscope::text::lines;
use taskscope::{
    Verdict,
    text::{Age, OneLine, Plain},
};

use super::cpu;
use super::model::{MAX_ROWS, Overview};
use crate::http::page::layout::process;
use crate::http::page::tasks::label;
use crate::tasks::comments;

pub(super) fn text(overview: &Overview) -> String {
    let mut out = String::new();
    // Writing to a String cannot fail.
    let _ = write(&mut out, overview);
    lines(&out).into_owned()
}

fn write(out: &mut String, overview: &Overview) -> fmt::Result {
    let (dump, counts) = (&overview.tasks.head.dump, &overview.tasks.head.counts);
    writeln!(
        out,
        "{} (pid {}): {} tracked tasks, {} untracked; {}",
        process(),
        std::process::id(),
        counts.tasks,
        dump.untracked(),
        httpdate::fmt_http_date(dump.taken_at)
    )?;
    let since = Age(overview.history[0].ago).to_string();
    writeln!(
        out,
        "\n{:>9}  {:<14}  {:>9}  change in {since}",
        "tasks", "verdict", "longest"
    )?;
    let changes = overview.changes();
    for verdict in Verdict::ALL {
        let longest = counts.longest(verdict).map(Age);
        let longest = longest
            .map(|longest| longest.to_string())
            .unwrap_or_default();
        let change = changes.iter().find(|(changed, ..)| *changed == verdict);
        let change = change
            .map(|(_, first, last)| *last as i128 - *first as i128)
            .unwrap_or(0);
        writeln!(
            out,
            "{:>9}  {verdict:<14}  {longest:>9}  {change:+}",
            counts.with(verdict)
        )?;
    }
    write_suspects(out, overview)?;
    for runtime in &overview.now.runtimes {
        let name = runtime
            .name
            .as_deref()
            .map(|name| format!(" {}", Plain(name)))
            .unwrap_or_default();
        writeln!(
            out,
            "\nruntime {}{name}: {}, {} in the global queue; busy in the last {}",
            runtime.number,
            runtime.flavor,
            runtime.global_queue,
            Age(runtime.over)
        )?;
        for (at, worker) in runtime.workers.iter().enumerate() {
            match worker.busy {
                Some(busy) => write!(out, "  worker {at:<3} {:>5.1} %", busy * 100.0)?,
                None => write!(out, "  worker {at:<3} not known yet")?,
            }
            writeln!(
                out,
                "{}",
                if worker.in_one_poll {
                    "  in one poll all the time"
                } else {
                    ""
                }
            )?;
        }
    }
    if let Some(recent) = &overview.cpu {
        cpu::text(out, recent)?;
    }
    let waits = &overview.tasks.waits;
    if !waits.is_empty() {
        writeln!(out, "\noldest waits")?;
    }
    for group in waits.iter().take(MAX_ROWS) {
        let (task, alike) = (group.longest(), group.tasks - 1);
        write!(
            out,
            "{:>9}  {}  task {} {}, spawned at {}",
            Age(task.state.since()).to_string(),
            OneLine(task.activity()),
            task.id,
            Plain(label(task)),
            Plain(task.site.to_string())
        )?;
        match alike {
            0 => writeln!(out)?,
            alike => writeln!(out, ", and {alike} alike")?,
        }
    }
    let polls = &overview.tasks.polls;
    if !polls.is_empty() {
        writeln!(out, "\nlongest polls")?;
    }
    for poll in polls {
        let when = match poll.ago {
            Some(ago) => format!("{} ago", Age(ago)),
            None => "goes on".to_owned(),
        };
        writeln!(
            out,
            "{:>9}  {when}  task {} {}, spawned at {}",
            Age(poll.lasted).to_string(),
            poll.task.id,
            Plain(label(&poll.task)),
            Plain(poll.task.site.to_string())
        )?;
    }
    writeln!(out)?;
    for comment in comments(dump, counts) {
        writeln!(out, "note: {}", OneLine(comment))?;
    }
    writeln!(
        out,
        "more: tasks?debug=1 (similar tasks together), tasks?debug=2 (every task), leaks?debug=1, page/addresses (all addresses)"
    )
}

fn write_suspects(out: &mut String, overview: &Overview) -> fmt::Result {
    let suspects = &overview.tasks.suspects;
    if suspects.is_empty() {
        return writeln!(out, "\nno leak suspects");
    }
    writeln!(out, "\nleak suspects")?;
    for suspect in suspects.iter().take(MAX_ROWS) {
        write!(out, "{:>9}  {}", suspect.tasks, Plain(&suspect.label))?;
        if let Some(scope) = &suspect.scope {
            write!(out, ", scope {}", Plain(scope))?;
        }
        write!(out, ", spawned at {}", Plain(suspect.site.to_string()))?;
        if !suspect.memory.is_nothing() {
            write!(out, "; hold {} (sampled)", suspect.memory)?;
        }
        if let Some(trend) = suspect.trend.as_ref().filter(|trend| trend.only_grows()) {
            write!(out, "; only grows, by {}", trend.grew_by())?;
        }
        writeln!(out)?;
    }
    if suspects.len() > MAX_ROWS {
        writeln!(
            out,
            "           and {} more places",
            suspects.len() - MAX_ROWS
        )?;
    }
    Ok(())
}
