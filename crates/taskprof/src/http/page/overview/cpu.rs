//! The part of the first page with CPU time by route, while continuous sampling is on.
//!
//! Not here: the samples (`crate::cpu`).

use std::fmt::{self, Write as _};
use std::time::Duration;

use maud::{Markup, html};
use taskscope::text::{Age, Plain};

use super::model::MAX_ROWS;
use crate::cpu::{RETENTION, Recent};
use crate::http::page::layout::{age, count, plain};
use crate::http::page::links::Links;
use crate::http::page::tasks::pair;

/// The name for samples without a route.
const NONE: &str = "no route";
/// The longest time that is stored, as the end of a URL.
fn longest() -> String {
    let seconds = RETENTION.as_secs();
    format!("ago={seconds}&seconds={seconds}")
}

fn share(recent: &Recent, cpu: Duration) -> f64 {
    100.0 * cpu.as_secs_f64() / recent.total.as_secs_f64().max(f64::MIN_POSITIVE)
}

pub(super) fn html(links: &Links, recent: &Recent) -> Markup {
    let longest = longest();
    html! {
        section #cpu data-live aria-labelledby="cpu-head" {
            h2 #cpu-head { "CPU by route" }
            p {
                (format!("{:.1}", recent.total.as_secs_f64())) " s of CPU time in " (age(recent.over)) ". "
                a href=(links.to(&format!("cpu?{longest}&format=svg&by=route"))) { "Flame graph by route" } " · "
                a href=(links.to("cpu?ago=60&seconds=60&format=svg&by=route")) { "of the last minute" }
            }
            div.wide {
                table {
                    caption.hidden { "CPU time by route, the most first" }
                    thead { tr { th.n scope="col" { "seconds" } th.n scope="col" { "share" } th scope="col" { "route" } } }
                    tbody {
                        @for (route, cpu) in recent.by_route.iter().take(MAX_ROWS) {
                            tr {
                                td.n { (format!("{:.1}", cpu.as_secs_f64())) }
                                td.n { (format!("{:.0} %", share(recent, *cpu))) }
                                th scope="row" {
                                    @match route {
                                        Some(route) => a href=(links.to(&format!("cpu?{longest}&format=svg&{}", pair("route", route)))) { (plain(route)) },
                                        None => (NONE),
                                    }
                                }
                            }
                        }
                    }
                }
            }
            @if recent.by_route.len() > MAX_ROWS { p.note { "and " (count(recent.by_route.len() - MAX_ROWS, "more route")) } }
        }
    }
}

pub(super) fn text(out: &mut String, recent: &Recent) -> fmt::Result {
    writeln!(
        out,
        "\nCPU by route: {:.1} s in {}",
        recent.total.as_secs_f64(),
        Age(recent.over)
    )?;
    for (route, cpu) in recent.by_route.iter().take(MAX_ROWS) {
        let route = route.as_deref().unwrap_or(NONE);
        writeln!(
            out,
            "{:>8.1}s  {:>3.0} %  {}",
            cpu.as_secs_f64(),
            share(recent, *cpu),
            Plain(route)
        )?;
    }
    if recent.by_route.len() > MAX_ROWS {
        writeln!(
            out,
            "           and {} more",
            recent.by_route.len() - MAX_ROWS
        )?;
    }
    Ok(())
}
