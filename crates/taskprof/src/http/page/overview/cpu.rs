//! CPU time by route in the last minutes, on the first page: there while sampling is always on.
//!
//! Not here: who samples (`crate::cpu`).

use std::fmt::{self, Write as _};
use std::time::Duration;

use maud::{Markup, html};
use taskscope::{Age, Plain};

use super::model::SHOWN;
use crate::cpu::Recent;
use crate::http::page::layout::{age, count, plain};
use crate::http::page::links::Links;
use crate::http::page::tasks::pair;

/// What has no route.
const NONE: &str = "no route";
/// The longest window that is kept, as a query.
const WINDOW: &str = "ago=600&seconds=600";

fn share(recent: &Recent, cpu: Duration) -> f64 {
    100.0 * cpu.as_secs_f64() / recent.total.as_secs_f64().max(f64::MIN_POSITIVE)
}

pub(super) fn html(links: &Links, recent: &Recent) -> Markup {
    html! {
        section #cpu data-live aria-labelledby="cpu-head" {
            h2 #cpu-head { "CPU by route" }
            p {
                (format!("{:.1}", recent.total.as_secs_f64())) " s of CPU time in " (age(recent.over)) ". "
                a href=(links.to(&format!("cpu?{WINDOW}&format=svg&by=route"))) { "Flame graph by route" } " · "
                a href=(links.to("cpu?ago=60&seconds=60&format=svg&by=route")) { "of the last minute" }
            }
            div.wide {
                table {
                    caption.hidden { "CPU time by route, the most first" }
                    thead { tr { th.n scope="col" { "seconds" } th.n scope="col" { "share" } th scope="col" { "route" } } }
                    tbody {
                        @for (route, cpu) in recent.by_route.iter().take(SHOWN) {
                            tr {
                                td.n { (format!("{:.1}", cpu.as_secs_f64())) }
                                td.n { (format!("{:.0} %", share(recent, *cpu))) }
                                th scope="row" {
                                    @match route {
                                        Some(route) => a href=(links.to(&format!("cpu?{WINDOW}&format=svg&{}", pair("route", route)))) { (plain(route)) },
                                        None => (NONE),
                                    }
                                }
                            }
                        }
                    }
                }
            }
            @if recent.by_route.len() > SHOWN { p.note { "and " (count(recent.by_route.len() - SHOWN, "more route")) } }
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
    for (route, cpu) in recent.by_route.iter().take(SHOWN) {
        let route = route.as_deref().unwrap_or(NONE);
        writeln!(
            out,
            "{:>8.1}s  {:>3.0} %  {}",
            cpu.as_secs_f64(),
            share(recent, *cpu),
            Plain(route)
        )?;
    }
    if recent.by_route.len() > SHOWN {
        writeln!(out, "           and {} more", recent.by_route.len() - SHOWN)?;
    }
    Ok(())
}
