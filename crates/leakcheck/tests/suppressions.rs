//! `leakcheck.toml`: listed leaks pass, new ones fail, and `LEAKCHECK_UPDATE=1` lists those that
//! are there.

#[path = "support/child.rs"]
mod child;
#[path = "support/workspace.rs"]
mod workspace;

use std::path::{Path, PathBuf};
use std::time::Duration;

use child::Said;
use workspace::Workspace;

const FILE: &str = "LEAKCHECK_SUPPRESSIONS";
const UPDATE: &str = "LEAKCHECK_UPDATE";

/// Two mailers of one test.
const MAILERS: &str = r#"
[[leak]]
test = "shop::refund"
spawned_at = "tests/support/child.rs"
future = "suppressions::child::mail::{{closure}}"
count = 2
reason = "the mailer cannot be stopped, #41"
"#;

#[test]
fn child() {
    child::make_checks();
}

/// In a child it leaks one task, and then fails.
#[leakcheck::test(settle(Duration::ZERO))]
async fn leaks_and_panics_if_told() {
    let told = std::env::var("LEAKCHECK_CHILD").unwrap_or_default();
    if told.contains("leak") {
        drop(taskscope::spawn(std::future::pending::<()>()));
    }
    assert!(!told.contains("panic"), "as told");
}

/// In a child it leaks one task, and then panics as it should.
#[leakcheck::test(settle(Duration::ZERO))]
#[should_panic = "as it should"]
async fn leaks_if_told_and_should_panic() {
    if std::env::var_os("LEAKCHECK_CHILD").is_some_and(|told| told == "leak") {
        drop(taskscope::spawn(std::future::pending::<()>()));
    }
    panic!("as it should");
}

/// In a child it leaves a task that never gives its thread back.
#[leakcheck::test(flavor = "multi_thread", worker_threads = 2, settle(Duration::ZERO))]
async fn blocks_if_told() {
    if std::env::var_os("LEAKCHECK_CHILD").is_some_and(|told| told == "block") {
        let (running, runs) = tokio::sync::oneshot::channel();
        drop(taskscope::spawn(async move {
            let _ = running.send(());
            loop {
                std::thread::park();
            }
        }));
        runs.await.unwrap();
    }
}

#[test]
fn a_reason_adds_no_line_to_what_is_said_and_nothing_in_it_hides() {
    let reason = "reason = \"the mailer\\nleakcheck: forged\\u001b[2J\\u202e\\u200b\"";
    let text = MAILERS.replace("reason = \"the mailer cannot be stopped, #41\"", reason);
    assert!(text.contains("forged"), "{text}");
    let report = child::directory("reason_report").join("leaks.jsonl");
    let file = file("reason", &text);
    let said = child::run(
        child::checks("shop::refund: mail mail, shop::refund: mail mail mail")
            .env(FILE, &file)
            .env("LEAKCHECK_REPORT", &report),
    );
    has(
        &said,
        "(the mailer\\nleakcheck: forged\\u{1b}[2J\\u{202e}\\u{200b})",
    );
    let hides = |c: char| taskscope::text::is_hidden(c) && c != '\n';
    assert!(!said.text.contains(hides), "{}", said.text);
    assert!(
        !said
            .text
            .lines()
            .any(|line| line.starts_with("leakcheck: forged")),
        "{}",
        said.text
    );
    // The report has the very reason, and no character that hides.
    let report = read(&report);
    assert!(!report.contains(hides), "{report}");
    let line: serde_json::Value = serde_json::from_str(report.lines().next().unwrap()).unwrap();
    assert_eq!(
        line["listed"][0]["reason"],
        "the mailer\nleakcheck: forged\u{1b}[2J\u{202e}\u{200b}"
    );
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
    child::run(child::checks(checks).env(FILE, file))
}

fn updated(file: &Path, checks: &str) -> Said {
    let said = child::run(child::checks(checks).env(FILE, file).env(UPDATE, "1"));
    assert!(said.passed, "{}", said.text);
    said
}

#[track_caller]
fn has(said: &Said, what: &str) {
    assert!(said.text.contains(what), "no {what:?} in:\n{}", said.text);
}

#[test]
fn what_is_listed_passes_and_is_named() {
    let file = file("listed", MAILERS);
    let said = checked(&file, "shop::refund: mail mail");
    assert!(said.passed, "{}", said.text);
    has(
        &said,
        "leakcheck: shop::refund: leakcheck.toml:2 lists 2 tasks that are left: spawned at \"tests/support/child.rs\", \
         future \"suppressions::child::mail::{{closure}}\" (the mailer cannot be stopped, #41)\n",
    );
    // Fewer are no failure.
    assert!(checked(&file, "shop::refund: mail").passed);
}

/// To open a FIFO waits for whoever may open its other end.
#[cfg(unix)]
#[test]
fn what_is_no_regular_file_is_not_opened() {
    let directory = child::directory("not_regular");
    let fifo = directory.join("fifo");
    let made = std::process::Command::new("mkfifo").arg(&fifo).status();
    assert!(made.unwrap().success());
    for not_a_file in [&*fifo, &*directory, Path::new("/dev/zero")] {
        for update in ["0", "1"] {
            let said = child::run(
                child::checks("shop::refund: mail")
                    .env(FILE, not_a_file)
                    .env(UPDATE, update),
            );
            assert!(!said.passed, "{}", said.text);
            has(&said, "it is not a regular file");
        }
    }
    // A report that cannot be written fails nothing.
    let said = child::run(child::checks("shop::refund:").env("LEAKCHECK_REPORT", &fifo));
    assert!(said.passed, "{}", said.text);
    has(&said, "it is not a regular file");
}

/// The control of the test above.
#[test]
fn without_the_file_the_same_leaks_fail() {
    let workspace = Workspace::new("no_file");
    let said = child::run(child::checks("shop::refund: mail mail").current_dir(&workspace.package));
    assert!(!said.passed, "{}", said.text);
}

#[test]
fn a_new_leak_fails_and_is_the_only_one_in_the_message() {
    let said = checked(&file("new", MAILERS), "shop::refund: mail audit mail");
    assert!(!said.passed);
    has(&said, "leakcheck: 1 task is still alive after ");
    has(
        &said,
        "\n   future     suppressions::child::audit::{{closure}}\n",
    );
    assert!(
        !said
            .text
            .contains("   future     suppressions::child::mail"),
        "{}",
        said.text
    );
}

#[test]
fn more_of_the_same_than_listed_fail() {
    let said = checked(&file("more", MAILERS), "shop::refund: mail mail mail");
    assert!(!said.passed);
    has(&said, "leakcheck: 3 tasks are still alive after ");
    has(
        &said,
        "\nleakcheck.toml:2 lists 2 tasks, and 3 were found: spawned at ",
    );
}

#[test]
fn an_entry_is_about_its_own_test() {
    let file = file("own_test", MAILERS);
    assert!(!checked(&file, "shop::order: mail").passed);
    assert!(!checked(&file, ": mail").passed);
    let text = MAILERS.replace("shop::refund", "shop::*");
    std::fs::write(&file, text).unwrap();
    assert!(checked(&file, "shop::order: mail, shop::refund: mail mail").passed);
    assert!(!checked(&file, "store::order: mail").passed);
    let text = MAILERS.replace("test = \"shop::refund\"\n", "");
    std::fs::write(&file, text).unwrap();
    assert!(checked(&file, "shop::order: mail, : mail").passed);
}

#[test]
fn all_that_an_entry_says_must_be_so() {
    for (what, matches) in [
        ("name = \"mail*\"", true),
        ("name = \"mail*\"\nfunction = \"child::mail\"", true),
        ("name = \"mail*\"\nfunction = \"child::audit\"", false),
        ("name = \"reaper\"\nfunction = \"child::mail\"", false),
        ("scope = \"POST /orders\"", false),
        ("spawned_at = \"child::mail\"", true),
        ("future = \"child::mail\"", false),
        ("untracked = true", false),
    ] {
        let text = format!("[[leak]]\n{what}\ncount = 1\nreason = \"known\"\n");
        let said = checked(&file("all_of_it", &text), "shop::refund: mail");
        assert_eq!(said.passed, matches, "{what}:\n{}", said.text);
    }
}

#[test]
fn untracked_tasks_are_listed_by_their_number() {
    let text = "[[leak]]\nuntracked = true\ncount = 2\nreason = \"known\"\n";
    let file = file("untracked", text);
    assert!(checked(&file, "a: untracked untracked, b: untracked").passed);
    let said = checked(&file, "a: untracked untracked untracked");
    assert!(!said.passed);
    has(
        &said,
        "leakcheck.toml:1 lists 2 tasks, and 3 were found: untracked (known)",
    );
}

#[test]
fn entries_that_overlap_are_filled_one_after_the_other() {
    let entry = |count| format!("[[leak]]\nname = \"mailer\"\ncount = {count}\nreason = \"r\"\n");
    let file = file("overlap", &format!("{}{}", entry(1), entry(2)));
    assert!(checked(&file, "a: mail mail mail").passed);
    assert!(!checked(&file, "a: mail mail mail mail").passed);
}

#[test]
fn an_entry_of_a_test_that_leaves_nothing_is_named() {
    let directory = child::directory("stale");
    let file = directory.join("leakcheck.toml");
    std::fs::write(&file, MAILERS).unwrap();
    let report = directory.join("leaks.jsonl");
    let mut checks = child::checks("shop::refund:, shop::order:");
    let said = child::run(checks.env(FILE, &file).env("LEAKCHECK_REPORT", &report));
    assert!(said.passed, "{}", said.text);
    let sentence = "shop::refund: leakcheck.toml:2 lists 2 tasks, and none was found (take it out, or run with LEAKCHECK_UPDATE=1): ";
    has(&said, sentence);
    assert_eq!(
        said.text.matches("none was found").count(),
        1,
        "{}",
        said.text
    );
    let lines = read(&report);
    let stale: Vec<_> = lines
        .lines()
        .map(|line| line.contains(r#""listed":2,"found":0,"stale":true"#))
        .collect();
    assert_eq!(stale, [true, false], "{lines}");
}

#[test]
fn a_listed_leak_is_in_the_json() {
    let directory = child::directory("listed_json");
    let file = directory.join("leakcheck.toml");
    std::fs::write(&file, MAILERS).unwrap();
    let report = directory.join("leaks.jsonl");
    let mut checks = child::checks("shop::refund: mail");
    child::run(checks.env(FILE, &file).env("LEAKCHECK_REPORT", &report));
    let line: serde_json::Value = serde_json::from_str(&read(&report)).unwrap();
    assert_eq!(line["outcome"], "known");
    assert_eq!(line["count"], 0);
    assert_eq!(
        line["listed"][0]["reason"],
        "the mailer cannot be stopped, #41"
    );
    assert_eq!(line["listed"][0]["line"], 2);
    assert_eq!(line["listed"][0]["listed"], 2);
    assert_eq!(line["listed"][0]["found"], 1);
}

#[test]
fn a_wrong_file_fails_clean_checks_with_its_line_and_what_to_do() {
    let ok = "count = 1\nreason = \"r\"\n";
    for (text, line, what) in [
        (
            "[[leak]]\nname = \"m\"\ncuont = 1\n".to_owned(),
            3,
            "unknown key `cuont`; there are test, name, ",
        ),
        (
            "# c\n[[leek]]\nname = \"m\"\n".to_owned(),
            2,
            "unknown key `leek`; each leak goes below a line `[[leak]]`",
        ),
        (
            "leak = 1\n".to_owned(),
            1,
            "unknown key `leak`; each leak goes below a line `[[leak]]`",
        ),
        (
            "[[leak]]\nname = \"m\"\ncount = 1\nreason = \" \"\n".to_owned(),
            4,
            "the reason is empty; say why",
        ),
        (
            "\n[[leak]]\nname = \"m\"\ncount = 1\n".to_owned(),
            2,
            "`reason` is missing: why",
        ),
        (
            "[[leak]]\nname = \"m\"\nreason = \"r\"\n".to_owned(),
            1,
            "`count` is missing: how many",
        ),
        (
            "[[leak]]\nname = \"m\"\ncount = 0\n".to_owned(),
            3,
            "`count` is how many of these are left: a number from 1",
        ),
        (
            "[[leak]]\nname = 5\n".to_owned(),
            2,
            "`name` is a text, in quotes",
        ),
        (
            "[[leak]]\nname = \"\"\n".to_owned(),
            2,
            "`name` is empty, so it matches nothing",
        ),
        (
            format!("[[leak]]\ntest = \"t\"\n{ok}"),
            1,
            "this entry does not say which tasks; add `spawned_at`",
        ),
        (
            format!("[[leak]]\nuntracked = true\nname = \"m\"\n{ok}"),
            1,
            "only the number of untracked tasks is known",
        ),
        (
            format!("[[leak]]\nuntracked = false\n{ok}"),
            2,
            "`untracked` is `true`, or left out",
        ),
        (
            "[[leak]]\nname = \"m\"\nname = \"n\"\n".to_owned(),
            3,
            "not TOML: ",
        ),
        ("[[leak]]\nname = mailer\n".to_owned(), 2, "not TOML: "),
    ] {
        let file = file("wrong", &text);
        let said = checked(&file, "shop::order:");
        assert!(!said.passed, "{text}");
        has(
            &said,
            &format!("leakcheck: {}:{line}: {what}", file.display()),
        );
        // It is not rewritten either: somebody has written it.
        let said = child::run(
            child::checks("shop::order: mail")
                .env(FILE, &file)
                .env(UPDATE, "1"),
        );
        assert!(!said.passed, "{text}");
        assert_eq!(read(&file), text);
    }
}

/// In a child it leaves one task that ends by itself; one is allowed.
#[leakcheck::test(allow(1, "comes and goes"), settle(Duration::from_secs(60)))]
async fn ends_soon_if_told() {
    let told = std::env::var("LEAKCHECK_CHILD").unwrap_or_default();
    if told.contains("ends") {
        drop(taskscope::spawn(tokio::time::sleep(Duration::from_millis(
            50,
        ))));
    }
    let stuck = usize::from(told.contains("stuck")) + usize::from(told.contains("two"));
    for _ in 0..stuck {
        drop(taskscope::spawn(std::future::pending::<()>()));
    }
}

/// It is not waited for otherwise, because it may stay.
#[test]
fn an_update_waits_for_an_allowed_task_that_is_just_ending() {
    for (told, stays) in [("ends", false), ("stuck", true)] {
        let text = "[[leak]]\ntest = \"suppressions::ends_soon_if_told\"\nfuture = \"*\"\ncount = 1\nreason = \"r\"\n";
        let file = file(told, text);
        let mut test = child::test("ends_soon_if_told");
        let said = child::run(
            test.env("LEAKCHECK_CHILD", told)
                .env(FILE, &file)
                .env(UPDATE, "1"),
        );
        assert!(said.passed, "{}", said.text);
        assert_eq!(read(&file).contains("[[leak]]"), stays, "{}", read(&file));
    }
}

/// Else the two would be about the same leak, and what is allowed of no use any more.
#[test]
fn an_update_does_not_list_what_is_allowed() {
    for (told, is_listed) in [("stuck", false), ("stuck, two", true)] {
        let file = file("allowed", "");
        let mut test = child::test("ends_soon_if_told");
        let test = test.env("LEAKCHECK_CHILD", told).env(FILE, &file);
        let before = child::run(test);
        assert_eq!(before.passed, !is_listed, "{}", before.text);
        let said = child::run(test.env(UPDATE, "1"));
        assert!(said.passed, "{}", said.text);
        assert_eq!(
            read(&file).contains("count = 2\n"),
            is_listed,
            "{}",
            read(&file)
        );
        let unused = said
            .text
            .contains("this rule matched nothing: up to 1 task");
        assert_eq!(unused, is_listed, "{}", said.text);
    }
}

#[test]
fn a_file_that_is_named_and_not_there_fails() {
    let missing = child::directory("missing").join("known.toml");
    let said = checked(&missing, "shop::order:");
    assert!(!said.passed);
    has(&said, &format!("leakcheck: {}: ", missing.display()));
    has(&said, "(LEAKCHECK_SUPPRESSIONS names this file)");
}

#[test]
fn the_file_is_at_the_root_of_the_workspace() {
    let workspace = Workspace::new("root");
    std::fs::write(workspace.root.join("leakcheck.toml"), MAILERS).unwrap();
    // A package's own is none.
    std::fs::write(workspace.package.join("leakcheck.toml"), "nonsense").unwrap();
    let said = child::run(child::checks("shop::refund: mail").current_dir(&workspace.package));
    assert!(said.passed, "{}", said.text);
    has(&said, "1 task that is left");
}

#[test]
fn an_update_lists_what_is_left_and_then_it_passes() {
    let workspace = Workspace::new("update");
    let file = workspace.root.join("leakcheck.toml");
    let leaks = "shop::refund: mail audit mail untracked, shop::order:, shop::audit: audit";
    let mut update = child::checks(leaks);
    let said = child::run(update.current_dir(&workspace.package).env(UPDATE, "1"));
    assert!(said.passed, "{}", said.text);
    has(
        &said,
        "shop::refund: leakcheck.toml lists 2 tasks that are left: ",
    );
    let expected = r#"# Leaks that are known: tests pass with these and with no others. `LEAKCHECK_UPDATE=1 cargo test` brings the list up to date
# and keeps the reasons. An entry is about the tasks to which all of it applies; `*` stands for anything.

[[leak]]
test = "shop::audit"
spawned_at = "crates/leakcheck/tests/support/child.rs"
future = "suppressions::child::audit::{{closure}}"
count = 1
reason = "TODO: say why"

[[leak]]
test = "shop::refund"
untracked = true
count = 1
reason = "TODO: say why"

[[leak]]
test = "shop::refund"
spawned_at = "crates/leakcheck/tests/support/child.rs"
future = "suppressions::child::audit::{{closure}}"
count = 1
reason = "TODO: say why"

[[leak]]
test = "shop::refund"
spawned_at = "crates/leakcheck/tests/support/child.rs"
future = "suppressions::child::mail::{{closure}}"
count = 2
reason = "TODO: say why"
"#;
    assert_eq!(read(&file), expected);
    let said = child::run(child::checks(leaks).current_dir(&workspace.package));
    assert!(said.passed, "{}", said.text);
    // And says the same again.
    updated(&file, leaks);
    assert_eq!(read(&file), expected);
}

#[test]
fn an_update_keeps_reasons_comments_and_what_did_not_run() {
    let before = r#"# Ours since 2024.

# The mailer:
[[leak]]
test = "shop::refund"
future = "suppressions::child::mail::{{closure}}"
count = 2 # or three
reason = "the mailer cannot be stopped, #41"

[[leak]]
test = "shop::refund"
name = "gone"
count = 1
reason = "was there"

# By hand.
[[leak]]
test = "shop::*"
name = "gone, too"
count = 1
reason = "of all tests"

[[leak]]
test = "other::test"
name = "x"
count = 7
reason = "did not run"
"#;
    let file = file("keeps", before);
    updated(&file, "shop::refund: mail mail mail");
    let after = before.replace("count = 2 # or", "count = 3 # or").replace(
        "[[leak]]\ntest = \"shop::refund\"\nname = \"gone\"\ncount = 1\nreason = \"was there\"\n\n",
        "",
    );
    assert_eq!(read(&file), after);
    // The first entry goes, and what is said of the file stays.
    updated(&file, "shop::refund:");
    let text = read(&file);
    assert!(
        text.starts_with("# Ours since 2024.\n\n# By hand.\n[[leak]]\n"),
        "{text}"
    );
    assert!(text.ends_with("reason = \"did not run\"\n"), "{text}");
    updated(&file, "other::test:");
    assert!(
        read(&file).ends_with("reason = \"of all tests\"\n"),
        "{}",
        read(&file)
    );
}

#[test]
fn an_update_leaves_the_words_about_the_file_when_the_last_entry_goes() {
    let file = file("last_goes", &format!("# Ours.\n{MAILERS}"));
    updated(&file, "shop::refund:");
    assert_eq!(read(&file).trim_end(), "# Ours.");
    updated(&file, "shop::refund: mail");
    let text = read(&file);
    assert!(
        text.starts_with("# Ours.\n\n[[leak]]\ntest = \"shop::refund\"\n"),
        "{text}"
    );
}

/// Nobody could say whose leaks they are.
#[test]
fn an_update_leaves_a_check_without_a_name_alone() {
    let file = file("unnamed", "");
    let mut update = child::checks(": mail");
    let said = child::run(update.env(FILE, &file).env(UPDATE, "1"));
    assert!(!said.passed, "{}", said.text);
    assert_eq!(read(&file), "");
    updated(&file, "shop::refund: mail");
    assert!(read(&file).contains("[[leak]]"), "the control");
}

#[test]
fn an_update_without_leaks_makes_no_file() {
    let workspace = Workspace::new("no_leaks");
    let mut update = child::checks("shop::refund:");
    child::run(update.current_dir(&workspace.package).env(UPDATE, "1"));
    assert!(!workspace.root.join("leakcheck.toml").exists());
}

/// A test with more than one check: what the first has found is not lost when the last finds
/// nothing.
#[test]
fn an_update_adds_up_the_checks_of_a_test() {
    let file = file("adds_up", "");
    updated(
        &file,
        "shop::refund: mail mail, shop::refund: audit mail, shop::refund:",
    );
    let text = read(&file);
    assert_eq!(text.matches("[[leak]]").count(), 2, "{text}");
    assert!(text.contains("mail::{{closure}}\"\ncount = 2\n"), "{text}");
    assert!(
        checked(
            &file,
            "shop::refund: mail mail, shop::refund: audit mail, shop::refund:"
        )
        .passed
    );
}

/// The control of the test below: a test that should panic has not failed when it does.
#[test]
fn an_update_takes_away_from_a_test_that_should_panic_and_does() {
    let file = file("should_panic", "");
    for (told, listed) in [("leak", true), ("", false)] {
        let mut test = child::test("leaks_if_told_and_should_panic");
        let command = test.env(FILE, &file).env(UPDATE, "1");
        let said = child::run(command.env("LEAKCHECK_CHILD", told));
        assert!(said.passed, "{}", said.text);
        assert_eq!(read(&file).contains("[[leak]]"), listed, "{}", read(&file));
    }
}

#[test]
fn an_update_takes_nothing_away_from_a_test_that_failed() {
    let file = file("failed", "");
    let update = |told: &str| {
        let mut test = child::test("leaks_and_panics_if_told");
        child::run(
            test.env(FILE, &file)
                .env(UPDATE, "1")
                .env("LEAKCHECK_CHILD", told),
        )
    };
    assert!(update("leak").passed);
    let listed = read(&file);
    assert!(
        listed.contains("test = \"suppressions::leaks_and_panics_if_told\"\n"),
        "{listed}"
    );
    assert!(!update("panic").passed);
    assert_eq!(read(&file), listed);
    // The control.
    assert!(update("").passed);
    assert!(!read(&file).contains("[[leak]]"), "{}", read(&file));
}

#[test]
fn updates_of_many_processes_are_all_there() {
    let file = file("many", "");
    let children: Vec<_> = (0..8)
        .map(|child| {
            let checks: Vec<String> = (0..5)
                .map(|check| format!("shop::{child}_{check}: mail"))
                .collect();
            let file = file.clone();
            std::thread::spawn(move || updated(&file, &checks.join(",")))
        })
        .collect();
    for child in children {
        child.join().unwrap();
    }
    let text = read(&file);
    let tests: Vec<&str> = text
        .lines()
        .filter(|line| line.starts_with("test = "))
        .collect();
    assert_eq!(tests.len(), 40, "{text}");
    assert!(
        tests.is_sorted(),
        "whoever comes first, the order is the same: {tests:?}"
    );
    assert!(text.starts_with("# Leaks that are known"), "{text}");
}

/// With an hour to settle this test would not end if it were waited for. Whether a function is on
/// the stack is asked in time.
#[test]
fn what_is_listed_is_not_waited_for() {
    let by_function = "[[leak]]\nfunction = \"child::mail\"\ncount = 1\nreason = \"r\"\n";
    for text in [MAILERS, by_function] {
        let file = file("at_once", text);
        let mut checks = child::checks("shop::refund: mail");
        let said = child::run(
            checks
                .env(FILE, &file)
                .env("LEAKCHECK_CHILD_SETTLE", "3600"),
        );
        assert!(said.passed, "{}", said.text);
        has(&said, "1 task that is left");
    }
}

/// Its runtime is not waited for either.
#[test]
fn a_listed_task_that_blocks_its_thread_does_not_block_the_test() {
    let text = "[[leak]]\nfuture = \"*blocks_if_told*\"\ncount = 1\nreason = \"r\"\n";
    let file = file("blocks", text);
    let mut test = child::test("blocks_if_told");
    let said = child::run(test.env(FILE, &file).env("LEAKCHECK_CHILD", "block"));
    assert!(said.passed, "{}", said.text);
    has(&said, "leakcheck.toml:1 lists 1 task that is left: ");
}
