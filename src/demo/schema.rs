//! Inventing values that fit a JSON schema.

use serde_json::{Map, Value, json};

/// Schemas may refer to themselves; nobody needs samples deeper than this.
const DEEPEST: usize = 6;

/// Arguments for a tool whose parameters are described by `schema`.
///
/// They are an object whatever the schema says, or fails to say. `message` is what the user said: a tool that searches
/// would search for it.
pub(super) fn arguments(schema: &Value, message: &str) -> Value {
    match (Sampler { root: schema, message }).value(schema, "", 0) {
        object @ Value::Object(_) => object,
        _ => json!({}),
    }
}

/// Invents values for a schema.
struct Sampler<'a> {
    /// Where `$ref` looks things up.
    root: &'a Value,
    /// What a tool for searching would search for.
    message: &'a str,
}

impl Sampler<'_> {
    fn value(&self, schema: &Value, name: &str, depth: usize) -> Value {
        if depth > DEEPEST {
            return Value::Null;
        }
        if let Some(ready) = ready_made(schema) {
            return ready.clone();
        }
        if let Some(other) = self.detour(schema) {
            return self.value(other, name, depth + 1);
        }
        match kind(schema) {
            "object" => self.object(schema, depth),
            "array" => json!([self.value(&schema["items"], name, depth + 1)]),
            "integer" => integer(number(schema, 3.0).ceil()),
            "number" => json!(number(schema, 2.5)),
            "boolean" => json!(true),
            "null" => Value::Null,
            _ => json!(self.text(schema, name)),
        }
    }

    fn object(&self, schema: &Value, depth: usize) -> Value {
        let Some(properties) = schema["properties"].as_object() else {
            return json!({});
        };
        let required: Vec<&str> =
            schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        // A schema that requires nothing still gets one property: an empty call shows nothing.
        let first = properties.keys().next().filter(|_| required.is_empty());
        let wanted = required.into_iter().chain(first.map(String::as_str));
        let sample = |name: &str| {
            let schema = properties.get(name).unwrap_or(&Value::Null);
            (name.to_owned(), self.value(schema, name, depth + 1))
        };
        Value::Object(wanted.map(sample).collect::<Map<_, _>>())
    }

    /// The schema that stands in for this one: a reference, or the first of several alternatives.
    fn detour<'s>(&'s self, schema: &'s Value) -> Option<&'s Value> {
        if let Some(reference) = schema["$ref"].as_str() {
            return self.root.pointer(reference.strip_prefix('#')?);
        }
        let alternatives = ["anyOf", "oneOf", "allOf"].iter().find_map(|word| schema[*word].as_array())?;
        alternatives.iter().find(|schema| schema["type"] != "null")
    }

    fn text(&self, schema: &Value, name: &str) -> String {
        let by_format = match schema["format"].as_str() {
            Some("date") => "2026-03-21",
            Some("time") => "09:30:00Z",
            Some("date-time") => "2026-03-21T09:30:00Z",
            Some("email") => "ada@example.com",
            Some("uri" | "url") => "https://example.com/",
            Some("uuid") => "6f1c2b1e-7a53-4c1e-9d0b-3f1f6f0a8c42",
            _ => "",
        };
        if !by_format.is_empty() {
            return by_format.to_owned();
        }
        let name = name.to_lowercase();
        let mentions = |words: &[&str]| words.iter().any(|word| name.contains(word));
        match () {
            () if mentions(&["city", "location", "place", "destination"]) => "Lisbon".to_owned(),
            () if mentions(&["country"]) => "Portugal".to_owned(),
            () if mentions(&["date", "day"]) => "2026-03-21".to_owned(),
            () if mentions(&["mail"]) => "ada@example.com".to_owned(),
            () if mentions(&["url", "link"]) => "https://example.com/".to_owned(),
            () if mentions(&["path", "file"]) => "notes/río.md".to_owned(),
            () if mentions(&["name", "user"]) => "Ada".to_owned(),
            () if mentions(&["lang"]) => "en".to_owned(),
            () if self.message.trim().is_empty() => "streaming proxy".to_owned(),
            () => self.message.chars().take(80).collect(),
        }
    }
}

/// A value that the schema itself names.
fn ready_made(schema: &Value) -> Option<&Value> {
    let first = |word: &str| schema[word].as_array().and_then(|values| values.first());
    schema.get("const").or_else(|| schema.get("default")).or_else(|| first("enum")).or_else(|| first("examples"))
}

/// The type of a schema: the first that is not null, or what its other keywords give away.
fn kind(schema: &Value) -> &str {
    let named = match &schema["type"] {
        Value::Array(kinds) => kinds.iter().filter_map(Value::as_str).find(|kind| *kind != "null"),
        kind => kind.as_str(),
    };
    match named {
        Some(kind) => kind,
        None if schema["properties"].is_object() => "object",
        None if schema["items"].is_object() => "array",
        None => "string",
    }
}

/// `wish`, or the nearest number within the bounds of the schema.
fn number(schema: &Value, wish: f64) -> f64 {
    let bound = |inclusive: &str, exclusive: &str, step: f64| {
        schema[inclusive].as_f64().or_else(|| schema[exclusive].as_f64().map(|edge| edge + step))
    };
    let low = bound("minimum", "exclusiveMinimum", 1.0).unwrap_or(f64::NEG_INFINITY);
    let high = bound("maximum", "exclusiveMaximum", -1.0).unwrap_or(f64::INFINITY);
    wish.min(high).max(low)
}

/// A whole number is written without a fraction, or strict clients reject it.
fn integer(value: f64) -> Value {
    json!(value as i64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(schema: &Value) -> Value {
        arguments(schema, "rain in Porto")
    }

    #[test]
    fn required_properties_get_values_of_their_type() {
        let schema = json!({
            "type": "object",
            "required": ["city", "days", "unit", "query", "tags", "exact", "ratio"],
            "properties": {
                "city": {"type": "string"},
                "days": {"type": "integer", "minimum": 5},
                "unit": {"enum": ["kelvin", "celsius"]},
                "query": {"type": ["null", "string"]},
                "tags": {"type": "array", "items": {"type": "string", "format": "date"}},
                "exact": {"type": "boolean"},
                "ratio": {"type": "number", "maximum": 1},
                "optional": {"type": "string"},
            },
        });
        let expected = json!({
            "city": "Lisbon", "days": 5, "unit": "kelvin", "query": "rain in Porto", "tags": ["2026-03-21"],
            "exact": true, "ratio": 1.0,
        });
        assert_eq!(sample(&schema), expected);
    }

    #[test]
    fn references_and_alternatives_are_followed_and_loops_end() {
        let schema = json!({
            "type": "object", "required": ["node", "either"],
            "properties": {
                "node": {"$ref": "#/$defs/node"},
                "either": {"anyOf": [{"type": "null"}, {"type": "integer"}]},
            },
            "$defs": {
                "node": {"type": "object", "required": ["next"], "properties": {"next": {"$ref": "#/$defs/node"}}},
            },
        });
        let sample = sample(&schema);
        assert!(sample["node"]["next"].is_object());
        assert_eq!(sample["either"], 3);
    }

    #[test]
    fn a_missing_or_odd_schema_gives_empty_arguments() {
        assert_eq!(sample(&Value::Null), json!({}));
        assert_eq!(sample(&json!({"type": "string"})), json!({}));
    }
}
