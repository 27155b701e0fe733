//! Reading what must be known of a request.

use std::hint::black_box;

use serde_json::json;
use sluicegate::dialect::{Dialect, OpenAiChat};

use super::Case;

const SHORT: &str = include_str!("../../../tests/fixtures/openai-chat/openai-gpt5nano-text-no-usage.request.json");

pub(super) const CASES: &[Case] = &[
    Case { name: "request/a short one", set_up: || parse(SHORT.to_owned()) },
    Case { name: "request/a conversation of 32 KiB", set_up: || parse(conversation(32 * 1024)) },
];

/// A request with `length` bytes, or a little less, of what people and models write: prose, line ends, quotes, code.
fn conversation(length: usize) -> String {
    let answer = "Because the closure outlives it.\n\n```rust\nlet name = \"a\";\n```\n\nMove it — then all is well. ";
    let question = json!({"role": "user", "content": "And why does it say \"borrowed value\" there?"}).to_string();
    let turn = format!("{question},{}", json!({"role": "assistant", "content": answer.repeat(8)}));
    let messages = vec![turn.as_str(); length / turn.len()].join(",");
    format!(r#"{{"model":"gpt-4o-mini","messages":[{messages}],"stream":true,"temperature":0.7}}"#)
}

fn parse(body: String) -> Box<dyn FnMut()> {
    Box::new(move || {
        let _ = black_box(OpenAiChat.parse_request(black_box(body.as_bytes())));
    })
}
