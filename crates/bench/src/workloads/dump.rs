//! A dump of idle tasks, taken by a thread that is none of the runtime's: how long it takes, how
//! late the tasks of the runtime are meanwhile, and how much memory it has.

use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

use super::parked::{Kinds, Parked};
use super::ticker::{Lateness, Tickers};
use crate::variants::{Dumped, Variant};
use crate::worker::Values;
use crate::{Allocator, cpu, memory, pages};

/// Dumps after the first, when nothing has moved.
const AGAIN: u32 = 3;

pub(crate) async fn dump<V: Variant>(count: u64, kinds: Kinds, allocator: Allocator) -> Values {
    let parked = Parked::spawn::<V>(count, kinds).await;
    let tickers = Arc::new(Tickers::start::<V>());
    let (sender, receiver) = oneshot::channel();
    thread::spawn(move || {
        let values = from_outside::<V>(count, &tickers, allocator);
        sender.send(values).expect("somebody waits for the values");
    });
    let values = receiver.await.expect("the thread ends well");
    drop(parked);
    values
}

fn from_outside<V: Variant>(count: u64, tickers: &Tickers, allocator: Allocator) -> Values {
    let mut values = Values::new();
    let mut add = |name: &str, value: f64| values.entry(name.into()).or_default().push(value);
    for at in 0..=AGAIN {
        let prefix = if at == 0 { "first" } else { "again" };
        // Each time: a host takes back within seconds what the last dump has freed.
        let touched = pages::fetch(count);
        add("touch_first_ms", touched.first);
        add("touch_second_ms", touched.second);
        // Asking for memory takes the allocator's locks, so that is done outside of the time in
        // which delays count.
        let before = ((allocator.bytes_in_use)() as f64, memory::resident() as f64);
        memory::reset_peak();
        tickers.take();
        let (cpu, began) = (cpu::process_time(), Instant::now());
        let dumped = V::dump().expect("this variant has dumps");
        let (cpu, taken) = (cpu::process_time() - cpu, began.elapsed());
        note(prefix, tickers.take(), &mut add);
        let held = (allocator.bytes_in_use)() as f64;
        let peak = memory::peak_resident() as f64;
        let Dumped {
            capture,
            group,
            print,
            tasks,
            missed,
            groups,
            text_bytes,
            held: of_dump,
        } = dumped;
        drop(of_dump);
        let kept = (allocator.bytes_in_use)() as f64;
        let total = capture + group + print;
        for (name, value) in [
            ("ms", milliseconds(total)),
            ("capture_ms", milliseconds(capture)),
            ("group_ms", milliseconds(group)),
            ("print_ms", milliseconds(print)),
            ("cpu_ms", milliseconds(cpu)),
            ("held_bytes", (held - before.0) / count as f64),
            ("kept_bytes", (kept - before.0) / count as f64),
            ("peak_bytes", (peak - before.1) / count as f64),
            ("tasks", tasks as f64),
            ("missed", missed as f64),
            ("groups", groups as f64),
            ("text_bytes", text_bytes as f64),
        ] {
            add(&format!("{prefix}_{name}"), value);
        }
        // As long again without a dump: how late tasks are because of the machine and the timer.
        tickers.take();
        thread::sleep(taken);
        note(&format!("quiet_{prefix}"), tickers.take(), &mut add);
    }
    values
}

fn note(window: &str, lateness: Lateness, add: &mut dyn FnMut(&str, f64)) {
    add(&format!("{window}_late_ms"), milliseconds(lateness.tick));
    add(
        &format!("{window}_spawn_late_ms"),
        milliseconds(lateness.spawned),
    );
}

fn milliseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}
