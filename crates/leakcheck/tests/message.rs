//! The message: its words, its order and its length.

#[path = "support/normal.rs"]
mod normal;

use std::time::Duration;

use leakcheck::{Leaks, MAX_LINES, Options};
use normal::normal;
use taskscope::{Scope, Verdict};
use tokio::sync::oneshot;

fn hasty() -> Options {
    Options::new().settle(Duration::ZERO)
}

async fn leaks(options: Options) -> Leaks {
    leakcheck::check_with(options)
        .await
        .expect_err("something is left")
}

/// Keeps what it waits for, so that it is idle and not stuck.
async fn wait_for(answer: oneshot::Receiver<()>) {
    let _ = answer.await;
}

/// A future that is this many calls deep.
async fn deep(calls: usize, answer: oneshot::Receiver<()>) {
    match calls {
        0 => wait_for(answer).await,
        _ => Box::pin(deep(calls - 1, answer)).await,
    }
}

#[tokio::test]
async fn a_message_reads_like_this() {
    let mut never = Vec::new();
    let mut answer = || {
        let (open, answer) = oneshot::channel();
        never.push(open);
        answer
    };
    let request = Scope::new("POST /orders");
    for _ in 0..2 {
        drop(request.spawn(wait_for(answer())));
    }
    drop(request);
    let kept: Vec<_> = (0..3)
        .map(|line| taskscope::spawn_named(format!("line {line}"), wait_for(answer())))
        .collect();
    drop(taskscope::spawn_named(
        "watcher",
        std::future::pending::<()>(),
    ));
    drop(tokio::spawn(wait_for(answer())));
    let options = hasty()
        .test("shop::refund")
        .ignore_name("reaper", "of the fixture");

    let text = leaks(options).await.to_string();

    assert_eq!(
        normal(&text),
        include_str!("support/message.txt"),
        "in full:\n{text}"
    );
    drop(kept);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_most_likely_cause_comes_first_and_then_the_largest_group() {
    let (release, blocked) = std::sync::mpsc::channel::<()>();
    drop(taskscope::spawn(async move { blocked.recv().unwrap_err() }));
    let mut never = Vec::new();
    for _ in 0..3 {
        let (open, answer) = oneshot::channel();
        drop(taskscope::spawn(wait_for(answer)));
        never.push(open);
    }
    for _ in 0..4 {
        let (open, answer) = oneshot::channel();
        drop(taskscope::spawn(async { wait_for(answer).await }));
        never.push(open);
    }
    let request = Scope::new("GET /");
    let (_open, answer) = oneshot::channel();
    for answer in [answer, never_answered(&mut never)] {
        drop(request.spawn(wait_for(answer)));
    }
    drop(request);
    drop(taskscope::spawn(std::future::pending::<()>()));
    loop {
        let leaks = leaks(hasty()).await;
        let verdicts: Vec<Verdict> = leaks.dump().tasks.iter().map(|task| task.verdict).collect();
        // On a machine that is overloaded the one worker that is left may not come to all of them
        // in time.
        let all_answered = leaks.dump().missed.no_answer == 0;
        if all_answered
            && verdicts.contains(&Verdict::Blocking)
            && !verdicts.contains(&Verdict::Active)
        {
            let text = leaks.to_string();
            let numbered = text
                .lines()
                .filter(|line| line.starts_with(|first: char| first.is_ascii_digit()));
            let groups: Vec<&str> = numbered
                .map(|line| line.split(',').next().unwrap())
                .collect();
            let expected = [
                "1. 1 task stuck",
                "2. 1 task blocking",
                "3. 2 tasks outlived",
                "4. 4 tasks idle",
                "5. 3 tasks idle",
            ];
            assert_eq!(groups, expected, "{text}");
            break;
        }
    }
    drop(release);
}

fn never_answered(never: &mut Vec<oneshot::Sender<()>>) -> oneshot::Receiver<()> {
    let (open, answer) = oneshot::channel();
    never.push(open);
    answer
}

#[tokio::test]
async fn a_hundred_lines_at_most_with_whole_groups_and_the_rest_counted() {
    let mut never = Vec::new();
    // Another depth is another stack, so another group: the first has 41 tasks, and the last has
    // one.
    for calls in 0..41 {
        for _ in calls..41 {
            drop(taskscope::spawn(deep(calls, never_answered(&mut never))));
        }
    }
    drop(tokio::spawn(wait_for(never_answered(&mut never))));
    let total = 41 * 42 / 2 + 1;

    let leaks = leaks(hasty()).await;

    assert_eq!(leaks.count(), total);
    let text = leaks.to_string();
    let lines: Vec<&str> = text.lines().collect();
    assert!(lines.len() <= MAX_LINES, "{} lines:\n{text}", lines.len());
    let shown: Vec<usize> = lines
        .iter()
        .filter(|line| line.starts_with(|first: char| first.is_ascii_digit()))
        .map(|line| line.split(' ').nth(1).unwrap().parse().unwrap())
        .collect();
    assert!(shown.len() >= 4, "{text}");
    assert_eq!(shown[..2], [41, 40], "{text}");
    let hints = lines
        .iter()
        .filter(|line| line.starts_with("   hint "))
        .count();
    assert_eq!(
        hints,
        shown.len(),
        "each group that is begun is whole:\n{text}"
    );
    let (groups, tasks) = (42 - shown.len(), total - shown.iter().sum::<usize>());
    assert_eq!(
        *lines.last().unwrap(),
        format!("... and {groups} more groups with {tasks} tasks"),
        "{text}"
    );
}

/// The control of the test above.
#[tokio::test]
async fn nothing_is_left_out_of_what_fits() {
    let mut never = Vec::new();
    for calls in 0..3 {
        drop(taskscope::spawn(deep(calls, never_answered(&mut never))));
    }
    let text = leaks(hasty()).await.to_string();
    assert!(!text.contains("... and"), "{text}");
    assert!(!text.contains("more function"), "{text}");
    assert_eq!(
        text.matches("\n    message::deep::{{closure}}\n").count(),
        1 + 2 + 3,
        "{text}"
    );
}

#[tokio::test]
async fn the_middle_of_a_long_stack_is_counted() {
    for calls in [10, 80] {
        let mut never = Vec::new();
        let task = taskscope::spawn(deep(calls, never_answered(&mut never)));
        let text = leaks(hasty()).await.to_string();
        let frames = |what: &str| text.matches(what).count();
        let shown = frames("\n    message::deep::{{closure}}\n");
        assert!(text.lines().count() <= MAX_LINES, "{text}");
        assert_eq!(
            frames("\n    message::wait_for::{{closure}}\n"),
            1,
            "{text}"
        );
        if calls == 10 {
            assert_eq!(shown, calls + 1, "{text}");
            assert!(!text.contains("more functions"), "{text}");
        } else {
            assert!(
                text.contains(&format!("\n    ... {} more functions\n", calls + 1 - shown)),
                "{text}"
            );
            assert!(text.contains("\n   hint "), "{text}");
        }
        task.abort();
        drop(task.await);
    }
}

#[tokio::test]
async fn a_rule_matches_a_name_that_was_too_long_to_be_kept_whole() {
    let name = "n".repeat(1000);
    let _task = taskscope::spawn_named(name.clone(), std::future::pending::<()>());
    let left = leaks(hasty()).await.to_string();
    assert!(left.contains("n… (769 more characters)"), "{left}");
    let options = hasty().ignore_name(name, "its name is long");
    assert!(leakcheck::check_with(options).await.is_ok());
}

#[tokio::test]
async fn names_and_reasons_add_no_lines() {
    let plain = taskscope::spawn_named("plain", std::future::pending::<()>());
    let lines = leaks(hasty().ignore_name("x", "y"))
        .await
        .to_string()
        .lines()
        .count();
    plain.abort();
    drop(plain.await);
    let long = "z".repeat(5000);
    let name = format!("\n\n1. 9 tasks idle{long}");
    let _hostile = taskscope::spawn_named(name, std::future::pending::<()>());
    let text = leaks(hasty().ignore_name("x\n", "y\n\n\u{1b}[31m"))
        .await
        .to_string();
    assert_eq!(text.lines().count(), lines, "{text}");
    assert!(!text.contains('\u{1b}'), "{text}");
    assert!(
        text.lines().all(|line| line.chars().count() < 500),
        "{text}"
    );
}

/// One character of every kind that hides, reorders, ends a line or sends commands to a terminal.
const NASTY: [&str; 10] = [
    "\n\n1. 9 tasks forged",
    "\r\u{b}\u{c}\u{85}forged",
    "\u{1b}[2J\u{1b}]0;title\u{7}",
    "\u{9b}2J\u{7f}\0",
    "\u{202e}txt.exe\u{2066}",
    "\u{200b}\u{200d}\u{2060}\u{feff}\u{ad}",
    "\u{2028}forged\u{2029}",
    "\u{e0041}\u{fe0f}\u{fff9}",
    "\u{ffff}",
    r"\n \u{202e}",
];

#[tokio::test]
async fn nothing_of_a_name_hides_or_looks_like_a_line_of_the_message() {
    for name in NASTY {
        let held = taskscope::Tracked::new(name, ());
        let scope = Scope::new(name).label(name, name);
        let task = taskscope::Builder::new().name(name).scope(&scope);
        let task = task.spawn(async move {
            let _held = held;
            std::future::pending::<()>().await;
        });
        let options = hasty().test(name).ignore_name(format!("not {name}"), name);
        let left = leaks(options).await;
        let message = left.to_string();
        let hides = |c: char| taskscope::text::is_hidden(c) && c != '\n';
        assert!(!message.contains(hides), "{message:?}");
        assert!(!format!("{left:?}").contains(hides), "{left:?}");
        assert!(
            !message.lines().any(|line| line.starts_with("forged")),
            "{message}"
        );
        assert!(!message.contains("\n1. 9 tasks"), "{message}");
        // It is there, in a form that tells it from all others.
        let shown = taskscope::text::Plain(name).to_string();
        assert!(
            message.contains(&format!("name       {shown}\n")),
            "{message}"
        );
        task.abort();
        drop(task.await);
    }
}

#[tokio::test]
async fn many_rules_of_no_use_do_not_fill_the_message() {
    let _stuck = taskscope::spawn(std::future::pending::<()>());
    let options = (0..200).fold(hasty(), |options, number| {
        options.ignore_name(format!("rule {number}"), "none")
    });
    let text = leaks(options).await.to_string();
    assert!(text.lines().count() < 30, "{text}");
    assert!(
        text.contains("this rule matched nothing: name \"rule 4\" (none)\n"),
        "{text}"
    );
    assert!(text.ends_with("\n... and 195 more like it\n"), "{text}");
}

#[tokio::test]
async fn the_headline_names_the_test_if_it_is_known() {
    let stuck = taskscope::spawn(std::future::pending::<()>());
    let headline = |text: &str| normal(text.lines().next().unwrap());
    let unnamed = leaks(hasty()).await;
    assert_eq!(unnamed.test(), None);
    assert_eq!(
        headline(&unnamed.to_string()),
        "leakcheck: 1 task is still alive after <time>"
    );
    let checked = taskscope::spawn(async { leakcheck::assert_none!(hasty()) });
    let panic = checked.await.unwrap_err().into_panic();
    assert_eq!(
        headline(panic.downcast_ref::<String>().unwrap()),
        "leakcheck: 1 task is still alive after <time> (test message::the_headline_names_the_test_if_it_is_known)"
    );
    stuck.abort();
}

/// It is sent to wherever tests report: threads, channels, errors.
#[test]
fn leaks_can_be_sent_and_shared() {
    fn can<T: Send + Sync + Clone + std::error::Error + 'static>() {}
    can::<Leaks>();
}
