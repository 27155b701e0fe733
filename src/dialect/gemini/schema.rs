//! Gemini's own schemas, a dialect of OpenAPI 3.0, as JSON Schema.
//!
//! <https://ai.google.dev/api/caching#Schema>

use serde_json::{Map, Value, json};

/// Names that are written otherwise in protobuf's other spelling.
const NAMES: [(&str, &str); 10] = [
    ("any_of", "anyOf"),
    ("max_items", "maxItems"),
    ("min_items", "minItems"),
    ("max_length", "maxLength"),
    ("min_length", "minLength"),
    ("max_properties", "maxProperties"),
    ("min_properties", "minProperties"),
    ("property_ordering", "propertyOrdering"),
    ("additional_properties", "additionalProperties"),
    ("prefix_items", "prefixItems"),
];

/// `schema` as JSON Schema. What it is already stays as it is.
pub(super) fn to_json_schema(schema: Value) -> Value {
    let Value::Object(fields) = schema else { return schema };
    let mut converted = Map::new();
    let mut nullable = false;
    for (name, value) in fields {
        let name = NAMES.iter().find(|(snake, _)| *snake == name).map_or(&*name, |(_, camel)| camel);
        match (name, value) {
            ("nullable", value) => nullable = value == true,
            ("type", Value::String(name)) if name == "TYPE_UNSPECIFIED" => {}
            ("type", Value::String(name)) => drop(converted.insert("type".into(), name.to_ascii_lowercase().into())),
            // The order of properties, and the mark of an enum, are of no use to anyone else.
            ("propertyOrdering", _) => {}
            ("format", value) if value == "enum" => {}
            ("example", value) => drop(converted.insert("examples".into(), json!([value]))),
            ("properties" | "$defs" | "defs", Value::Object(members)) => {
                let members = members.into_iter().map(|(name, schema)| (name, to_json_schema(schema)));
                converted.insert(name.into(), Value::Object(members.collect()));
            }
            ("anyOf" | "oneOf" | "allOf" | "prefixItems", Value::Array(members)) => {
                converted.insert(name.into(), members.into_iter().map(to_json_schema).collect());
            }
            ("items" | "additionalProperties", value) => drop(converted.insert(name.into(), to_json_schema(value))),
            // Protobuf writes its long integers as strings.
            ("maxItems" | "minItems" | "maxLength" | "minLength" | "maxProperties" | "minProperties", value) => {
                let number = value.as_str().and_then(|text| text.parse::<u64>().ok()).map(Value::from);
                converted.insert(name.into(), number.unwrap_or(value));
            }
            (name, value) => drop(converted.insert(name.into(), value)),
        }
    }
    if nullable {
        allow_null(&mut converted);
    }
    Value::Object(converted)
}

fn allow_null(schema: &mut Map<String, Value>) {
    if let Some(Value::String(name)) = schema.get("type") {
        let types = json!([name, "null"]);
        schema.insert("type".into(), types);
    } else if let Some(Value::Array(members)) = schema.get_mut("anyOf") {
        members.push(json!({ "type": "null" }));
    }
    if let Some(Value::Array(values)) = schema.get_mut("enum") {
        values.push(Value::Null);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_schema_of_googles_becomes_one_that_all_understand() {
        let schema = json!({
            "type": "OBJECT",
            "properties": {
                "type": { "type": "STRING", "format": "enum", "enum": ["a", "b"], "nullable": true },
                "list": { "type": "ARRAY", "items": { "type": "INTEGER", "format": "int32" }, "min_items": "1" },
                "either": { "anyOf": [{ "type": "NUMBER" }, { "type": "TYPE_UNSPECIFIED" }], "nullable": true },
            },
            "required": ["type"],
            "propertyOrdering": ["type", "list"],
            "example": {},
        });
        let expected = json!({
            "type": "object",
            "properties": {
                "type": { "type": ["string", "null"], "enum": ["a", "b", null] },
                "list": { "type": "array", "items": { "type": "integer", "format": "int32" }, "minItems": 1 },
                "either": { "anyOf": [{ "type": "number" }, {}, { "type": "null" }] },
            },
            "required": ["type"],
            "examples": [{}],
        });
        assert_eq!(to_json_schema(schema), expected);
    }

    #[test]
    fn a_json_schema_stays_what_it_is() {
        let schema = json!({ "type": "object", "properties": { "a": { "type": ["string", "null"], "title": "A" } } });
        assert_eq!(to_json_schema(schema.clone()), schema);
    }
}
