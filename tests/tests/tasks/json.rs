//! The JSON of tasks: it is what its types read, and what its schema describes, no more and no
//! less.

use std::sync::Arc;

use serde_json::{Value, json};
use taskprof::profile::{Frame, Label, Profile, Sample, SampleType};
use taskprof_format::tasks::{Tasks, VERSION};

use crate::schema::Schema;
use crate::service::service;

const TASKS: &str = include_str!("../../../docs/tasks.schema.json");
const PROFILE: &str = include_str!("../../../docs/profile.schema.json");

fn written() -> Value {
    serde_json::from_str(&service().get("/tasks?format=json")).unwrap()
}

#[test]
fn a_client_reads_all_of_it_and_writes_the_same() {
    let text = service().get("/tasks?format=json");
    let tasks: Tasks<'static> = serde_json::from_str(&text).unwrap();
    assert_eq!(tasks.version, VERSION);
    let courier = tasks
        .tasks
        .iter()
        .find(|it| it.name.as_deref() == Some("courier"))
        .unwrap();
    let scope = courier.scope.as_ref().unwrap();
    assert_eq!(scope.cancelled.as_deref(), Some("parent"));
    assert_eq!(scope.cancelled_root_reason.as_deref(), Some("shutdown"));
    assert_eq!(scope.cancelled_root_scope.as_deref(), Some("connection"));
    assert_eq!(courier.holds, ["van"]);
    let read: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(serde_json::to_value(&tasks).unwrap(), read);
}

#[test]
fn a_client_reads_what_a_later_version_has_added() {
    let mut later = written();
    later["weather"] = json!("fair");
    later["tasks"][0]["mood"] = json!({"of": "the task"});
    let read: Tasks<'static> = serde_json::from_value(later).unwrap();
    assert_eq!(
        read.tasks.len(),
        written()["tasks"].as_array().unwrap().len()
    );
}

#[test]
fn every_field_that_is_written_is_in_the_schema_and_the_other_way_round() {
    let mut schema = Schema::new(TASKS);
    schema.check(&written()).unwrap();
    assert_eq!(schema.not_met(), [""; 0]);
}

#[test]
fn every_field_of_a_profile_is_in_its_schema_and_the_other_way_round() {
    let mut profile = Profile::new([SampleType::new("tasks", "count")]);
    profile.period_type = Some(SampleType::new("tasks", "count"));
    profile.samples.push(Sample {
        stack: vec![Frame::Named {
            name: Arc::from("main"),
            file: Some(Arc::from("src/main.rs")),
            line: Some(7),
        }],
        values: vec![1],
        labels: vec![Label::num("age", 3, "seconds")],
    });
    let written = taskprof::write::json(&profile).unwrap();
    let mut schema = Schema::new(PROFILE);
    schema
        .check(&serde_json::from_str(&written).unwrap())
        .unwrap();
    assert_eq!(schema.not_met(), [""; 0]);
}

#[test]
fn the_reader_of_schemas_refuses_what_differs() {
    for (pointer, bad) in [
        ("/version", json!(2)),
        ("/took_seconds", json!("long")),
        ("/missed/running", json!(-1)),
        ("/tasks/0/state", Value::Null),
        ("/tasks/0/weather", json!("fair")),
        ("/tasks/0/spawned", json!({"file": "src/main.rs"})),
    ] {
        let mut value = written();
        let (object, field) = pointer.rsplit_once('/').unwrap();
        value.pointer_mut(object).unwrap()[field] = bad;
        assert!(Schema::new(TASKS).check(&value).is_err(), "{pointer}");
    }
    let mut schema = Schema::new(TASKS);
    let mut value = written();
    value["resources"] = json!([]);
    schema.check(&value).unwrap();
    assert!(schema.not_met().contains(&"resource.kind".to_owned()));
}
