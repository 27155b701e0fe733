//! What a client asks before it asks a model.

use std::time::Duration;

use serde_json::{Value, json};

use super::super::{Ollama, catalogue, load};
use crate::dialect::{Dialect, Shape};

#[test]
fn a_model_of_which_only_its_name_is_known_is_listed_with_all_fields() {
    let card = Ollama.model_card("gpt-x", "openai");
    assert_eq!((&card["name"], &card["model"]), (&json!("gpt-x"), &json!("gpt-x")));
    let digest = card["digest"].as_str().unwrap();
    assert!(digest.len() == 64 && digest.bytes().all(|digit| digit.is_ascii_hexdigit()));
    for name in ["modified_at", "size", "details"] {
        assert!(!card[name].is_null(), "{name}");
    }
    assert_eq!(Ollama.model_list(std::slice::from_ref(&card)), json!({ "models": [card] }));
}

#[test]
fn a_model_is_shown_with_what_clients_look_for() {
    let shown = catalogue::show("gpt-x", Some(128_000));
    let architecture = shown["model_info"]["general.architecture"].as_str().unwrap();
    assert_eq!(shown["model_info"][format!("{architecture}.context_length")], 128_000);
    assert_eq!(shown["model_info"]["general.basename"], "gpt-x");
    assert!(shown["capabilities"].as_array().unwrap().contains(&json!("tools")));
    assert!(shown["details"]["family"].is_string() && shown["template"].is_string());
    assert_eq!(catalogue::show("gpt-x", None)["model_info"].as_object().unwrap().len(), 2);
}

#[test]
fn the_version_is_three_numbers_and_no_model_is_in_memory() {
    let version = catalogue::version();
    let numbers: Vec<u32> = version["version"].as_str().unwrap().split('.').map(|part| part.parse().unwrap()).collect();
    assert!(numbers.len() == 3 && numbers > vec![0, 6, 4]);
    assert_eq!(catalogue::running(), json!({ "models": [] }));
}

fn load(shape: Shape, body: &str) -> Option<Value> {
    let answer = load::answer(shape, "m", body.as_bytes(), Duration::new(1_700_000_000, 5));
    answer.map(|answer| serde_json::from_slice(&answer).unwrap())
}

#[test]
fn who_asks_nothing_loads_or_unloads() {
    let chat = |reason: &str| {
        json!({
            "model": "m",
            "created_at": "2023-11-14T22:13:20.000000005Z",
            "message": { "role": "assistant", "content": "" },
            "done": true,
            "done_reason": reason,
        })
    };
    assert_eq!(load(Shape::Chat, "{\"messages\":[]}"), Some(chat("load")));
    assert_eq!(load(Shape::Chat, "{\"keep_alive\":\"5m\"}"), Some(chat("load")));
    for none in ["0", "0.0", "\"0\"", "\"0s\"", "\"0h0m\""] {
        assert_eq!(load(Shape::Chat, &format!("{{\"messages\":[],\"keep_alive\":{none}}}")), Some(chat("unload")));
    }
    let completion = load(Shape::Completion, "{\"prompt\":\"\",\"keep_alive\":-1}").unwrap();
    assert_eq!((&completion["response"], &completion["done_reason"]), (&json!(""), &json!("load")));
    assert!(completion.get("message").is_none());
}

#[test]
fn who_asks_something_is_not_answered_here() {
    assert_eq!(load(Shape::Chat, "{\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}]}"), None);
    assert_eq!(load(Shape::Completion, "{\"prompt\":\"hi\"}"), None);
    assert_eq!(load(Shape::Chat, "{\"messages\":7}"), None);
}
