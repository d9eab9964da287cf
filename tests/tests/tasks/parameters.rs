//! The parameters of a client are those of the server, and choose the same tasks.

use std::collections::BTreeSet;

use serde_json::Value;
use taskprof_format::tasks::{Parameters, Tasks};

use crate::service::service;

fn ask(parameters: &Parameters) -> Tasks<'static> {
    let path = format!("/tasks?format=json&{}", parameters.to_query());
    serde_json::from_str(&service().get(&path)).unwrap()
}

fn names(parameters: &Parameters) -> Vec<String> {
    let tasks = ask(parameters).tasks.into_iter();
    tasks
        .filter_map(|task| task.name.map(String::from))
        .collect()
}

#[test]
fn each_parameter_chooses_tasks() {
    let of = |text: &str| Some(text.to_owned());
    let everything = Parameters::default();
    assert!(names(&everything).len() >= 5);
    let courier = ask(&Parameters {
        name: of("courier"),
        ..everything.clone()
    });
    let site = &courier.tasks[0].spawned;
    let site = format!("{}:{}:{}", site.file, site.line, site.column);
    for (parameters, expected) in [
        (
            Parameters {
                name: of("courier"),
                ..everything.clone()
            },
            vec!["courier"],
        ),
        (
            Parameters {
                q: of("PARCEL"),
                ..everything.clone()
            },
            vec!["courier"],
        ),
        (
            Parameters {
                scope: of("connection"),
                ..everything.clone()
            },
            vec!["courier"],
        ),
        (
            Parameters {
                site: of(&site),
                ..everything.clone()
            },
            vec!["courier"],
        ),
        (
            Parameters {
                verdict: of("blocking"),
                ..everything.clone()
            },
            vec!["blocked"],
        ),
        (
            Parameters {
                wait: of("accept"),
                ..everything.clone()
            },
            vec!["accept loop"],
        ),
        (
            Parameters {
                name: of("a&b=c +%é"),
                ..everything.clone()
            },
            vec![],
        ),
        (
            Parameters {
                min_age: 3600,
                ..everything.clone()
            },
            vec![],
        ),
    ] {
        assert_eq!(names(&parameters), expected, "{parameters:?}");
    }
    let suspects = names(&Parameters {
        suspects: true,
        ..everything.clone()
    });
    assert!(
        suspects.contains(&"audit".to_owned()) && !suspects.contains(&"accept loop".to_owned())
    );
    let limited = ask(&Parameters {
        limit: Some(2),
        ..everything.clone()
    });
    assert!(limited.tasks.len() == 2 && limited.left_out >= 3);
    let without = ask(&Parameters {
        stacks: of("none"),
        ..everything
    });
    assert!(without.missed.not_asked > 0);
}

#[test]
fn the_fields_are_the_parameters_that_the_server_lists() {
    let page = service().get("/page/addresses");
    let entry = page
        .split("<dt>")
        .find(|entry| entry.starts_with("tasks<"))
        .unwrap();
    let names = entry.split("<li><code>").skip(1);
    let mut listed: BTreeSet<&str> = names.map(|rest| rest.split('<').next().unwrap()).collect();
    // How tasks are shown, and not which.
    for form in ["debug", "seconds", "format", "base"] {
        assert!(listed.remove(form), "{form}");
    }
    let fields = serde_json::to_value(Parameters::default()).unwrap();
    let Value::Object(fields) = fields else {
        panic!("{fields}")
    };
    let fields: BTreeSet<&str> = fields.keys().map(String::as_str).collect();
    assert_eq!(fields, listed);
}
