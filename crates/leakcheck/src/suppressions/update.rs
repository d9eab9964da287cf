//! Brings `leakcheck.toml` up to date with what a test has left, under a lock: tests run in many
//! threads and processes, and each knows its own leaks only.
//!
//! Not here: how the text is edited ([`super::edit`]).

use std::collections::HashSet;
use std::fs::File;
use std::io::{Read, Seek, Write};

use super::edit;
use super::entry::Entry;
use super::file::Source;
use crate::paths::{self, SUPPRESSIONS, SUPPRESSIONS_VARIABLE, UPDATE_VARIABLE};
use crate::report::Found;
use crate::sync::Mutex;

/// Whether the environment asks for updates.
pub(super) fn is_enabled() -> bool {
    std::env::var_os(UPDATE_VARIABLE).is_some_and(|value| !value.is_empty() && value != "0")
}

/// Writes what this test leaves into the file, and returns the entries that the file has then.
///
/// A test that has `failed` loses no entry: what it has not left this time it may leave the next
/// time.
///
/// # Errors
///
/// A sentence, if the file cannot be read or written.
pub(super) fn record(test: &str, found: &Found, failed: bool) -> Result<Vec<Entry>, String> {
    let Some(source) = Source::find() else {
        return Err(format!(
            "{UPDATE_VARIABLE}: there is no Cargo.lock here or above, so no place for {SUPPRESSIONS}; name one with {SUPPRESSIONS_VARIABLE}"
        ));
    };
    // A test may have many checks. Only the first may take entries out: what it has found is still
    // true if the last one finds nothing.
    let is_first = is_first_check(test);
    if found.count() + found.os.count() == 0 && !source.path.exists() {
        return Ok(Vec::new());
    }
    let describe = |error| source.describe(&error);
    let mut options = File::options();
    options.read(true).write(true).create(true).truncate(false);
    let mut file = paths::open_regular(&options, &source.path).map_err(describe)?;
    // Locked until the file is closed. It is written in place, because a new file of the same name
    // would not have the lock.
    file.lock().map_err(describe)?;
    let mut text = String::new();
    file.read_to_string(&mut text).map_err(describe)?;
    let entries = source.parse(&text)?;
    let changed = edit::rewrite(&text, &entries, test, found, is_first && !failed)
        .map_err(|error| format!("{}: {error}", source.path.display()))?;
    if changed != text {
        let mut write = || {
            file.rewind()?;
            file.write_all(changed.as_bytes())?;
            file.set_len(changed.len() as u64)
        };
        write().map_err(describe)?;
    }
    source.parse(&changed)
}

/// Whether this is the first check of that test in this process.
fn is_first_check(test: &str) -> bool {
    static CHECKED: Mutex<Option<HashSet<String>>> = Mutex::new(None);
    let mut checked = CHECKED.lock();
    checked.get_or_insert_default().insert(test.to_owned())
}
