//! JSON Schemas as Anthropic wants them.

use serde_json::{Map, Value, json};

/// The schema of a tool's input: it must say that it is of an object.
pub(super) fn of_input(schema: Option<&Value>) -> Value {
    let mut object = match schema {
        Some(Value::Object(schema)) => schema.clone(),
        _ => Map::new(),
    };
    if object.is_empty() {
        object.insert("properties".to_owned(), json!({}));
    }
    if !object.contains_key("type") {
        object.shift_insert(0, "type".to_owned(), "object".into());
    }
    Value::Object(object)
}

/// `schema` with every object in it closed to properties that it does not name: a model can be held to no other.
/// <https://docs.claude.com/en/docs/build-with-claude/structured-outputs#json-schema-limitations>
pub(super) fn closed(schema: &Value) -> Value {
    let mut schema = schema.clone();
    close(&mut schema);
    schema
}

fn close(schema: &mut Value) {
    let Value::Object(fields) = schema else { return };
    let is_object = fields.get("type").is_some_and(|kind| kind == "object") || fields.contains_key("properties");
    if is_object && !fields.contains_key("additionalProperties") {
        fields.insert("additionalProperties".to_owned(), false.into());
    }
    for (name, below) in fields {
        match (&**name, below) {
            ("properties" | "$defs" | "definitions", Value::Object(named)) => named.values_mut().for_each(close),
            ("anyOf" | "allOf" | "oneOf" | "prefixItems", Value::Array(several)) => several.iter_mut().for_each(close),
            ("items" | "additionalProperties" | "not", one) => close(one),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_input_is_an_object_whatever_its_schema_leaves_out() {
        let empty = json!({ "type": "object", "properties": {} });
        assert_eq!(of_input(None), empty);
        assert_eq!(of_input(Some(&json!({}))), empty);
        let named = json!({ "properties": { "a": {} } });
        assert_eq!(of_input(Some(&named)), json!({ "type": "object", "properties": { "a": {} } }));
    }

    #[test]
    fn every_object_in_a_schema_is_closed_and_what_is_open_on_purpose_stays() {
        let open = json!({
            "type": "object",
            "properties": {
                "properties": { "type": "array", "items": { "type": "object", "properties": {} } },
                "b": { "anyOf": [{ "type": "object" }, { "type": "string" }] },
                "c": { "type": "object", "additionalProperties": true },
            },
            "$defs": { "d": { "properties": {} } },
        });
        let shut = json!({
            "type": "object",
            "properties": {
                "properties": {
                    "type": "array",
                    "items": { "type": "object", "properties": {}, "additionalProperties": false },
                },
                "b": { "anyOf": [{ "type": "object", "additionalProperties": false }, { "type": "string" }] },
                "c": { "type": "object", "additionalProperties": true },
            },
            "$defs": { "d": { "properties": {}, "additionalProperties": false } },
            "additionalProperties": false,
        });
        assert_eq!(closed(&open), shut);
    }
}
