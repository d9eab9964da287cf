//! Makes the new text of `leakcheck.toml`. Entries that stay keep their reason, their place and
//! their comments; entries of tests that did not run are not touched.
//!
//! Not here: when and by whom the file is written ([`super::update`]).

use std::cmp::Ordering;
use std::collections::BTreeMap;

use toml_edit::{ArrayOfTables, DocumentMut, Item, RawString, Table, TomlError, value};

use super::assign::{Assignment, Owners};
use super::entry::Entry;
use super::file::LIST;
use crate::paths;
use crate::report::Found;

/// The reason of a new entry, until somebody writes one.
const NO_REASON: &str = "TODO: say why";

const HEADER: &str = "\
# Leaks that are known: tests pass with these and with no others. `LEAKCHECK_UPDATE=1 cargo test` brings the list up to date
# and keeps the reasons. An entry is about the tasks to which all of it applies; `*` stands for anything.

";

/// Returns the new text. What [`Options::allow`](crate::Options::allow) permits gets no entry.
///
/// With `may_shrink`, entries of leaks that are gone are taken out.
pub(super) fn rewrite(
    text: &str,
    entries: &[Entry],
    test: &str,
    found: &Found,
    may_shrink: bool,
) -> Result<String, TomlError> {
    let mut document: DocumentMut = text.parse()?;
    let header = match text.trim().is_empty() {
        true => HEADER.to_owned(),
        false => take_header(&mut document),
    };
    let mut tables = match document.remove(LIST) {
        Some(Item::ArrayOfTables(tables)) => tables,
        _ => ArrayOfTables::new(),
    };

    // `entries` and `tables` are in the same order, one entry for each table.
    let (places, own): (Vec<usize>, Vec<&Entry>) = entries
        .iter()
        .enumerate()
        .filter(|(_, entry)| entry.is_for(Some(test)))
        .unzip();
    let assignment = Assignment::new(&own, &found.dump.tasks, found.untracked, &found.os);
    let allowed = found.allowed.as_ref().map_or(0, |allowed| allowed.most);
    let may_grow = assignment.new > allowed;
    let mut gone = Vec::new();
    for ((at, entry), count) in places.iter().zip(own).zip(&assignment.found) {
        let (_, is_covered) = entry.counts(found.os.coverage);
        let may_shrink = may_shrink && is_covered && entry.is_about_one_test();
        let count = match count.cmp(&entry.count) {
            Ordering::Less if may_shrink => *count,
            Ordering::Greater if may_grow => *count,
            _ => continue,
        };
        if count == 0 {
            gone.push(*at);
        } else if let Some(table) = tables.get_mut(*at) {
            set_count(table, count);
        }
    }
    for at in gone.into_iter().rev() {
        tables.remove(at);
    }
    if may_grow {
        for (new, count) in new_entries(found, &assignment) {
            insert(&mut tables, new.into_table(test, count));
        }
    }

    if tables.is_empty() {
        document.set_trailing(header);
    } else {
        put_header(&mut tables, &header);
        document.insert(LIST, Item::ArrayOfTables(tables));
    }
    Ok(document.to_string())
}

/// The conditions of a new entry. No line number: lines change every day.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum NewEntry {
    Task {
        spawned_at: String,
        future: &'static str,
    },
    Thread(String),
    Descriptor(String),
    /// The key of what is only counted: untracked tasks or calls.
    Counted(&'static str),
}

fn new_entries(found: &Found, assignment: &Assignment) -> BTreeMap<NewEntry, usize> {
    fn unlisted<'a, T>(left: &'a [T], owners: &'a Owners) -> impl Iterator<Item = &'a T> {
        let left = left.iter().zip(owners);
        left.filter(|(_, owner)| owner.is_none())
            .map(|(one, _)| one)
    }
    let os = &found.os;
    let tasks = unlisted(&found.dump.tasks, &assignment.tasks).map(|task| NewEntry::Task {
        spawned_at: any_version(paths::without_registry(task.site.file())),
        future: task.future,
    });
    let threads = unlisted(&os.threads, &assignment.threads);
    let threads = threads.map(|thread| NewEntry::Thread(any_number(&thread.name)));
    let descriptors = unlisted(&os.descriptors, &assignment.descriptors);
    let descriptors = descriptors.map(|open| NewEntry::Descriptor(any_port(&open.target)));

    let mut new = BTreeMap::new();
    for entry in tasks.chain(threads).chain(descriptors) {
        *new.entry(entry).or_default() += 1;
    }
    for (key, number, owner) in [
        ("untracked", found.untracked, assignment.untracked),
        ("untracked_calls", os.calls, assignment.calls),
    ] {
        if number > 0 && owner.is_none() {
            new.insert(NewEntry::Counted(key), number);
        }
    }
    new
}

/// A thread's name with `*` for the number at its end: threads of pools are numbered, and the
/// number differs from run to run.
fn any_number(name: &str) -> String {
    let begin = name.trim_end_matches(|last: char| last.is_ascii_digit());
    match begin.trim().is_empty() {
        // A name that is empty, or nothing but a number.
        true if name.trim().is_empty() => "*".to_owned(),
        true => name.to_owned(),
        false if begin.len() < name.len() => format!("{begin}*"),
        false => name.to_owned(),
    }
}

/// A descriptor's target with `*` for what differs from run to run: ports, and the id of this
/// process.
fn any_port(target: &str) -> String {
    if !target.starts_with("tcp ") && !target.starts_with("udp ") {
        let process = format!("/proc/{}/", std::process::id());
        return target.replace(&process, "/proc/*/");
    }
    let words = target.split(' ').map(|word| match word.rsplit_once(':') {
        Some((address, port)) if port.parse::<u16>().is_ok() => format!("{address}:*"),
        _ => word.to_owned(),
    });
    words.collect::<Vec<_>>().join(" ")
}

/// A dependency's file with `*` for the version: after an update it is the same leak.
fn any_version(file: &str) -> String {
    let Some((package, path)) = file.split_once('/') else {
        return file.to_owned();
    };
    let begins_version = |at: &usize| {
        let version = &package[at + 1..];
        version.starts_with(|first: char| first.is_ascii_digit()) && version.contains('.')
    };
    let mut dashes = package.match_indices('-').map(|(at, _)| at);
    match dashes.find(begins_version) {
        Some(at) => format!("{}-*/{path}", &package[..at]),
        None => file.to_owned(),
    }
}

impl NewEntry {
    fn into_table(self, test: &str, count: usize) -> Table {
        let mut table = Table::new();
        table.insert("test", value(test));
        match self {
            NewEntry::Task { spawned_at, future } => {
                table.insert("spawned_at", value(spawned_at));
                table.insert("future", value(future));
            }
            NewEntry::Thread(name) => {
                table.insert("thread", value(name));
            }
            NewEntry::Descriptor(target) => {
                table.insert("descriptor", value(target));
            }
            NewEntry::Counted(key) => {
                table.insert(key, value(true));
            }
        }
        set_count(&mut table, count);
        table.insert("reason", value(NO_REASON));
        table
    }
}

fn set_count(table: &mut Table, count: usize) {
    let count = i64::try_from(count).unwrap_or(i64::MAX);
    match table.get_mut("count").and_then(Item::as_value_mut) {
        Some(old) => {
            // Keeps the comment after the value.
            let around = old.decor().clone();
            *old = count.into();
            *old.decor_mut() = around;
        }
        None => {
            table.insert("count", value(count));
        }
    }
}

/// Inserts a table in alphabetical order, so that the file does not depend on which test ends
/// first.
fn insert(tables: &mut ArrayOfTables, table: Table) {
    let key = |table: &Table| {
        ["test", "spawned_at", "future", "thread", "descriptor"].map(|key| {
            let text = table.get(key).and_then(Item::as_str);
            text.unwrap_or_default().to_owned()
        })
    };
    let new = key(&table);
    let later = tables.iter().position(|old| key(old) > new);
    tables.insert(later.unwrap_or(tables.len()), table);
}

/// The text between a table and the one before it: comments and empty lines.
fn prefix(table: &Table) -> &str {
    let prefix = table.decor().prefix().and_then(RawString::as_str);
    prefix.unwrap_or_default()
}

/// Takes out the header of the file: the text before the first entry, up to the last empty line.
/// Comments below that belong to the entry.
fn take_header(document: &mut DocumentMut) -> String {
    let tables = document
        .get_mut(LIST)
        .and_then(Item::as_array_of_tables_mut);
    let Some(first) = tables.and_then(|tables| tables.get_mut(0)) else {
        let header = document.trailing().as_str().unwrap_or_default().trim_end();
        let header = format!("{header}\n\n");
        document.set_trailing("");
        return header;
    };
    let prefix = prefix(first).to_owned();
    let end = prefix.rfind("\n\n").map_or(0, |at| at + 2);
    first.decor_mut().set_prefix(&prefix[end..]);
    prefix[..end].to_owned()
}

/// Puts the header before the first entry, and an empty line before each other one.
fn put_header(tables: &mut ArrayOfTables, header: &str) {
    for (at, table) in tables.iter_mut().enumerate() {
        let prefix = prefix(table);
        let prefix = match at {
            0 => format!("{header}{}", prefix.trim_start_matches('\n')),
            _ if prefix.starts_with('\n') => continue,
            _ => format!("\n{prefix}"),
        };
        table.decor_mut().set_prefix(prefix);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_names_no_version_of_a_dependency() {
        for (file, entry) in [
            (
                "hyper-util-0.1.21/src/client.rs",
                "hyper-util-*/src/client.rs",
            ),
            ("x-86-1.0.0-rc.1/src/lib.rs", "x-*/src/lib.rs"),
            ("crates/h-2/src/lib.rs", "crates/h-2/src/lib.rs"),
            ("tests/mail-2.rs", "tests/mail-2.rs"),
            ("mail.rs", "mail.rs"),
        ] {
            assert_eq!(any_version(file), entry);
        }
    }

    #[test]
    fn an_entry_names_no_number_of_a_thread_and_no_port_of_a_socket() {
        for (name, entry) in [
            ("rayon 17", "rayon *"),
            ("w7", "w*"),
            ("price feed", "price feed"),
            ("17", "17"),
            ("", "*"),
        ] {
            assert_eq!(any_number(name), entry);
        }
        let of_this_process = format!("/proc/{}/cmdline", std::process::id());
        for (target, entry) in [
            ("tcp 127.0.0.1:40312 LISTEN", "tcp 127.0.0.1:* LISTEN"),
            (
                "tcp [::1]:40312 -> [::1]:5432 ESTABLISHED",
                "tcp [::1]:* -> [::1]:* ESTABLISHED",
            ),
            ("udp 0.0.0.0:53", "udp 0.0.0.0:*"),
            ("unix stream /run/a:1 LISTEN", "unix stream /run/a:1 LISTEN"),
            ("/tmp/log:1", "/tmp/log:1"),
            (&of_this_process, "/proc/*/cmdline"),
        ] {
            assert_eq!(any_port(target), entry);
        }
    }
}
