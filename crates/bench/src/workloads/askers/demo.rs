//! The demo, as another process: where its program is, where it listens, and what the kernel says
//! of it.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;
use std::{env, fs};

use crate::driver::Error;

/// The variable that says where the demo's program is.
const DEMO: &str = "BENCH_DEMO";
/// How often its threads are counted.
const COUNTED: Duration = Duration::from_millis(50);
/// The kernel's ticks in a second, on every Linux that there is.
const TICKS: f64 = 100.0;

/// The two services that the demo is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    /// Each request leaves a task behind.
    Leaky,
    Fixed,
}

/// Where the demo's program is.
pub(crate) fn path() -> Result<PathBuf, Error> {
    let how = "`cargo build --release -p orders` builds it, and `scripts/bench` does all of this";
    let Some(path) = env::var_os(DEMO).map(PathBuf::from) else {
        return Err(format!(
            "this measures the demo: set {DEMO} to the path of the program `orders`; {how}"
        )
        .into());
    };
    if !path.is_file() {
        return Err(format!(
            "{DEMO} is {}, and there is no such file; {how}",
            path.display()
        )
        .into());
    }
    Ok(path)
}

pub(super) struct Demo {
    child: Child,
    shop: SocketAddr,
    profiles: SocketAddr,
}

impl Demo {
    pub(super) fn start(mode: Mode) -> Result<Demo, Error> {
        let mut command = Command::new(path()?);
        command.args(["--addr", "127.0.0.1:0", "--profile-addr", "127.0.0.1:0"]);
        if mode == Mode::Fixed {
            command.arg("--fixed");
        }
        let child = command
            .stdout(Stdio::piped())
            .stdin(Stdio::null())
            .spawn()?;
        let mut demo = Demo {
            child,
            shop: SocketAddr::from(([0; 4], 0)),
            profiles: SocketAddr::from(([0; 4], 0)),
        };
        let stdout = demo.child.stdout.take().expect("it is piped");
        let mut lines = BufReader::new(stdout).lines();
        let mut address = |what: &str| -> Result<SocketAddr, Error> {
            for line in lines.by_ref() {
                let line = line?;
                let mut words = line.split_whitespace();
                if words.next() == Some(what) {
                    let url = words.next().unwrap_or_default();
                    let rest = url.strip_prefix("http://").unwrap_or_default();
                    return Ok(rest.split('/').next().unwrap_or_default().parse()?);
                }
            }
            Err(format!("the demo did not say where its {what} is").into())
        };
        demo.shop = address("shop")?;
        demo.profiles = address("profiles")?;
        // The rest of its output is not read.
        Ok(demo)
    }

    pub(super) fn shop(&self) -> SocketAddr {
        self.shop
    }

    pub(super) fn profiles(&self) -> SocketAddr {
        self.profiles
    }

    fn proc(&self, file: &str) -> String {
        format!("/proc/{}/{file}", self.child.id())
    }

    /// A number of `/proc/<pid>/status`.
    pub(super) fn status(&self, key: &str) -> Result<f64, Error> {
        number(&fs::read_to_string(self.proc("status"))?, key)
    }

    /// Processor time so far, in seconds, of threads that have ended, too.
    pub(super) fn cpu(&self) -> Result<f64, Error> {
        let stat = fs::read_to_string(self.proc("stat"))?;
        // Behind the name, which can contain anything, are fields 3 and on; 14 and 15 are the
        // times.
        let fields: Vec<&str> = stat
            .rsplit_once(')')
            .ok_or("there is no name in stat")?
            .1
            .split_whitespace()
            .collect();
        Ok((fields[11].parse::<f64>()? + fields[12].parse::<f64>()?) / TICKS)
    }

    /// An error if it has ended before.
    pub(super) fn stop(&mut self) -> Result<(), Error> {
        if let Some(status) = self.child.try_wait()? {
            return Err(format!("the demo has ended by itself: {status}").into());
        }
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        // Both fail if it has been stopped.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn number(status: &str, key: &str) -> Result<f64, Error> {
    status
        .lines()
        .find_map(|line| line.strip_prefix(key)?.split_whitespace().next())
        .and_then(|number| number.parse().ok())
        .ok_or_else(|| format!("the kernel does not say {key}").into())
}

/// The most of something that there was while it watched.
pub(super) struct Watch {
    over: Arc<AtomicBool>,
    thread: JoinHandle<f64>,
    status: String,
}

/// The largest values that were seen.
pub(super) struct Most {
    /// Resident memory in bytes, as the kernel counts it.
    pub(super) rss: f64,
    /// The most threads at the moments in which they were counted.
    pub(super) threads: f64,
}

impl Watch {
    pub(super) fn start(demo: &Demo) -> Result<Watch, Error> {
        fs::write(demo.proc("clear_refs"), "5")?;
        let status = demo.proc("status");
        let over = Arc::new(AtomicBool::new(false));
        let thread = thread::spawn({
            let (status, over) = (status.clone(), over.clone());
            move || {
                let mut most = 0.0_f64;
                while !over.load(Ordering::Acquire) {
                    let now = fs::read_to_string(&status).unwrap_or_default();
                    most = most.max(number(&now, "Threads:").unwrap_or(0.0));
                    thread::sleep(COUNTED);
                }
                most
            }
        });
        Ok(Watch {
            over,
            thread,
            status,
        })
    }

    pub(super) fn stop(self) -> Result<Most, Error> {
        self.over.store(true, Ordering::Release);
        let threads = self.thread.join().expect("counting does not panic");
        let rss = number(&fs::read_to_string(self.status)?, "VmHWM:")? * 1024.0;
        Ok(Most { rss, threads })
    }
}
