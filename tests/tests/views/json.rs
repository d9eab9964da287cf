//! The form for programs.

use serde_json::Value;

use crate::shop::shop;

#[test]
fn json_has_all_that_the_text_has() {
    let shop = shop();
    let json: Value = serde_json::from_str(&shop.get("/tasks?format=json")).unwrap();
    assert_eq!(json["version"], 1);
    let missed = serde_json::json!({
        "running": 1, "no_answer": 0, "no_waker": 1, "not_asked": 0, "not_allowed": 0, "observed": 0
    });
    assert_eq!(json["missed"], missed);
    assert_eq!(json["notes"].as_array().unwrap().len(), 3);
    let runtime = &json["runtimes"][0];
    assert_eq!(
        (
            &runtime["name"],
            &runtime["flavor"],
            &runtime["workers"],
            &runtime["tracked"],
            &runtime["untracked"]
        ),
        (
            &"shop".into(),
            &"multi_thread".into(),
            &2.into(),
            &21.into(),
            &2.into()
        )
    );
    let task = |name: &str| {
        json["tasks"]
            .as_array()
            .unwrap()
            .iter()
            .find(|task| task["name"] == name)
            .unwrap()
    };

    let blocked = task("blocked");
    assert_eq!(
        blocked["thread"],
        serde_json::json!({"name": "shop-worker", "os_id": shop.thread})
    );
    assert_eq!(
        (&blocked["state"], &blocked["verdict"]),
        (&"running".into(), &"blocking".into())
    );
    assert!(
        blocked["no_stack"]
            .as_str()
            .unwrap()
            .contains("being polled"),
        "{blocked}"
    );

    let courier = task("courier");
    let scope = &courier["scope"];
    assert_eq!(scope["labels"], serde_json::json!({"id": "7", "peer": "x"}));
    assert_eq!(scope["cancelled"], "shutdown");
    for seconds in [
        &scope["ended_seconds"],
        &scope["cancelled_seconds"],
        &courier["detached_seconds"],
    ] {
        assert!(seconds.as_f64().unwrap() > 0.0, "{courier}");
    }
    let seconds = |key: &str| courier[key].as_f64().unwrap();
    assert!(
        seconds("state_seconds") < seconds("age_seconds"),
        "it had to be polled first: {courier}"
    );
    assert_eq!(
        (&courier["thread"], &courier["no_stack"], &courier["wakers"]),
        (&Value::Null, &Value::Null, &1.into())
    );
    let frames = courier["branches"][0]["frames"].as_array().unwrap();
    let own = frames
        .iter()
        .find(|frame| {
            frame["function"]
                .as_str()
                .is_some_and(|name| name.contains("views::shop::await_the_parcel"))
        })
        .unwrap();
    assert!(
        own["file"].as_str().unwrap().ends_with("views/shop.rs")
            && own["line"].as_u64().unwrap() > 0,
        "{own}"
    );

    let clerk = task("clerk");
    assert_eq!(clerk["wait"], serde_json::json!(["notify", "sleep"]));
    assert_eq!(clerk["branches"].as_array().unwrap().len(), 2);
    assert_eq!(
        (&task("packer")["background"], &clerk["background"]),
        (&true.into(), &false.into())
    );
    assert_eq!(
        (&task("child")["parent"], &clerk["parent"]),
        (&task("manager")["id"], &Value::Null)
    );
    assert_eq!(task("auditor")["branches_dropped"], 3);
    let reader = &task("reader")["scope"];
    assert_eq!(
        (
            &reader["name"],
            &reader["ended_seconds"],
            &reader["cancelled"]
        ),
        (&"GET /stock".into(), &Value::Null, &Value::Null)
    );
}
