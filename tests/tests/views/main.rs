//! Tasks whose state is known exactly, in the views of a dump: text, JSON, profile and pages. All
//! tests look at one program.

mod json;
mod page;
mod profile;
mod shop;
mod text;

use taskscope_tests::request;

use crate::shop::shop;

#[test]
fn each_view_has_its_type_and_head_checks_what_get_does() {
    let address = shop().server.local_addr();
    for (query, kind, disposition) in [
        (
            "",
            "application/octet-stream",
            "attachment; filename=\"tasks.pb.gz\"",
        ),
        (
            "?debug=0",
            "application/octet-stream",
            "attachment; filename=\"tasks.pb.gz\"",
        ),
        ("?format=json", "application/json", "inline"),
        ("?format=svg", "image/svg+xml", "inline"),
        ("?format=folded", "text/plain; charset=utf-8", "inline"),
        ("?debug=1", "text/plain; charset=utf-8", "inline"),
    ] {
        for method in ["GET", "HEAD"] {
            let answer = request(address, method, &format!("/debug/profile/tasks{query}"));
            let head = answer.head.to_ascii_lowercase();
            assert_eq!(answer.status, 200, "{method} {query}");
            for header in [
                format!("content-type: {kind}"),
                format!("content-disposition: {disposition}"),
            ] {
                assert!(
                    head.lines().any(|line| line == header),
                    "{method} {query}: {header} in {head}"
                );
            }
            assert_eq!(answer.body.is_empty(), method == "HEAD", "{method} {query}");
        }
    }
    for query in [
        "?debug=3",
        "?format=xml",
        "?debug=1&format=json",
        "?stacks=all",
        "?x=1",
    ] {
        assert_eq!(
            request(address, "HEAD", &format!("/debug/profile/tasks{query}")).status,
            400,
            "{query}"
        );
    }
}
