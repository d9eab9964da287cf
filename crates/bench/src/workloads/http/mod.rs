//! A service under full load: each request spawns a task and joins it, each connection is a task,
//! and idle tasks stand by, as they do in services.
//!
//! The clients are another process, so that only the service's processor time counts. They have as
//! many threads as the service, and share the machine's processors with it: all are busy, and
//! whatever is done beside costs throughput. Meant for a machine with two processors.

mod clients;
mod server;

use std::process::{Child, Command};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use tokio::net::TcpListener;
use tokio::sync::oneshot;

pub(crate) use self::clients::{CONNECTIONS, run as clients};
use self::server::Requests;
use super::parked::{Kinds, Parked};
use crate::variants::Variant;
use crate::worker::Values;
use crate::{cpu, memory};

/// Tasks that wait beside the service: what a dump looks at.
pub(crate) const IDLE: u64 = 1000;

/// Dumps a second.
pub(crate) const DUMPS: u32 = 10;

const WARM_UP: Duration = Duration::from_millis(700);
const SLICE: Duration = Duration::from_secs(1);

/// Serves for so many seconds.
pub(crate) async fn http<V: Variant>(seconds: u64) -> Values {
    under_load::<V>(move |requests| {
        let resident = memory::resident() as f64;
        let slices: Vec<_> = (0..seconds).map(|_| Slice::measure(requests)).collect();
        let count: f64 = slices.iter().map(|slice| slice.requests).sum();
        let growth = memory::resident() as f64 - resident;
        Values::from([
            (
                "per_second".into(),
                slices.iter().map(Slice::per_second).collect(),
            ),
            ("cpu_us".into(), slices.iter().map(Slice::cpu_us).collect()),
            ("growth_bytes".into(), vec![growth / count]),
            (
                "idle".into(),
                slices.iter().map(|slice| slice.idle).collect(),
            ),
        ])
    })
    .await
}

/// Serves for so many pairs of seconds, one of each with dumps. Which comes first alternates, so
/// that a drift of the machine cancels out.
pub(crate) async fn http_dumps<V: Variant>(pairs: u64) -> Values {
    under_load::<V>(move |requests| {
        let dumping = Arc::new(AtomicBool::new(false));
        let ended = Arc::new(AtomicBool::new(false));
        let dumper = thread::spawn({
            let (dumping, ended) = (dumping.clone(), ended.clone());
            move || dump_repeatedly::<V>(&dumping, &ended)
        });
        let measure = |with_dumps| {
            dumping.store(with_dumps, Ordering::Release);
            Slice::measure(requests)
        };
        let mut values = Values::new();
        for pair in 0..pairs {
            let (without, with) = if pair % 2 == 0 {
                let without = measure(false);
                (without, measure(true))
            } else {
                let with = measure(true);
                (measure(false), with)
            };
            for (name, of) in [
                ("per_second", Slice::per_second as fn(&Slice) -> f64),
                ("cpu_us", Slice::cpu_us),
            ] {
                let mut add = |name, value| values.entry(name).or_default().push(value);
                add(name.to_string(), of(&without));
                add(format!("{name}_with_dumps"), of(&with));
            }
        }
        ended.store(true, Ordering::Release);
        values.append(&mut dumper.join().expect("the dumps end well"));
        values
    })
    .await
}

/// Runs the service and its clients, and measures on a thread that is none of the runtime's.
async fn under_load<V: Variant>(
    measure: impl FnOnce(&Requests) -> Values + Send + 'static,
) -> Values {
    let parked = Parked::spawn::<V>(IDLE, Kinds::Mixed).await;
    let listener = TcpListener::bind(("127.0.0.1", 0))
        .await
        .expect("there is a free port");
    let address = listener.local_addr().expect("a listener has an address");
    let requests = Requests::default();
    let service = tokio::spawn(server::serve::<V>(listener, requests.clone()));
    let mut clients = Clients::start(&address.to_string());
    let (sender, receiver) = oneshot::channel();
    thread::spawn(move || {
        thread::sleep(WARM_UP);
        sender
            .send(measure(&requests))
            .expect("somebody waits for the values");
    });
    let values = receiver.await.expect("the thread ends well");
    clients.stop();
    service.abort();
    drop(parked);
    values
}

/// The other process.
struct Clients(Child);

impl Clients {
    fn start(address: &str) -> Clients {
        let program = std::env::current_exe().expect("this program knows where it is");
        Clients(
            Command::new(program)
                .args(["clients", address])
                .spawn()
                .expect("there can be another process"),
        )
    }

    fn stop(&mut self) {
        // An error says that it has ended by itself, as it does when the service goes away.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Drop for Clients {
    fn drop(&mut self) {
        self.stop();
    }
}

/// The figures of about a second.
struct Slice {
    requests: f64,
    wall: Duration,
    cpu: Duration,
    /// The share of the machine that had nothing to do.
    idle: f64,
}

impl Slice {
    fn measure(requests: &Requests) -> Slice {
        let before = (requests.count(), cpu::process_time(), Instant::now());
        let machine = cpu::Ticks::now();
        thread::sleep(SLICE);
        Slice {
            wall: before.2.elapsed(),
            cpu: cpu::process_time() - before.1,
            requests: (requests.count() - before.0) as f64,
            idle: machine.idle_since(),
        }
    }

    fn per_second(&self) -> f64 {
        self.requests / self.wall.as_secs_f64()
    }

    fn cpu_us(&self) -> f64 {
        self.cpu.as_secs_f64() * 1e6 / self.requests
    }
}

/// Ten dumps a second as long as they are wanted.
fn dump_repeatedly<V: Variant>(dumping: &AtomicBool, ended: &AtomicBool) -> Values {
    let mut values = Values::new();
    let mut due = Instant::now();
    while !ended.load(Ordering::Acquire) {
        due += Duration::from_secs(1) / DUMPS;
        thread::sleep(due.saturating_duration_since(Instant::now()));
        if !dumping.load(Ordering::Acquire) {
            continue;
        }
        let began = Instant::now();
        // Some variants have none, and so they are the control: the same pairs, and nothing
        // happens.
        let Some(dumped) = V::dump() else { continue };
        for (name, value) in [
            ("dump_ms", began.elapsed().as_secs_f64() * 1e3),
            ("dump_tasks", dumped.tasks as f64),
            ("dump_missed", dumped.missed as f64),
        ] {
            values.entry(name.into()).or_default().push(value);
        }
    }
    values
}
