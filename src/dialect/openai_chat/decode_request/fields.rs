//! Reads the fields of JSON objects, and knows which have not been read.

use serde_json::{Map, Value};

use crate::canonical::{Unmapped, Weight};
use crate::dialect::Malformed;

/// The fields of one object that have not been taken. Null is as good as absent.
#[derive(Debug)]
pub(super) struct Fields {
    fields: Map<String, Value>,
    /// Where the object stands; empty for the body itself.
    path: String,
    /// The field of the body that it stands in.
    param: Option<&'static str>,
}

impl Fields {
    /// Those of the body.
    pub(super) fn new(fields: Map<String, Value>) -> Self {
        Self { fields, path: String::new(), param: None }
    }

    /// Those of `value`, which stands at `path` in the body's field `param`.
    pub(super) fn of(value: Value, path: String, param: &'static str) -> Result<Self, Malformed> {
        match value {
            Value::Object(fields) => Ok(Self { fields, path, param: Some(param) }),
            _ => Err(malformed(&path, "an object", param)),
        }
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.fields.get(name).is_some_and(|value| !value.is_null())
    }

    pub(super) fn take(&mut self, name: &str) -> Option<Value> {
        self.fields.shift_remove(name).filter(|value| !value.is_null())
    }

    pub(super) fn put_back(&mut self, name: &str, value: Value) {
        self.fields.insert(name.to_owned(), value);
    }

    pub(super) fn string(&mut self, name: &'static str) -> Result<Option<String>, Malformed> {
        match self.take(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => Err(self.wrong(name, "a string")),
        }
    }

    pub(super) fn boolean(&mut self, name: &'static str) -> Result<Option<bool>, Malformed> {
        self.read(name, "true or false", |value| value.as_bool())
    }

    pub(super) fn number(&mut self, name: &'static str) -> Result<Option<f64>, Malformed> {
        self.read(name, "a number", |value| value.as_f64())
    }

    pub(super) fn count(&mut self, name: &'static str) -> Result<Option<u64>, Malformed> {
        self.read(name, "a whole number, 0 or more", |value| value.as_u64())
    }

    pub(super) fn integer(&mut self, name: &'static str) -> Result<Option<i64>, Malformed> {
        self.read(name, "a whole number", |value| value.as_i64())
    }

    /// A string, or a list of strings.
    pub(super) fn texts(&mut self, name: &'static str) -> Result<Vec<String>, Malformed> {
        let texts = self.read(name, "a string or a list of strings", |value| match value {
            Value::String(text) => Some(vec![text.clone()]),
            Value::Array(list) => list.iter().map(|text| text.as_str().map(str::to_owned)).collect(),
            _ => None,
        });
        Ok(texts?.unwrap_or_default())
    }

    pub(super) fn object(&mut self, name: &'static str) -> Result<Option<Self>, Malformed> {
        let Some(value) = self.take(name) else { return Ok(None) };
        Self::of(value, self.path_of(name), self.param.unwrap_or(name)).map(Some)
    }

    /// The objects in a list.
    pub(super) fn objects(&mut self, name: &'static str) -> Result<Vec<Self>, Malformed> {
        let param = self.param.unwrap_or(name);
        match self.take(name) {
            None => Ok(Vec::new()),
            Some(Value::Array(list)) => {
                let path = |at| format!("{}[{at}]", self.path_of(name));
                list.into_iter().enumerate().map(|(at, value)| Self::of(value, path(at), param)).collect()
            }
            Some(_) => Err(self.wrong(name, "a list of objects")),
        }
    }

    /// The path of the object's field `name`.
    pub(super) fn path_of(&self, name: &str) -> String {
        if self.path.is_empty() { name.to_owned() } else { format!("{}.{name}", self.path) }
    }

    /// The object's own path.
    pub(super) fn path(&self) -> &str {
        &self.path
    }

    /// The field `name` is not `what` it must be.
    pub(super) fn wrong(&self, name: &'static str, what: &str) -> Malformed {
        malformed(&self.path_of(name), what, self.param.unwrap_or(name))
    }

    fn read<T>(
        &mut self,
        name: &'static str,
        what: &str,
        read: impl FnOnce(&Value) -> Option<T>,
    ) -> Result<Option<T>, Malformed> {
        match self.take(name) {
            None => Ok(None),
            Some(value) => read(&value).map(Some).ok_or_else(|| self.wrong(name, what)),
        }
    }
}

fn malformed(path: &str, what: &str, param: &'static str) -> Malformed {
    Malformed { message: format!("`{path}` must be {what}."), param: Some(param) }
}

/// What has been said that has no place in the canonical request.
#[derive(Debug, Default)]
pub(super) struct Notes {
    list: Vec<Unmapped>,
}

impl Notes {
    pub(super) fn meaning(&mut self, param: impl Into<String>) {
        self.list.push(Unmapped { param: param.into(), weight: Weight::Meaning });
    }

    pub(super) fn hint(&mut self, param: impl Into<String>) {
        self.list.push(Unmapped { param: param.into(), weight: Weight::Hint });
    }

    /// What nobody has taken, but for what says nothing.
    pub(super) fn leftovers(&mut self, fields: &Fields, weigh: impl Fn(&str) -> Weight) {
        for (name, value) in &fields.fields {
            if !says_nothing(value) {
                self.list.push(Unmapped { param: fields.path_of(name), weight: weigh(name) });
            }
        }
    }

    pub(super) fn into_list(self) -> Vec<Unmapped> {
        self.list
    }
}

fn says_nothing(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => true,
        Value::String(text) => text.is_empty(),
        Value::Array(list) => list.is_empty(),
        Value::Object(fields) => fields.is_empty(),
        _ => false,
    }
}
