//! The fields of an object, taken one by one. What nobody takes is noted.

use serde_json::{Map, Value};

use crate::canonical::{Unmapped, Weight};
use crate::dialect::Malformed;

/// What of an object has not been taken yet.
#[derive(Debug)]
pub(super) struct Fields {
    object: Map<String, Value>,
    /// What stands before the name of a field: `tools[1].`
    path: String,
    /// The field of the request that it is in, if it is not the request.
    within: Option<&'static str>,
}

impl Fields {
    /// The fields of the request.
    pub(super) fn new(object: Map<String, Value>) -> Self {
        Self { object, path: String::new(), within: None }
    }

    /// The fields of `value`, which is at `path` within the request's field `within`.
    pub(super) fn of(value: Value, path: &str, within: &'static str) -> Result<Self, Malformed> {
        match value {
            Value::Object(object) => Ok(Self { object, path: format!("{path}."), within: Some(within) }),
            _ => Err(wrong(path, within, "an object")),
        }
    }

    /// The path of the field called `name`.
    pub(super) fn path(&self, name: &str) -> String {
        format!("{}{name}", self.path)
    }

    /// A field's value; null is none.
    pub(super) fn take(&mut self, name: &str) -> Option<Value> {
        self.object.remove(name).filter(|value| !value.is_null())
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.object.get(name).is_some_and(|value| !value.is_null())
    }

    pub(super) fn string(&mut self, name: &'static str) -> Result<Option<String>, Malformed> {
        match self.take(name) {
            Some(Value::String(text)) => Ok(Some(text)),
            None => Ok(None),
            Some(_) => Err(self.wrong(name, "a string")),
        }
    }

    pub(super) fn boolean(&mut self, name: &'static str) -> Result<Option<bool>, Malformed> {
        let value = self.take(name);
        value.map(|value| value.as_bool().ok_or_else(|| self.wrong(name, "true or false"))).transpose()
    }

    pub(super) fn integer(&mut self, name: &'static str) -> Result<Option<u64>, Malformed> {
        let value = self.take(name);
        value.map(|value| value.as_u64().ok_or_else(|| self.wrong(name, "a whole number"))).transpose()
    }

    pub(super) fn number(&mut self, name: &'static str) -> Result<Option<f64>, Malformed> {
        let value = self.take(name);
        value.map(|value| value.as_f64().ok_or_else(|| self.wrong(name, "a number"))).transpose()
    }

    /// A list; none is an empty one.
    pub(super) fn list(&mut self, name: &'static str) -> Result<Vec<Value>, Malformed> {
        match self.take(name) {
            Some(Value::Array(list)) => Ok(list),
            None => Ok(Vec::new()),
            Some(_) => Err(self.wrong(name, "a list")),
        }
    }

    pub(super) fn object(&mut self, name: &'static str) -> Result<Option<Self>, Malformed> {
        let path = self.path(name);
        let within = self.within.unwrap_or(name);
        self.take(name).map(|value| Self::of(value, &path, within)).transpose()
    }

    /// A field that must be there; `what` it must be.
    pub(super) fn needed(&mut self, name: &'static str, what: &str) -> Result<Value, Malformed> {
        self.take(name).ok_or_else(|| self.wrong(name, what))
    }

    /// A string that must be there.
    pub(super) fn needed_string(&mut self, name: &'static str) -> Result<String, Malformed> {
        self.string(name)?.ok_or_else(|| self.wrong(name, "a string"))
    }

    /// Forgets the field called `name` if it is `default`.
    pub(super) fn drop_if(&mut self, name: &str, default: &str) {
        if self.object.get(name).and_then(Value::as_str) == Some(default) {
            self.object.remove(name);
        }
    }

    /// Notes what is left, but for values that say nothing. `hints` are the fields that change no answer.
    pub(super) fn rest(self, hints: &[&str], notes: &mut Notes) {
        for (name, _) in self.object.iter().filter(|(_, value)| !is_empty(value)) {
            let weight = if hints.contains(&&**name) { Weight::Hint } else { Weight::Meaning };
            notes.add(format!("{}{name}", self.path), weight);
        }
    }

    pub(super) fn wrong(&self, name: &'static str, what: &str) -> Malformed {
        wrong(&self.path(name), self.within.unwrap_or(name), what)
    }
}

/// The value at `path`, in the request's field `param`, must be `what`.
pub(super) fn wrong(path: &str, param: &'static str, what: &str) -> Malformed {
    Malformed { message: format!("`{path}` must be {what}."), param: Some(param) }
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => true,
        Value::String(text) => text.is_empty(),
        Value::Array(list) => list.is_empty(),
        Value::Object(object) => object.is_empty(),
        _ => false,
    }
}

/// What the request says and a canonical one does not.
#[derive(Debug, Default)]
pub(super) struct Notes(Vec<Unmapped>);

impl Notes {
    pub(super) fn add(&mut self, param: String, weight: Weight) {
        let note = Unmapped { param, weight };
        if !self.0.contains(&note) {
            self.0.push(note);
        }
    }

    pub(super) fn into_list(self) -> Vec<Unmapped> {
        self.0
    }
}
