//! A library that depends on this crate without the feature `enable` costs nobody anything: the
//! tree of its crates.

use std::collections::BTreeSet;
use std::process::Command;

/// The names of the crates that `cargo tree` shows with these arguments, without this one.
fn tree(arguments: &[&str]) -> BTreeSet<String> {
    let manifest = concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml");
    let output = Command::new(env!("CARGO"))
        .args(["tree", "--offline", "--locked", "--edges", "normal"])
        .args(["--prefix", "none", "--manifest-path", manifest])
        .args(arguments)
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    let text = String::from_utf8(output.stdout).unwrap();
    let names = text.lines().filter_map(|line| line.split(' ').next());
    let mut names: BTreeSet<String> = names.map(str::to_owned).collect();
    assert!(names.remove("taskscope"), "{text}");
    names
}

#[test]
fn without_enable_there_are_tokio_tokio_util_and_pin_project_lite() {
    let direct = tree(&["--no-default-features", "--depth", "1"]);
    assert_eq!(
        direct.into_iter().collect::<Vec<_>>(),
        ["pin-project-lite", "tokio", "tokio-util"]
    );
    // And what tokio-util needs.
    let all = tree(&["--no-default-features"]);
    assert_eq!(
        all.into_iter().collect::<Vec<_>>(),
        [
            "bytes",
            "futures-core",
            "futures-sink",
            "pin-project-lite",
            "tokio",
            "tokio-util"
        ]
    );
}

#[test]
fn no_feature_but_enable_brings_a_crate_that_observes() {
    let layers = tree(&["--no-default-features", "--features", "axum,hyper,tower"]);
    let enabled = tree(&[]);
    for name in [
        "callstack",
        "framehop",
        "quanta",
        "taskscope-core",
        "tracing",
    ] {
        assert!(enabled.contains(name), "no {name} in {enabled:?}");
    }
    for name in [
        "callstack",
        "framehop",
        "quanta",
        "taskscope-core",
        "taskscope-inspect",
    ] {
        assert!(!layers.contains(name), "{name} in {layers:?}");
    }
}
