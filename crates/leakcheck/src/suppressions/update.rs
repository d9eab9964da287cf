//! Brings `leakcheck.toml` up to date with what a test has left: tests run in many threads and processes, and each knows its own leaks only.
//!
//! Not here: how the text is edited (`edit.rs`).

use std::collections::HashSet;
use std::fs::File;
use std::io::{Read, Seek, Write};
use std::sync::{Mutex, PoisonError};

use super::edit;
use super::entry::Entry;
use super::file::{NAME, Source};
use crate::place;
use crate::report::Found;

/// Asks for it.
pub(super) const VARIABLE: &str = "LEAKCHECK_UPDATE";

pub(super) fn is_wanted() -> bool {
    std::env::var_os(VARIABLE).is_some_and(|value| !value.is_empty() && value != "0")
}

/// Makes the file say what is left of this test, and returns the entries that it now has.
///
/// `failed`: the test has failed, so what it has not left this time it may leave the next time.
///
/// # Errors
///
/// A sentence, if the file cannot be read or written.
pub(super) fn record(test: &str, found: &Found, failed: bool) -> Result<Vec<Entry>, String> {
    let Some(source) = Source::find() else {
        return Err(format!(
            "{VARIABLE}: there is no Cargo.lock here or above, so no place for {NAME}; name one with LEAKCHECK_SUPPRESSIONS"
        ));
    };
    // A test may have many checks: what the first has found is still true if the last finds nothing.
    let is_first = is_first_check(test);
    if found.count() + found.os.count() == 0 && !source.path.exists() {
        return Ok(Vec::new());
    }
    let trouble = |error| source.trouble(&error);
    let mut options = File::options();
    options.read(true).write(true).create(true).truncate(false);
    let mut file = place::open(&options, &source.path).map_err(trouble)?;
    // Until the file is closed. It is written in place: a new file of the same name would not have the lock.
    file.lock().map_err(trouble)?;
    let mut text = String::new();
    file.read_to_string(&mut text).map_err(trouble)?;
    let entries = source.parse(&text)?;
    let changed = edit::rewrite(&text, &entries, test, found, is_first && !failed)
        .map_err(|error| format!("{}: {error}", source.path.display()))?;
    if changed != text {
        let mut write = || {
            file.rewind()?;
            file.write_all(changed.as_bytes())?;
            file.set_len(changed.len() as u64)
        };
        write().map_err(trouble)?;
    }
    source.parse(&changed)
}

/// Whether this process has not checked that test before.
fn is_first_check(test: &str) -> bool {
    static CHECKED: Mutex<Option<HashSet<String>>> = Mutex::new(None);
    let mut checked = CHECKED.lock().unwrap_or_else(PoisonError::into_inner);
    checked.get_or_insert_default().insert(test.to_owned())
}
