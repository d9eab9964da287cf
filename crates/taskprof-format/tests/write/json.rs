//! JSON: the documented schema.

use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use serde_json::{Value, json};
use taskprof_format::profile::{Frame, Label, Profile, Sample, SampleType};

#[test]
fn json_has_the_documented_shape() {
    let mut profile = Profile::new([SampleType::new("tasks", "count")]);
    profile.default_sample_type = Some("tasks".into());
    profile.time = UNIX_EPOCH + Duration::from_millis(1500);
    profile.duration = Duration::from_millis(250);
    profile.comments.push("a \"sentence\"".to_owned());
    profile.samples.push(Sample {
        stack: vec![
            Frame::Named {
                name: Arc::from("<script>"),
                file: Some(Arc::from("src/main.rs")),
                line: Some(7),
            },
            Frame::named("main"),
        ],
        values: vec![12],
        labels: vec![
            Label::str("thread", "worker"),
            Label::num("age", 3, "seconds"),
        ],
    });
    let text = taskprof_format::write::json(&profile).unwrap();
    let value: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(
        value,
        json!({
            "version": 1,
            "sample_types": [{"kind": "tasks", "unit": "count"}],
            "default_sample_type": "tasks",
            "period_type": null,
            "period": 0,
            "time_unix_seconds": 1.5,
            "duration_seconds": 0.25,
            "comments": ["a \"sentence\""],
            "samples": [{
                "values": [12],
                "labels": {"thread": "worker", "age": {"value": 3, "unit": "seconds"}},
                "stack": [
                    {"function": "<script>", "file": "src/main.rs", "line": 7},
                    {"function": "main"}
                ]
            }]
        })
    );
}
