//! The demo's latency with and without a crowd that asks its profiling endpoint.
//!
//! Three processes: the demo as it is built for everybody; this one, whose paced client is what is
//! measured; and the crowd, which runs only when no other process wants a processor, because its
//! own work is not the question. Pairs of windows, one of each with the crowd, in alternating
//! order. Not here: what the crowd asks (`crowd.rs`), how the demo is started and looked at
//! (`demo.rs`).

mod crowd;
mod demo;
mod paced;

use std::thread;
use std::time::Duration;

pub(crate) use self::crowd::{ASKERS, ASKS, run as crowd};
use self::crowd::{Answers, Crowd};
pub(crate) use self::demo::Mode;
pub(crate) use self::demo::path as demo_path;
use self::demo::{Demo, Watch};
pub(crate) use self::paced::RATE;
use crate::cpu::Ticks;
use crate::driver::Error;
use crate::worker::Values;

/// The longest window. It has requests enough for a p99.
const WINDOW: u64 = 10;
/// The part of a window, as one in so many, that runs before it counts.
const WARM_UP: u32 = 5;
/// The time for the demo's first requests, before the first window.
const FIRST: Duration = Duration::from_secs(1);

/// The difference between the windows of a pair.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Asked {
    Nothing,
    ByTheCrowd,
}

/// Measures this many seconds with askers and as many without, in windows of at most ten.
pub(crate) fn askers(seconds: u64, mode: Mode) -> Result<Values, Error> {
    let mut demo = Demo::start(mode)?;
    let pairs = seconds.div_ceil(WINDOW).max(1);
    let window = Duration::from_secs(seconds) / pairs as u32;
    paced::run(demo.shop(), Duration::ZERO, FIRST)?;
    let mut figures = Figures::default();
    figures.add("rss_before", demo.status("VmRSS:")? * 1024.0);
    crowd::ask_once(demo.profiles())?;
    figures.add("rss_alone", demo.status("VmRSS:")? * 1024.0);
    for pair in 0..pairs {
        let order = match pair % 2 {
            0 => [Asked::Nothing, Asked::ByTheCrowd],
            _ => [Asked::ByTheCrowd, Asked::Nothing],
        };
        for asked in order {
            one_window(&mut demo, window, asked, &mut figures)?;
        }
    }
    // The last answers are over by then.
    thread::sleep(window / WARM_UP);
    figures.add("rss_after", demo.status("VmRSS:")? * 1024.0);
    demo.stop()?;
    Ok(figures.0)
}

fn one_window(
    demo: &mut Demo,
    window: Duration,
    asked: Asked,
    figures: &mut Figures,
) -> Result<(), Error> {
    let mut crowd = match asked {
        Asked::Nothing => None,
        Asked::ByTheCrowd => Some(Crowd::start(demo.profiles())?),
    };
    let watch = Watch::start(demo)?;
    let (cpu, machine) = (demo.cpu()?, Ticks::now());
    let warm_up = window / WARM_UP;
    let seconds = (warm_up + window).as_secs_f64();
    let paced = paced::run(demo.shop(), warm_up, window)?;
    let cpu = (demo.cpu()? - cpu) / seconds;
    let idle = machine.idle_since();
    let seen = watch.stop()?;
    let end = if asked == Asked::ByTheCrowd {
        "_with_askers"
    } else {
        ""
    };
    for (name, value) in [
        ("p50_ms", paced.at(0.5)),
        ("p99_ms", paced.at(0.99)),
        ("most_ms", paced.at(1.0)),
        ("failed", paced.failed as f64),
        ("cpu", cpu),
        ("idle", idle),
        ("rss_most", seen.rss),
        ("threads_most", seen.threads),
    ] {
        figures.add(&format!("{name}{end}"), value);
    }
    if let Some(crowd) = &mut crowd {
        figures.answers(crowd.stop()?, seconds);
    }
    Ok(())
}

#[derive(Default)]
struct Figures(Values);

impl Figures {
    fn add(&mut self, name: &str, value: f64) {
        self.0.entry(name.into()).or_default().push(value);
    }

    /// Each window has each of them, so that windows can be added up.
    fn answers(&mut self, answers: Answers, seconds: f64) {
        self.add("asked_seconds", seconds);
        self.add("answers_200", answers.ok as f64);
        self.add("answers_429", answers.later as f64);
        self.add("answers_503", answers.full as f64);
        self.add("answers_other", answers.other as f64);
        self.add("answers_broken", answers.broken as f64);
        self.add("answers_bytes", answers.bytes as f64);
    }
}
