//! The pages that a person sees.

use taskscope::{DumpOptions, Stacks, TaskDump, Verdict};
use taskscope_tests::get;

use crate::shop::shop;

/// The text of an element, without its tags.
fn text(html: &str) -> String {
    let mut out = String::new();
    let mut inside = false;
    for c in html.chars() {
        match c {
            '<' => inside = true,
            '>' => inside = false,
            c if !inside => out.push(c),
            _ => {}
        }
    }
    out.replace("&lt;", "<")
        .replace("&gt;", ">")
        .replace("&quot;", "\"")
        .replace("&amp;", "&")
}

/// The text between the first `from` and the next `to`.
fn between<'a>(page: &'a str, from: &str, to: &str) -> &'a str {
    let start = page
        .find(from)
        .unwrap_or_else(|| panic!("no {from} in {page}"))
        + from.len();
    let end = page[start..]
        .find(to)
        .unwrap_or_else(|| panic!("no {to} after {from} in {page}"));
    &page[start..start + end]
}

/// The cells of each row of the body of the table with this start.
fn rows(page: &str, table: &str) -> Vec<Vec<String>> {
    let body = between(between(page, table, "</table>"), "<tbody", "</tbody>");
    body.split("<tr")
        .skip(1)
        .map(|row| {
            let cells = row.replace("<th", "<td");
            cells
                .split("<td")
                .skip(1)
                .map(|cell| text(cell.split_once('>').unwrap().1))
                .collect()
        })
        .collect()
}

#[test]
fn the_overview_counts_verdicts_lists_suspects_waits_and_polls_and_asks_nobody() {
    let shop = shop();
    let polls = || -> u64 {
        let dump = DumpOptions::new().stacks(Stacks::None).capture_blocking();
        dump.tasks.iter().map(|task: &TaskDump| task.polls).sum()
    };
    // Traces that are still true need no poll; other tests of this process take theirs first.
    drop(DumpOptions::new().capture_blocking());
    let before = polls();
    let page = shop.get("");
    assert_eq!(polls(), before);
    let now = text(between(&page, "<section id=\"verdicts\"", "</p>"));
    assert!(now.contains("21 with a record, 2 untracked; "), "{now}");
    assert!(page.contains("What could not be seen"), "{page}");
    let counts = rows(&page, "<section id=\"verdicts\"");
    assert_eq!(counts.len(), Verdict::ALL.len());
    for (verdict, count) in [
        (Verdict::Stuck, "1"),
        (Verdict::Blocking, "1"),
        (Verdict::CancelIgnored, "3"),
        (Verdict::Outlived, "0"),
        (Verdict::Idle, "16"),
        (Verdict::Active, "0"),
    ] {
        let row = counts.iter().find(|row| row[0] == verdict.name()).unwrap();
        assert_eq!(row[1], count, "{verdict} in {page}");
    }
    let suspects = rows(&page, "<section id=\"suspects\"");
    assert_eq!(suspects.len(), 2, "{suspects:?}");
    assert_eq!(
        (&*suspects[0][0], &*suspects[0][1], &*suspects[0][5]),
        ("3", "courier", "POST /orders")
    );
    assert_eq!(
        (&*suspects[1][0], &*suspects[1][1], suspects[1][3].trim()),
        ("1", "lost", "stuck")
    );
    let waits = rows(&page, "<section id=\"oldest\"");
    let alike = waits.iter().find(|row| row[4].contains("line ")).unwrap();
    assert_eq!(
        (&*alike[1], &*alike[3]),
        ("+9", "oneshot recv"),
        "{waits:?}"
    );
    assert!(
        !waits.iter().any(|row| row[4].contains("packer")),
        "a background task: {waits:?}"
    );
    let polls = rows(&page, "<section id=\"longest\"");
    assert_eq!(polls.len(), 1, "{polls:?}");
    assert!(
        polls[0][1] == "goes on" && polls[0][2].ends_with("blocked"),
        "{polls:?}"
    );
    let workers = text(between(&page, "<section id=\"workers\"", "</section>"));
    assert!(
        workers.contains(&format!("Runtime {} shop", shop.number())),
        "{workers}"
    );
    assert!(
        workers.contains("multi_thread, 21 tracked and 2 untracked tasks, "),
        "{workers}"
    );
}

#[test]
fn a_terminal_reads_the_same_as_text() {
    use std::io::{Read as _, Write as _};
    let mut stream = std::net::TcpStream::connect(shop().server.local_addr()).unwrap();
    write!(
        stream,
        "GET /debug/profile HTTP/1.0\r\nHost: localhost\r\nAccept: */*\r\n\r\n"
    )
    .unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    for words in [
        "21 tracked tasks, 2 untracked; ",
        "\n        3  cancel ignored  ",
        "\n        3  courier, scope POST /orders, spawned at ",
        ", and 9 alike\n",
        "  goes on  task ",
        "\nnote: 2 untracked on runtime ",
    ] {
        assert!(text.contains(words), "{words:?} in {text}");
    }
}

/// How many tasks match, by the page.
fn matching(query: &str) -> String {
    let page = shop().get(&format!("/page/tasks?group=none&{query}"));
    let count = text(between(
        &page,
        "<p id=\"count\" role=\"status\">",
        "with a record",
    ));
    let rows = rows(&page, "<table id=\"tasks\"");
    assert!(
        count.starts_with(&format!("{} of 21 tasks", rows.len())),
        "{query}: {count}, {rows:?}"
    );
    count.split(' ').next().unwrap().to_owned()
}

#[test]
fn tasks_are_filtered_by_each_of_their_traits_and_by_all_together() {
    for (query, count) in [
        ("", "21"),
        ("verdict=cancel-ignored", "3"),
        ("verdict=spinning", "0"),
        ("wait=oneshot+recv", "14"),
        ("wait=notify", "2"),
        ("scope=POST+%2Forders", "3"),
        ("scope=POST", "0"),
        ("name=lost", "1"),
        ("suspects=1", "4"),
        // Names, labels of the scope, functions on the stack and wait reasons match without regard
        // to case.
        ("q=LINE+0", "10"),
        ("q=peer", "3"),
        ("q=await_the_parcel", "13"),
        ("q=sleep", "3"),
        ("q=nothing+is+called+that", "0"),
        ("q=await_the_parcel&verdict=idle", "10"),
    ] {
        assert_eq!(matching(query), count, "{query}");
    }
}

#[test]
fn tasks_are_sorted_by_the_heads_of_the_columns() {
    let ids = |sort: &str| -> Vec<String> {
        let page = shop().get(&format!("/page/tasks?group=none&sort={sort}"));
        rows(&page, "<table id=\"tasks\"")
            .into_iter()
            .map(|row| row[0].clone())
            .collect()
    };
    let oldest = ids("age");
    assert_eq!(oldest.len(), 21);
    let mut reversed = ids("-age");
    assert_ne!(oldest, reversed);
    reversed.reverse();
    assert_eq!(oldest, reversed);
    let names: Vec<String> = rows(
        &shop().get("/page/tasks?group=none&sort=name"),
        "<table id=\"tasks\"",
    )
    .into_iter()
    .map(|row| row[1].clone())
    .collect();
    assert!(names.is_sorted() && names[0] == "auditor", "{names:?}");
    let verdicts = rows(
        &shop().get("/page/tasks?group=none&sort=verdict"),
        "<table id=\"tasks\"",
    );
    assert_eq!(
        (&*verdicts[0][2], &*verdicts[1][2], &*verdicts[2][2]),
        ("stuck", "blocking", "cancel ignored")
    );
}

#[test]
fn tasks_are_put_together_by_what_is_asked_for_and_each_group_leads_to_its_tasks() {
    for (group, first, count) in [
        ("alike", "line 00, oneshot recv", "10"),
        ("verdict", "idle", "16"),
        ("wait", "oneshot recv", "14"),
        ("scope", "no scope", "17"),
        ("name", "courier", "3"),
    ] {
        let page = shop().get(&format!("/page/tasks?group={group}"));
        let groups = rows(&page, "<table id=\"groups\"");
        assert_eq!(
            (&*groups[0][1], &*groups[0][0]),
            (first, count),
            "{group}: {groups:?}"
        );
        let all: usize = groups
            .iter()
            .map(|row| row[0].parse::<usize>().unwrap())
            .sum();
        assert_eq!(all, 21, "{group}");
    }
    let page = shop().get("/page/tasks?group=name");
    let link = between(
        &page,
        "<tbody><tr><td class=\"n\">3</td><th scope=\"row\"><a href=\"../page/tasks",
        "\"",
    );
    let tasks = shop().get(&format!("/page/tasks{}", link.replace("&amp;", "&")));
    assert_eq!(rows(&tasks, "<table id=\"tasks\"").len(), 3);
}

#[test]
fn pages_of_one_snapshot_are_about_the_same_tasks() {
    let page = shop().get("/page/tasks?group=none");
    let snapshot = between(&page, "data-snapshot=\"", "\"");
    let taken = |page: &str| between(page, "<time>", "</p>").to_owned();
    let again = shop().get(&format!(
        "/page/tasks?group=none&from=20&snapshot={snapshot}"
    ));
    assert_eq!(rows(&again, "<table id=\"tasks\"").len(), 1);
    assert_eq!(between(&again, "data-snapshot=\"", "\""), snapshot);
    assert_eq!(text(&taken(&again)), text(&taken(&page)));
    // One that has expired is replaced, and the page says so.
    let other = shop().get("/page/tasks?group=none&from=20&snapshot=123456");
    assert_ne!(between(&other, "data-snapshot=\"", "\""), snapshot);
    assert!(other.contains("This is a new snapshot"), "{other}");
    assert!(!again.contains("This is a new snapshot"));
}

/// The page of the task with this name.
fn task(name: &str) -> String {
    let page = shop().get(&format!("/page/tasks?group=none&sort=-age&name={name}"));
    let id = &rows(&page, "<table id=\"tasks\"")[0][0];
    shop().get(&format!("/page/tasks/{id}"))
}

#[test]
fn a_task_has_its_stack_scope_labels_tree_and_state_on_its_page() {
    let courier = task("courier");
    let stack = text(between(&courier, "<div id=\"stack\">", "</div>"));
    assert!(
        stack.contains("Receiver") && stack.contains("await_the_parcel"),
        "{stack}"
    );
    let scope = text(between(&courier, "<div id=\"scope\">", "</div>"));
    for words in [
        "POST /orders opened ",
        ", ended ",
        "3 live tasks",
        "cancelled (shutdown, ",
        "id=7",
        "peer=x",
        "never looked at",
    ] {
        assert!(scope.contains(words), "{words} in {scope}");
    }
    assert!(
        text(&courier).contains("cancel ignored: its scope was cancelled"),
        "{courier}"
    );
    let child = task("child");
    let tree = text(between(&child, "<div id=\"tree\">", "</div>"));
    assert!(
        tree.contains(" manager ") && tree.contains(" child"),
        "{tree}"
    );
    let manager = text(between(&task("manager"), "<div id=\"tree\">", "</div>"));
    assert!(
        manager.contains("It has spawned 1 task that is alive:"),
        "{manager}"
    );
    let blocked = text(&task("blocked"));
    assert!(
        blocked.contains("on thread shop-worker") && blocked.contains("Blocked its thread"),
        "{blocked}"
    );
    let lost = text(between(&task("lost"), "<div id=\"stack\">", "</div>"));
    assert!(lost.contains("took no waker"), "{lost}");
}

#[test]
fn scopes_are_a_tree_with_counts_ages_and_labels() {
    let page = shop().get("/page/scopes");
    let scopes = text(between(&page, "<div id=\"scopes\">", "</main>"));
    for words in [
        "POST /orders 3 tasks, 3 leak suspects, oldest ",
        "GET /stock 1 task, oldest ",
        "3 cancel ignored",
        "id=7",
        "cancelled (shutdown, ",
    ] {
        assert!(scopes.contains(words), "{words} in {scopes}");
    }
    assert!(
        text(&page).contains("4 tasks in scopes, 17 in none"),
        "{page}"
    );
}

#[test]
fn a_form_sends_its_empty_fields_too() {
    let answer = get(
        shop().server.local_addr(),
        "/debug/profile/page/tasks?q=&verdict=&wait=&scope=&group=alike",
    );
    assert_eq!(answer.status, 200);
}
