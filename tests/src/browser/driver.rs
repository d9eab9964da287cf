//! The processes: `chromedriver`, and the Chromium that it starts.
//!
//! A shell stands between the test and the driver. It holds the reading end of a pipe whose writing
//! end only the test has: when the test is gone, however it went, the shell ends the driver, and
//! the browser ends with that. Not here: the protocol (`mod.rs`).

use std::io::{BufRead as _, BufReader};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// The shell's script: `$1` is the folder, the rest the driver with its arguments. Its standard
/// input ends with the test.
const GUARD: &str = r#"
folder=$1
shift
"$@" &
driver=$!
# The driver alone has the writing end of the pipe now, which ends with it.
exec >/dev/null
cat
kill "$driver" 2>/dev/null
wait "$driver" 2>/dev/null
sleep 0.2
rm -rf "$folder"
"#;

/// A `chromedriver` on a port of its own.
#[derive(Debug)]
pub(super) struct Driver {
    guard: Child,
    folder: PathBuf,
    port: u16,
}

impl Driver {
    /// Starts it, and waits until it listens. Tries again if it ends: two that start at the same
    /// time can choose the same port.
    pub(super) fn start() -> Self {
        (0..5).find_map(|_| Driver::try_start()).expect(
            "chromedriver starts; it comes with the package chromium-driver: run scripts/setup",
        )
    }

    fn try_start() -> Option<Self> {
        static STARTED: AtomicU64 = AtomicU64::new(0);
        let number = STARTED.fetch_add(1, Ordering::Relaxed);
        let folder =
            std::env::temp_dir().join(format!("taskscope-browser-{}-{number}", std::process::id()));
        std::fs::create_dir_all(folder.join("tmp")).expect("a folder for the browser");
        let mut guard = Command::new("sh")
            .args(["-c", GUARD, "guard"])
            .arg(&folder)
            .args(["chromedriver", "--port=0", "--log-level=SEVERE"])
            // Chromium leaves its sockets' folders behind when it is ended.
            .env("TMPDIR", folder.join("tmp"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            // A group of its own, so that whatever is left of it can be ended together.
            .process_group(0)
            .spawn()
            .expect("a shell can be started");
        let said = guard.stdout.take().expect("it was piped");
        let port = BufReader::new(said)
            .lines()
            .map_while(Result::ok)
            .find_map(|line| {
                let (_, port) = line.split_once("started successfully on port ")?;
                port.trim_end_matches('.').parse().ok()
            });
        let driver = Driver {
            guard,
            folder,
            port: port.unwrap_or_default(),
        };
        // After the value is made, so that it cleans up.
        (driver.port != 0).then_some(driver)
    }

    pub(super) fn address(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    pub(super) fn profile(&self) -> PathBuf {
        self.folder.join("profile")
    }

    /// Ends the driver and the browser, and removes their files. Does nothing the second time.
    pub(super) fn stop(&mut self) {
        // Its standard input ends, and with it the guard.
        if self.guard.stdin.take().is_none() {
            return;
        }
        let _ = self.guard.wait();
        // Ends the processes that have not ended with the driver; it is no error if there are none.
        let _ = Command::new("kill")
            .args(["-KILL", "--", &format!("-{}", self.guard.id())])
            .stderr(Stdio::null())
            .status();
        let begun = Instant::now();
        while exists(&self.folder) && begun.elapsed() < Duration::from_secs(10) {
            // The last writes of a browser that is ending can come in between.
            let _ = std::fs::remove_dir_all(&self.folder);
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

fn exists(folder: &Path) -> bool {
    folder.try_exists().unwrap_or(true)
}

impl Drop for Driver {
    fn drop(&mut self) {
        self.stop();
    }
}
