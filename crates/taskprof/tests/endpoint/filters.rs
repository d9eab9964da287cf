//! The task filter: the same words on the pages for tools and on the page for people, and the same tasks.

use crate::client::{Sentence as _, get};
use crate::server;

/// Number of tasks that the tools' page and the people's page show for a query.
fn counts(addr: std::net::SocketAddr, query: &str) -> (usize, usize) {
    let text = get(addr, &format!("/debug/profile/tasks?debug=2&{query}"));
    assert_eq!(text.status, 200, "{query}: {}", text.text());
    let tracked = text
        .text()
        .strip_prefix("tasks: ")
        .unwrap()
        .split(' ')
        .next();
    let page = get(
        addr,
        &format!("/debug/profile/page/tasks?group=none&{query}"),
    );
    assert_eq!(page.status, 200, "{query}: {}", page.text());
    let rows = page
        .text()
        .split(" data-rows=\"")
        .nth(1)
        .and_then(|rest| rest.split('"').next());
    (
        tracked.unwrap().parse().unwrap(),
        rows.unwrap().parse().unwrap(),
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn tools_and_people_filter_by_the_same_words_and_see_the_same_tasks() {
    let scope = taskscope::Scope::new("filtered scope");
    let mut waiting = Vec::new();
    for _ in 0..3 {
        waiting.push(taskscope::spawn_named(
            "filtered-sleep",
            tokio::time::sleep(std::time::Duration::from_secs(3600)),
        ));
    }
    let in_scope = scope.spawn(std::future::pending::<()>());
    let server = server();
    let addr = server.local_addr();
    let line = line!() - 8;
    let site = format!("site={}%3A{line}%3A", file!().replace('/', "%2F"));
    tokio::task::spawn_blocking(move || {
        for (query, expected) in [
            ("name=filtered-sleep", 3),
            ("q=Filtered-Sleep", 3),
            ("q=filtered+scope", 1),
            ("scope=filtered+scope", 1),
            ("name=filtered-sleep&wait=sleep", 3),
            ("name=filtered-sleep&wait=mutex", 0),
            ("name=filtered-sleep&suspects=1", 0),
            ("name=filtered-sleep&verdict=idle", 3),
            ("name=filtered-sleep&min_age=3000", 0),
            ("name=filtered-sleep&min_age=0&stacks=cached", 3),
        ] {
            assert_eq!(counts(addr, query), (expected, expected), "{query}");
        }
        // A site is named with its column, which the text of every task has.
        let text = get(addr, "/debug/profile/tasks?debug=2&name=filtered-sleep");
        let place = format!("{}:{line}:", file!());
        let column = text.text().split(&place).nth(1).unwrap();
        let column: String = column.chars().take_while(char::is_ascii_digit).collect();
        assert_eq!(counts(addr, &format!("{site}{column}")), (3, 3));

        let refused = get(addr, "/debug/profile/tasks?debug=1&limit=1&q=x");
        assert_eq!(refused.status, 400);
        assert_eq!(
            refused.sentence(),
            "parameter limit excludes q, wait, site and suspects; the oldest tasks would be chosen before them"
        );
    })
    .await
    .unwrap();
    in_scope.abort();
    for task in waiting {
        task.abort();
    }
}
