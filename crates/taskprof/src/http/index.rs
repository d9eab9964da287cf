//! The index: what is alive, how the runtimes do, and every endpoint with a link.
//!
//! Server-rendered; no script, no external resource; links that work behind any prefix and with or without a slash at the end.
//! Nothing on it asks a task for anything. Not here: the endpoints' own descriptions (`endpoint.rs`).

use std::fmt::{self, Write as _};
use std::sync::Arc;
use std::time::Duration;

use axum::extract::OriginalUri;
use axum::http::request::Parts;
use axum::response::Html;
use taskscope::{Age, Dump, DumpOptions, RuntimeInfo, SiteGrowth, Stacks, TaskDump, Verdict};
use tokio_metrics::RuntimeMetrics;

use super::desk::Desk;
use super::endpoint::Endpoint;
use super::error::HttpError;
use super::kept::{Kept, MAX_KEPT};
use super::params::Query;
use super::{OwnRuntime, go, watch_application};
use crate::escape::markup;
use crate::offload;
use crate::source::{self, Source, WATCHED};
use crate::turn::Turn;
use crate::warm;
use crate::write::FORMATS;

const STYLE: &str = "\
:root{color-scheme:light dark}\
body{font:16px/1.5 system-ui,sans-serif;margin:2em auto;padding:0 1em;max-width:64em}\
h1{font-size:1.5em}h2{font-size:1.15em;margin:1.6em 0 .4em}\
table{border-collapse:collapse}th,td{padding:.25em 1.2em .25em 0;text-align:left;vertical-align:top}\
th{font-weight:600;border-bottom:1px solid}td.n,th.n{text-align:right;font-variant-numeric:tabular-nums}\
.wide{overflow-x:auto}.long{overflow-wrap:anywhere}dt{margin-top:1em;font-weight:600}dd{margin:0 0 0 1em}\
ul{margin:.3em 0;padding-left:1.2em}code{font-size:.9em}p.note{margin:.4em 0}";

pub(super) async fn page(desk: Arc<Desk>, parts: Parts) -> Result<Html<String>, HttpError> {
    Query::parse(parts.uri.query()).only_known(&Endpoint::BARE, false)?;
    let _look = desk.look().await?;
    let _watched = watch_application(parts.extensions.get::<OwnRuntime>());
    // Whoever looks here asks for more in a moment.
    warm::all();
    // As the client sees it, in front of any prefix that a router has taken off.
    let uri = parts.extensions.get::<OriginalUri>();
    let base = base(uri.map_or(parts.uri.path(), |uri| uri.path()));
    let page = offload::run("taskprof-index", move |wanted| {
        let turn = Turn::take();
        let dump = DumpOptions::new().stacks(Stacks::None).capture_blocking();
        drop(turn);
        let runtimes = source::watch_runtimes(&dump.runtimes, wanted);
        let _turn = Turn::take();
        render(&base, &dump, &runtimes, &desk.captures.list())
    })
    .await?;
    Ok(Html(page))
}

/// What a link must begin with to mean "below this page".
///
/// A browser resolves a link against everything up to the last `/` of the address. Behind `/debug/profile` that is
/// `/debug/`, so the last segment must be repeated; behind `/debug/profile/` it must not. The `./` keeps a segment with a
/// colon from being taken for a scheme.
fn base(path: &str) -> String {
    match path.rsplit('/').next() {
        None | Some("") => ".".to_owned(),
        Some(last) => format!("./{last}"),
    }
}

fn render(
    base: &str,
    dump: &Dump,
    runtimes: &[(&RuntimeInfo, Option<RuntimeMetrics>)],
    captures: &[Arc<Kept>],
) -> String {
    let mut out = format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\n<title>Profiles of this process</title>\n\
         <style>{STYLE}</style>\n</head>\n<body>\n<main>\n<h1>Profiles of this process</h1>\n"
    );
    // Writing to a String cannot fail.
    let _ = write_tasks(&mut out, base, dump);
    let _ = write_runtimes(&mut out, runtimes);
    let _ = write_captures(&mut out, base, captures);
    out.push_str("<h2>Profiles</h2>\n<dl>\n");
    for source in source::ALL {
        let _ = write_source(&mut out, base, source);
    }
    #[cfg(feature = "metrics")]
    let _ = write_metrics(&mut out, base);
    out.push_str("</dl>\n");
    let _ = write_go(&mut out);
    out.push_str("</main>\n</body>\n</html>\n");
    out
}

fn write_tasks(out: &mut String, base: &str, dump: &Dump) -> fmt::Result {
    writeln!(
        out,
        "<h2>Tasks</h2>\n<p>{} with a record (<a href=\"{base}/tasks?debug=1\">grouped</a>, \
         <a href=\"{base}/tasks?debug=2\">every one</a>), {} untracked; {}.</p>\n<div class=\"wide\"><table>\n\
         <tr><th>verdict</th><th class=\"n\">tasks</th><th class=\"n\">longest</th><th>meaning</th></tr>",
        dump.tasks.len(),
        dump.untracked(),
        markup(&httpdate::fmt_http_date(dump.taken_at)),
        base = markup(base),
    )?;
    for verdict in Verdict::ALL {
        let of = || dump.tasks.iter().filter(|task| task.verdict == verdict);
        let longest = of().map(|task| task.state.since()).max();
        writeln!(
            out,
            "<tr><td>{verdict}</td><td class=\"n\">{}</td><td class=\"n\">{}</td><td>{}</td></tr>",
            of().count(),
            longest
                .map(|since| Age(since).to_string())
                .unwrap_or_default(),
            verdict.meaning(),
        )?;
    }
    writeln!(out, "</table></div>")?;
    let suspects: Vec<&TaskDump> = dump
        .tasks
        .iter()
        .filter(|task| task.is_leak_suspect())
        .collect();
    if !suspects.is_empty() {
        write_suspects(out, &suspects)?;
    }
    write_growth(out)
}

/// The spawn sites whose tasks only become more.
fn write_growth(out: &mut String) -> fmt::Result {
    const SHOWN: usize = 10;
    let growing: Vec<SiteGrowth> = taskscope::growth()
        .into_iter()
        .filter(SiteGrowth::only_grows)
        .collect();
    if growing.is_empty() {
        return Ok(());
    }
    writeln!(
        out,
        "<h2>Spawn sites that only grow</h2>\n<div class=\"wide\"><table>\n<tr><th class=\"n\">more</th><th class=\"n\">in</th>\
         <th class=\"n\">alive</th><th>spawned at</th></tr>"
    )?;
    for site in growing.iter().take(SHOWN) {
        let since = site.samples.first().map(|(ago, _)| *ago);
        writeln!(
            out,
            "<tr><td class=\"n\">+{}</td><td class=\"n\">{}</td><td class=\"n\">{}</td><td class=\"long\">{}</td></tr>",
            site.grew_by(),
            Age(since.unwrap_or_default()),
            site.alive(),
            markup(&site.site.to_string())
        )?;
    }
    writeln!(out, "</table></div>")?;
    if growing.len() > SHOWN {
        writeln!(
            out,
            "<p class=\"note\">and {} more spawn sites</p>",
            growing.len() - SHOWN
        )?;
    }
    Ok(())
}

/// Where the leak suspects were spawned, the site with the most first.
fn write_suspects(out: &mut String, suspects: &[&TaskDump]) -> fmt::Result {
    const SHOWN: usize = 10;
    let mut sites: Vec<(String, usize, Duration)> = Vec::new();
    for task in suspects {
        let scope = task
            .scope
            .as_ref()
            .map(|scope| format!(", scope {}", scope.name()))
            .unwrap_or_default();
        let site = format!(
            "{} at {}{scope}",
            task.name.as_deref().unwrap_or(task.future),
            task.site
        );
        match sites.iter_mut().find(|(known, ..)| *known == site) {
            Some((_, count, oldest)) => {
                *count += 1;
                *oldest = (*oldest).max(task.age);
            }
            None => sites.push((site, 1, task.age)),
        }
    }
    sites.sort_by(|one, other| other.1.cmp(&one.1).then_with(|| one.0.cmp(&other.0)));
    writeln!(
        out,
        "<h2>Leak suspects</h2>\n<div class=\"wide\"><table>\n<tr><th class=\"n\">tasks</th><th class=\"n\">oldest</th><th>spawned</th></tr>"
    )?;
    for (site, count, oldest) in sites.iter().take(SHOWN) {
        writeln!(
            out,
            "<tr><td class=\"n\">{count}</td><td class=\"n\">{}</td><td class=\"long\">{}</td></tr>",
            Age(*oldest),
            markup(site)
        )?;
    }
    writeln!(out, "</table></div>")?;
    if sites.len() > SHOWN {
        writeln!(
            out,
            "<p class=\"note\">and {} more spawn sites</p>",
            sites.len() - SHOWN
        )?;
    }
    Ok(())
}

fn write_runtimes(
    out: &mut String,
    runtimes: &[(&RuntimeInfo, Option<RuntimeMetrics>)],
) -> fmt::Result {
    writeln!(
        out,
        "<h2>Runtimes</h2>\n<div class=\"wide\"><table>\n<tr><th>runtime</th><th>flavour</th><th class=\"n\">workers</th>\
         <th class=\"n\">tracked</th><th class=\"n\">untracked</th><th class=\"n\">busy</th><th class=\"n\">parks</th>\
         <th class=\"n\">queue</th></tr>"
    )?;
    for (info, metrics) in runtimes {
        let name = info
            .name
            .as_deref()
            .map(|name| format!(" {name}"))
            .unwrap_or_default();
        write!(
            out,
            "<tr><td>{}{}</td><td>{}</td><td class=\"n\">{}</td><td class=\"n\">{}</td><td class=\"n\">{}</td>",
            info.number,
            markup(&name),
            info.flavor,
            info.workers,
            info.tracked,
            info.untracked
        )?;
        match metrics {
            Some(metrics) => writeln!(
                out,
                "<td class=\"n\">{:.1} %</td><td class=\"n\">{}</td><td class=\"n\">{}</td></tr>",
                metrics.busy_ratio() * 100.0 / info.workers.max(1) as f64,
                metrics.total_park_count,
                metrics.global_queue_depth
            )?,
            None => writeln!(out, "<td></td><td></td><td></td></tr>")?,
        }
    }
    writeln!(out, "</table></div>")?;
    if runtimes.is_empty() {
        writeln!(
            out,
            "<p class=\"note\">None is known: a runtime shows up with its first task from <code>taskscope::spawn</code>.</p>"
        )?;
    } else {
        writeln!(
            out,
            "<p class=\"note\">Busy, parks and the global queue are those of the last {} ms, by tokio-metrics; 100 % is \
             all workers. Time in a poll that has not ended is not in it: a blocked worker looks idle here and is \
             <em>blocking</em> above. Untracked tasks were spawned with plain <code>tokio::spawn</code>.</p>",
            WATCHED.as_millis()
        )?;
    }
    Ok(())
}

/// What can be looked at again.
fn write_captures(out: &mut String, base: &str, captures: &[Arc<Kept>]) -> fmt::Result {
    if captures.is_empty() {
        return Ok(());
    }
    writeln!(
        out,
        "<h2>Captures</h2>\n<div class=\"wide\"><table>\n<tr><th class=\"n\">number</th><th>of</th><th>ended</th>\
         <th class=\"n\">seconds</th><th>again as</th></tr>"
    )?;
    for kept in captures {
        let href = markup(&format!("{base}/captures/{}", kept.id));
        write!(
            out,
            "<tr><td class=\"n\">{}</td><td>{}</td><td>{}</td><td class=\"n\">{:.1}</td><td>",
            kept.id,
            markup(kept.source.name),
            markup(&httpdate::fmt_http_date(kept.finished)),
            kept.profile.duration.as_secs_f64(),
        )?;
        for (at, format) in FORMATS.iter().enumerate() {
            let name = markup(format.name);
            write!(
                out,
                "{}<a href=\"{href}?format={name}\">{name}</a>",
                if at == 0 { "" } else { " · " }
            )?;
        }
        writeln!(out, "</td></tr>")?;
    }
    writeln!(
        out,
        "</table></div>\n<p class=\"note\">{MAX_KEPT} are kept at the most, the newest. With <code>base=</code> and the number of another one, a page shows \
         what has become more or less since then.</p>"
    )
}

fn write_source(out: &mut String, base: &str, source: &Source) -> fmt::Result {
    let href = markup(&format!("{base}/{}", source.name));
    let name = markup(source.name);
    writeln!(out, "<dt>{name}</dt>\n<dd>{}", markup(source.summary))?;
    if let Err(why) = source.available() {
        return writeln!(
            out,
            "<p class=\"note\">Not here: {}.</p></dd>",
            markup(&why.to_string())
        );
    }
    let page = Endpoint::of(source);
    write!(out, "<p class=\"note\">")?;
    if page.examples.is_empty() {
        write!(out, "<a href=\"{href}\">{name}</a>")?;
    }
    for (at, (what, query)) in page.examples.iter().enumerate() {
        write!(
            out,
            "{}<a href=\"{href}?{}\">{}</a>",
            if at == 0 { "" } else { " · " },
            markup(query),
            markup(what)
        )?;
    }
    writeln!(out, "</p>")?;
    if !page.parameters.is_empty() {
        writeln!(out, "<ul>")?;
        for parameter in &page.parameters {
            writeln!(
                out,
                "<li><code>{}</code>: {}</li>",
                markup(parameter.name),
                markup(&parameter.summary)
            )?;
        }
        writeln!(out, "</ul>")?;
    }
    writeln!(out, "</dd>")
}

#[cfg(feature = "metrics")]
fn write_metrics(out: &mut String, base: &str) -> fmt::Result {
    let href = markup(&format!("{base}/metrics"));
    writeln!(
        out,
        "<dt>metrics</dt>\n<dd>Figures for Prometheus and other scrapers: tasks by verdict and scope, waits by length, runtimes.\
         <p class=\"note\"><a href=\"{href}?format=openmetrics\">openmetrics</a> · <a href=\"{href}?format=prometheus\">prometheus</a></p></dd>"
    )
}

/// Go's names, for those who look for them; not in the words of Go's own page, which scanners look for.
fn write_go(out: &mut String) -> fmt::Result {
    let names: Vec<String> = go::NAMES
        .iter()
        .map(|name| format!("<code>{}</code>", markup(name.name)))
        .collect();
    writeln!(
        out,
        "<h2>For clients of Go</h2>\n<p class=\"note\">Tools that read a Go program find what they ask for under the names that they know: \
         {}.</p>",
        names.join(", ")
    )
}
