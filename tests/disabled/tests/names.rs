//! The file that uses the whole interface forgets nothing. Reads the crate's sources as text.

use std::fs;
use std::path::{Path, PathBuf};

const API: &str = include_str!("../src/api.rs");

/// The crate's files, stand-ins left aside.
fn sources() -> Vec<(PathBuf, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../crates/taskscope/src");
    let mut folders = vec![root.clone()];
    let mut sources = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() && path != root.join("off") {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(&path).unwrap();
                sources.push((path, text));
            }
        }
    }
    sources
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !c.is_alphanumeric() && c != '_')
        .filter(|word| !word.is_empty())
}

fn is_used(name: &str) -> bool {
    words(API).any(|word| word == name)
}

#[tokio::test]
async fn every_exported_name_is_used() {
    let sources = sources();
    let (_, root) = sources
        .iter()
        .find(|(path, _)| path.ends_with("src/lib.rs"))
        .unwrap();
    let mut exported: Vec<&str> = Vec::new();
    for statement in root.split(';') {
        let Some((_, path)) = statement.split_once("pub use ") else {
            continue;
        };
        let names = path.rsplit_once("::{").map_or_else(
            || path.rsplit("::").next().unwrap(),
            |(_, names)| names.trim_end_matches('}'),
        );
        exported.extend(words(names));
    }
    assert!(exported.len() > 80, "read {exported:?}");
    exported.retain(|name| !is_used(name));
    assert!(exported.is_empty(), "not in api.rs: {exported:?}");
}

#[tokio::test]
async fn every_public_function_and_field_is_used() {
    let mut checked = 0;
    let mut missing = Vec::new();
    for (path, text) in sources() {
        let text = text.split("#[cfg(test)]").next().unwrap();
        for line in text.lines() {
            let Some(declared) = line.trim_start().strip_prefix("pub ") else {
                continue;
            };
            let name = match words(declared).collect::<Vec<_>>()[..] {
                ["async" | "const" | "unsafe", "fn", name, ..] | ["fn", name, ..] => name,
                [
                    "use" | "mod" | "struct" | "enum" | "const" | "static" | "type" | "trait",
                    ..,
                ] => {
                    continue;
                }
                [field, ..] => field,
                [] => continue,
            };
            checked += 1;
            if !is_used(name) {
                missing.push(format!("{name} ({})", path.display()));
            }
        }
    }
    assert!(checked > 150, "checked {checked}");
    assert!(missing.is_empty(), "not in api.rs: {missing:#?}");
}
