//! The crowd: connections that ask the profiling endpoint, each again as soon as it is answered, or
//! when it was told to ask again.
//!
//! A process of its own, to which the kernel gives only what nobody else wants: a crowd's own work
//! would be done on other machines. It ends when its standard input does, and then prints how it
//! was answered.

use std::cell::Cell;
use std::io::{self, Read};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::rc::Rc;
use std::time::Duration;

use http_body_util::{BodyExt, Empty};
use hyper::body::Bytes;
use hyper::client::conn::http1::{self, SendRequest};
use hyper::header::{HOST, RETRY_AFTER};
use hyper::{Request, StatusCode};
use hyper_util::rt::TokioIo;
use serde::{Deserialize, Serialize};
use tokio::net::TcpStream;
use tokio::runtime::Builder;
use tokio::task::LocalSet;
use tokio::time::sleep;

use crate::driver::Error;

/// Connections that ask at the same time.
pub(crate) const ASKERS: usize = 1000;

/// The addresses that they ask for, one after the other, and each asker beginning with another one.
pub(crate) const ASKS: [&str; 8] = [
    "/debug/profile",
    "/debug/profile/tasks?debug=1",
    "/debug/profile/cpu?seconds=5",
    "/debug/profile/tasks?format=json",
    "/debug/profile/cpu?seconds=5&format=svg",
    "/debug/profile/block",
    "/debug/pprof/goroutine",
    "/debug/pprof/profile?seconds=5",
];

/// The wait before a connection that was broken off is made again. An asker that was refused so
/// waits as long as one that is told no time.
const AGAIN: Duration = Duration::from_secs(1);

/// How the crowd was answered.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
pub(super) struct Answers {
    pub(super) ok: u64,
    /// Refusals because too many ask at the same time, with a time when to ask again.
    pub(super) later: u64,
    /// Refusals because there are too many connections.
    pub(super) full: u64,
    pub(super) other: u64,
    /// Connections that were refused, or ended before the answer did.
    pub(super) broken: u64,
    /// The size of all bodies.
    pub(super) bytes: u64,
}

/// The process.
pub(super) struct Crowd(Child);

impl Crowd {
    pub(super) fn start(profiles: SocketAddr) -> Result<Crowd, Error> {
        let program = std::env::current_exe()?;
        Ok(Crowd(
            Command::new(program)
                .args(["crowd", &profiles.to_string()])
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .spawn()?,
        ))
    }

    /// Ends the crowd and returns how it was answered.
    pub(super) fn stop(&mut self) -> Result<Answers, Error> {
        drop(self.0.stdin.take());
        let stdout = self.0.stdout.take().ok_or("it has been stopped before")?;
        let answers = serde_json::from_reader(stdout)?;
        self.0.wait()?;
        Ok(answers)
    }
}

impl Drop for Crowd {
    fn drop(&mut self) {
        // Both fail if it has been stopped.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Asks for everything once, one after the other: what comes after that has the symbols of the
/// program.
pub(super) fn ask_once(profiles: SocketAddr) -> Result<(), Error> {
    let runtime = Builder::new_current_thread().enable_io().build()?;
    LocalSet::new().block_on(&runtime, async {
        let mut connection = connect(profiles).await?;
        for path in ASKS {
            let status = exchange(&mut connection, profiles, path).await?.status;
            if status != StatusCode::OK {
                return Err(format!("{path}: {status}").into());
            }
        }
        Ok(())
    })
}

/// Asks until standard input ends, and prints the [`Answers`].
pub(crate) fn run(profiles: SocketAddr) -> io::Result<()> {
    yield_to_everybody()?;
    let runtime = Builder::new_current_thread()
        .enable_io()
        .enable_time()
        .build()?;
    let answers = Rc::new(Cell::new(Answers::default()));
    let crowd = LocalSet::new();
    for asker in 0..ASKERS {
        crowd.spawn_local(ask(profiles, asker, answers.clone()));
    }
    let (sender, over) = tokio::sync::oneshot::channel();
    std::thread::spawn(move || {
        // Whether it ends well or not.
        let _ = io::stdin().read_to_end(&mut Vec::new());
        let _ = sender.send(());
    });
    crowd.block_on(&runtime, async {
        let _ = over.await;
    });
    println!(
        "{}",
        serde_json::to_string(&answers.get()).expect("numbers are JSON")
    );
    std::process::exit(0);
}

/// The kernel runs this process when it has nothing else to run.
fn yield_to_everybody() -> io::Result<()> {
    let parameters = libc::sched_param { sched_priority: 0 };
    // SAFETY: 0 is the calling thread, of which later ones inherit; the kernel reads the parameters
    // before the call returns.
    match unsafe { libc::sched_setscheduler(0, libc::SCHED_IDLE, &parameters) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

async fn ask(profiles: SocketAddr, asker: usize, answers: Rc<Cell<Answers>>) {
    let count = |change: fn(&mut Answers)| {
        let mut now = answers.get();
        change(&mut now);
        answers.set(now);
    };
    let mut next = asker;
    loop {
        let Ok(mut connection) = connect(profiles).await else {
            count(|answers| answers.broken += 1);
            sleep(AGAIN).await;
            continue;
        };
        loop {
            let path = ASKS[next % ASKS.len()];
            let Ok(answer) = exchange(&mut connection, profiles, path).await else {
                count(|answers| answers.broken += 1);
                sleep(AGAIN).await;
                break;
            };
            let mut now = answers.get();
            now.bytes += answer.bytes;
            answers.set(now);
            match answer.status {
                StatusCode::OK => count(|answers| answers.ok += 1),
                StatusCode::TOO_MANY_REQUESTS => count(|answers| answers.later += 1),
                StatusCode::SERVICE_UNAVAILABLE => count(|answers| answers.full += 1),
                _ => count(|answers| answers.other += 1),
            }
            match answer.again {
                Some(again) => sleep(again).await,
                None => next += 1,
            }
        }
    }
}

async fn connect(profiles: SocketAddr) -> Result<SendRequest<Empty<Bytes>>, Error> {
    let stream = TcpStream::connect(profiles).await?;
    stream.set_nodelay(true)?;
    let (sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    tokio::task::spawn_local(async move {
        // Its error is that of the request, too.
        let _ = connection.await;
    });
    Ok(sender)
}

struct Answer {
    status: StatusCode,
    /// The time after which to ask again.
    again: Option<Duration>,
    bytes: u64,
}

async fn exchange(
    connection: &mut SendRequest<Empty<Bytes>>,
    profiles: SocketAddr,
    path: &str,
) -> Result<Answer, Error> {
    connection.ready().await?;
    let request = Request::get(path)
        .header(HOST, profiles.to_string())
        .body(Empty::new())?;
    let response = connection.send_request(request).await?;
    let again = response
        .headers()
        .get(RETRY_AFTER)
        .and_then(|value| value.to_str().ok()?.parse().ok())
        .map(Duration::from_secs);
    let status = response.status();
    let mut body = response.into_body();
    let mut bytes = 0;
    while let Some(frame) = body.frame().await {
        bytes += frame?.data_ref().map_or(0, |data| data.len() as u64);
    }
    Ok(Answer {
        status,
        again,
        bytes,
    })
}
