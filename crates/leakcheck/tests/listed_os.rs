//! `leakcheck.toml` lists threads, file descriptors and calls as it lists tasks: listed ones pass,
//! new ones fail.
#![cfg(target_os = "linux")]

#[path = "support/child.rs"]
mod child;

use std::path::{Path, PathBuf};

use child::{OS, Said};

const FILE: &str = "LEAKCHECK_SUPPRESSIONS";
const UPDATE: &str = "LEAKCHECK_UPDATE";

const LISTED: &str = r#"
[[leak]]
test = "shop::refund"
thread = "price *"
count = 2
reason = "the feed cannot be stopped, #51"

[[leak]]
test = "shop::refund"
descriptor = "/proc/*/cmdline"
count = 1
reason = "read again and again, #52"
"#;

#[test]
fn child() {
    child::make_checks();
}

/// A file with this text.
fn file(test: &str, text: &str) -> PathBuf {
    let file = child::directory(test).join("leakcheck.toml");
    std::fs::write(&file, text).unwrap();
    file
}

fn read(file: &Path) -> String {
    std::fs::read_to_string(file).unwrap()
}

fn checked(file: &Path, checks: &str) -> Said {
    child::run(child::checks(checks).env(FILE, file).env(OS, "1"))
}

/// The new text.
fn updated(file: &Path, checks: &str) -> String {
    let mut checks = child::checks(checks);
    let said = child::run(checks.env(FILE, file).env(OS, "1").env(UPDATE, "1"));
    assert!(said.passed, "{}", said.text);
    read(file)
}

#[track_caller]
fn has(said: &Said, what: &str) {
    assert!(said.text.contains(what), "no {what:?} in:\n{}", said.text);
}

/// With an hour to settle this test would not end if it were waited for.
#[test]
fn a_thread_and_a_descriptor_that_are_listed_pass_are_named_and_are_not_waited_for() {
    let file = file("os_listed", LISTED);
    let mut checks = child::checks("shop::refund: feed feed file");
    let checks = checks.env(FILE, &file).env(OS, "1");
    let said = child::run(checks.env("LEAKCHECK_CHILD_SETTLE", "3600"));
    assert!(said.passed, "{}", said.text);
    has(
        &said,
        "leakcheck: shop::refund: leakcheck.toml:2 lists 2 threads that are left: thread \"price *\" (the feed cannot be stopped, #51)\n",
    );
    has(
        &said,
        "leakcheck.toml:8 lists 1 file descriptor that is left: descriptor \"/proc/*/cmdline\" (read again and again, #52)\n",
    );
    // The control: with a list of nothing they fail.
    std::fs::write(&file, "").unwrap();
    let said = checked(&file, "shop::refund: feed feed file");
    assert!(!said.passed);
    has(
        &said,
        "leakcheck: 2 threads and 1 file descriptor are still alive after ",
    );
}

#[test]
fn a_new_one_fails_and_is_the_only_one_in_the_message() {
    let file = file("os_new", LISTED);
    for (leaks, new, what) in [
        ("feed file pool", "1 thread is", "thread \"pool 1\" ("),
        (
            "feed file socket",
            "1 file descriptor is",
            ": udp 127.0.0.1:",
        ),
        ("feed file mail", "1 task is", "spawned at crates/"),
    ] {
        let said = checked(&file, &format!("shop::refund: {leaks}"));
        assert!(!said.passed, "{}", said.text);
        has(&said, &format!("leakcheck: {new} still alive after "));
        has(&said, what);
        assert!(
            !said.text.contains("thread \"price feed\""),
            "{}",
            said.text
        );
        assert!(!said.text.contains("/cmdline\n"), "{}", said.text);
    }
    // Nor is it that of another test.
    assert!(!checked(&file, "shop::order: feed").passed);
}

#[test]
fn more_than_listed_fail_and_are_all_reported() {
    let said = checked(
        &file("os_more", LISTED),
        "shop::refund: feed feed feed file",
    );
    assert!(!said.passed);
    has(&said, "leakcheck: 3 threads are still alive after ");
    has(
        &said,
        "\nleakcheck.toml:2 lists 2 threads, and 3 were found: thread \"price *\"",
    );
}

#[test]
fn an_update_lists_them_without_what_differs_from_run_to_run() {
    let file = file("os_update", "# Ours.\n\n");
    let leaks = "shop::refund: feed pool pool file socket";
    let expected = r#"# Ours.

[[leak]]
test = "shop::refund"
descriptor = "/proc/*/cmdline"
count = 1
reason = "TODO: say why"

[[leak]]
test = "shop::refund"
descriptor = "udp 127.0.0.1:*"
count = 1
reason = "TODO: say why"

[[leak]]
test = "shop::refund"
thread = "pool *"
count = 2
reason = "TODO: say why"

[[leak]]
test = "shop::refund"
thread = "price feed"
count = 1
reason = "TODO: say why"
"#;
    assert_eq!(updated(&file, leaks), expected);
    // The next run has other numbers.
    let said = checked(&file, leaks);
    assert!(said.passed, "{}", said.text);
    assert_eq!(updated(&file, leaks), expected);
    // Entries of leaks that are gone are taken out.
    let text = updated(&file, "shop::refund: pool socket");
    assert_eq!(text.matches("[[leak]]").count(), 2, "{text}");
    assert!(text.contains("thread = \"pool *\"\ncount = 1\n"), "{text}");
}

/// A check that has not inspected threads and descriptors leaves their entries alone.
#[test]
fn an_entry_about_what_was_not_looked_at_is_neither_stale_nor_taken_out() {
    let calls =
        "[[leak]]\ntest = \"shop::refund\"\nuntracked_calls = true\ncount = 1\nreason = \"r\"\n";
    let text = format!("{LISTED}\n{calls}");
    let file = file("os_unseen", &text);
    let check = || {
        let mut checks = child::checks("shop::refund:");
        checks.env(FILE, &file);
        checks
    };
    let is_stale = |said: &Said, what| {
        assert!(said.passed, "{}", said.text);
        said.text
            .contains(&format!("lists {what}, and none was found"))
    };
    // Calls are seen with tokio's own counters only.
    let has_counters = cfg!(tokio_unstable);
    let said = child::run(&mut check());
    assert!(!is_stale(&said, "2 threads") && !is_stale(&said, "1 file descriptor"));
    assert_eq!(is_stale(&said, "1 blocking call"), has_counters);
    assert!(child::run(check().env(UPDATE, "1")).passed);
    let kept = if has_counters { LISTED } else { &text };
    assert_eq!(read(&file).trim(), kept.trim());
    // The control: whoever has looked does.
    let said = child::run(check().env(OS, "1"));
    assert!(is_stale(&said, "2 threads") && is_stale(&said, "1 file descriptor"));
    assert!(!updated(&file, "shop::refund:").contains("thread = "));
}

#[cfg(tokio_unstable)]
#[test]
fn calls_without_a_record_are_listed_by_their_number() {
    let file = file("os_calls", "");
    let check = |checks: &str| child::run(child::checks(checks).env(FILE, &file));
    assert!(!check("shop::refund: call").passed);
    let mut update = child::checks("shop::refund: call");
    assert!(child::run(update.env(FILE, &file).env(UPDATE, "1")).passed);
    let text = read(&file);
    assert!(
        text.contains("test = \"shop::refund\"\nuntracked_calls = true\ncount = 1\n"),
        "{text}"
    );
    let said = check("shop::refund: call");
    assert!(said.passed, "{}", said.text);
    has(
        &said,
        "lists 1 blocking call that is left: untracked calls (TODO: say why)",
    );
    let said = check("shop::refund: call call");
    assert!(!said.passed);
    has(&said, "lists 1 blocking call, and 2 were found");
}

#[test]
fn an_entry_is_about_one_kind() {
    for mixed in [
        "thread = \"a\"\nname = \"b\"",
        "thread = \"a\"\ndescriptor = \"b\"",
        "descriptor = \"a\"\nfuture = \"b\"",
        "untracked = true\nuntracked_calls = true",
    ] {
        let text = format!("[[leak]]\n{mixed}\ncount = 1\nreason = \"r\"\n");
        let file = file("os_mixed", &text);
        let said = checked(&file, "shop::order:");
        assert!(!said.passed, "{text}");
        let sentence =
            "an entry is about tasks, or calls, or a thread, or a descriptor; make one of each";
        has(&said, &format!("{}:1: {sentence}", file.display()));
    }
    // The control.
    let text = "[[leak]]\nthread = \"a\"\ncount = 1\nreason = \"r\"\n";
    assert!(checked(&file("os_mixed", text), "shop::order:").passed);
}
