//! The fields of a request's objects, taken one by one, so that what nobody took is known.

use std::borrow::Cow;

use serde_json::{Map, Value};

use super::request::{self, Malformed};
use crate::canonical::{Unmapped, Weight};

/// What of an object has not been taken. A field that is null is none.
#[derive(Debug)]
pub(super) struct Fields {
    map: Map<String, Value>,
    /// Where the object stands; empty for the request itself.
    path: String,
    /// The field of the request that it stands in; `None` for the request itself.
    param: Option<&'static str>,
    /// Whether it is protobuf's JSON, which understands every name in two spellings, `maxOutputTokens` and
    /// `max_output_tokens`, and numbers also as strings.
    is_proto: bool,
}

/// What may be said as one text for short.
#[derive(Debug)]
pub(super) enum Content {
    Text(String),
    Objects(Vec<Fields>),
}

impl Fields {
    /// Those of a request.
    pub(super) fn of_body(body: &[u8]) -> Result<Self, Malformed> {
        Ok(Self { map: request::read(body)?, path: String::new(), param: None, is_proto: false })
    }

    /// Those of a request in protobuf's JSON.
    pub(super) fn of_proto(body: &[u8]) -> Result<Self, Malformed> {
        Ok(Self { is_proto: true, ..Self::of_body(body)? })
    }

    /// Those of `value`, which was taken out of the field `name`.
    pub(super) fn inside(&self, name: &'static str, value: Value) -> Result<Self, Malformed> {
        self.at(self.path_of(name), name, value)
    }

    fn at(&self, path: String, name: &'static str, value: Value) -> Result<Self, Malformed> {
        let param = self.param.unwrap_or(name);
        match value {
            Value::Object(map) => Ok(Self { map, path, param: Some(param), is_proto: self.is_proto }),
            _ => Err(wrong(&path, param, "an object")),
        }
    }

    /// Where the object stands.
    pub(super) fn path(&self) -> &str {
        &self.path
    }

    /// Where its field `name` stands.
    pub(super) fn path_of(&self, name: &str) -> String {
        if self.path.is_empty() { name.to_owned() } else { format!("{}.{name}", self.path) }
    }

    /// The field `name` is not `what` it must be.
    pub(super) fn wrong(&self, name: &'static str, what: &str) -> Malformed {
        wrong(&self.path_of(name), self.param.unwrap_or(name), what)
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.peek(name).is_some()
    }

    /// Whether the field `name` is `value`.
    pub(super) fn is(&self, name: &str, value: &(impl PartialEq<Value> + ?Sized)) -> bool {
        self.peek(name).is_some_and(|own| *value == *own)
    }

    /// The field `name`, left where it is.
    pub(super) fn peek(&self, name: &str) -> Option<&Value> {
        self.map.get(&*self.spelled(name)).filter(|value| !value.is_null())
    }

    pub(super) fn take(&mut self, name: &str) -> Option<Value> {
        let name = self.spelled(name);
        // The others stay in their order: it is that in which they are noted.
        self.map.shift_remove(&*name).filter(|value| !value.is_null())
    }

    /// The field `name` as the request spells it.
    fn spelled<'n>(&self, name: &'n str) -> Cow<'n, str> {
        if self.is_proto && !self.map.contains_key(name) { snake_case(name).into() } else { name.into() }
    }

    /// Takes the field `name` if it is `default`, which asks for what there is anyway.
    pub(super) fn take_default(&mut self, name: &str, default: &(impl PartialEq<Value> + ?Sized)) {
        if self.is(name, default) {
            self.take(name);
        }
    }

    /// Takes the field `name`, which changes nothing of the answer, and notes it.
    pub(super) fn take_hint(&mut self, name: &str, notes: &mut Notes) {
        if self.take(name).is_some_and(|value| !says_nothing(&value)) {
            notes.hint(self.path_of(name));
        }
    }

    /// Takes the field `name` as `read` reads it; `None` from that if it is not `what` it must be.
    pub(super) fn read<T>(
        &mut self,
        name: &'static str,
        what: &str,
        read: impl FnOnce(Value) -> Option<T>,
    ) -> Result<Option<T>, Malformed> {
        let value = self.take(name);
        value.map(|value| read(value).ok_or_else(|| self.wrong(name, what))).transpose()
    }

    pub(super) fn string(&mut self, name: &'static str) -> Result<Option<String>, Malformed> {
        self.read(name, "a string", string)
    }

    /// A string that is not empty: an empty one is none.
    pub(super) fn text(&mut self, name: &'static str) -> Result<Option<String>, Malformed> {
        Ok(self.string(name)?.filter(|text| !text.is_empty()))
    }

    pub(super) fn needed_string(&mut self, name: &'static str) -> Result<String, Malformed> {
        self.string(name)?.ok_or_else(|| self.wrong(name, "a string"))
    }

    pub(super) fn needed_text(&mut self, name: &'static str) -> Result<String, Malformed> {
        self.text(name)?.ok_or_else(|| self.wrong(name, "a non-empty string"))
    }

    pub(super) fn boolean(&mut self, name: &'static str) -> Result<Option<bool>, Malformed> {
        self.read(name, "true or false", |value| value.as_bool())
    }

    pub(super) fn number(&mut self, name: &'static str) -> Result<Option<f64>, Malformed> {
        self.numeric(name, "a number", Value::as_f64)
    }

    pub(super) fn integer(&mut self, name: &'static str) -> Result<Option<i64>, Malformed> {
        self.numeric(name, "a whole number", Value::as_i64)
    }

    pub(super) fn count(&mut self, name: &'static str) -> Result<Option<u64>, Malformed> {
        self.numeric(name, "a whole number, 0 or more", Value::as_u64)
    }

    fn numeric<T>(
        &mut self,
        name: &'static str,
        what: &str,
        read: fn(&Value) -> Option<T>,
    ) -> Result<Option<T>, Malformed> {
        let is_proto = self.is_proto;
        self.read(name, what, |value| read(&if is_proto { proto_number(value) } else { value }))
    }

    /// A list; none is an empty one.
    pub(super) fn list(&mut self, name: &'static str) -> Result<Vec<Value>, Malformed> {
        let list = self.read(name, "a list", |value| match value {
            Value::Array(list) => Some(list),
            _ => None,
        });
        Ok(list?.unwrap_or_default())
    }

    /// A list of strings.
    pub(super) fn strings(&mut self, name: &'static str) -> Result<Vec<String>, Malformed> {
        let list = self.list(name)?.into_iter().enumerate();
        let path = |at| format!("{}[{at}]", self.path_of(name));
        let text = |(at, value)| string(value).ok_or_else(|| wrong(&path(at), self.param.unwrap_or(name), "a string"));
        list.map(text).collect()
    }

    /// A list of strings, or one of them.
    pub(super) fn string_or_strings(&mut self, name: &'static str) -> Result<Vec<String>, Malformed> {
        match self.peek(name) {
            Some(Value::String(_)) => Ok(self.string(name)?.into_iter().collect()),
            Some(Value::Array(_)) => self.strings(name),
            Some(_) => Err(self.wrong(name, "a string or a list of strings")),
            None => Ok(Vec::new()),
        }
    }

    pub(super) fn object(&mut self, name: &'static str) -> Result<Option<Self>, Malformed> {
        let value = self.take(name);
        value.map(|value| self.inside(name, value)).transpose()
    }

    pub(super) fn needed_object(&mut self, name: &'static str) -> Result<Self, Malformed> {
        self.object(name)?.ok_or_else(|| self.wrong(name, "an object"))
    }

    /// A list of objects.
    pub(super) fn objects(&mut self, name: &'static str) -> Result<Vec<Self>, Malformed> {
        let list = self.list(name)?.into_iter().enumerate();
        list.map(|(at, value)| self.at(format!("{}[{at}]", self.path_of(name)), name, value)).collect()
    }

    /// A list of objects, or one text.
    pub(super) fn content(&mut self, name: &'static str) -> Result<Option<Content>, Malformed> {
        match self.peek(name) {
            Some(Value::String(_)) => Ok(self.string(name)?.map(Content::Text)),
            Some(Value::Array(_)) => self.objects(name).map(|objects| Some(Content::Objects(objects))),
            Some(_) => Err(self.wrong(name, CONTENT)),
            None => Ok(None),
        }
    }

    pub(super) fn needed_content(&mut self, name: &'static str) -> Result<Content, Malformed> {
        self.content(name)?.ok_or_else(|| self.wrong(name, CONTENT))
    }

    /// All that has not been taken.
    pub(super) fn into_value(self) -> Value {
        Value::Object(self.map)
    }

    /// The names of what has not been taken, also of what is empty.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.map.iter().filter(|(_, value)| !value.is_null()).map(|(name, _)| &**name)
    }

    /// The names of what has not been taken and says something.
    pub(super) fn rest(&self) -> impl Iterator<Item = &str> {
        self.map.iter().filter(|(_, value)| !says_nothing(value)).map(|(name, _)| &**name)
    }
}

const CONTENT: &str = "a string or a list of objects";

/// What a request says that has no place in a canonical one.
#[derive(Debug, Default)]
pub(super) struct Notes(Vec<Unmapped>);

impl Notes {
    /// `param` asks for another answer.
    pub(super) fn meaning(&mut self, param: impl Into<String>) {
        self.add(param, Weight::Meaning);
    }

    /// `param` changes nothing of the answer.
    pub(super) fn hint(&mut self, param: impl Into<String>) {
        self.add(param, Weight::Hint);
    }

    /// Notes `param` once, however often it is said.
    pub(super) fn add(&mut self, param: impl Into<String>, weight: Weight) {
        let unmapped = Unmapped { param: param.into(), weight };
        if !self.0.contains(&unmapped) {
            self.0.push(unmapped);
        }
    }

    /// Notes what has not been taken of `fields`: it asks for another answer, but for `hints`.
    pub(super) fn rest(&mut self, fields: &Fields, hints: &[&str]) {
        for name in fields.rest() {
            let weight = if hints.contains(&name) { Weight::Hint } else { Weight::Meaning };
            self.add(fields.path_of(name), weight);
        }
    }

    pub(super) fn into_list(self) -> Vec<Unmapped> {
        self.0
    }
}

fn wrong(path: &str, param: &'static str, what: &str) -> Malformed {
    Malformed { message: format!("`{path}` must be {what}."), param: Some(param) }
}

/// Whether a field that nobody knows says no more than if it were not there.
fn says_nothing(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => true,
        Value::String(text) => text.is_empty(),
        Value::Array(list) => list.is_empty(),
        Value::Object(map) => map.is_empty(),
        Value::Bool(true) | Value::Number(_) => false,
    }
}

fn string(value: Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text),
        _ => None,
    }
}

/// The number that protobuf reads `value` as: 40 may be written as `40.0` and as `"40"`.
fn proto_number(value: Value) -> Value {
    let value = value.as_str().and_then(|text| serde_json::from_str(text).ok()).unwrap_or(value);
    match value.as_f64() {
        #[expect(clippy::cast_possible_truncation, reason = "it is whole and fits")]
        Some(number) if value.is_f64() && number.fract() == 0.0 && number.abs() < 1e15 => (number as i64).into(),
        _ => value,
    }
}

/// `maxOutputTokens` as `max_output_tokens`.
fn snake_case(name: &str) -> String {
    let mut snake = String::with_capacity(name.len() + 4);
    for character in name.chars() {
        if character.is_ascii_uppercase() {
            snake.push('_');
        }
        snake.push(character.to_ascii_lowercase());
    }
    snake
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_taken_is_noted_once_by_its_path_and_weight() {
        let body = br#"{"a":{"list":[{"known":1,"cache":{"x":1},"new":0,"off":false,"none":null,"empty":""}]},"b":"","cache":2}"#;
        let (mut fields, mut notes) = (Fields::of_body(body).unwrap(), Notes::default());
        let mut object = fields.object("a").unwrap().unwrap();
        let mut inner = object.objects("list").unwrap().remove(0);
        assert_eq!(inner.count("known").unwrap(), Some(1));
        assert_eq!(inner.path(), "a.list[0]");
        for fields in [&inner, &inner, &object, &fields] {
            notes.rest(fields, &["cache"]);
        }
        let noted = notes.into_list().into_iter().map(|Unmapped { param, weight }| (param, weight));
        let expected = [("a.list[0].cache", Weight::Hint), ("a.list[0].new", Weight::Meaning), ("cache", Weight::Hint)];
        assert!(noted.eq(expected.map(|(param, weight)| (param.to_owned(), weight))));
    }

    #[test]
    fn what_is_wrong_is_named_by_its_path_and_by_the_field_of_the_request_it_stands_in() {
        let mut fields = Fields::of_body(br#"{"a":{"n":-1,"l":["x",2],"s":7},"c":{}}"#).unwrap();
        let mut object = fields.object("a").unwrap().unwrap();
        let told = |malformed: Malformed| (malformed.message, malformed.param.unwrap());
        assert_eq!(told(object.count("n").unwrap_err()), ("`a.n` must be a whole number, 0 or more.".into(), "a"));
        assert_eq!(told(object.strings("l").unwrap_err()), ("`a.l[1]` must be a string.".into(), "a"));
        assert_eq!(told(object.object("s").unwrap_err()), ("`a.s` must be an object.".into(), "a"));
        assert_eq!(told(object.needed_text("t").unwrap_err()), ("`a.t` must be a non-empty string.".into(), "a"));
        let content = "`c` must be a string or a list of objects.";
        assert_eq!(told(fields.content("c").unwrap_err()), (content.into(), "c"));
    }

    #[test]
    fn protobuf_reads_two_spellings_and_numbers_in_strings_and_nobody_else_does() {
        let body = br#"{"top_k":"40","seed":9007199254740993.0,"max_tokens":"x","topP":"0.5","a_b":{"c_d":40.0}}"#;
        let mut fields = Fields::of_proto(body).unwrap();
        assert!(fields.has("topK") && fields.is("topP", "0.5"));
        assert_eq!((fields.count("topK").unwrap(), fields.number("topP").unwrap()), (Some(40), Some(0.5)));
        assert!(fields.integer("seed").is_err() && fields.count("maxTokens").is_err());
        assert_eq!(fields.object("aB").unwrap().unwrap().integer("cD").unwrap(), Some(40));
        let mut fields = Fields::of_body(body).unwrap();
        assert!(!fields.has("topK") && fields.count("top_k").is_err() && fields.integer("seed").is_err());
    }
}
