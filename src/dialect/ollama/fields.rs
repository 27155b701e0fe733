//! Takes the fields of an object of a request one by one, so that what nobody took is known.

use serde_json::{Map, Value};

use crate::canonical::{Unmapped, Weight};
use crate::dialect::Malformed;

/// The fields of one object that have not been taken. A field that is null is none.
#[derive(Debug)]
pub(super) struct Fields {
    map: Map<String, Value>,
    /// Where the object is: `messages[2].`; nothing for the request itself.
    path: String,
    /// The field of the request that it is in.
    param: Option<&'static str>,
}

impl Fields {
    /// The request itself.
    pub(super) fn of_request(map: Map<String, Value>) -> Self {
        Self { map, path: String::new(), param: None }
    }

    /// `value`, which stands at `path` in the request's `param`.
    pub(super) fn of(value: Value, param: &'static str, path: &str) -> Result<Self, Malformed> {
        match value {
            Value::Object(map) => Ok(Self { map, path: format!("{path}."), param: Some(param) }),
            _ => Err(malformed(param, path, "an object")),
        }
    }

    /// The path of the field `name`.
    pub(super) fn path(&self, name: &str) -> String {
        format!("{}{name}", self.path)
    }

    /// The field `name` is not what it must be.
    pub(super) fn malformed(&self, name: &'static str, what: &str) -> Malformed {
        malformed(self.param.unwrap_or(name), &self.path(name), what)
    }

    pub(super) fn take(&mut self, name: &str) -> Option<Value> {
        // The order of the others is that of what is told of them.
        self.map.shift_remove(name).filter(|value| !value.is_null())
    }

    /// The text `name`; an empty one is none.
    pub(super) fn text(&mut self, name: &'static str) -> Result<Option<String>, Malformed> {
        match self.take(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text).filter(|text| !text.is_empty())),
            Some(_) => Err(self.malformed(name, "a string")),
        }
    }

    pub(super) fn boolean(&mut self, name: &'static str) -> Result<Option<bool>, Malformed> {
        let value = self.take(name);
        value.map(|value| value.as_bool().ok_or_else(|| self.malformed(name, "true or false"))).transpose()
    }

    pub(super) fn number(&mut self, name: &'static str) -> Result<Option<f64>, Malformed> {
        let value = self.take(name);
        value.map(|value| value.as_f64().ok_or_else(|| self.malformed(name, "a number"))).transpose()
    }

    /// The integer `name`. Of other numbers Ollama, too, takes what is before the point.
    pub(super) fn integer(&mut self, name: &'static str) -> Result<Option<i64>, Malformed> {
        let Some(value) = self.take(name) else { return Ok(None) };
        #[expect(clippy::cast_possible_truncation, reason = "it is what is wanted")]
        let truncated = || value.as_f64().map(|number| number as i64);
        value.as_i64().or_else(truncated).map(Some).ok_or_else(|| self.malformed(name, "an integer"))
    }

    pub(super) fn list(&mut self, name: &'static str) -> Result<Vec<Value>, Malformed> {
        match self.take(name) {
            None => Ok(Vec::new()),
            Some(Value::Array(list)) => Ok(list),
            Some(_) => Err(self.malformed(name, "an array")),
        }
    }

    /// Notes whatever was not taken and says something.
    pub(super) fn leave(self, unmapped: &mut Vec<Unmapped>) {
        for (name, value) in self.map {
            if !is_nothing(&value) {
                unmapped.push(Unmapped { param: format!("{}{name}", self.path), weight: Weight::Meaning });
            }
        }
    }
}

/// Whether a field that nobody knows says nothing.
fn is_nothing(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => true,
        Value::String(text) => text.is_empty(),
        Value::Array(list) => list.is_empty(),
        Value::Object(map) => map.is_empty(),
        Value::Bool(true) | Value::Number(_) => false,
    }
}

fn malformed(param: &'static str, path: &str, what: &str) -> Malformed {
    Malformed { message: format!("`{path}` must be {what}."), param: Some(param) }
}
