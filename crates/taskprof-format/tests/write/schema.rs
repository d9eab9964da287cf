//! The published schema of our JSON, and a reader of just so much JSON Schema as it uses.
//!
//! Stricter than the standard in one way: what the schema does not name must not be there.

use serde_json::{Map, Value};

/// Panics if this is not what `docs/profile.schema.json` describes.
pub(crate) fn check(value: &Value) {
    let schema: Value =
        serde_json::from_str(include_str!("../../../../docs/profile.schema.json")).unwrap();
    if let Err(why) = valid(value, &schema, &schema, "profile") {
        panic!("{why}");
    }
}

fn valid(value: &Value, schema: &Value, root: &Value, at: &str) -> Result<(), String> {
    for (keyword, rule) in schema.as_object().unwrap() {
        let fine = match keyword.as_str() {
            "$schema" | "$id" | "title" | "description" | "$defs" => true,
            "$ref" => {
                let name = rule.as_str().unwrap().strip_prefix("#/$defs/").unwrap();
                valid(value, &root["$defs"][name], root, at)?;
                true
            }
            "type" => match rule.as_str().unwrap() {
                "object" => value.is_object(),
                "array" => value.is_array(),
                "string" => value.is_string(),
                "integer" => value.is_i64() || value.is_u64(),
                "number" => value.is_number(),
                "null" => value.is_null(),
                other => panic!("the type {other} is not known here"),
            },
            "const" => value == rule,
            "minimum" => value.as_f64().unwrap() >= rule.as_f64().unwrap(),
            "minItems" => value.as_array().unwrap().len() as u64 >= rule.as_u64().unwrap(),
            "anyOf" => rule
                .as_array()
                .unwrap()
                .iter()
                .any(|rule| valid(value, rule, root, at).is_ok()),
            "required" => rule
                .as_array()
                .unwrap()
                .iter()
                .all(|key| value.get(key.as_str().unwrap()).is_some()),
            "items" => {
                for (index, item) in value.as_array().unwrap().iter().enumerate() {
                    valid(item, rule, root, &format!("{at}[{index}]"))?;
                }
                true
            }
            "properties" => {
                let rules: &Map<String, Value> = rule.as_object().unwrap();
                for (key, item) in value.as_object().ok_or(format!("{at} is no object"))? {
                    let Some(rule) = rules.get(key) else {
                        return Err(format!("{at}.{key} is not documented"));
                    };
                    valid(item, rule, root, &format!("{at}.{key}"))?;
                }
                true
            }
            "additionalProperties" => {
                for (key, item) in value.as_object().ok_or(format!("{at} is no object"))? {
                    valid(item, rule, root, &format!("{at}.{key}"))?;
                }
                true
            }
            other => panic!("the keyword {other} is not known here"),
        };
        if !fine {
            return Err(format!("{at} breaks {keyword} {rule}: {value}"));
        }
    }
    Ok(())
}

#[test]
fn the_schema_refuses_what_is_not_a_profile() {
    let good = || {
        let mut profile = crate::named(&[(&["main"], 1)]);
        profile.samples[0].labels = vec![
            taskprof_format::profile::Label::str("a", "b"),
            taskprof_format::profile::Label::num("c", 1, "bytes"),
        ];
        serde_json::from_str::<Value>(&taskprof_format::write::json(&profile).unwrap()).unwrap()
    };
    check(&good());
    for (pointer, bad) in [
        ("/version", Value::from(2)),
        ("/sample_types", Value::Array(vec![])),
        ("/samples/0/values/0", Value::from(1.5)),
        ("/samples/0/labels/a", Value::from(1)),
        ("/samples/0/labels/c/unit", Value::Null),
        ("/samples/0/stack/0", Value::Object(Map::new())),
        ("/period", Value::Null),
    ] {
        let mut value = good();
        *value.pointer_mut(pointer).unwrap() = bad;
        let schema = std::panic::catch_unwind(|| check(&value));
        assert!(schema.is_err(), "{pointer}");
    }
}
