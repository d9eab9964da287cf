//! The page that a person sees first.

use taskscope::{DumpOptions, Stacks, TaskDump, Verdict};

use crate::shop::shop;

/// The cells of the row that begins with these.
fn row<'a>(page: &'a str, first: &str) -> Vec<&'a str> {
    let start = format!("<tr><td>{first}</td>");
    let at = page
        .find(&start)
        .unwrap_or_else(|| panic!("no row {first} in {page}"));
    let row = &page[at..at + page[at..].find("</tr>").unwrap()];
    row.split("<td")
        .skip(1)
        .map(|cell| {
            cell.split_once('>')
                .unwrap()
                .1
                .split("</td>")
                .next()
                .unwrap()
        })
        .collect()
}

#[test]
fn the_index_counts_verdicts_lists_suspects_and_asks_nobody() {
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
    assert!(
        page.contains("21 with a record") && page.contains(", 2 untracked; "),
        "{page}"
    );
    for (verdict, count) in [
        (Verdict::Stuck, "1"),
        (Verdict::Blocking, "1"),
        (Verdict::CancelIgnored, "3"),
        (Verdict::Outlived, "0"),
        (Verdict::Idle, "16"),
        (Verdict::Active, "0"),
    ] {
        assert_eq!(row(&page, verdict.name())[1], count, "{verdict} in {page}");
    }
    let suspects = page
        .split("<h2>Leak suspects</h2>")
        .nth(1)
        .unwrap()
        .split("</table>")
        .next()
        .unwrap();
    let rows: Vec<&str> = suspects.split("<tr><td").skip(1).collect();
    assert_eq!(rows.len(), 2, "{suspects}");
    assert!(
        rows[0].starts_with(" class=\"n\">3</td>")
            && rows[0].contains(">courier at ")
            && rows[0].contains(", scope POST /orders<"),
        "{suspects}"
    );
    assert!(
        rows[1].starts_with(" class=\"n\">1</td>") && rows[1].contains(">lost at "),
        "{suspects}"
    );
    let runtime = row(&page, &format!("{} shop", shop.number()));
    assert_eq!(runtime[1..5], ["multi_thread", "2", "21", "2"], "{page}");
    assert!(!page.contains("None is known"), "{page}");
}
