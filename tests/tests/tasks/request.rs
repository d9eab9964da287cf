//! A task whose parent is a request: what the page, the text and the JSON call the parent.

use serde_json::Value;

use crate::service::service;

/// The part of a page from the spawn tree to the end of its section.
fn tree(page: &str) -> &str {
    let from = page.find("<div id=\"tree\">").unwrap();
    let to = page[from..].find("</section>").unwrap();
    &page[from..from + to]
}

#[test]
fn the_page_names_the_request_and_links_its_scope_whether_or_not_it_is_answered() {
    let json: Value = serde_json::from_str(&service().get("/tasks?format=json")).unwrap();
    let payment = json["tasks"]
        .as_array()
        .unwrap()
        .iter()
        .find(|task| task["scope"]["name"] == "payment" && task["name"].is_null());
    let payment = service().get(&format!("/page/tasks/{}", payment.unwrap()["id"]));
    for (page, route) in [(service().page_of("audit"), "stock"), (payment, "pay")] {
        let tree = tree(&page);
        let link = format!(
            "the request <a href=\"../../page/tasks?scope=GET+%2F{route}\">GET /{route}</a>"
        );
        assert!(tree.contains(&link), "{tree}");
        assert!(!tree.contains("task 45035996"), "{tree}");
    }
    let accepts = service().page_of("accept loop");
    assert!(!tree(&accepts).contains("the request"), "{accepts}");
}

#[test]
fn text_and_json_name_the_request_too() {
    let text = service().get("/tasks?debug=2");
    assert!(text.contains(", by the request GET /stock\n"), "{text}");
    assert!(text.contains(", by the request GET /pay\n"), "{text}");
    let json: Value = serde_json::from_str(&service().get("/tasks?format=json")).unwrap();
    let task = |name: &str| {
        let mut tasks = json["tasks"].as_array().unwrap().iter();
        tasks.find(|task| task["name"] == name).unwrap()
    };
    assert_eq!(task("audit")["parent_request"], "GET /stock");
    // Spawned by a task of the request.
    assert_eq!(task("retry")["parent_request"], Value::Null);
    assert!(task("retry")["parent"].is_u64());
}
