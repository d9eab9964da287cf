//! A reader of as much JSON Schema as ours use, which also tells which properties of a schema it
//! has met.
//!
//! Stricter than the standard in one way: a field that the schema does not name is an error.

use std::collections::BTreeSet;

use serde_json::Value;

/// A schema, and the properties of it that were met in what was checked.
pub(crate) struct Schema {
    root: Value,
    met: BTreeSet<String>,
}

impl Schema {
    /// Reads the text of a schema.
    pub(crate) fn new(text: &str) -> Schema {
        Schema {
            root: serde_json::from_str(text).unwrap(),
            met: BTreeSet::new(),
        }
    }

    /// The first thing in which a value differs from the schema.
    pub(crate) fn check(&mut self, value: &Value) -> Result<(), String> {
        let root = self.root.clone();
        self.valid(value, &root, "", "it")
    }

    /// Properties of the schema that no value had, each with the name of its object.
    pub(crate) fn not_met(&self) -> Vec<String> {
        let mut all = BTreeSet::new();
        properties(&self.root, "", &mut all);
        for (name, object) in self.root["$defs"].as_object().unwrap() {
            properties(object, name, &mut all);
        }
        all.difference(&self.met).cloned().collect()
    }

    /// `object`: the name of the definition that `schema` is of. `at`: where `value` is, for
    /// people.
    fn valid(
        &mut self,
        value: &Value,
        schema: &Value,
        object: &str,
        at: &str,
    ) -> Result<(), String> {
        for (keyword, rule) in schema.as_object().unwrap() {
            let is_valid = match keyword.as_str() {
                "$schema" | "title" | "description" | "$defs" => true,
                "$ref" => {
                    let name = rule.as_str().unwrap().strip_prefix("#/$defs/").unwrap();
                    let target = self.root["$defs"][name].clone();
                    self.valid(value, &target, name, at)?;
                    true
                }
                "type" => is_of_type(value, rule.as_str().unwrap()),
                "const" => value == rule,
                "minimum" => value.as_f64().unwrap() >= rule.as_f64().unwrap(),
                "minItems" => value.as_array().unwrap().len() as u64 >= rule.as_u64().unwrap(),
                "anyOf" => {
                    let rules = rule.as_array().unwrap();
                    let results: Vec<_> = rules
                        .iter()
                        .map(|rule| self.valid(value, rule, object, at))
                        .collect();
                    // If none fits, the first error is about the value that is not null.
                    if results.iter().all(Result::is_err) {
                        return results.into_iter().next().unwrap();
                    }
                    true
                }
                "required" => {
                    for name in rule.as_array().unwrap() {
                        if value.get(name.as_str().unwrap()).is_none() {
                            return Err(format!("{at} has no {name}"));
                        }
                    }
                    true
                }
                "items" => {
                    for (index, item) in value.as_array().unwrap().iter().enumerate() {
                        self.valid(item, rule, object, &format!("{at}[{index}]"))?;
                    }
                    true
                }
                "properties" => {
                    for (name, item) in value.as_object().ok_or(format!("{at} is no object"))? {
                        let Some(rule) = rule.get(name) else {
                            return Err(format!("{at}.{name} is not in the schema"));
                        };
                        self.met.insert(format!("{object}.{name}"));
                        self.valid(item, rule, object, &format!("{at}.{name}"))?;
                    }
                    true
                }
                "additionalProperties" => {
                    for (name, item) in value.as_object().ok_or(format!("{at} is no object"))? {
                        self.valid(item, rule, object, &format!("{at}.{name}"))?;
                    }
                    true
                }
                other => panic!("the keyword {other} is not known here"),
            };
            if !is_valid {
                return Err(format!("{at} breaks {keyword} {rule}: {value}"));
            }
        }
        Ok(())
    }
}

fn is_of_type(value: &Value, name: &str) -> bool {
    match name {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        "boolean" => value.is_boolean(),
        "null" => value.is_null(),
        other => panic!("the type {other} is not known here"),
    }
}

/// The properties of an object of a schema, and those of objects that stand in it without a name.
fn properties(schema: &Value, object: &str, all: &mut BTreeSet<String>) {
    match schema {
        Value::Object(rules) => {
            for (keyword, rule) in rules {
                match (keyword.as_str(), rule.as_object()) {
                    ("$defs", _) => {}
                    ("properties", Some(named)) => {
                        for (name, rule) in named {
                            all.insert(format!("{object}.{name}"));
                            properties(rule, object, all);
                        }
                    }
                    _ => properties(rule, object, all),
                }
            }
        }
        Value::Array(rules) => rules.iter().for_each(|rule| properties(rule, object, all)),
        _ => {}
    }
}
