//! The table of samples that threads should have and have.

use std::thread;
use std::time::{Duration, Instant};

use crate::peers::{Counts, EVERY, OURS, Peer, Running};
use crate::work::Workers;

/// How many samples each thread should have, by the processor time that it used, and has.
pub(crate) fn counts(hz: u32) {
    println!(
        "| {hz} Hz | sampler | expected | got | each thread, % |\n| --- | --- | ---: | ---: | ---: |"
    );
    let [perf, timer] = OURS;
    for peer in [perf, timer, Peer::PprofRs, Peer::PerfRecord] {
        for (threads, seconds) in [(2, 8), (8, 12)] {
            let workers = Workers::equal(threads);
            let counts = window(peer, hz, Duration::from_secs(seconds));
            let names = workers.names();
            row(
                &format!("{threads} equal threads"),
                peer,
                &names,
                counts.as_ref(),
                hz,
            );
        }
        let workers = Workers::woken();
        let counts = window(peer, hz, Duration::from_secs(20));
        let names = ["bursts".to_owned()];
        row(
            "a thread woken for 1 ms every 5 ms",
            peer,
            &names,
            counts.as_ref(),
            hz,
        );
        task_row(peer, hz, counts.as_ref());
        drop(workers);
    }
}

/// Samples all threads for so long. `None`: this sampler cannot be had here.
fn window(peer: Peer, hz: u32, time: Duration) -> Option<Counts> {
    thread::sleep(Duration::from_millis(300));
    let mut running = Running::start(peer, hz)?;
    let mut counts = Counts::begin();
    let end = Instant::now() + time;
    while Instant::now() < end {
        thread::sleep(EVERY);
        running.collect(&mut counts);
    }
    counts.end();
    running.finish(&mut counts);
    Some(counts)
}

fn row(what: &str, peer: Peer, names: &[String], counts: Option<&Counts>, hz: u32) {
    let Some(counts) = counts else {
        println!("| {what} | {} | | not to be had here | |", peer.name());
        return;
    };
    let of = |name: &String| {
        let used = counts.used(name).as_secs_f64();
        (used * f64::from(hz), counts.got(name) as f64)
    };
    let (mut expected, mut got, mut each) = (0.0, 0.0, Vec::new());
    for (should, has) in names.iter().map(of) {
        expected += should;
        got += has;
        each.push(format!("{:.1}", has / should * 100.0));
    }
    let each = each.join(", ");
    println!(
        "| {what} | {} | {expected:.1} | {got} | {each} |",
        peer.name()
    );
}

/// Prints how much a task is credited that a timer wakes and that uses 5 % of a processor.
fn task_row(peer: Peer, hz: u32, counts: Option<&Counts>) {
    let Some(counts) = counts else {
        return;
    };
    let used = counts.task.as_secs_f64();
    let seconds = counts.time.as_secs_f64();
    let (got, by) = match peer {
        Peer::Ours(_) => (counts.got("task"), "task"),
        _ => (counts.got("ticker"), "thread"),
    };
    println!(
        "| a task woken every 10 ms | {} | {:.1} | {got} | {:.1}: used {:.2} % of a processor, credited {:.2} %, by {by} |",
        peer.name(),
        used * f64::from(hz),
        got as f64 / (used * f64::from(hz)) * 100.0,
        used / seconds * 100.0,
        got as f64 / f64::from(hz) / seconds * 100.0,
    );
}
