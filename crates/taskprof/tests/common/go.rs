//! The real `go tool pprof`.

use std::path::Path;
use std::process::{Command, Output};

/// Runs `go tool pprof`; its absence is a failure, because then nothing was proven.
pub(crate) fn go_tool_pprof(arguments: &[&str], tmp: &Path) -> Output {
    Command::new("go")
        .args(["tool", "pprof"])
        .args(arguments)
        .env("PPROF_TMPDIR", tmp)
        .output()
        .unwrap_or_else(|e| {
            panic!(
                "this test needs the real `go tool pprof` (Debian: apt-get install golang-go): {e}"
            )
        })
}

/// As above, for a call that must succeed; gives what it printed.
pub(crate) fn go_tool_pprof_ok(arguments: &[&str], tmp: &Path) -> String {
    let output = go_tool_pprof(arguments, tmp);
    assert!(
        output.status.success(),
        "go tool pprof {arguments:?} failed: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).unwrap()
}

/// A fresh directory for the files of one test, below cargo's own.
pub(crate) fn tmp_dir(name: &str) -> std::path::PathBuf {
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    std::fs::create_dir_all(&dir).unwrap();
    dir
}
