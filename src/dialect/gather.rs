//! Puts an answer together from the pieces of its stream, as JSON.
//!
//! The pieces are joined by their shape and not by their meaning: whatever a provider has thought of since is in the answer, too.

use serde_json::{Map, Value};

/// What names a thing or says what it is. It is told once, or with every piece the same, and never in pieces.
const NAMES: [&str; 7] = ["id", "type", "role", "name", "format", "finish_reason", "object"];

/// Adds `piece` to `whole`: texts and lists grow, members are joined one by one, and of anything else the last counts.
pub(super) fn join(whole: &mut Map<String, Value>, piece: Map<String, Value>) {
    for (name, value) in piece {
        match whole.get_mut(&name) {
            None => {
                let mut begun = match value {
                    Value::Array(_) => Value::Array(Vec::new()),
                    Value::Object(_) => Value::Object(Map::new()),
                    _ => Value::Null,
                };
                add(&mut begun, value);
                whole.insert(name, begun);
            }
            Some(known) if NAMES.contains(&&*name) => replace(known, value),
            Some(known) => add(known, value),
        }
    }
}

/// The last of two that says anything.
pub(super) fn replace(known: &mut Value, value: Value) {
    if !value.is_null() && value != "" {
        *known = value;
    }
}

fn add(known: &mut Value, value: Value) {
    match (known, value) {
        (_, Value::Null) => {}
        (Value::String(text), Value::String(more)) => text.push_str(&more),
        (Value::Object(object), Value::Object(more)) => join(object, more),
        (Value::Array(list), Value::Array(more)) => more.into_iter().for_each(|element| extend(list, element)),
        (known, value) => *known = value,
    }
}

/// Adds `element` to `list`, or to the element there that has the same `index`.
fn extend(list: &mut Vec<Value>, element: Value) {
    let index = element.get("index").filter(|index| index.is_u64());
    let same = index.and_then(|index| list.iter().position(|known| known.get("index") == Some(index)));
    match (same.map(|at| &mut list[at]), element) {
        (Some(Value::Object(known)), Value::Object(more)) => join(known, more),
        (_, element) => list.push(element),
    }
}

/// The object that is the member `name` of `of`, taken out of it.
pub(super) fn take_object(of: &mut Map<String, Value>, name: &str) -> Option<Map<String, Value>> {
    match of.get_mut(name).map(Value::take) {
        Some(Value::Object(object)) => Some(object),
        _ => None,
    }
}

/// The list that is the member `name` of `of`, taken out of it.
pub(super) fn take_list(of: &mut Map<String, Value>, name: &str) -> Vec<Value> {
    match of.get_mut(name).map(Value::take) {
        Some(Value::Array(list)) => list,
        _ => Vec::new(),
    }
}

/// The place that `of` has among its like.
pub(super) fn index_of(of: &Map<String, Value>, name: &str) -> u64 {
    of.get(name).and_then(Value::as_u64).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn joined(pieces: &[Value]) -> Value {
        let mut whole = Map::new();
        pieces.iter().for_each(|piece| join(&mut whole, piece.as_object().unwrap().clone()));
        Value::Object(whole)
    }

    #[test]
    fn texts_and_lists_grow_and_names_do_not() {
        let pieces = [
            json!({"id": "a", "text": "one ", "list": [1], "count": 1, "null": null}),
            json!({"id": "a", "text": "two", "list": [2], "count": 2, "null": "some", "more": {"text": "x"}}),
            json!({"id": "", "text": null, "more": {"text": "y"}}),
        ];
        let whole =
            json!({"id": "a", "text": "one two", "list": [1, 2], "count": 2, "null": "some", "more": {"text": "xy"}});
        assert_eq!(joined(&pieces), whole);
    }

    #[test]
    fn elements_with_the_same_index_are_one_even_within_one_piece() {
        let pieces = [
            json!({"calls": [{"index": 1, "id": "b", "arguments": "{"}, {"index": 0, "id": "a"}, {"index": 1, "arguments": "}"}]}),
            json!({"calls": [{"index": 0, "name": "f"}]}),
        ];
        let whole =
            json!({"calls": [{"index": 1, "id": "b", "arguments": "{}"}, {"index": 0, "id": "a", "name": "f"}]});
        assert_eq!(joined(&pieces), whole);
    }
}
