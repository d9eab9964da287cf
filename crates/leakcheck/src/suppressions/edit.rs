//! The new text of `leakcheck.toml`. Entries that stay keep their reason, their place and their comments; those of tests that did not run are left alone.
//!
//! Not here: when and by whom the file is written (`update.rs`).

use std::collections::BTreeMap;

use toml_edit::{ArrayOfTables, DocumentMut, Item, RawString, Table, TomlError, value};

use super::Match;
use super::assign::Assignment;
use super::entry::Entry;
use super::file::LIST;
use crate::place;
use crate::report::Found;

/// The reason of an entry that nobody has given one yet.
const NO_REASON: &str = "TODO: say why";

const HEADER: &str = "\
# Leaks that are known: tests pass with these and with no others. `LEAKCHECK_UPDATE=1 cargo test` brings the list up to date
# and keeps the reasons. An entry is about the tasks to which all of it applies; `*` stands for anything.

";

/// The new text, and what its entries list of this test.
///
/// `may_shrink`: what is not there any more goes.
pub(super) fn rewrite(
    text: &str,
    entries: &[Entry],
    test: &str,
    found: &Found,
    may_shrink: bool,
) -> Result<(String, Vec<Match>), TomlError> {
    let mut document: DocumentMut = text.parse()?;
    let header = match text.trim().is_empty() {
        true => HEADER.to_owned(),
        false => take_header(&mut document),
    };
    let mut tables = match document.remove(LIST) {
        Some(Item::ArrayOfTables(tables)) => tables,
        _ => ArrayOfTables::new(),
    };

    // The entries are as the tables, one for one.
    let (places, own): (Vec<usize>, Vec<&Entry>) = entries
        .iter()
        .enumerate()
        .filter(|(_, entry)| entry.is_for(Some(test)))
        .unzip();
    let assignment = Assignment::new(&own, &found.dump.tasks, found.untracked);
    let mut listed = Vec::new();
    let mut gone = Vec::new();
    for ((at, entry), count) in places.iter().zip(own).zip(&assignment.found) {
        let may_shrink = may_shrink && entry.is_about_one_test();
        if *count == 0 {
            gone.extend(may_shrink.then_some(*at));
            continue;
        }
        let count = if may_shrink {
            *count
        } else {
            entry.count.max(*count)
        };
        if let Some(table) = tables.get_mut(*at).filter(|_| count != entry.count) {
            set_count(table, count);
        }
        listed.push(Match {
            line: None,
            listed: count,
            ..Match::new(entry, count)
        });
    }
    for at in gone.into_iter().rev() {
        tables.remove(at);
    }
    for (like, count) in new_ones(found, &assignment) {
        listed.push(like.to_match(count));
        insert(&mut tables, like.into_table(test, count));
    }

    if tables.is_empty() {
        document.set_trailing(header);
    } else {
        put_header(&mut tables, &header);
        document.insert(LIST, Item::ArrayOfTables(tables));
    }
    Ok((document.to_string(), listed))
}

/// What a new entry says. No line: lines change every day.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Like {
    This {
        spawned_at: String,
        future: &'static str,
    },
    Untracked,
}

fn new_ones(found: &Found, assignment: &Assignment) -> BTreeMap<Like, usize> {
    let mut new = BTreeMap::new();
    for (task, owner) in found.dump.tasks.iter().zip(&assignment.owners) {
        if owner.is_none() {
            let like = Like::This {
                spawned_at: any_version(place::short(task.site.file())),
                future: task.future,
            };
            *new.entry(like).or_default() += 1;
        }
    }
    if found.untracked > 0 && assignment.untracked.is_none() {
        new.insert(Like::Untracked, found.untracked);
    }
    new
}

/// A dependency's file without its version: after an update it is the same leak.
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

impl Like {
    fn to_match(&self, count: usize) -> Match {
        let what = match self {
            Like::This { spawned_at, future } => {
                format!("spawned at {spawned_at:?}, future {future:?}")
            }
            Like::Untracked => "untracked".to_owned(),
        };
        Match {
            what,
            reason: NO_REASON.to_owned(),
            line: None,
            listed: count,
            found: count,
            is_own: true,
        }
    }

    fn into_table(self, test: &str, count: usize) -> Table {
        let mut table = Table::new();
        table.insert("test", value(test));
        match self {
            Like::This { spawned_at, future } => {
                table.insert("spawned_at", value(spawned_at));
                table.insert("future", value(future));
            }
            Like::Untracked => {
                table.insert("untracked", value(true));
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
            // The comment after it stays.
            let around = old.decor().clone();
            *old = count.into();
            *old.decor_mut() = around;
        }
        None => {
            table.insert("count", value(count));
        }
    }
}

/// Before the first one that comes later in the alphabet, so that the order does not depend on which test ends first.
fn insert(tables: &mut ArrayOfTables, table: Table) {
    let key = |table: &Table| {
        ["test", "spawned_at", "future"].map(|key| {
            let text = table.get(key).and_then(Item::as_str);
            text.unwrap_or_default().to_owned()
        })
    };
    let new = key(&table);
    let later = tables.iter().position(|old| key(old) > new);
    tables.insert(later.unwrap_or(tables.len()), table);
}

fn before(table: &Table) -> &str {
    let prefix = table.decor().prefix().and_then(RawString::as_str);
    prefix.unwrap_or_default()
}

/// What stands before the first entry, up to the last empty line: that is about the file, and stays. What is below that is about the entry.
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
    let prefix = before(first).to_owned();
    let end = prefix.rfind("\n\n").map_or(0, |at| at + 2);
    first.decor_mut().set_prefix(&prefix[end..]);
    prefix[..end].to_owned()
}

/// Puts it before the first entry, and an empty line before each other one.
fn put_header(tables: &mut ArrayOfTables, header: &str) {
    for (at, table) in tables.iter_mut().enumerate() {
        let prefix = before(table);
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
}
