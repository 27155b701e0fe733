//! Tool calls with arguments that fit their JSON schema.

use serde_json::{Value, json};

use super::{dice::Dice, schema};

/// One call, whole: in a stream its arguments go out in fragments.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ToolCall {
    pub(super) id: String,
    pub(super) name: String,
    /// JSON as a string, which is how OpenAI sends it.
    pub(super) arguments: String,
}

/// The calls a model would make on this request: one or two of the first tools, or an example if there are none.
pub(super) fn calls(request: &Value, message: &str, mut dice: Dice) -> Vec<ToolCall> {
    if request["tool_choice"] == "none" {
        return Vec::new();
    }
    let offered = request["tools"].as_array().map(Vec::as_slice).unwrap_or_default();
    if offered.is_empty() {
        return vec![call("get_weather", &json!({"city": "Lisbon", "unit": "celsius"}), &mut dice)];
    }
    let forced = request["tool_choice"]["function"]["name"].as_str();
    let functions = offered.iter().map(|tool| &tool["function"]);
    let callable = functions.filter(|function| match forced {
        Some(name) => function["name"] == name,
        None => function["name"].is_string(),
    });
    let at_most = if request["parallel_tool_calls"] == false { 1 } else { dice.between(1, 2) };
    callable
        .take(usize::try_from(at_most).unwrap_or(1))
        .map(|function| {
            let arguments = schema::arguments(&function["parameters"], message);
            call(function["name"].as_str().unwrap_or_default(), &arguments, &mut dice)
        })
        .collect()
}

fn call(name: &str, arguments: &Value, dice: &mut Dice) -> ToolCall {
    ToolCall { id: format!("call_{:016x}", dice.roll()), name: name.to_owned(), arguments: arguments.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(extra: &[(&str, Value)]) -> Value {
        let tool =
            |name: &str| json!({"type": "function", "function": {"name": name, "parameters": {"type": "object"}}});
        let mut request = json!({"tools": [tool("one"), tool("two"), tool("three")]});
        for (key, value) in extra {
            request[*key] = value.clone();
        }
        request
    }

    #[test]
    fn without_tools_there_is_an_example() {
        let calls = calls(&json!({}), "hi", Dice::new(b""));
        assert_eq!(calls.len(), 1);
        assert_eq!(calls[0].name, "get_weather");
        assert!(serde_json::from_str::<Value>(&calls[0].arguments).is_ok_and(|json| json["city"] == "Lisbon"));
    }

    #[test]
    fn the_choice_of_the_client_is_respected() {
        let names = |request: &Value| -> Vec<String> {
            calls(request, "hi", Dice::new(b"two")).into_iter().map(|call| call.name).collect()
        };
        let forced = json!({"type": "function", "function": {"name": "three"}});
        assert_eq!(names(&request(&[("tool_choice", forced)])), ["three"]);
        assert_eq!(names(&request(&[("parallel_tool_calls", json!(false))])), ["one"]);
        assert!(names(&request(&[("tool_choice", json!("none"))])).is_empty());
    }

    #[test]
    fn some_requests_get_one_call_and_some_get_two() {
        let counts: Vec<usize> = (0..20_u8).map(|seed| calls(&request(&[]), "hi", Dice::new(&[seed])).len()).collect();
        assert!(counts.contains(&1) && counts.contains(&2));
        assert!(counts.iter().all(|count| (1..=2).contains(count)));
    }
}
