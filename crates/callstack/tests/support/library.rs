//! Libraries that a test compiles, loads, calls and unloads.
#![allow(unreachable_pub, clippy::unwrap_used)]

use std::ffi::{CString, c_void};
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Compiles a library in Rust, optimised and with these options, and returns its path.
pub fn compile_rust(name: &str, options: &[&str], source: &str) -> PathBuf {
    let (source, library) = place(name, "rs", source);
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let mut command = Command::new(rustc);
    command.args(["--edition=2024", "--crate-type=cdylib", "-Copt-level=2"]);
    run(command.args(options).arg("-o").arg(&library).arg(source));
    library
}

/// Compiles a library in `language` (of the C family) with `debug` being `-g` or `-g0`, and returns
/// its path.
pub fn compile_c(name: &str, language: &str, debug: &str, source: &str) -> PathBuf {
    let (source, library) = place(name, "c", source);
    let mut command = Command::new(std::env::var_os("CC").unwrap_or_else(|| "cc".into()));
    command.args([
        "-shared",
        "-fPIC",
        "-O1",
        "-Wl,--build-id",
        debug,
        "-x",
        language,
    ]);
    run(command.arg(source).arg("-o").arg(&library));
    library
}

/// Every library has a directory of its own, so that tests can be run at the same time.
fn place(name: &str, extension: &str, source: &str) -> (PathBuf, PathBuf) {
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR"))
        .join(format!("callstack-{name}-{}", std::process::id()));
    fs::create_dir_all(&directory).unwrap();
    let file = directory.join(format!("{name}.{extension}"));
    fs::write(&file, source).unwrap();
    (file, directory.join(format!("lib{name}.so")))
}

fn run(command: &mut Command) {
    let output = command.output().unwrap();
    assert!(
        output.status.success(),
        "{command:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
}

/// A loaded library; unloaded by drop.
#[derive(Debug)]
pub struct Library(*mut c_void);

impl Library {
    pub fn open(path: &Path) -> Self {
        let path = CString::new(path.as_os_str().as_bytes()).unwrap();
        // SAFETY: the tests load only what they have compiled themselves; it has no initialisers.
        let handle = unsafe { libc::dlopen(path.as_ptr(), libc::RTLD_NOW | libc::RTLD_LOCAL) };
        assert!(!handle.is_null(), "cannot load {path:?}");
        Self(handle)
    }

    /// The address of an exported function.
    pub fn address(&self, function: &str) -> usize {
        let function = CString::new(function).unwrap();
        // SAFETY: the handle is open.
        let address = unsafe { libc::dlsym(self.0, function.as_ptr()) };
        assert!(!address.is_null());
        address as usize
    }

    /// Calls an exported function that takes a callback.
    pub fn call(&self, function: &str, callback: extern "C" fn()) {
        // SAFETY: the functions of the test libraries that are called by this have this signature.
        let function: extern "C" fn(extern "C" fn()) =
            unsafe { std::mem::transmute(self.address(function)) };
        function(callback);
    }
}

impl Drop for Library {
    fn drop(&mut self) {
        // SAFETY: the handle is open, and closed once.
        unsafe { libc::dlclose(self.0) };
    }
}
