//! A call whose arguments arrive value by value, each with the path to its place.
//!
//! <https://docs.cloud.google.com/vertex-ai/generative-ai/docs/multimodal/function-calling#streaming-function-call-arguments>

use serde_json::Value;

use super::wire::PartialArg;

/// Deeper than any arguments are.
const MAX_DEPTH: usize = 128;
/// How many elements of a list may be left out: they are told in order, and a gap costs memory.
const MAX_GAP: usize = 64;

/// A call that is still arriving.
#[derive(Debug)]
pub(super) struct Partial {
    /// What it is known by.
    pub(super) key: u32,
    /// The mark on it.
    pub(super) signature: Option<String>,
    arguments: Value,
    /// The path of the text of which more may come.
    open: Option<String>,
}

impl Partial {
    /// A call known by `key`, without arguments yet.
    pub(super) fn new(key: u32) -> Self {
        Self { key, signature: None, arguments: Value::Object(serde_json::Map::new()), open: None }
    }

    /// What is known of its arguments, as the text of a JSON object.
    pub(super) fn arguments(&self) -> String {
        self.arguments.to_string()
    }

    /// Takes another value, or more of the last one. What has a path that leads nowhere is passed over.
    pub(super) fn add(&mut self, arg: &PartialArg<'_>) {
        let path = &*arg.json_path.0;
        let continues = self.open.as_deref() == Some(path);
        self.open = (arg.will_continue == Some(true)).then(|| path.to_owned());
        let Some(place) = steps(path).and_then(|steps| place(&mut self.arguments, &steps)) else { return };
        match (place, arg) {
            (Value::String(text), PartialArg { string_value: Some(more), .. }) if continues => text.push_str(&more.0),
            (place, PartialArg { string_value: Some(text), .. }) => *place = Value::String(text.0.to_string()),
            (place, PartialArg { number_value: Some(number), .. }) => *place = Value::Number(number.clone()),
            (place, PartialArg { bool_value: Some(truth), .. }) => *place = Value::Bool(*truth),
            // Null, or the beginning of something: either way it has its place.
            _ => {}
        }
    }
}

/// A way from a value to one of its parts.
enum Step<'a> {
    Field(&'a str),
    Element(usize),
}

/// The steps of a path such as `$.a.b[0]['c d']`; none if it is no such path.
fn steps(path: &str) -> Option<Vec<Step<'_>>> {
    let mut rest = path.strip_prefix('$')?;
    let mut steps = Vec::new();
    while !rest.is_empty() && steps.len() < MAX_DEPTH {
        let (step, behind) = if let Some(field) = rest.strip_prefix('.') {
            let (name, behind) = field.split_at(field.find(['.', '[']).unwrap_or(field.len()));
            (Step::Field(name), behind)
        } else if let Some(quoted) = ["['", "[\""].iter().find_map(|quote| rest.strip_prefix(quote)) {
            let (name, behind) = quoted.split_once("']").or_else(|| quoted.split_once("\"]"))?;
            (Step::Field(name), behind)
        } else {
            let (index, behind) = rest.strip_prefix('[')?.split_once(']')?;
            (Step::Element(index.parse().ok()?), behind)
        };
        steps.push(step);
        rest = behind;
    }
    (rest.is_empty() && !steps.is_empty()).then_some(steps)
}

/// Where `steps` lead from `root`. What is missing on the way is made.
fn place<'v>(root: &'v mut Value, steps: &[Step<'_>]) -> Option<&'v mut Value> {
    steps.iter().try_fold(root, |value, step| match step {
        Step::Field(name) => {
            if !value.is_object() {
                *value = Value::Object(serde_json::Map::new());
            }
            Some(value.as_object_mut()?.entry(*name).or_insert(Value::Null))
        }
        Step::Element(index) => {
            if !value.is_array() {
                *value = Value::Array(Vec::new());
            }
            let elements = value.as_array_mut()?;
            if *index > elements.len() + MAX_GAP {
                return None;
            }
            if *index >= elements.len() {
                elements.resize(index + 1, Value::Null);
            }
            elements.get_mut(*index)
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn built(args: &[&str]) -> String {
        let mut partial = Partial::new(0);
        for arg in args {
            partial.add(&serde_json::from_str(arg).unwrap());
        }
        partial.arguments()
    }

    #[test]
    fn values_find_their_places_and_texts_grow() {
        let args = [
            r#"{"jsonPath":"$.a.b[0].c","stringValue":"one","willContinue":true}"#,
            r#"{"jsonPath":"$.a.b[0].c","stringValue":" two"}"#,
            r#"{"jsonPath":"$.a.b[1]","numberValue":7}"#,
            r#"{"jsonPath":"$.a.b[2]","numberValue":0.50}"#,
            r#"{"jsonPath":"$['odd name']","boolValue":false}"#,
            r#"{"jsonPath":"$.n","nullValue":"NULL_VALUE"}"#,
        ];
        assert_eq!(built(&args), r#"{"a":{"b":[{"c":"one two"},7,0.5]},"odd name":false,"n":null}"#);
    }

    #[test]
    fn a_text_that_is_told_anew_is_not_continued() {
        let arg = r#"{"jsonPath":"$.a","stringValue":"x"}"#;
        assert_eq!(built(&[arg, arg]), r#"{"a":"x"}"#);
    }

    #[test]
    fn a_path_that_leads_nowhere_is_passed_over() {
        let deep = format!(r#"{{"jsonPath":"${}","numberValue":1}}"#, "[0]".repeat(200));
        let far = r#"{"jsonPath":"$.a[4000000000]","numberValue":1}"#;
        let rest = ["", "$", "a", "$.a[", "$[x]"].map(|path| format!(r#"{{"jsonPath":"{path}","numberValue":1}}"#));
        let args: Vec<&str> = rest.iter().map(|arg| &**arg).chain([&*deep, far]).collect();
        assert_eq!(built(&args), r#"{"a":[]}"#);
    }
}
