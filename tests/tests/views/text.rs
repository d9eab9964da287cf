//! The two forms of the text: groups, and each task.

use crate::shop::shop;

/// The paragraph that has all these words.
fn block<'a>(text: &'a str, words: &[&str]) -> &'a str {
    let mut blocks = text
        .split("\n\n")
        .filter(|block| words.iter().all(|word| block.contains(word)));
    let found = blocks
        .next()
        .unwrap_or_else(|| panic!("no block with {words:?} in {text}"));
    assert!(
        blocks.next().is_none(),
        "two blocks with {words:?} in {text}"
    );
    found
}

#[test]
fn the_header_counts_tasks_and_says_which_stacks_are_missing() {
    let shop = shop();
    for debug in [1, 2] {
        let text = shop.get(&format!("/tasks?debug={debug}"));
        let header = text.split("\n\n").next().unwrap();
        assert!(
            header.starts_with("tasks: 21 tracked, 2 untracked; taken "),
            "{header}"
        );
        let notes: Vec<&str> = header.lines().skip(1).collect();
        assert_eq!(
            notes,
            [
                "verdicts: 1 stuck, 1 blocking, 0 spinning, 3 cancel ignored, 0 cancel slow, 0 outlived, 16 idle, 0 active",
                "note: 1 of 21 tasks without a stack: being polled",
                "note: 1 of 21 tasks without a stack: took no waker when polled",
                &format!(
                    "note: 2 untracked on runtime {} (plain tokio::spawn)",
                    shop.number()
                ),
            ]
        );
    }
    let without = shop.get("/tasks?debug=2&stacks=none");
    for note in [
        "note: 20 of 21 tasks without a stack: not asked for one",
        "note: 1 of 21 tasks without a stack: took no waker when polled",
    ] {
        assert!(without.contains(note), "{without}");
    }
}

#[test]
fn a_group_tells_what_its_tasks_share_and_counts_what_differs() {
    let text = shop().get("/tasks?debug=1");
    let couriers = block(&text, &["courier"]);
    assert!(
        couriers.starts_with("3 tasks: cancel ignored, waiting for oneshot recv, for "),
        "{couriers}"
    );
    assert!(
        couriers.lines().next().unwrap().contains(" to "),
        "waits of different length: {couriers}"
    );
    for line in [
        "  name     courier",
        "  scope    POST /orders",
        "  detached 2 of 3: nobody has kept the JoinHandle",
    ] {
        assert!(
            couriers.lines().any(|it| it == line),
            "{line:?} in {couriers}"
        );
    }
    assert!(
        couriers.contains("  age      ") && couriers.contains("views::shop::await_the_parcel"),
        "{couriers}"
    );
    let lines = block(&text, &["line 00"]);
    let names = "  name     line 00, line 01, line 02, line 03, line 04, line 05, line 06, line 07 and 2 more";
    assert!(
        lines.starts_with("10 tasks: idle") && lines.lines().any(|line| line == names),
        "{lines}"
    );
    assert!(
        text.find("line 00") < text.find("courier"),
        "the largest group first: {text}"
    );
    assert!(
        block(&text, &["packer"]).contains("\n  declared background\n"),
        "{text}"
    );
    assert_eq!(text.matches("declared background").count(), 1, "{text}");
    assert!(
        block(&text, &["auditor"]).contains("\n    (3 more branches were not kept)"),
        "{text}"
    );
}

#[test]
fn the_list_tells_everything_of_each_task() {
    let shop = shop();
    let text = shop.get("/tasks?debug=2");
    let id = |name: &str| {
        let at = text
            .find(&format!(" {name:?} ["))
            .unwrap_or_else(|| panic!("no {name} in {text}"));
        text[..at].rsplit(' ').next().unwrap().to_owned()
    };
    let of = |name: &str| block(&text, &[&format!(" {name:?} [")]);

    let blocked = of("blocked");
    let running = format!(
        "[running on thread shop-worker ({})]: blocking, running",
        shop.thread
    );
    assert!(shop.thread > 0 && blocked.contains(&running), "{blocked}");

    let couriers: Vec<&str> = text
        .split("\n\n")
        .filter(|block| block.contains("\"courier\""))
        .collect();
    assert_eq!(couriers.len(), 3);
    for courier in &couriers {
        let scope = courier
            .lines()
            .find(|line| line.starts_with("  scope "))
            .unwrap();
        assert!(
            scope.starts_with("  scope    POST /orders id=7 peer=x, ended "),
            "{scope}"
        );
        assert!(
            scope.contains(" ago, cancelled (shutdown, ")
                && scope.ends_with(" ago), token never looked at"),
            "{scope}"
        );
        assert!(courier.contains("; wakers out 1; "), "{courier}");
    }
    let dropped = couriers
        .iter()
        .filter(|courier| courier.contains("; JoinHandle dropped "))
        .count();
    assert_eq!(dropped, 2);
    assert!(
        of("reader").contains("\n  scope    GET /stock, open\n"),
        "{text}"
    );
    assert!(
        of("child").contains(&format!(", by task {} \"manager\"\n", id("manager"))),
        "{text}"
    );
    assert!(!of("manager").contains(", by task"), "{text}");
    assert!(of("packer").contains("; declared background\n"), "{text}");
    assert_eq!(text.matches("declared background").count(), 1, "{text}");
    assert!(of("lost").contains("wakers out 0; "), "{text}");
    let clerk = of("clerk");
    assert!(
        clerk.contains("  branch 1 of 2: notify\n") && clerk.contains("  branch 2 of 2: sleep\n"),
        "{clerk}"
    );
}
