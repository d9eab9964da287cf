//! The real binary as a child process, and its console.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::Duration;

use axum::body::Bytes;
use axum::http::{Response, StatusCode};
use orders::Client;
use serde_json::Value;

/// How long a line may take to appear on the console before the test fails.
const PATIENCE: Duration = Duration::from_secs(60);

/// A running service, killed when dropped.
pub(crate) struct Service {
    child: Child,
    console: Receiver<String>,
    pub(crate) shop: Client,
    profiles: Client,
}

fn orders() -> Command {
    Command::new(env!("CARGO_BIN_EXE_orders"))
}

/// Runs the binary to its end.
pub(crate) fn run_to_end(arguments: &[&str]) -> Output {
    orders().args(arguments).output().unwrap()
}

impl Service {
    /// Starts the service on free ports and waits until it has told their numbers.
    pub(crate) fn start(arguments: &[&str]) -> Service {
        let mut child = orders()
            .args(["--addr", "127.0.0.1:0", "--profile-addr", "127.0.0.1:0"])
            .args(arguments)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        let (sender, console) = mpsc::channel();
        // Reads on to the end, so that the service never waits for room in the pipe.
        thread::spawn(move || {
            for line in stdout.lines().map_while(Result::ok) {
                let _ = sender.send(line);
            }
        });
        let shop = Client::new(address(&wait_for(&console, "  shop ")));
        let profiles = Client::new(address(&wait_for(&console, "  profiles ")));
        Service {
            child,
            console,
            shop,
            profiles,
        }
    }

    /// The next line of the console with this in it.
    pub(crate) fn wait_for_line(&self, part: &str) -> String {
        wait_for(&self.console, part)
    }

    /// Gets a path below `/debug/profile`, with any status.
    pub(crate) async fn ask(&self, path: &str) -> Response<Bytes> {
        let path = format!("/debug/profile{path}");
        self.profiles.get(&path).await.unwrap()
    }

    /// Gets a path below `/debug/profile` that must be there.
    pub(crate) async fn fetch(&self, path: &str) -> Bytes {
        let answer = self.ask(path).await;
        let body = String::from_utf8_lossy(answer.body());
        assert_eq!(answer.status(), StatusCode::OK, "{path}: {body}");
        answer.into_body()
    }

    pub(crate) async fn fetch_text(&self, path: &str) -> String {
        String::from_utf8(self.fetch(path).await.to_vec()).unwrap()
    }

    pub(crate) async fn fetch_json(&self, path: &str) -> Value {
        serde_json::from_slice(&self.fetch(path).await).unwrap()
    }

    /// Sends a signal by name and waits for the end.
    pub(crate) fn stop(mut self, signal: &str) -> ExitStatus {
        let id = self.child.id().to_string();
        let sent = Command::new("kill").args(["-s", signal, &id]).status();
        assert!(sent.unwrap().success());
        self.child.wait().unwrap()
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        // Fails if it has ended, which is just as well.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn wait_for(console: &Receiver<String>, part: &str) -> String {
    let mut seen = String::new();
    loop {
        let Ok(line) = console.recv_timeout(PATIENCE) else {
            panic!("no line with {part:?} on the console:\n{seen}");
        };
        if line.contains(part) {
            return line;
        }
        seen.push_str(&line);
        seen.push('\n');
    }
}

/// The address in a line with a URL.
fn address(line: &str) -> SocketAddr {
    let (_, url) = line.split_once("http://").unwrap();
    let end = url.find(['/', ' ']).unwrap_or(url.len());
    url[..end].parse().unwrap()
}
