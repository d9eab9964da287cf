//! The index: what is alive, how the runtimes do, and every endpoint with a link.
//!
//! Server-rendered; no script, no external resource; links that work behind any prefix and with or without a slash at the end.
//! Nothing on it asks a task for anything. Not here: the endpoints' own descriptions (`endpoint.rs`).

use std::fmt::{self, Write as _};
use std::time::Duration;

use axum::Extension;
use axum::extract::{OriginalUri, RawQuery};
use axum::response::Html;
use taskscope::{Age, Dump, DumpOptions, RuntimeInfo, SiteGrowth, Stacks, TaskDump, Verdict};
use tokio_metrics::{RuntimeMetrics, RuntimeMonitor};

use super::endpoint::{ALL, Endpoint};
use super::error::HttpError;
use super::params::Query;
use super::{OwnRuntime, watch_application};
use crate::escape::markup;
use crate::offload::{self, Wanted};

/// How long the runtimes are watched for their busy ratio: the time that the page takes.
const WATCHED: Duration = Duration::from_millis(100);

/// What the index itself takes: nothing.
static INDEX: Endpoint = Endpoint {
    path: "/",
    summary: "This page.",
    parameters: &[],
    examples: &[],
};

const STYLE: &str = "\
:root{color-scheme:light dark}\
body{font:16px/1.5 system-ui,sans-serif;margin:2em auto;padding:0 1em;max-width:64em}\
h1{font-size:1.5em}h2{font-size:1.15em;margin:1.6em 0 .4em}\
table{border-collapse:collapse}th,td{padding:.25em 1.2em .25em 0;text-align:left;vertical-align:top}\
th{font-weight:600;border-bottom:1px solid}td.n,th.n{text-align:right;font-variant-numeric:tabular-nums}\
.wide{overflow-x:auto}.long{overflow-wrap:anywhere}dt{margin-top:1em;font-weight:600}dd{margin:0 0 0 1em}\
ul{margin:.3em 0;padding-left:1.2em}code{font-size:.9em}p.note{margin:.4em 0}";

pub(super) async fn page(
    own: Option<Extension<OwnRuntime>>,
    OriginalUri(uri): OriginalUri,
    RawQuery(query): RawQuery,
) -> Result<Html<String>, HttpError> {
    Query::parse(query.as_deref()).only_known(&INDEX, false)?;
    let _watched = watch_application(own.as_ref());
    let base = base(uri.path());
    let page = offload::run("taskprof-index", move |wanted| {
        let dump = DumpOptions::new().stacks(Stacks::None).capture_blocking();
        let runtimes = watch(&dump, wanted);
        render(&base, &dump, &runtimes)
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

/// The runtimes of a dump with tokio-metrics' figures for a short while.
fn watch<'a>(dump: &'a Dump, wanted: &Wanted) -> Vec<(&'a RuntimeInfo, Option<RuntimeMetrics>)> {
    let mut watched: Vec<_> = dump
        .runtimes
        .iter()
        .map(|info| (info, RuntimeMonitor::new(info.handle()).intervals()))
        .collect();
    wanted.sleep(WATCHED);
    watched
        .iter_mut()
        .map(|(info, intervals)| (*info, intervals.next()))
        .collect()
}

fn render(base: &str, dump: &Dump, runtimes: &[(&RuntimeInfo, Option<RuntimeMetrics>)]) -> String {
    let mut out = format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\n<title>Profiles of this process</title>\n\
         <style>{STYLE}</style>\n</head>\n<body>\n<main>\n<h1>Profiles of this process</h1>\n"
    );
    // Writing to a String cannot fail.
    let _ = write_tasks(&mut out, base, dump);
    let _ = write_runtimes(&mut out, runtimes);
    out.push_str("<h2>Profiles</h2>\n<dl>\n");
    for endpoint in ALL {
        let _ = write_endpoint(&mut out, base, endpoint);
    }
    out.push_str("</dl>\n</main>\n</body>\n</html>\n");
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

fn write_endpoint(out: &mut String, base: &str, endpoint: &Endpoint) -> fmt::Result {
    let href = markup(&format!("{base}{}", endpoint.path));
    let name = markup(endpoint.path.trim_start_matches('/'));
    writeln!(out, "<dt>{name}</dt>\n<dd>{}", markup(endpoint.summary))?;
    write!(out, "<p class=\"note\">")?;
    for (at, (what, query)) in endpoint.examples.iter().enumerate() {
        let question = if query.is_empty() { "" } else { "?" };
        write!(
            out,
            "{}<a href=\"{href}{question}{}\">{}</a>",
            if at == 0 { "" } else { " · " },
            markup(query),
            markup(what)
        )?;
    }
    writeln!(out, "</p>")?;
    if !endpoint.parameters.is_empty() {
        writeln!(out, "<ul>")?;
        for parameter in endpoint.parameters {
            writeln!(
                out,
                "<li><code>{}</code>: {}</li>",
                markup(parameter.name),
                markup(parameter.summary)
            )?;
        }
        writeln!(out, "</ul>")?;
    }
    writeln!(out, "</dd>")
}
