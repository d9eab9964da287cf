//! Tracked resources in the text of a dump: who holds what.
//!
//! Not here: their JSON (`json.rs`), the rest of the text (`text.rs`).

use std::collections::{BTreeMap, HashMap};
use std::io::{self, Write};

use taskscope::{
    Dump,
    dump::{Holder, ResourceDump},
    text::{Age, Listed, Plain},
};

/// The resources that each task used last, by its id.
pub(super) type Holdings<'a> = HashMap<u64, Vec<&'a ResourceDump>>;

/// Writes one line for each resource that a task holds.
pub(super) fn write_held(out: &mut dyn Write, held: &[&ResourceDump]) -> io::Result<()> {
    held.iter().try_for_each(|resource| {
        let (kind, age) = (Plain(resource.kind), Age(resource.age));
        writeln!(
            out,
            "  holds    {kind} for {age}, acquired at {}",
            Plain(resource.site.to_string())
        )
    })
}

/// Writes one line with the kinds of resources that a group of tasks holds, and the number of each.
pub(super) fn write_kinds(
    out: &mut dyn Write,
    held: &BTreeMap<&'static str, usize>,
) -> io::Result<()> {
    if held.is_empty() {
        return Ok(());
    }
    let kinds = held.iter().map(|(kind, count)| format!("{count} {kind}"));
    let kinds: Vec<String> = kinds.collect();
    writeln!(out, "  holds    {}", Listed(&kinds))
}

/// Writes every resource, oldest first.
pub(super) fn write_listed(out: &mut dyn Write, dump: &Dump) -> io::Result<()> {
    write_headline(out, dump)?;
    dump.resources
        .iter()
        .try_for_each(|resource| writeln!(out, "  {resource}"))
}

/// Writes groups of resources of the same kind and place, the largest first.
pub(super) fn write_grouped(out: &mut dyn Write, dump: &Dump) -> io::Result<()> {
    write_headline(out, dump)?;
    let mut groups: BTreeMap<_, Vec<&ResourceDump>> = BTreeMap::new();
    for resource in &dump.resources {
        let place = (resource.kind, resource.site.file(), resource.site.line());
        groups.entry(place).or_default().push(resource);
    }
    let mut groups: Vec<_> = groups.into_values().collect();
    groups.sort_by_key(|group| std::cmp::Reverse(group.len()));
    groups.iter().try_for_each(|group| write_group(out, group))
}

fn write_headline(out: &mut dyn Write, dump: &Dump) -> io::Result<()> {
    let suspects = dump.resources.iter();
    match (
        dump.resources.len(),
        suspects.filter(|it| it.is_leak_suspect()).count(),
    ) {
        (0, _) => Ok(()),
        (count, suspects) => writeln!(
            out,
            "\nresources: {count} held, {suspects} of them past the end of their scope"
        ),
    }
}

fn write_group(out: &mut dyn Write, group: &[&ResourceDump]) -> io::Result<()> {
    // A dump lists the oldest first.
    let Some(oldest) = group.first() else {
        return Ok(());
    };
    let mut holders: Vec<String> = group
        .iter()
        .map(|resource| holder(resource.last_used_by.as_ref()))
        .collect();
    holders.sort_unstable();
    holders.dedup();
    writeln!(
        out,
        "  {} {} for up to {}, acquired at {}, last used by {}",
        group.len(),
        Plain(oldest.kind),
        Age(oldest.age),
        Plain(oldest.site.to_string()),
        Listed(&holders)
    )
}

fn holder(holder: Option<&Holder>) -> String {
    match holder {
        None => "no task".to_owned(),
        Some(holder) => match &holder.name {
            Some(name) => format!("task {} \"{name}\" ({})", holder.task, holder.state),
            None => format!("task {} ({})", holder.task, holder.state),
        },
    }
}
