//! Asks the profiling endpoint while every worker of the runtime is blocked: how long it takes to
//! the end of the answer, beyond the seconds asked.
//!
//! The endpoint has a thread and a runtime of its own; so has the client. Each answer is asked for
//! on a new connection. Not here: a crowd (`askers/`).

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use tokio::runtime::Runtime;

use super::parked::{Kinds, Parked};
use crate::driver::Error;
use crate::variants::Variant;
use crate::worker::{Values, WORKERS};

/// Tasks that wait, as in a service.
pub(crate) const IDLE: u64 = 1000;
/// Tasks that have been polled since they were last looked at, so that a look wants to poll them
/// again.
pub(crate) const TICKERS: u64 = 20;
const TICK: Duration = Duration::from_millis(10);
/// The time between two blocks, in which everything ticks again.
const FREE: Duration = Duration::from_millis(100);

/// How workers are blocked.
pub(crate) const WAYS: [(&str, &str); 2] = [
    ("sleeping", "in a call that waits for a lock"),
    ("spinning", "in a loop that keeps its processor"),
];

/// The addresses that are asked: the name in figures, the address, its seconds.
pub(crate) const PAGES: [(&str, &str, u64); 9] = [
    ("index", "/debug/profile", 0),
    ("tasks", "/debug/profile/tasks?debug=1", 0),
    ("every_task", "/debug/profile/tasks?debug=2", 0),
    ("json", "/debug/profile/tasks?format=json", 0),
    ("cpu", "/debug/profile/cpu?seconds=1", 1),
    ("svg", "/debug/profile/cpu?seconds=1&format=svg", 1),
    ("block", "/debug/profile/block", 0),
    ("goroutine", "/debug/pprof/goroutine", 0),
    ("goroutine_text", "/debug/pprof/goroutine?debug=2", 0),
];

/// Asks each address this many times; the very first answers are apart, because they read the
/// program's symbols.
pub(crate) fn blocked<V: Variant>(runtime: &Runtime, times: u64) -> Result<Values, Error> {
    let _parked = runtime.block_on(Parked::spawn::<V>(IDLE, Kinds::Mixed));
    let context = runtime.enter();
    for _ in 0..TICKERS {
        let task = async {
            loop {
                tokio::time::sleep(TICK).await;
            }
        };
        drop(V::spawn(V::leaf(task)));
    }
    let server = serve()?;
    drop(context);
    let mut values = Values::new();
    let mut repetition = |way: &str, first: bool| -> Result<(), Error> {
        thread::sleep(FREE);
        let _block = Block::every_worker::<V>(runtime, way == "spinning");
        for (name, path, seconds) in PAGES {
            let began = Instant::now();
            let bytes = ask(server.local_addr(), path)?;
            let took = began.elapsed().as_secs_f64() - seconds as f64;
            let key = match first {
                true => format!("first_{name}_ms"),
                false => format!("{way}_{name}_ms"),
            };
            values.entry(key).or_default().push(took * 1e3);
            if first {
                let key = format!("{name}_bytes");
                values.entry(key).or_default().push(bytes as f64);
            }
        }
        Ok(())
    };
    repetition("sleeping", true)?;
    for _ in 0..times {
        for (way, _) in WAYS {
            repetition(way, false)?;
        }
    }
    Ok(values)
}

#[cfg(feature = "enable")]
fn serve() -> Result<taskprof::Server, Error> {
    Ok(taskprof::serve("127.0.0.1:0")?)
}

/// The stand-in of programs without the feature `enable`.
#[cfg(not(feature = "enable"))]
fn serve() -> Result<NoServer, Error> {
    Err("there is no endpoint in a program without the feature `enable`".into())
}

#[cfg(not(feature = "enable"))]
struct NoServer;

#[cfg(not(feature = "enable"))]
impl NoServer {
    fn local_addr(&self) -> SocketAddr {
        SocketAddr::from(([0; 4], 0))
    }
}

/// Asks for a page and reads the answer to its end: how long it is. An error unless it is a 200.
fn ask(profiles: SocketAddr, path: &str) -> io::Result<usize> {
    let mut stream = TcpStream::connect(profiles)?;
    stream.set_nodelay(true)?;
    let request = format!("GET {path} HTTP/1.1\r\nhost: {profiles}\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes())?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    if !answer.starts_with(b"HTTP/1.1 200 ") {
        let said = String::from_utf8_lossy(&answer[..answer.len().min(500)]);
        return Err(io::Error::other(format!("{path}: {said}")));
    }
    Ok(answer.len())
}

/// Workers that are blocked until this is dropped.
struct Block {
    lock: Arc<Lock>,
    thread: Option<thread::JoinHandle<()>>,
}

/// Held while workers are to be blocked.
#[derive(Default)]
struct Lock {
    held: Mutex<()>,
    over: AtomicBool,
    arrived: AtomicU64,
}

impl Block {
    /// Blocks every worker, and returns when all are blocked.
    fn every_worker<V: Variant>(runtime: &Runtime, spinning: bool) -> Block {
        let lock = Arc::new(Lock::default());
        // A thread of its own holds it: the client's must not be seen waiting.
        let (sender, held) = std::sync::mpsc::channel();
        let thread = thread::spawn({
            let lock = lock.clone();
            move || {
                let _held = lock.held.lock().unwrap_or_else(PoisonError::into_inner);
                // Fails only if nobody waits.
                let _ = sender.send(());
                while !lock.over.load(Ordering::Acquire) {
                    thread::park();
                }
            }
        });
        held.recv().expect("the thread takes the lock");
        let context = runtime.enter();
        for _ in 0..WORKERS {
            drop(V::spawn(block(lock.clone(), spinning)));
        }
        drop(context);
        while lock.arrived.load(Ordering::Acquire) < WORKERS {
            thread::sleep(Duration::from_millis(1));
        }
        Block {
            lock,
            thread: Some(thread),
        }
    }
}

impl Drop for Block {
    fn drop(&mut self) {
        self.lock.over.store(true, Ordering::Release);
        if let Some(thread) = self.thread.take() {
            thread.thread().unpark();
            let _ = thread.join();
        }
    }
}

/// Blocks the worker that polls it.
async fn block(lock: Arc<Lock>, spinning: bool) {
    lock.arrived.fetch_add(1, Ordering::Release);
    if spinning {
        while !lock.over.load(Ordering::Acquire) {
            std::hint::spin_loop();
        }
    } else {
        drop(lock.held.lock().unwrap_or_else(PoisonError::into_inner));
    }
}
