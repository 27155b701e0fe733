//! Takes a request apart, field by field: what has been taken is understood, and what is left at the end is noted.

use serde_json::{Map, Value};

use crate::canonical::{Unmapped, Weight};
use crate::dialect::Malformed;

/// What a request says that has no place in a canonical one.
#[derive(Debug, Default)]
pub(super) struct Notes(Vec<Unmapped>);

impl Notes {
    /// Notes it once, however often it is said.
    pub(super) fn add(&mut self, param: impl Into<String>, weight: Weight) {
        let unmapped = Unmapped { param: param.into(), weight };
        if !self.0.contains(&unmapped) {
            self.0.push(unmapped);
        }
    }

    pub(super) fn into_list(self) -> Vec<Unmapped> {
        self.0
    }
}

/// Fields that concern cost, accounting, caches or comfort, wherever they stand.
const HINTS: [&str; 13] = [
    "anthropic_beta",
    "anthropic_version",
    "betas",
    "cache_control",
    "context_management",
    "defer_loading",
    "diagnostics",
    "eager_input_streaming",
    "fallbacks",
    "input_examples",
    "service_tier",
    "speed",
    "user_profile_id",
];

/// An object of a request.
#[derive(Debug)]
pub(super) struct Fields {
    map: Map<String, Value>,
    /// The field of the body that it stands in; `None` for the body itself.
    param: Option<&'static str>,
    /// Where it stands; empty for the body.
    path: String,
}

impl Fields {
    pub(super) fn of_body(map: Map<String, Value>) -> Self {
        Self { map, param: None, path: String::new() }
    }

    /// The object that stands at `path` in the body's field `param`.
    pub(super) fn of(value: Value, param: &'static str, path: String) -> Result<Self, Malformed> {
        match value {
            Value::Object(map) => Ok(Self { map, param: Some(param), path }),
            _ => Err(malformed(param, &path, "must be an object")),
        }
    }

    pub(super) fn path_of(&self, name: &str) -> String {
        if self.path.is_empty() { name.to_owned() } else { format!("{}.{name}", self.path) }
    }

    /// Says that the field `name` is wrong.
    pub(super) fn wrong(&self, name: &'static str, what: &str) -> Malformed {
        malformed(self.param.unwrap_or(name), &self.path_of(name), what)
    }

    /// A field; null is none.
    pub(super) fn take(&mut self, name: &str) -> Option<Value> {
        self.map.shift_remove(name).filter(|value| !value.is_null())
    }

    pub(super) fn string(&mut self, name: &'static str) -> Result<Option<String>, Malformed> {
        match self.take(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => Err(self.wrong(name, "must be a string")),
        }
    }

    pub(super) fn needed_string(&mut self, name: &'static str) -> Result<String, Malformed> {
        self.string(name)?.ok_or_else(|| self.wrong(name, "is required"))
    }

    pub(super) fn integer(&mut self, name: &'static str) -> Result<Option<u64>, Malformed> {
        let wrong = |this: &Self| this.wrong(name, "must be a whole number that is not negative");
        self.take(name).map(|value| value.as_u64().ok_or_else(|| wrong(self))).transpose()
    }

    pub(super) fn number(&mut self, name: &'static str) -> Result<Option<f64>, Malformed> {
        self.take(name).map(|value| value.as_f64().ok_or_else(|| self.wrong(name, "must be a number"))).transpose()
    }

    pub(super) fn boolean(&mut self, name: &'static str) -> Result<Option<bool>, Malformed> {
        let wrong = |this: &Self| this.wrong(name, "must be true or false");
        self.take(name).map(|value| value.as_bool().ok_or_else(|| wrong(self))).transpose()
    }

    pub(super) fn list(&mut self, name: &'static str) -> Result<Option<Vec<Value>>, Malformed> {
        match self.take(name) {
            None => Ok(None),
            Some(Value::Array(values)) => Ok(Some(values)),
            Some(_) => Err(self.wrong(name, "must be a list")),
        }
    }

    pub(super) fn object(&mut self, name: &'static str) -> Result<Option<Self>, Malformed> {
        let (param, path) = (self.param.unwrap_or(name), self.path_of(name));
        self.take(name).map(|value| Self::of(value, param, path)).transpose()
    }

    /// The objects of a list.
    pub(super) fn objects(&mut self, name: &'static str) -> Result<Vec<Self>, Malformed> {
        let (param, path) = (self.param.unwrap_or(name), self.path_of(name));
        let values = self.list(name)?.unwrap_or_default();
        let object = |(at, value)| Self::of(value, param, format!("{path}[{at}]"));
        values.into_iter().enumerate().map(object).collect()
    }

    /// A list of blocks. A string is short for one block of text.
    pub(super) fn blocks(&mut self, name: &'static str) -> Result<Option<Vec<Self>>, Malformed> {
        match self.take(name) {
            None => Ok(None),
            Some(Value::String(text)) => {
                let block = serde_json::json!({ "type": "text", "text": text });
                Self::of(block, self.param.unwrap_or(name), self.path_of(name)).map(|block| Some(vec![block]))
            }
            Some(blocks @ Value::Array(_)) => {
                self.map.insert(name.to_owned(), blocks);
                self.objects(name).map(Some)
            }
            Some(_) => Err(self.wrong(name, "must be a string or a list of blocks")),
        }
    }

    /// Whether it is of a kind, by its type.
    pub(super) fn is_a(&self, kind: &str) -> bool {
        self.map.get("type").is_some_and(|own| own == kind)
    }

    /// A string that is left where it is.
    pub(super) fn peek(&self, name: &str) -> Option<&str> {
        self.map.get(name)?.as_str()
    }

    /// Whether something in it has not been taken.
    pub(super) fn has_rest(&self) -> bool {
        !self.map.values().all(says_nothing)
    }

    /// All that has not been taken.
    pub(super) fn into_value(self) -> Value {
        Value::Object(self.map)
    }

    /// Notes what has not been taken, but for what says nothing.
    pub(super) fn note_rest(self, notes: &mut Notes) {
        for (name, value) in &self.map {
            if says_nothing(value) {
                continue;
            }
            match HINTS.iter().find(|hint| *hint == name) {
                Some(hint) => notes.add(*hint, Weight::Hint),
                None => notes.add(self.path_of(name), Weight::Meaning),
            }
        }
    }

    /// Notes the whole object, which is of a kind that is not understood.
    pub(super) fn note_kind(&self, notes: &mut Notes) {
        notes.add(self.path_of("type"), Weight::Meaning);
    }
}

fn malformed(param: &'static str, path: &str, what: &str) -> Malformed {
    Malformed { message: format!("`{path}` {what}."), param: Some(param) }
}

fn says_nothing(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => true,
        Value::String(text) => text.is_empty(),
        Value::Array(values) => values.is_empty(),
        Value::Object(fields) => fields.is_empty(),
        _ => false,
    }
}
