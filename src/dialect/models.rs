//! Lists of models, as providers tell them.

use serde_json::Value;

/// The models in the list that `body` has under `name`, or is, each with what it has under `id`; `None` if it is no list.
pub(super) fn read(mut body: Value, name: &str, id: &str) -> Option<Vec<(String, Value)>> {
    // Together answers with a bare array.
    let list = if body.is_array() { body } else { body.get_mut(name)?.take() };
    let Value::Array(models) = list else { return None };
    Some(models.into_iter().filter_map(|card| Some((card.get(id)?.as_str()?.to_owned(), card))).collect())
}
