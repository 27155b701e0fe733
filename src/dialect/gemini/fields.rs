//! The fields of a JSON object, taken out one by one. What nobody takes is what has no place here.
//!
//! Gemini's JSON is protobuf's, which understands every name in two spellings, `maxOutputTokens` and `max_output_tokens`,
//! and numbers also as strings.

use serde_json::{Map, Value};

use crate::canonical::{Unmapped, Weight};
use crate::dialect::Malformed;

/// What is left of an object.
#[derive(Debug)]
pub(super) struct Fields {
    left: Map<String, Value>,
    /// Where the object stands in the request; empty for the request itself.
    path: String,
    /// The field of the request it stands in.
    param: Option<&'static str>,
}

impl Fields {
    /// A request.
    pub(super) fn of_request(fields: Map<String, Value>) -> Self {
        Self { left: fields, path: String::new(), param: None }
    }

    /// The fields of `value`, which stands at `path` in the request's field `param`.
    pub(super) fn of(value: Value, path: String, param: &'static str) -> Result<Self, Malformed> {
        match value {
            Value::Object(left) => Ok(Self { left, path, param: Some(param) }),
            _ => Err(Malformed { message: format!("`{path}` must be an object."), param: Some(param) }),
        }
    }

    /// Where the field called `name` stands.
    pub(super) fn path_of(&self, name: &str) -> String {
        if self.path.is_empty() { name.to_owned() } else { format!("{}.{name}", self.path) }
    }

    /// Takes out the field called `name`, in either spelling; null is none.
    pub(super) fn take(&mut self, name: &str) -> Option<Value> {
        let value = self.left.shift_remove(name).or_else(|| self.left.shift_remove(&snake_case(name)));
        value.filter(|value| !value.is_null())
    }

    /// Takes out a field whose absence changes nothing of the answer, and notes it.
    pub(super) fn take_hint(&mut self, name: &str, unmapped: &mut Vec<Unmapped>) {
        if self.take(name).is_some_and(|value| !is_nothing(&value)) {
            unmapped.push(Unmapped { param: self.path_of(name), weight: Weight::Hint });
        }
    }

    pub(super) fn string(&mut self, name: &'static str) -> Result<Option<String>, Malformed> {
        self.parse(name, "a string", |value| match value {
            Value::String(text) => Some(text),
            _ => None,
        })
    }

    pub(super) fn boolean(&mut self, name: &'static str) -> Result<Option<bool>, Malformed> {
        self.parse(name, "true or false", |value| value.as_bool())
    }

    pub(super) fn number(&mut self, name: &'static str) -> Result<Option<f64>, Malformed> {
        self.parse(name, "a number", |value| value.as_f64().or_else(|| value.as_str()?.parse().ok()))
    }

    /// An integer, which may be written as `40.0` or `"40"`.
    pub(super) fn integer(&mut self, name: &'static str) -> Result<Option<i64>, Malformed> {
        self.parse(name, "an integer", |value| match value {
            Value::Number(number) => number.as_i64().or_else(|| {
                let number = number.as_f64().filter(|number| number.fract() == 0.0 && number.abs() < 1e15)?;
                Some(number as i64)
            }),
            Value::String(text) => text.parse().ok(),
            _ => None,
        })
    }

    /// An integer that is not negative.
    pub(super) fn count(&mut self, name: &'static str) -> Result<Option<u64>, Malformed> {
        let (path, param) = (self.path_of(name), self.param.unwrap_or(name));
        let count = self.integer(name)?.map(u64::try_from).transpose();
        count.map_err(|_| Malformed { message: format!("`{path}` must not be negative."), param: Some(param) })
    }

    pub(super) fn array(&mut self, name: &'static str) -> Result<Option<Vec<Value>>, Malformed> {
        self.parse(name, "an array", |value| match value {
            Value::Array(values) => Some(values),
            _ => None,
        })
    }

    pub(super) fn strings(&mut self, name: &'static str) -> Result<Option<Vec<String>>, Malformed> {
        self.parse(name, "an array of strings", |value| {
            let Value::Array(values) = value else { return None };
            values.into_iter().map(|value| value.as_str().map(str::to_owned)).collect()
        })
    }

    pub(super) fn object(&mut self, name: &'static str) -> Result<Option<Self>, Malformed> {
        let (path, param) = (self.path_of(name), self.param.unwrap_or(name));
        self.take(name).map(|value| Self::of(value, path, param)).transpose()
    }

    /// All of it.
    pub(super) fn into_value(self) -> Value {
        Value::Object(self.left)
    }

    /// Notes all that is left, but for values that say nothing.
    pub(super) fn note_rest(self, unmapped: &mut Vec<Unmapped>) {
        for (name, value) in &self.left {
            if !is_nothing(value) {
                unmapped.push(Unmapped { param: self.path_of(name), weight: Weight::Meaning });
            }
        }
    }

    /// Notes all that is left, also what is empty: the name alone means something.
    pub(super) fn note_names(self, unmapped: &mut Vec<Unmapped>) {
        for (name, _) in self.left.iter().filter(|(_, value)| !value.is_null()) {
            unmapped.push(Unmapped { param: self.path_of(name), weight: Weight::Meaning });
        }
    }

    fn parse<T>(
        &mut self,
        name: &'static str,
        what: &str,
        read: impl FnOnce(Value) -> Option<T>,
    ) -> Result<Option<T>, Malformed> {
        let Some(value) = self.take(name) else { return Ok(None) };
        match read(value) {
            Some(read) => Ok(Some(read)),
            None => Err(Malformed {
                message: format!("`{}` must be {what}.", self.path_of(name)),
                param: Some(self.param.unwrap_or(name)),
            }),
        }
    }
}

fn is_nothing(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => true,
        Value::String(text) => text.is_empty(),
        Value::Array(values) => values.is_empty(),
        Value::Object(fields) => fields.is_empty(),
        _ => false,
    }
}

/// `maxOutputTokens` as `max_output_tokens`.
pub(super) fn snake_case(name: &str) -> String {
    let mut snake = String::with_capacity(name.len() + 4);
    for character in name.chars() {
        if character.is_ascii_uppercase() {
            snake.push('_');
        }
        snake.push(character.to_ascii_lowercase());
    }
    snake
}
